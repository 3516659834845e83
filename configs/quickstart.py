"""The whole program in six minutes: drawn people, a small heatmap network, a page.

    XLA_FLAGS=--xla_force_host_platform_device_count=2 \
        python main.py --config configs/quickstart.py

Draws 7000 pictures, trains 0.5 M parameters on canvases of 96 x 96 cut around each
person's box, and leaves `runs/quickstart/report.html`. PCK@0.2 75.1 on the 1000 test
pictures, boxes given, hidden keypoints counted (the median pose has 42.5), in 292 s on
two cores that other work shared.
"""

from ml_collections import ConfigDict, config_dict

from data_builders.figures import figures_dataset_builder
from jaxpose import augment, checkpoint, data, evaluate, records, regions
from jaxpose.config import spec
from jaxpose.learners import optimizers, supervised
from jaxpose.metrics import pck
from jaxpose.models import pose_resnet, resnet
from jaxpose.objectives import heatmap_decoding, heatmaps
from jaxpose.skeletons import MPII


def get_config() -> ConfigDict:
    config = ConfigDict()
    size = config_dict.FieldReference((96, 96))
    # Of the peaks, in cells; decoding smooths as wide.
    sigma = config_dict.FieldReference(1.0)
    config.seed = 0
    config.batch_size = 32
    config.num_steps = 1500
    config.data_dir = "data"
    config.manual_dir = "data/manual"
    config.log_every = 50
    config.eval_every = 300

    figures = {
        split: spec(
            records.Split,
            builder=figures_dataset_builder.Builder,
            split=split,
            region=spec(regions.KnownBox, padding=1.25, aspect=1.0),
        )
        for split in ("train", "test")
    }
    config.data = spec(data.Data, sources=(figures["train"],), skeleton=MPII, size=size)
    config.augment = spec(
        augment.Augment,
        skeleton=MPII,
        flip=0.5,
        scale=0.15,
        rotation=15.0,
        shift=0.05,
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
                resnet.ResNet,
                blocks=(1, 1, 1),
                bottleneck=False,
                features=(32, 64, 128),
            ),
            deconvolutions=(64, 64),
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
                peak=3e-3,
                warmup_steps=50,
                num_steps=config.get_ref("num_steps"),
            ),
            weight_decay=1e-3,
        ),
    )
    config.evals = {
        "test": spec(
            evaluate.Eval,
            data=spec(data.Data, sources=(figures["test"],), skeleton=MPII, size=size),
            metrics=(spec(pck.PCK, threshold=0.2),),
            mirror=True,
        )
    }
    config.checkpoints = spec(
        checkpoint.Checkpoints, every=300, keep=1, best="test/PCK@0.2"
    )
    return config
