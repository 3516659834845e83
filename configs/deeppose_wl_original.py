"""WeightedLoss_DeepPose_PyTorch to the letter, faults included, on its private split.

    python main.py --config configs/deeppose_wl_original.py --workdir runs/wl_original

Repeats JindongJiang/WeightedLoss_DeepPose_PyTorch (2017): its random 9000/3000 mix of
LSPET and LSP, which needs all 12,000 photographs and shares no test set with anybody;
1-based keypoints taken as they are; photographs resized with a black border and without
antialiasing; keypoints outside the photograph as good as missing; weights from poses in
which missing keypoints are 0, neither bounded nor normalized. Its metric is the mean
squared error alone, and it publishes no number. Predictions are in its frame, half a
pixel right of and below ours. Not run to its end by us: the data at
hand is cut at 8000 photographs of LSPET.
"""

import pathlib

import optax
from ml_collections import ConfigDict, config_dict

from data_builders.lsp import lsp_dataset_builder
from data_builders.lspet import lspet_dataset_builder
from jaxpose import (
    augment,
    checkpoint,
    data,
    evaluate,
    ordered,
    rarity,
    records,
    regions,
)
from jaxpose.config import spec
from jaxpose.learners import optimizers, supervised
from jaxpose.metrics import mse, pck
from jaxpose.models import vgg
from jaxpose.objectives import coordinates
from jaxpose.skeletons import LSP
from jaxpose.weights import torchvision

STEPS_PER_EPOCH = 9000 // 45
ORDER = str(pathlib.Path(__file__).resolve().with_name("deeppose_wl_order.txt"))


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

    sources = tuple(
        spec(
            records.Split,
            builder=builder,
            split=split,
            region=spec(regions.WholeImage),
            offset=0.5,
        )
        for builder, split in (
            (lspet_dataset_builder.Builder, "train"),
            (lsp_dataset_builder.Builder, "train"),
            (lsp_dataset_builder.Builder, "test"),
        )
    )
    train, test = (
        spec(ordered.Ordered, sources=sources, order=ORDER, start=start, stop=stop)
        for start, stop in ((0, 9000), (9000, 12000))
    )
    canvas = {"skeleton": LSP, "size": size, "border": "zero", "antialias": False}
    config.data = spec(
        data.Data,
        sources=(train,),
        weighting=spec(rarity.original, bandwidth=0.6),
        threads=0,
        workers=0,
        **canvas,
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
            inside_only=True,
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
    metrics = (spec(mse.MSE, inside_only=True), spec(pck.PCK, threshold=0.2))
    config.evals = {
        "test": spec(
            evaluate.Eval,
            data=spec(data.Data, sources=(test,), **canvas),
            metrics=metrics,
        ),
        "train": spec(
            evaluate.Eval,
            data=spec(data.Data, sources=(train,), **canvas),
            metrics=metrics,
            watch=False,
        ),
    }
    config.checkpoints = spec(
        checkpoint.Checkpoints, every=300, keep=2, best="test/MSE", largest=False
    )
    return config
