"""Coordinates by residual log-likelihood on MPII: ResNet-50 and two linear layers.

    python main.py --config configs/deeppose_rle_mpii.py \\
        --config.learner.pretrained.path=resnet50.pth

MPII was not at hand in full: this config is tested through shapes only, and no number of
it is known. Three losses on a small network and drawn people stand side by side in
`benchmarks/results/ranking_linear_cpu.json`.

Source: Li et al. 2021; Adam, 1e-3 with drops after 170 and 200 of 270 epochs, 32 people
on each of 8 devices, ImageNet's trunk. An epoch is 87 steps for 22,246 people. Canvases,
augmentation and evaluation are those of `pose_resnet_mpii.py`, to compare with heatmaps.
"""

from ml_collections import ConfigDict, config_dict

from data_builders.mpii import mpii_dataset_builder
from jaxpose import augment, checkpoint, data, evaluate, records, regions
from jaxpose.config import spec
from jaxpose.learners import optimizers, supervised
from jaxpose.metrics import pckh
from jaxpose.models import density_regressor, resnet
from jaxpose.objectives import coordinates, residual_log_likelihood
from jaxpose.skeletons import MPII
from jaxpose.weights import resnet as resnet_weights


def get_config() -> ConfigDict:
    config = ConfigDict()
    # One field wherever it stands: --config.data.size=... changes all.
    size = config_dict.FieldReference((256, 256))
    config.seed = 0
    config.batch_size = 256
    config.num_steps = 23_490
    config.data_dir = "data"
    config.manual_dir = "data/manual"
    config.log_every = 87
    config.eval_every = 870

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
            density_regressor.DensityRegressor,
            num_keypoints=16,
            trunk=spec(resnet.resnet, layers=50, dtype="float32"),
        ),
        objective=spec(
            residual_log_likelihood.ResidualLogLikelihood,
            encoding=spec(coordinates.Coordinates, size=size, extent=0.5),
            assumed="laplace",
        ),
        optimizer=spec(
            optimizers.adamw,
            learning_rate=spec(
                optimizers.drops, start=1e-3, at=(14_790, 17_400), factor=0.1
            ),
            weight_decay=0.0,
        ),
        # torchvision's resnet50 file, read without PyTorch; empty for a fresh trunk.
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
        checkpoint.Checkpoints, every=870, keep=2, best="validation/PCKh@0.5"
    )
    return config
