"""DeepPose's first stage on LSP and LSPET: AlexNet regresses coordinates in a person's box.

    python main.py --config configs/deeppose_alexnet_lsp.py
    python main.py --config configs/deeppose_alexnet_lsp.py --mode evaluate \\
        --split 'extension_*'

The second line sweeps the boxes' extension from 1.0 to 2.0. Boxes come from the true
keypoints, at test too. From scratch, as the first of the original's two recipes; the
other starts from Caffe's AlexNet and freezes its convolutions at first:

    --config.learner.pretrained.path=bvlc_alexnet.npz \\
    --config.learner.optimizer.groups.conv.frozen_steps=10000 \\
    --config.data.crop.extension=1.2,2.0

Its published strict PCP, mean of six parts: 42.0 from scratch, 55.7 from ImageNet.
Keypoints lie between pixels, boxes are cut where they are and a resume is exact; README
says which fields bring back what the original did. Not trained to its end by us: no GPU
was at hand.

Source: Toshev and Szegedy 2014; A. Asanakoy's DeepPose in TensorFlow, whose 1,000,000
steps of 128 people are 11,636 epochs.
"""

import jax
from ml_collections import ConfigDict, config_dict

from data_builders.lsp import lsp_dataset_builder
from data_builders.lspet import lspet_dataset_builder
from jaxpose import augment, checkpoint, crops, data, evaluate, records, regions
from jaxpose.config import spec
from jaxpose.learners import layer_groups, optimizers, supervised
from jaxpose.metrics import pck, pckh, pcp
from jaxpose.models import alexnet, regressor
from jaxpose.objectives import coordinates
from jaxpose.skeletons import LSP
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
            extension=(1.5, 2.0),
            shift=0.1,
            whole_pixels=False,
            inside=False,
            clip_keypoints=False,
        ),
        border="edge",
        antialias=True,
    )
    config.augment = spec(augment.Augment, skeleton=LSP, flip=0.5)

    layers = {"conv": ("trunk/conv*",), "dense": ("trunk/fc*", "coordinates/*")}
    config.learner = spec(
        supervised.Supervised,
        model=spec(
            regressor.Regressor,
            num_keypoints=14,
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

    config.evals = {"test": people_in_boxes(2.0, watch=True)} | {
        f"extension_{tenths // 10}_{tenths % 10}": people_in_boxes(
            tenths / 10, watch=False
        )
        for tenths in range(10, 21, 2)
    }
    config.checkpoints = spec(
        checkpoint.Checkpoints, every=2000, keep=2, best="test/PCP-parts@0.5"
    )
    return config
