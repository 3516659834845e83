"""Stacked hourglass on single people of COCO 2017, in the boxes of the annotations.

    python main.py --config configs/hourglass_coco.py

AP of COCO with true boxes (`detections.Detections` takes a detector's). COCO was not at
hand in full: this config is tested through shapes and on 159 photographs only.

Source: Newell et al. 2016, as in PyTorch-Pose; boxes of Simple Baselines. 50 epochs of
about 150,000 people, with drops after 30 and 45.
"""

from ml_collections import ConfigDict, config_dict

from data_builders.coco_keypoints import coco_keypoints_dataset_builder
from jaxpose import augment, checkpoint, data, evaluate, records, regions
from jaxpose.config import spec
from jaxpose.learners import optimizers, supervised
from jaxpose.metrics import coco as coco_metrics
from jaxpose.models import hourglass
from jaxpose.objectives import heatmap_decoding, heatmaps
from jaxpose.skeletons import COCO


def get_config() -> ConfigDict:
    config = ConfigDict()
    # One field wherever it stands: --config.data.size=... changes all.
    size = config_dict.FieldReference((256, 192))
    # Of the peaks, in cells; decoding smooths as wide.
    sigma = config_dict.FieldReference(1.0)
    config.seed = 0
    config.batch_size = 32
    config.num_steps = 234_000
    config.data_dir = "data"
    config.manual_dir = "data/manual"
    config.log_every = 100
    config.eval_every = 4_680

    coco = {
        split: spec(
            records.Split,
            builder=coco_keypoints_dataset_builder.Builder,
            split=split,
            region=spec(regions.KnownBox, padding=1.25, aspect=0.75),
            config="2017",
        )
        for split in ("train", "validation")
    }
    config.data = spec(data.Data, sources=(coco["train"],), skeleton=COCO, size=size)

    config.augment = spec(
        augment.Augment,
        skeleton=COCO,
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
            num_keypoints=17,
            stacks=2,
            blocks=1,
            features=256,
            mean=hourglass.COCO_MEAN,
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
                optimizers.drops, start=1e-3, at=(140_000, 210_000), factor=0.1
            ),
        ),
    )
    config.evals = {
        "validation": spec(
            evaluate.Eval,
            data=spec(
                data.Data, sources=(coco["validation"],), skeleton=COCO, size=size
            ),
            metrics=(spec(coco_metrics.AP),),
            mirror=True,
        )
    }
    config.checkpoints = spec(
        checkpoint.Checkpoints, every=1000, keep=2, best="validation/AP"
    )
    return config
