"""DeepPose with a loss weighted by the rarity of poses, on LSP and LSPET.

    python main.py --config configs/deeppose_wl.py --workdir runs/wl

The network, the optimizer and the schedule of JindongJiang/WeightedLoss_DeepPose_PyTorch
on the official split: LSPET and LSP 1-1000 to train, LSP 1001-2000 to test. Where the
original was at fault the defaults are what it meant: missing keypoints are imputed before
poses are compared, so that weights follow the pose; weights are bounded and of mean 1.
`deeppose_wl_original.py` repeats it to the letter, private split included.

The original starts from ImageNet's VGG16-BN, as --config.learner.pretrained.path with
PyTorch's vgg16_bn file does; without it the features are random. Its batch of 45 suits
one device: over more of them take a multiple of their number. It publishes no score, and
its author found no gain from the weights. This config has not been trained to its end by
us: no GPU was at hand. README states the speed on a CPU.
"""

import optax
from ml_collections import ConfigDict, config_dict

from data_builders.lsp import lsp_dataset_builder
from data_builders.lspet import lspet_dataset_builder
from jaxpose import augment, checkpoint, data, evaluate, rarity, records, regions
from jaxpose.config import spec
from jaxpose.learners import optimizers, supervised
from jaxpose.metrics import mse, pck, pcp
from jaxpose.models import vgg
from jaxpose.objectives import coordinates
from jaxpose.skeletons import LSP
from jaxpose.weights import torchvision

# 11,000 training people / 45, rounded up: the schedule below counts in epochs.
STEPS_PER_EPOCH = 245


def get_config() -> ConfigDict:
    config = ConfigDict()
    # One field wherever it stands: --config.data.size=... changes all.
    size = config_dict.FieldReference((224, 224))
    config.seed = 0
    config.batch_size = 45
    config.num_steps = 1500 * STEPS_PER_EPOCH
    config.data_dir = "data"
    config.manual_dir = "data/manual"
    config.log_every = 30
    config.eval_every = 10 * STEPS_PER_EPOCH

    whole = spec(regions.WholeImage)
    lspet = spec(
        records.Split,
        builder=lspet_dataset_builder.Builder,
        split="train",
        region=whole,
    )
    lsp = {
        split: spec(
            records.Split,
            builder=lsp_dataset_builder.Builder,
            split=split,
            region=whole,
        )
        for split in ("train", "test")
    }
    config.data = spec(
        data.Data,
        sources=(lspet, lsp["train"]),
        skeleton=LSP,
        size=size,
        weighting=spec(rarity.Rarity, components=10, bandwidth=0.6, bounds=(0.5, 2.0)),
        threads=0,
        workers=0,
    )
    config.augment = spec(
        augment.Augment, skeleton=LSP, hue=0.2, saturation=0.2, value=25 / 255
    )
    config.learner = spec(
        supervised.Supervised,
        model=spec(vgg.VGG16BN, num_keypoints=14, dropout=0.5),
        objective=spec(
            coordinates.Coordinates,
            size=size,
            extent=1.0,
            weighted=True,
            weight_start=0,
        ),
        optimizer=spec(
            optimizers.sgd,
            learning_rate=spec(
                optax.exponential_decay,
                init_value=2e-3,
                transition_steps=150 * STEPS_PER_EPOCH,
                decay_rate=0.8,
                staircase=True,
            ),
            momentum=0.9,
            weight_decay=1e-4,
        ),
        pretrained=spec(torchvision.VGGFeatures, path=""),
    )
    metrics = (
        spec(pck.PCK, threshold=0.2),
        spec(pcp.PCP),
        spec(pcp.PCP, rule="relaxed"),
        spec(mse.MSE),
    )
    config.evals = {
        "test": spec(
            evaluate.Eval,
            data=spec(data.Data, sources=(lsp["test"],), skeleton=LSP, size=size),
            metrics=metrics,
        ),
        "train": spec(
            evaluate.Eval,
            data=spec(
                data.Data, sources=(lspet, lsp["train"]), skeleton=LSP, size=size
            ),
            metrics=metrics,
            watch=False,
        ),
    }
    config.checkpoints = spec(
        checkpoint.Checkpoints, every=STEPS_PER_EPOCH, keep=2, best="test/PCK@0.2"
    )
    return config
