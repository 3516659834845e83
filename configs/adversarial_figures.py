"""Self-adversarial training on drawn people that two CPU cores can do.

    XLA_FLAGS=--xla_force_host_platform_device_count=2 \\
        python main.py --config configs/adversarial_figures.py

The pictures and canvases of `quickstart.py`, the networks of `adversarial_lsp_small.py`.
Not trained to its end yet; `benchmarks/adversarial.py` trains it for some hundred steps,
with and without the discriminator.
"""

from ml_collections import ConfigDict, config_dict

from data_builders.figures import figures_dataset_builder
from jaxpose import augment, checkpoint, data, evaluate, records, regions
from jaxpose.config import spec
from jaxpose.learners import adversarial, optimizers
from jaxpose.metrics import pck
from jaxpose.models import discriminator, pose_resnet, resnet
from jaxpose.objectives import heatmap_decoding, heatmaps
from jaxpose.skeletons import MPII


def get_config() -> ConfigDict:
    config = ConfigDict()
    size = config_dict.FieldReference((96, 96))
    # Of the peaks, in cells; decoding smooths as wide.
    sigma = config_dict.FieldReference(1.0)
    config.seed = 0
    config.batch_size = 32
    config.num_steps = 4000
    config.data_dir = "data"
    config.manual_dir = "data/manual"
    config.log_every = 50
    config.eval_every = 500

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
        adversarial.Adversarial,
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
            factor=1.0,
            decoder=spec(heatmap_decoding.Dark, blur=sigma),
        ),
        optimizer=spec(
            optimizers.adamw,
            learning_rate=spec(
                optimizers.warmup_cosine,
                peak=3e-3,
                warmup_steps=200,
                num_steps=config.get_ref("num_steps"),
            ),
            weight_decay=1e-3,
        ),
        discriminator=spec(
            discriminator.Discriminator,
            num_keypoints=16,
            stacks=1,
            blocks=1,
            features=32,
            depth=3,
            stem=(16, 32, 32),
        ),
        discriminator_optimizer=spec(optimizers.adam, learning_rate=1e-3),
        weight=0.1,
        gamma=0.5,
        # The errors are of the order of 1e-3, and k moves by rate x balance.
        rate=1.0,
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
        checkpoint.Checkpoints, every=250, keep=2, best="test/PCK@0.2"
    )
    return config
