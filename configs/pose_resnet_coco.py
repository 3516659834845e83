"""Simple Baselines on COCO 2017: ResNet-50 on canvases of 256 x 192.

    python main.py --config configs/pose_resnet_coco.py

AP with true boxes. COCO was not at hand in full: this config is tested through shapes
only.

Source: Xiao et al. 2018; 140 epochs of about 150,000 people, drops after 90 and 120.
"""

from ml_collections import ConfigDict, config_dict

from data_builders.coco_keypoints import coco_keypoints_dataset_builder
from jaxpose import augment, checkpoint, data, evaluate, records, regions
from jaxpose.config import spec
from jaxpose.learners import optimizers, supervised
from jaxpose.metrics import coco as coco_metrics
from jaxpose.models import imagenet, pose_resnet, resnet
from jaxpose.objectives import heatmap_decoding, heatmaps
from jaxpose.skeletons import COCO
from jaxpose.weights import resnet as resnet_weights


def get_config() -> ConfigDict:
    config = ConfigDict()
    # One field wherever it stands: --config.data.size=... changes all.
    size = config_dict.FieldReference((256, 192))
    # Of the peaks, in cells; decoding smooths as wide.
    sigma = config_dict.FieldReference(2.0)
    config.seed = 0
    config.batch_size = 32
    config.num_steps = 656_000
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
            pose_resnet.PoseResNet,
            num_keypoints=17,
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
                optimizers.drops, start=1e-3, at=(422_000, 562_500), factor=0.1
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
