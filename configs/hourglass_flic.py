"""Stacked hourglass on FLIC: upper bodies of films, around a detector's torso.

    python main.py --config configs/hourglass_flic.py

PCK@0.2 over elbows and wrists. FLIC was not at hand: this config is tested through
shapes only.

Source: Newell et al. 2016. 100 epochs of 3987 people, with drops after 60 and 90.
"""

from ml_collections import ConfigDict, config_dict

from data_builders.flic import flic_dataset_builder
from jaxpose import augment, checkpoint, data, evaluate, records, regions
from jaxpose.config import spec
from jaxpose.learners import optimizers, supervised
from jaxpose.metrics import pck
from jaxpose.models import hourglass
from jaxpose.objectives import heatmap_decoding, heatmaps
from jaxpose.skeletons import FLIC


def get_config() -> ConfigDict:
    config = ConfigDict()
    # One field wherever it stands: --config.data.size=... changes all.
    size = config_dict.FieldReference((256, 256))
    # Of the peaks, in cells; decoding smooths as wide.
    sigma = config_dict.FieldReference(1.0)
    config.seed = 0
    config.batch_size = 32
    config.num_steps = 12_500
    config.data_dir = "data"
    config.manual_dir = "data/manual"
    config.log_every = 100
    config.eval_every = 1_250

    flic = {
        split: spec(
            records.Split,
            builder=flic_dataset_builder.Builder,
            split=split,
            region=spec(regions.KnownBox, box="torso_box", padding=4.0, aspect=1.0),
        )
        for split in ("train", "test")
    }
    config.data = spec(data.Data, sources=(flic["train"],), skeleton=FLIC, size=size)

    config.augment = spec(
        augment.Augment,
        skeleton=FLIC,
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
            num_keypoints=11,
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
                optimizers.drops, start=1e-3, at=(7_500, 11_250), factor=0.1
            ),
        ),
    )
    config.evals = {
        "test": spec(
            evaluate.Eval,
            data=spec(data.Data, sources=(flic["test"],), skeleton=FLIC, size=size),
            metrics=(
                spec(
                    pck.PCK,
                    threshold=0.2,
                    averaged=("left_elbow", "right_elbow", "left_wrist", "right_wrist"),
                ),
            ),
            mirror=True,
        )
    }
    config.checkpoints = spec(
        checkpoint.Checkpoints, every=1000, keep=2, best="test/PCK@0.2"
    )
    return config
