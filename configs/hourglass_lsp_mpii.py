"""Stacked hourglass on LSP, LSPET and MPII at once: a mixture of data sets.

    python main.py --config configs/hourglass_lsp_mpii.py

Keypoints are MPII's and are found by name in each data set. LSP and LSPET have no pelvis
and no thorax: there these two count neither in the loss nor in a score. Tested on LSP
(PCK, PCP) and on MPII's validation people (PCKh), each by itself. MPII was not at hand in
full: this config is tested on miniature archives only and was not trained yet.

Source: Newell et al. 2016; canvases, rates and batch of PyTorch-Pose. 100 epochs of
33,246 people, with drops after 60 and 90.
"""

from ml_collections import ConfigDict, config_dict

from data_builders.lsp import lsp_dataset_builder
from data_builders.lspet import lspet_dataset_builder
from data_builders.mpii import mpii_dataset_builder
from jaxpose import augment, checkpoint, data, evaluate, records, regions
from jaxpose.config import spec
from jaxpose.learners import optimizers, supervised
from jaxpose.metrics import pck, pckh, pcp
from jaxpose.models import hourglass
from jaxpose.objectives import heatmap_decoding, heatmaps
from jaxpose.skeletons import MPII
from jaxpose.weights import pytorch_pose


def get_config() -> ConfigDict:
    config = ConfigDict()
    # One field wherever it stands: --config.data.size=... changes all.
    size = config_dict.FieldReference((256, 256))
    # Of the peaks, in cells; decoding smooths as wide.
    sigma = config_dict.FieldReference(1.0)
    config.seed = 0
    config.batch_size = 32
    config.num_steps = 103_900
    config.data_dir = "data"
    config.manual_dir = "data/manual"
    config.log_every = 100
    config.eval_every = 10_390

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
        supervised.Supervised,
        model=spec(
            hourglass.StackedHourglass,
            num_keypoints=16,
            stacks=2,
            blocks=1,
            features=256,
            mean=hourglass.MPII_MEAN,
            dtype="float32",
            remat=False,
        ),
        # Not "none", which would teach empty maps of what a data set does not label.
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
                optimizers.drops, start=1e-3, at=(62_300, 93_500), factor=0.1
            ),
        ),
        # A checkpoint of PyTorch-Pose on MPII, read without PyTorch; empty for none.
        pretrained=spec(pytorch_pose.Hourglass, path=""),
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
