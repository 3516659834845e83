"""Stacked hourglass on LSP and LSPET, 256 px, canvases by the lengths of limbs.

    python main.py --config configs/hourglass_lsp.py

The canvas knows how long a person's limbs are, at test too, as in PyTorch-Pose; see
`hourglass_lsp_small.py` for one that knows nothing and that two cores can train. Not
trained to its end here: two cores take 2.5 images/s.

Source: Newell et al. 2016; canvases of PyTorch-Pose. 100 epochs of 11,000 people, with
drops after 60 and 90.
"""

from ml_collections import ConfigDict, config_dict

from data_builders.lsp import lsp_dataset_builder
from data_builders.lspet import lspet_dataset_builder
from jaxpose import augment, checkpoint, data, evaluate, records, regions
from jaxpose.config import spec
from jaxpose.learners import optimizers, supervised
from jaxpose.metrics import pck, pcp
from jaxpose.models import hourglass
from jaxpose.objectives import heatmap_decoding, heatmaps
from jaxpose.skeletons import LSP


def get_config() -> ConfigDict:
    config = ConfigDict()
    # One field wherever it stands: --config.data.size=... changes all.
    size = config_dict.FieldReference((256, 256))
    # Of the peaks, in cells; decoding smooths as wide.
    sigma = config_dict.FieldReference(1.0)
    config.seed = 0
    config.batch_size = 32
    config.num_steps = 34_400
    config.data_dir = "data"
    config.manual_dir = "data/manual"
    config.log_every = 100
    config.eval_every = 3_440

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
        supervised.Supervised,
        model=spec(
            hourglass.StackedHourglass,
            num_keypoints=14,
            stacks=2,
            blocks=1,
            features=256,
            mean=hourglass.LSP_MEAN,
            dtype="float32",
            remat=False,
        ),
        objective=spec(
            heatmaps.Heatmaps,
            size=size,
            sigma=sigma,
            weighting="annotated",
            decoder=spec(heatmap_decoding.Dark, blur=sigma),
        ),
        optimizer=spec(
            optimizers.rmsprop,
            learning_rate=spec(
                optimizers.drops, start=1e-3, at=(20_600, 31_000), factor=0.1
            ),
        ),
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
