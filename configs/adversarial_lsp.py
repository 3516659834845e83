"""Self-adversarial training on LSP and LSPET alone, 256 px.

    python main.py --config configs/adversarial_lsp.py

Networks, rates and constants of advpose, as in `adversarial_lsp_mpii.py`, on the canvases
of `hourglass_lsp.py`, which know how long a person's limbs are. Not trained yet, tested
through shapes only; see `adversarial_lsp_small.py` for one that two cores can train.

Source: Chou et al. 2017. 100 epochs of 11,000 people.
"""

from ml_collections import ConfigDict, config_dict

from data_builders.lsp import lsp_dataset_builder
from data_builders.lspet import lspet_dataset_builder
from jaxpose import augment, checkpoint, data, evaluate, records, regions
from jaxpose.config import spec
from jaxpose.learners import adversarial, optimizers
from jaxpose.metrics import pck, pcp
from jaxpose.models import discriminator, hourglass
from jaxpose.objectives import heatmap_decoding, heatmaps
from jaxpose.skeletons import LSP


def get_config() -> ConfigDict:
    config = ConfigDict()
    # One field wherever it stands: --config.data.size=... changes all.
    size = config_dict.FieldReference((256, 256))
    # Of the peaks, in cells; decoding smooths as wide.
    sigma = config_dict.FieldReference(1.0)
    config.seed = 0
    config.batch_size = 4
    config.num_steps = 275_000
    config.data_dir = "data"
    config.manual_dir = "data/manual"
    config.log_every = 100
    config.eval_every = 13_750

    lspet = spec(
        records.Split,
        builder=lspet_dataset_builder.Builder,
        split="train",
        region=spec(regions.LimbScale, skeleton=LSP, center="keypoints"),
    )
    lsp = {
        split: spec(
            records.Split,
            builder=lsp_dataset_builder.Builder,
            split=split,
            region=spec(regions.LimbScale, skeleton=LSP, center="image"),
        )
        for split in ("train", "test")
    }
    config.data = spec(
        data.Data, sources=(lspet, lsp["train"]), skeleton=LSP, size=size
    )

    config.augment = spec(
        augment.Augment,
        skeleton=LSP,
        flip=0.5,
        scale=0.25,
        rotation=30.0,
        shift=0.0,
        hue=0.0,
        saturation=0.2,
        value=0.1,
    )
    config.learner = spec(
        adversarial.Adversarial,
        model=spec(
            hourglass.StackedHourglass,
            num_keypoints=14,
            stacks=4,
            blocks=2,
            features=256,
            # advpose's: fewer channels at first than PyTorch-Pose, and no mean.
            stem=(64, 128, 128),
            mean=(0.0, 0.0, 0.0),
            dtype="float32",
            remat=False,
        ),
        objective=spec(
            heatmaps.Heatmaps,
            size=size,
            sigma=sigma,
            weighting="annotated",
            factor=1.0,
            decoder=spec(heatmap_decoding.Dark, blur=sigma),
        ),
        optimizer=spec(optimizers.rmsprop, learning_rate=2.5e-4),
        discriminator=spec(
            discriminator.Discriminator,
            num_keypoints=14,
            stacks=4,
            blocks=2,
            features=256,
            dtype="float32",
            remat=False,
        ),
        discriminator_optimizer=spec(optimizers.adam, learning_rate=8e-5),
        weight=1e-4,
        gamma=0.5,
        rate=1e-3,
        start=0.0,
        through="target and input",
    )
    config.evals = {
        "test": spec(
            evaluate.Eval,
            data=spec(data.Data, sources=(lsp["test"],), skeleton=LSP, size=size),
            metrics=(
                spec(pck.PCK, threshold=0.2),
                spec(pcp.PCP),
            ),
            mirror=True,
        )
    }
    config.checkpoints = spec(
        checkpoint.Checkpoints, every=1000, keep=2, best="test/PCK@0.2"
    )
    return config
