"""An hourglass on drawn people that two CPU cores can train, without a download.

    XLA_FLAGS=--xla_force_host_platform_device_count=2 \\
        python main.py --config configs/hourglass_figures.py

Draws 31,000 pictures; the test pictures are those of `quickstart.py`. PCK@0.2 92.6 after
12,000 steps (90.5 after 7000), boxes given and hidden keypoints counted. That took 140
minutes on two cores which other work shared nearly all the time: 49 images/s in the
median, 84 at best.
"""

from ml_collections import ConfigDict, config_dict

from data_builders.figures import figures_dataset_builder
from jaxpose import augment, checkpoint, data, evaluate, records, regions
from jaxpose.config import spec
from jaxpose.learners import optimizers, supervised
from jaxpose.metrics import pck
from jaxpose.models import hourglass
from jaxpose.objectives import softmax_heatmaps
from jaxpose.skeletons import MPII


def get_config() -> ConfigDict:
    config = ConfigDict()
    # Upright, as most people are, and little else: faces are small, and tell the sides.
    size = config_dict.FieldReference((128, 96))
    config.seed = 0
    config.batch_size = 32
    config.num_steps = 12_000
    config.data_dir = "data"
    config.manual_dir = "data/manual"
    config.log_every = 50
    config.eval_every = 1000

    # As `quickstart.py` draws them, but more to learn from.
    drawn = spec(
        figures_dataset_builder.own,
        recipe=figures_dataset_builder.SINGLE.recipe,
        pictures={"train": 30_000, "test": 1000},
    )
    figures = {
        split: spec(
            records.Split,
            builder=figures_dataset_builder.Builder,
            config=drawn,
            split=split,
            region=spec(regions.KnownBox, padding=1.1, aspect=0.75),
        )
        for split in ("train", "test")
    }
    config.data = spec(data.Data, sources=(figures["train"],), skeleton=MPII, size=size)
    config.augment = spec(
        augment.Augment,
        skeleton=MPII,
        flip=0.5,
        scale=0.15,
        rotation=15.0,
        shift=0.05,
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
            features=64,
            increase=32,
            depth=3,
            stem=(16, 32, 64),
        ),
        objective=spec(softmax_heatmaps.SoftmaxHeatmaps, size=size, sigma=1.0),
        optimizer=spec(
            optimizers.adamw,
            learning_rate=spec(
                optimizers.warmup_cosine,
                peak=3e-3,
                warmup_steps=200,
                num_steps=config.get_ref("num_steps"),
            ),
            weight_decay=1e-3,
        ),
    )
    config.evals = {
        "test": spec(
            evaluate.Eval,
            data=spec(data.Data, sources=(figures["test"],), skeleton=MPII, size=size),
            metrics=(spec(pck.PCK, threshold=0.2),),
            mirror=True,
        )
    }
    config.checkpoints = spec(
        checkpoint.Checkpoints, every=500, keep=2, best="test/PCK@0.2"
    )
    return config
