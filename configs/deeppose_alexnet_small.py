"""A narrow AlexNet on LSP and LSPET from scratch, that two CPU cores can train.

    XLA_FLAGS=--xla_force_host_platform_device_count=2 \\
        python main.py --config configs/deeppose_alexnet_small.py
    python main.py --config configs/deeppose_alexnet_small.py --mode evaluate \\
        --split 'extension_*'

`deeppose_alexnet_lsp.py` for a budget of minutes: half the channels, dense layers of 1024,
canvases of 131 pixels, Adam with a falling rate, and layers that start wider. Boxes come
from the true keypoints, at test too. Strict PCP on LSP test, mean of six parts: 21.0
after 28 epochs, 24 minutes on two cores that other work shared (188 images/s in the
median); the original's from scratch is 42.0 after 11,636.
"""

import jax
from ml_collections import ConfigDict, config_dict

from data_builders.lsp import lsp_dataset_builder
from data_builders.lspet import lspet_dataset_builder
from jaxpose import augment, checkpoint, crops, data, evaluate, records, regions
from jaxpose.config import spec
from jaxpose.learners import optimizers, supervised
from jaxpose.metrics import pck, pckh, pcp
from jaxpose.models import alexnet, regressor
from jaxpose.objectives import coordinates
from jaxpose.skeletons import LSP


def get_config() -> ConfigDict:
    config = ConfigDict()
    # One field wherever it stands: --config.data.size=... changes all.
    size = config_dict.FieldReference((131, 131))
    config.seed = 0
    config.batch_size = 64
    config.num_steps = 4_000
    config.data_dir = "data"
    config.manual_dir = "data/manual"
    config.log_every = 100
    config.eval_every = 400

    tight = spec(regions.PersonBox, padding=1.0, inside=False)
    lspet = spec(
        records.Split,
        builder=lspet_dataset_builder.Builder,
        split="train",
        region=tight,
        offset=0.0,
    )
    lsp = {
        split: spec(
            records.Split,
            builder=lsp_dataset_builder.Builder,
            split=split,
            region=tight,
            offset=0.0,
        )
        for split in ("train", "test")
    }
    config.data = spec(
        data.Data,
        sources=(lspet, lsp["train"]),
        skeleton=LSP,
        size=size,
        crop=spec(
            crops.Crop,
            extension=(1.2, 2.0),
            shift=0.1,
            whole_pixels=False,
            inside=False,
            clip_keypoints=False,
        ),
        border="edge",
        antialias=True,
    )
    config.augment = spec(augment.Augment, skeleton=LSP, flip=0.5)

    config.learner = spec(
        supervised.Supervised,
        model=spec(
            regressor.Regressor,
            num_keypoints=14,
            trunk=spec(
                alexnet.AlexNet,
                scaling="contrast",
                first_padding="SAME",
                dropout=0.3,
                features=(48, 128, 192, 192, 128),
                hidden=1024,
                # In minutes nothing comes through layers that start as the original's.
                kernel_init=spec(jax.nn.initializers.he_normal),
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
            optimizers.adamw,
            learning_rate=spec(
                optimizers.warmup_cosine,
                peak=3e-4,
                warmup_steps=200,
                num_steps=config.get_ref("num_steps"),
            ),
            weight_decay=1e-3,
        ),
    )

    def people_in_boxes(extension: float, *, watch: bool) -> ConfigDict:
        return spec(
            evaluate.Eval,
            data=spec(
                data.Data,
                sources=(lsp["test"],),
                skeleton=LSP,
                size=size,
                crop=spec(crops.Crop, extension=(extension, extension)),
            ),
            metrics=(
                spec(pcp.PCP, mean="parts", torso="spine"),
                spec(pcp.PCP, mean="parts", torso="spine", rule="relaxed"),
                spec(pckh.PCKh, strict=False, head="stick", mean="groups"),
                spec(pck.PCK, threshold=0.2),
            ),
            watch=watch,
        )

    config.evals = {"test": people_in_boxes(1.6, watch=True)} | {
        f"extension_{tenths // 10}_{tenths % 10}": people_in_boxes(
            tenths / 10, watch=False
        )
        for tenths in range(10, 21, 2)
    }
    config.checkpoints = spec(
        checkpoint.Checkpoints, every=400, keep=2, best="test/PCP-parts@0.5"
    )
    return config
