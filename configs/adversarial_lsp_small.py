"""Self-adversarial training on LSP and LSPET that two CPU cores can do.

    XLA_FLAGS=--xla_force_host_platform_device_count=2 \\
        python main.py --config configs/adversarial_lsp_small.py

Data and schedule of `hourglass_lsp_small.py`, but squared error, whose heatmaps, 1 at the
peaks, a discriminator can look at beside a photograph, and the network of `quickstart.py`,
which starts sooner. Not trained to its end yet; `benchmarks/adversarial.py` trains it for
some hundred steps, with and without the discriminator.
"""

from ml_collections import ConfigDict, config_dict

from data_builders.lsp import lsp_dataset_builder
from data_builders.lspet import lspet_dataset_builder
from jaxpose import augment, checkpoint, data, evaluate, records, regions
from jaxpose.config import spec
from jaxpose.learners import adversarial, optimizers
from jaxpose.metrics import pck, pcp
from jaxpose.models import discriminator, pose_resnet, resnet
from jaxpose.objectives import heatmap_decoding, heatmaps
from jaxpose.skeletons import LSP


def get_config() -> ConfigDict:
    config = ConfigDict()
    # One field wherever it stands: --config.data.size=... changes all.
    size = config_dict.FieldReference((96, 96))
    # Of the peaks, in cells; decoding smooths as wide.
    sigma = config_dict.FieldReference(1.0)
    config.seed = 0
    config.batch_size = 32
    config.num_steps = 7500
    config.data_dir = "data"
    config.manual_dir = "data/manual"
    config.log_every = 50
    config.eval_every = 500

    # LSP's photographs end close to their person and LSPET's do not: around LSPET's
    # people the photograph is cut as it would be in LSP.
    lspet = spec(
        records.Split,
        builder=lspet_dataset_builder.Builder,
        split="train",
        region=spec(regions.PersonBox, padding=1.3, margin=8.0, inside=True),
    )
    lsp = {
        split: spec(
            records.Split,
            builder=lsp_dataset_builder.Builder,
            split=split,
            region=spec(regions.WholeImage),
        )
        for split in ("train", "test")
    }
    config.data = spec(
        data.Data, sources=(lspet, lsp["train"]), skeleton=LSP, size=size, threads=0
    )
    config.augment = spec(
        augment.Augment,
        skeleton=LSP,
        flip=0.5,
        scale=0.25,
        rotation=30.0,
        shift=0.05,
        hue=0.1,
        saturation=0.3,
        value=0.15,
    )
    config.learner = spec(
        adversarial.Adversarial,
        model=spec(
            pose_resnet.PoseResNet,
            num_keypoints=14,
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
            weight_decay=1e-2,
        ),
        discriminator=spec(
            discriminator.Discriminator,
            num_keypoints=14,
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
            data=spec(data.Data, sources=(lsp["test"],), skeleton=LSP, size=size),
            metrics=(spec(pck.PCK, threshold=0.2), spec(pcp.PCP)),
            mirror=True,
        )
    }
    config.checkpoints = spec(
        checkpoint.Checkpoints, every=250, keep=2, best="test/PCK@0.2"
    )
    return config
