"""Stacked hourglass on MPII: 2 stacks, 8 with --config.learner.model.stacks=8.

    python main.py --config configs/hourglass_mpii.py

The training and validation people of Tompson et al., PCKh as PyTorch-Pose counts it. Its
published predictions of 2 stacks give 86.76. Peaks lie between cells, hidden keypoints
count, and flips are exact: `heatmaps.Heatmaps` has the originals' ways as fields. MPII
was not at hand in full: this config is tested through shapes and on five people only.

Source: Newell et al. 2016; rates and batch of PyTorch-Pose's recipes. 100 epochs of the
22,246 people that its authors counted, with drops after 60 and 90.
"""

from ml_collections import ConfigDict, config_dict

from data_builders.mpii import mpii_dataset_builder
from jaxpose import augment, checkpoint, data, evaluate, records, regions
from jaxpose.config import spec
from jaxpose.learners import optimizers, supervised
from jaxpose.metrics import pckh
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
    config.num_steps = 69_500
    config.data_dir = "data"
    config.manual_dir = "data/manual"
    config.log_every = 100
    config.eval_every = 6_950

    mpii = {
        split: spec(
            records.Split,
            builder=mpii_dataset_builder.Builder,
            split=split,
            region=spec(regions.BodyScale, padding=1.25),
        )
        for split in ("train", "validation")
    }
    config.data = spec(data.Data, sources=(mpii["train"],), skeleton=MPII, size=size)

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
                optimizers.drops, start=1e-3, at=(41_700, 62_550), factor=0.1
            ),
        ),
        # A checkpoint of PyTorch-Pose on MPII, read without PyTorch; empty for none.
        pretrained=spec(pytorch_pose.Hourglass, path=""),
    )
    config.evals = {
        "validation": spec(
            evaluate.Eval,
            data=spec(
                data.Data, sources=(mpii["validation"],), skeleton=MPII, size=size
            ),
            metrics=(spec(pckh.PCKh),),
            mirror=True,
        )
    }
    config.checkpoints = spec(
        checkpoint.Checkpoints, every=1000, keep=2, best="validation/PCKh@0.5"
    )
    return config
