"""Several people a photograph, for main.py: `tests/crowded.py` written to ./crowded."""

from ml_collections import ConfigDict

from data_builders.coco_keypoints import coco_keypoints_dataset_builder as coco
from jaxpose import augment, checkpoint, evaluate, records, regions, scenes
from jaxpose.config import spec
from jaxpose.learners import optimizers, supervised
from jaxpose.metrics import coco as coco_metrics
from jaxpose.models import pyramid, resnet
from jaxpose.objectives import associative, grouping
from jaxpose.skeletons import Skeleton
from jaxpose.weights import run
from tests import crowded


def get_config() -> ConfigDict:
    skeleton = Skeleton(
        name="trio",
        keypoints=crowded.TRIO.keypoints,
        flip=crowded.TRIO.flip,
        limbs=(),
        sigmas=(0.1, 0.1, 0.1),
    )
    source = spec(
        records.Split,
        builder=coco.Builder,
        config=spec(
            coco.Format,
            annotations={"whole": "crowded/whole.json"},
            images="crowded/photographs",
            name="crowded",
        ),
        split="whole",
        region=spec(regions.WholeImage),
    )
    shown = {"sources": (source,), "skeleton": skeleton, "size": (64, 64)}
    config = ConfigDict()
    config.seed = 0
    config.batch_size = 4
    config.num_steps = 6
    config.data_dir = "data"
    config.manual_dir = "data/manual"
    config.log_every = 1
    config.eval_every = 6
    config.data = spec(scenes.Scenes, people=4, threads=1, **shown)
    config.augment = spec(augment.Augment, skeleton=skeleton, flip=0.5)
    config.learner = spec(
        supervised.Supervised,
        model=spec(
            pyramid.Pyramid,
            channels=6,
            trunk=spec(resnet.ResNet, blocks=(1, 1), bottleneck=False, features=(8, 8)),
            features=8,
        ),
        objective=spec(
            associative.Associative,
            size=(64, 64),
            num_keypoints=3,
            # Low, so that a network that has seen little finds somebody.
            decoder=spec(grouping.Grouping, people=5, threshold=0.0),
        ),
        optimizer=spec(optimizers.adamw, learning_rate=1e-3, weight_decay=0.0),
        pretrained=spec(run.Run, workdir=""),
    )
    config.evals = {
        "whole": spec(
            evaluate.Eval,
            data=spec(scenes.Scenes, buckets=((64, 96),), threads=1, **shown),
            metrics=(spec(coco_metrics.AP),),
            mirror=True,
        )
    }
    config.checkpoints = spec(checkpoint.Checkpoints, every=6, keep=1, best="whole/AP")
    return config
