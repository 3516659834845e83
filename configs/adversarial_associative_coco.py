"""Associative embedding on COCO with a discriminator of its heatmaps.

    python main.py --config configs/adversarial_associative_coco.py
    python main.py --config configs/adversarial_associative_coco.py --mode evaluate \\
        --split 'ae_valid_scales,validation'

The network of `associative_coco.py`, trained as advpose-ae did: four hourglasses of 128
channels look at the photograph, shrunk to the heatmaps, and reconstruct them. Crowds are
left out of their errors; `--config.learner.masked=False` looks there too, as the
original. Not trained yet: neither COCO in full nor a GPU was at hand, and this config is
tested through shapes only.

Source: Newell, Huang and Deng 2017; Chou et al. 2017; rates and constants of advpose-ae.
150 epochs of the 39,440 photographs that its log counts; its rates never drop.
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
from jaxpose.learners import adversarial, optimizers
from jaxpose.metrics import coco as coco_metrics
from jaxpose.metrics import coco_errors
from jaxpose.models import associative as associative_models
from jaxpose.models import discriminator
from jaxpose.objectives import associative, grouping
from jaxpose.skeletons import COCO


def get_config() -> ConfigDict:
    config = ConfigDict()
    # One field wherever it stands: --config.data.size=... changes all.
    size = config_dict.FieldReference((512, 512))
    config.seed = 0
    config.batch_size = 6
    config.num_steps = 986_000
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
        adversarial.Adversarial,
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
        optimizer=spec(optimizers.adam, learning_rate=2e-4),
        discriminator=spec(
            discriminator.Discriminator,
            num_keypoints=17,
            stacks=4,
            blocks=1,
            features=128,
            dtype="bfloat16",
            remat=True,
        ),
        discriminator_optimizer=spec(optimizers.adam, learning_rate=8e-5),
        weight=1e-4,
        gamma=0.5,
        rate=1e-3,
        start=0.0,
        through="target and input",
        masked=True,
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
