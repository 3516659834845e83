"""Associative embedding on COCO: everybody on a photograph in one pass of the network.

    python main.py --config configs/associative_coco.py
    python main.py --config configs/associative_coco.py --mode evaluate \\
        --split 'ae_valid_scales,validation'

Four stacks at 512 pixels in bfloat16, rematerialised; `--config.learner.model.dtype=float32
--config.learner.model.remat=False` undoes both. AP on the authors' 500 photographs of
train2014, published for one scale with the mirrored canvas: .593 by the authors, .518 by
hgpose-ae at half their length; `ae_valid_scales` adds scales 2 and 0.5. COCO was not at
hand in full and no GPU either: this config is tested through shapes, and its pieces on
159 photographs.

Source: Newell, Huang and Deng 2017; the schedule of their pose-ae-train, 362,000 steps of
32, of which the last 162,000 are slow.
"""

from ml_collections import ConfigDict, config_dict

from data_builders.coco_keypoints import coco_keypoints_dataset_builder
from jaxpose import (
    augment,
    checkpoint,
    evaluate,
    photometric,
    records,
    regions,
    scenes,
)
from jaxpose.config import spec
from jaxpose.learners import optimizers, supervised
from jaxpose.metrics import coco as coco_metrics
from jaxpose.metrics import coco_errors
from jaxpose.models import associative as associative_models
from jaxpose.objectives import associative, grouping
from jaxpose.skeletons import COCO


def get_config() -> ConfigDict:
    config = ConfigDict()
    # One field wherever it stands: --config.data.size=... changes all.
    size = config_dict.FieldReference((512, 512))
    config.seed = 0
    config.batch_size = 32
    config.num_steps = 362_000
    config.data_dir = "data"
    config.manual_dir = "data/manual"
    config.log_every = 100
    config.eval_every = 10_000

    coco = {
        split: spec(
            records.Split,
            builder=coco_keypoints_dataset_builder.Builder,
            split=split,
            region=spec(regions.WholeImage),
            config="2017",
        )
        for split in ("ae_train", "ae_valid", "validation")
    }
    config.data = spec(
        scenes.Scenes,
        sources=(coco["ae_train"],),
        skeleton=COCO,
        size=size,
        people=30,
        unlabeled="masked",
    )
    config.augment = spec(
        augment.Augment,
        skeleton=COCO,
        flip=0.5,
        scale=0.25,
        rotation=30.0,
        shift=0.2,
        color=spec(
            photometric.Photometric,
            hue=0.2,
            saturation=0.5,
            brightness=0.3,
            contrast=0.5,
        ),
    )
    config.learner = spec(
        supervised.Supervised,
        model=spec(
            associative_models.AssociativeHourglass,
            num_keypoints=17,
            tags=1,
            stacks=4,
            features=256,
            # As many as the published networks have; 34 are read.
            channels=68,
            dtype="bfloat16",
            remat=True,
        ),
        objective=spec(
            associative.Associative,
            size=size,
            num_keypoints=17,
            sigma=2.0,
            decoder=spec(
                grouping.Grouping,
                # The original's: head, shoulders, hips, then the limbs.
                order=(0, 1, 2, 3, 4, 5, 6, 11, 12, 7, 8, 9, 10, 13, 14, 15, 16),
            ),
        ),
        optimizer=spec(
            optimizers.adamw,
            learning_rate=spec(
                optimizers.drops, start=2e-4, at=(200_000,), factor=0.05
            ),
            weight_decay=0.0,
        ),
    )

    def people(split: str, *, scales: tuple[float, ...], watch: bool) -> ConfigDict:
        return spec(
            evaluate.Eval,
            data=spec(
                scenes.Scenes,
                sources=(coco[split],),
                skeleton=COCO,
                size=size,
                buckets=((512, 384), (384, 512)),
            ),
            metrics=(spec(coco_metrics.AP), spec(coco_errors.Errors)),
            mirror=True,
            scales=scales,
            watch=watch,
        )

    config.evals = {
        "ae_valid": people("ae_valid", scales=(1.0,), watch=True),
        "ae_valid_scales": people("ae_valid", scales=(2.0, 1.0, 0.5), watch=False),
        "validation": people("validation", scales=(1.0,), watch=False),
    }
    config.checkpoints = spec(
        checkpoint.Checkpoints, every=1000, keep=2, best="ae_valid/AP"
    )
    return config
