"""Associative embedding on drawn people, that two CPU cores can train without a download.

One to eight people a picture, some before others, and crowds behind them; draws 24,500
pictures first, in 7 minutes. A feature pyramid on a small ResNet takes the place of the
original's hourglasses. Two rounds, each on two devices
(XLA_FLAGS=--xla_force_host_platform_device_count=2). First at 192 px:

    python main.py --config configs/associative_figures.py --config.data.size="(192,192)" \\
        --config.num_steps=15_000 --config.eval_every=3000 \\
        --config.learner.optimizer.learning_rate.peak=2e-3 \\
        --config.evals.test.scales="(1.0,)" --workdir runs/associative_figures_192

Then from that network on:

    python main.py --config configs/associative_figures.py \\
        --config.learner.pretrained.workdir=runs/associative_figures_192

OKS AP .346 on the 500 test pictures after both, two hours each on two cores that small tests
shared in part, with the large pages that `doctor` advises in the second; .319 after the
first alone, at scales 4/3, 1 and 2/3. The more of a person is in sight, the better: .56
among those with at least nine of the 17 keypoints; .51 for keypoints in sight of people of
32 x 32 square pixels or more. Without any `workdir` it begins fresh, which was not measured.
"""

from ml_collections import ConfigDict, config_dict

from data_builders.figures import figures_dataset_builder
from jaxpose import augment, checkpoint, evaluate, records, regions, scenes
from jaxpose.config import spec
from jaxpose.learners import optimizers, supervised
from jaxpose.metrics import coco, coco_errors
from jaxpose.models import pyramid, resnet
from jaxpose.objectives import associative, grouping
from jaxpose.skeletons import COCO
from jaxpose.weights import run


def get_config() -> ConfigDict:
    config = ConfigDict()
    # One field wherever it stands: --config.data.size=... changes all.
    size = config_dict.FieldReference((224, 224))
    config.seed = 0
    config.batch_size = 16
    config.num_steps = 10_000
    config.data_dir = "data"
    config.manual_dir = "data/manual"
    config.log_every = 50
    config.eval_every = 2500

    # As `figures/multi`, but more to learn from; the test pictures are the same.
    drawn = spec(
        figures_dataset_builder.own,
        recipe=figures_dataset_builder.MULTI.recipe,
        pictures={"train": 24_000, "test": 500},
    )
    figures = {
        split: spec(
            records.Split,
            builder=figures_dataset_builder.Builder,
            config=drawn,
            split=split,
            region=spec(regions.WholeImage),
        )
        for split in ("train", "test")
    }
    config.data = spec(
        scenes.Scenes, sources=(figures["train"],), skeleton=COCO, size=size, people=8
    )
    # Seventeen passes in all, over pictures that are all different, need little more.
    config.augment = spec(
        augment.Augment, skeleton=COCO, flip=0.5, scale=0.1, rotation=10.0
    )
    config.learner = spec(
        supervised.Supervised,
        model=spec(
            pyramid.Pyramid,
            # 17 heatmaps, and as many maps of tags.
            channels=34,
            trunk=spec(
                resnet.ResNet,
                blocks=(1, 1, 2, 2),
                bottleneck=False,
                features=(32, 64, 128, 256),
            ),
            features=64,
        ),
        objective=spec(
            associative.Associative,
            size=size,
            num_keypoints=17,
            sigma=1.0,
            # With the original's 1e-3, tags lag behind the heatmaps.
            push=5e-3,
            pull=5e-3,
            decoder=spec(
                grouping.Grouping,
                # Surer peaks than the original's 0.1 keep others from wrong people.
                threshold=0.2,
                # The original's: head, shoulders, hips, then the limbs.
                order=(0, 1, 2, 3, 4, 5, 6, 11, 12, 7, 8, 9, 10, 13, 14, 15, 16),
            ),
        ),
        pretrained=spec(run.Run, workdir="", layers=()),
        optimizer=spec(
            optimizers.adamw,
            learning_rate=spec(
                optimizers.warmup_cosine,
                peak=1e-3,
                warmup_steps=200,
                num_steps=config.get_ref("num_steps"),
            ),
            weight_decay=1e-3,
        ),
    )
    config.evals = {
        "test": spec(
            evaluate.Eval,
            data=spec(
                scenes.Scenes, sources=(figures["test"],), skeleton=COCO, size=size
            ),
            metrics=(
                spec(coco.AP),
                spec(coco.AP, in_sight=9),
                # Nearer to COCO's labels, few of which are hidden, and none of smaller people.
                spec(coco.AP, hidden=False, smallest=32**2),
                spec(coco_errors.Errors),
            ),
            mirror=True,
            # At the first, the canvas is an eighth larger than the largest pictures; still
            # larger ones brought no more on training pictures.
            scales=(9 / 7, 1.0, 5 / 7),
        )
    }
    config.checkpoints = spec(checkpoint.Checkpoints, every=500, keep=2, best="test/AP")
    return config
