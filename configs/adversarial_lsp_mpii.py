"""Self-adversarial training on LSP, LSPET and MPII: a discriminator judges heatmaps.

    python main.py --config configs/adversarial_lsp_mpii.py

The pose network has four hourglasses, and so has the discriminator, which reconstructs
heatmaps; the log says how they stand. As for `hourglass_lsp_mpii.py`, pelvis and thorax
count where they are labeled, LSP (PCK, PCP) and MPII's validation people (PCKh) are
tested each by itself, and MPII was not at hand in full: not trained yet, tested through
shapes only.

Source: Chou et al. 2017; networks, rates and constants of advpose. 100 epochs of 33,246
people at advpose's rates, which never drop; its 39,883 include MPII's validation people.
Its images change in the gain of each channel where these change in saturation and value,
and its scales and angles are drawn from clipped normal distributions.
"""

from ml_collections import ConfigDict, config_dict

from data_builders.lsp import lsp_dataset_builder
from data_builders.lspet import lspet_dataset_builder
from data_builders.mpii import mpii_dataset_builder
from jaxpose import augment, checkpoint, data, evaluate, records, regions
from jaxpose.config import spec
from jaxpose.learners import adversarial, optimizers
from jaxpose.metrics import pck, pckh, pcp
from jaxpose.models import discriminator, hourglass
from jaxpose.objectives import heatmap_decoding, heatmaps
from jaxpose.skeletons import MPII


def get_config() -> ConfigDict:
    config = ConfigDict()
    # One field wherever it stands: --config.data.size=... changes all.
    size = config_dict.FieldReference((256, 256))
    # Of the peaks, in cells; decoding smooths as wide.
    sigma = config_dict.FieldReference(1.0)
    config.seed = 0
    config.batch_size = 4
    config.num_steps = 831_150
    config.data_dir = "data"
    config.manual_dir = "data/manual"
    config.log_every = 100
    config.eval_every = 41_558

    lspet = spec(
        records.Split,
        builder=lspet_dataset_builder.Builder,
        split="train",
        region=spec(regions.LimbScale, skeleton=MPII, center="keypoints"),
    )
    lsp = {
        split: spec(
            records.Split,
            builder=lsp_dataset_builder.Builder,
            split=split,
            region=spec(regions.LimbScale, skeleton=MPII, center="image"),
        )
        for split in ("train", "test")
    }
    mpii = {
        split: spec(
            records.Split,
            builder=mpii_dataset_builder.Builder,
            split=split,
            region=spec(regions.BodyScale, padding=1.25),
        )
        for split in ("train", "validation")
    }
    config.data = spec(
        data.Data,
        sources=(lspet, lsp["train"], mpii["train"]),
        # Chances of the sources in a batch, such as (0.2, 0.2, 0.6); (): by size.
        mixture=(),
        skeleton=MPII,
        size=size,
    )

    config.augment = spec(
        augment.Augment,
        skeleton=MPII,
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
            num_keypoints=16,
            stacks=4,
            blocks=2,
            features=256,
            # advpose's: fewer channels at first than PyTorch-Pose, and no mean.
            stem=(64, 128, 128),
            mean=(0.0, 0.0, 0.0),
            dtype="float32",
            remat=False,
        ),
        # Not "none", which would teach empty maps of what a data set does not label.
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
            num_keypoints=16,
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
        "lsp": spec(
            evaluate.Eval,
            data=spec(data.Data, sources=(lsp["test"],), skeleton=MPII, size=size),
            metrics=(spec(pck.PCK, threshold=0.2), spec(pcp.PCP)),
            mirror=True,
        ),
        "mpii": spec(
            evaluate.Eval,
            data=spec(
                data.Data, sources=(mpii["validation"],), skeleton=MPII, size=size
            ),
            metrics=(spec(pckh.PCKh),),
            mirror=True,
        ),
    }
    config.checkpoints = spec(
        checkpoint.Checkpoints, every=1000, keep=2, best="mpii/PCKh@0.5"
    )
    return config
