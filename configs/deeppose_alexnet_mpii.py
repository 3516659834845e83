"""DeepPose's first stage on MPII: AlexNet regresses coordinates in a person's box.

    python main.py --config configs/deeppose_alexnet_mpii.py
    python main.py --config configs/deeppose_alexnet_mpii.py --mode evaluate \\
        --split 'extension_*'

As `deeppose_alexnet_lsp.py`, on the original's own split: 17,928 and 1991 people with all
16 keypoints, who share photographs. Boxes come from the true keypoints, at test too.
From ImageNet it differs by

    --config.learner.pretrained.path=bvlc_alexnet.npz

Its published PCKh by the head stick, mean of ten groups: 65.4 from scratch, 78.0 from
ImageNet; it is not that of MPII's board. MPII was not at hand in full: this config is
tested through shapes only.

Source: Toshev and Szegedy 2014; A. Asanakoy's DeepPose in TensorFlow.
"""

import jax
from ml_collections import ConfigDict, config_dict

from data_builders.mpii import mpii_dataset_builder
from jaxpose import augment, checkpoint, crops, data, evaluate, records, regions
from jaxpose.config import spec
from jaxpose.learners import layer_groups, optimizers, supervised
from jaxpose.metrics import pckh, pcp
from jaxpose.models import alexnet, regressor
from jaxpose.objectives import coordinates
from jaxpose.skeletons import MPII
from jaxpose.weights import alexnet as alexnet_weights


def get_config() -> ConfigDict:
    config = ConfigDict()
    # One field wherever it stands: --config.data.size=... changes all.
    size = config_dict.FieldReference((227, 227))
    config.seed = 0
    config.batch_size = 128
    config.num_steps = 1_000_000
    config.data_dir = "data"
    config.manual_dir = "data/manual"
    config.log_every = 100
    config.eval_every = 10_000

    tight = spec(regions.PersonBox, padding=1.0, inside=False)
    mpii = {
        split: spec(
            records.Split,
            builder=mpii_dataset_builder.Builder,
            split=split,
            region=tight,
            offset=0.0,
        )
        for split in ("deeppose_train", "deeppose_test")
    }
    config.data = spec(
        data.Data,
        sources=(mpii["deeppose_train"],),
        skeleton=MPII,
        size=size,
        crop=spec(
            crops.Crop,
            extension=(1.0, 1.2),
            shift=0.1,
            whole_pixels=False,
            inside=False,
            clip_keypoints=False,
            max_height=0,
        ),
        border="edge",
        antialias=True,
    )
    config.augment = spec(augment.Augment, skeleton=MPII, flip=0.5)

    layers = {"conv": ("trunk/conv*",), "dense": ("trunk/fc*", "coordinates/*")}
    config.learner = spec(
        supervised.Supervised,
        model=spec(
            regressor.Regressor,
            num_keypoints=16,
            trunk=spec(
                alexnet.AlexNet,
                scaling="contrast",
                first_padding="SAME",
                dropout=0.6,
                features=(96, 256, 384, 384, 256),
                hidden=4096,
                dtype="float32",
            ),
            kernel_init=spec(jax.nn.initializers.truncated_normal, stddev=0.01),
        ),
        objective=spec(
            coordinates.Coordinates,
            size=size,
            extent=0.5,
            quantize_targets=False,
            per_person=True,
            clip=True,
        ),
        optimizer=spec(
            layer_groups.by_layer,
            groups={
                name: spec(
                    layer_groups.Group,
                    layers=patterns,
                    optimizer=spec(
                        optimizers.adagrad, learning_rate=5e-4, weight_decay=0.0
                    ),
                    frozen_steps=0,
                )
                for name, patterns in layers.items()
            },
        ),
        pretrained=spec(alexnet_weights.Trunk, path=""),
    )

    def people_in_boxes(extension: float, *, watch: bool) -> ConfigDict:
        return spec(
            evaluate.Eval,
            data=spec(
                data.Data,
                sources=(mpii["deeppose_test"],),
                skeleton=MPII,
                size=size,
                crop=spec(crops.Crop, extension=(extension, extension)),
            ),
            metrics=(
                spec(pcp.PCP, mean="parts", torso="spine"),
                spec(pcp.PCP, mean="parts", torso="spine", rule="relaxed"),
                spec(pckh.PCKh, strict=False, head="stick", mean="groups"),
            ),
            watch=watch,
        )

    config.evals = {"test": people_in_boxes(1.2, watch=True)} | {
        f"extension_{tenths // 10}_{tenths % 10}": people_in_boxes(
            tenths / 10, watch=False
        )
        for tenths in range(10, 21, 2)
    }
    config.checkpoints = spec(
        checkpoint.Checkpoints, every=2000, keep=2, best="test/PCKh-stick@0.5"
    )
    return config
