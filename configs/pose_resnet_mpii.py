"""Simple Baselines on MPII: ResNet-50 and three transposed convolutions.

    python main.py --config configs/pose_resnet_mpii.py

MPII was not at hand in full: this config is tested through shapes only.

Source: Xiao et al. 2018; 140 epochs of 22,246 people at batch 32, drops after 90 and 120.
"""

from ml_collections import ConfigDict, config_dict

from data_builders.mpii import mpii_dataset_builder
from jaxpose import augment, checkpoint, data, evaluate, records, regions
from jaxpose.config import spec
from jaxpose.learners import optimizers, supervised
from jaxpose.metrics import pckh
from jaxpose.models import imagenet, pose_resnet, resnet
from jaxpose.objectives import heatmap_decoding, heatmaps
from jaxpose.skeletons import MPII
from jaxpose.weights import resnet as resnet_weights


def get_config() -> ConfigDict:
    config = ConfigDict()
    # One field wherever it stands: --config.data.size=... changes all.
    size = config_dict.FieldReference((256, 256))
    # Of the peaks, in cells; decoding smooths as wide.
    sigma = config_dict.FieldReference(2.0)
    config.seed = 0
    config.batch_size = 32
    config.num_steps = 97_300
    config.data_dir = "data"
    config.manual_dir = "data/manual"
    config.log_every = 100
    config.eval_every = 6_950

    mpii = {
        split: spec(
            records.Split,
            builder=mpii_dataset_builder.Builder,
            split=split,
            region=spec(regions.BodyScale, padding=1.25),
        )
        for split in ("train", "validation")
    }
    config.data = spec(data.Data, sources=(mpii["train"],), skeleton=MPII, size=size)

    config.augment = spec(
        augment.Augment,
        skeleton=MPII,
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
            pose_resnet.PoseResNet,
            num_keypoints=16,
            trunk=spec(
                resnet.resnet,
                layers=50,
                mean=imagenet.MEAN,
                std=imagenet.STD,
                dtype="float32",
            ),
        ),
        objective=spec(
            heatmaps.Heatmaps,
            size=size,
            sigma=sigma,
            weighting="annotated",
            decoder=spec(heatmap_decoding.Dark, blur=sigma),
        ),
        optimizer=spec(
            optimizers.adamw,
            learning_rate=spec(
                optimizers.drops, start=1e-3, at=(62_550, 83_400), factor=0.1
            ),
            weight_decay=0.0,
        ),
        # torchvision's resnet50 file, read without PyTorch; empty for a fresh trunk. A
        # pose network's own file needs weights.pytorch_pose.PoseResNet, which says what
        # the trunk's mean and std must be.
        pretrained=spec(resnet_weights.Trunk, path=""),
    )
    config.evals = {
        "validation": spec(
            evaluate.Eval,
            data=spec(
                data.Data, sources=(mpii["validation"],), skeleton=MPII, size=size
            ),
            metrics=(spec(pckh.PCKh, threshold=0.5),),
            mirror=True,
        )
    }
    config.checkpoints = spec(
        checkpoint.Checkpoints, every=1000, keep=2, best="validation/PCKh@0.5"
    )
    return config
