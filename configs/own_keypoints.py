"""Keypoints of your own, in files of COCO's format: ResNet-18 on canvases of 192 x 192.

    python main.py \
        --config configs/own_keypoints.py:TRAIN.json,VALIDATION.json,PHOTOGRAPHS

The third is the folder, or the zip, that `file_name` of every image starts from. Any
keypoints of any one kind will do; boxes (`bbox`) are known. First look at the data:

    python -m jaxpose check-data TRAIN.json
    python -m jaxpose sheet --config configs/own_keypoints.py:...

PCK by the box of the labeled keypoints, and AP where the category has `sigmas` and people
have an `area`. The numbers here are a beginning; this config is tested through shapes and
on drawn foxes.
"""

from ml_collections import ConfigDict, config_dict

from data_builders.coco_keypoints import coco_keypoints_dataset_builder as coco
from jaxpose import augment, checkpoint, data, evaluate, records, regions
from jaxpose.config import spec
from jaxpose.learners import optimizers, supervised
from jaxpose.metrics import coco as coco_metrics
from jaxpose.metrics import pck
from jaxpose.models import pose_resnet, resnet
from jaxpose.objectives import heatmap_decoding, heatmaps
from jaxpose.pose_files import coco_skeleton
from jaxpose.weights import resnet as resnet_weights


def get_config(files: str = "") -> ConfigDict:
    if files.count(",") != 2:
        raise ValueError(
            f"{files!r} must name your files, with commas between them: --config "
            "configs/own_keypoints.py:TRAIN.json,VALIDATION.json,PHOTOGRAPHS"
        )
    train, validation, photographs = files.split(",")
    # A side that is not named left or right: coco_skeleton.read(train, flip=...).
    skeleton = coco_skeleton.read(train)

    config = ConfigDict()
    size = config_dict.FieldReference((192, 192))
    # Of the peaks, in cells; decoding smooths as wide.
    sigma = config_dict.FieldReference(2.0)
    config.seed = 0
    config.batch_size = 32
    config.num_steps = 20_000
    config.data_dir = "data"
    config.manual_dir = "data/manual"
    config.log_every = 100
    config.eval_every = 1_000

    own = {
        split: spec(
            records.Split,
            builder=coco.Builder,
            config=spec(
                coco.Format,
                annotations={"train": train, "validation": validation},
                images=photographs,
            ),
            split=split,
            region=spec(regions.KnownBox, padding=1.25, aspect=1.0),
        )
        for split in ("train", "validation")
    }
    config.data = spec(data.Data, sources=(own["train"],), skeleton=skeleton, size=size)
    config.augment = spec(
        augment.Augment,
        skeleton=skeleton,
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
            num_keypoints=len(skeleton.keypoints),
            trunk=spec(resnet.resnet, layers=18, dtype="float32"),
        ),
        objective=spec(
            heatmaps.Heatmaps,
            size=size,
            sigma=sigma,
            decoder=spec(heatmap_decoding.Dark, blur=sigma),
        ),
        optimizer=spec(
            optimizers.adamw,
            learning_rate=spec(
                optimizers.warmup_cosine,
                peak=1e-3,
                warmup_steps=500,
                num_steps=config.get_ref("num_steps"),
            ),
            weight_decay=1e-3,
        ),
        # torchvision's resnet18 file, which few photographs need most; empty for none.
        pretrained=spec(resnet_weights.Trunk, path=""),
    )
    metrics = [spec(pck.PCK, threshold=0.2, reference="box")]
    if skeleton.sigmas:
        metrics.append(spec(coco_metrics.AP))
    config.evals = {
        "validation": spec(
            evaluate.Eval,
            data=spec(
                data.Data, sources=(own["validation"],), skeleton=skeleton, size=size
            ),
            metrics=tuple(metrics),
            mirror=True,
        )
    }
    config.checkpoints = spec(
        checkpoint.Checkpoints, every=1_000, keep=2, best="validation/PCK-box@0.2"
    )
    return config
