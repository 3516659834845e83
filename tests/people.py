"""A miniature LSPET of stick figures, and experiments that two cores run in seconds."""

import pathlib

import cv2
import numpy as np
import scipy.io
from ml_collections import ConfigDict, config_dict

from data_builders.lspet import lspet_dataset_builder
from jaxpose import augment, checkpoint, data, evaluate, records, regions
from jaxpose.config import spec
from jaxpose.learners import optimizers, supervised
from jaxpose.metrics import mse, pck
from jaxpose.models import integral
from jaxpose.objectives import coordinates
from jaxpose.skeletons import LSP

PEOPLE = 24

# A standing person in a box of 1 x 1, in LSP's order.
STANDING = np.array(
    [(0.3, 1), (0.3, 0.75), (0.35, 0.5), (0.65, 0.5), (0.7, 0.75), (0.7, 1)]
    + [(0, 0.5), (0.1, 0.35), (0.3, 0.2), (0.7, 0.2), (0.9, 0.35), (1, 0.5)]
    + [(0.5, 0.18), (0.5, 0)]
)


def write_lspet(manual_dir: pathlib.Path, people: int = PEOPLE) -> np.ndarray:
    """Photographs and joints.mat as in lspet_dataset.zip; returns 0-based keypoints.

    Person 1 lacks the head top. Odd people have another size of photograph.
    """
    folder = manual_dir / "lspet_dataset" / "images"
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    joints = np.ones((14, 3, people))
    for i in range(people):
        height, width = (60, 48) if i % 2 else (40, 64)
        span = generator.uniform(0.4, 0.6, 2) * (width, height)
        start = generator.uniform(0.1, 0.3, 2) * (width, height)
        points = start + STANDING * span
        image = np.full((height, width, 3), 40 + 5 * i, np.uint8)
        for parent, child in LSP.limbs:
            ends = [tuple(int(v) for v in np.rint(points[e])) for e in (parent, child)]
            cv2.line(image, *ends, color=(230, 240, 250), thickness=2)
        cv2.imwrite(str(folder / f"im{i + 1:05d}.jpg"), image)
        joints[:, :2, i] = points + 1
    joints[13, :, 1] = (0, -12.5, 0)
    scipy.io.savemat(folder.parent / "joints.mat", {"joints": joints})
    return joints[:, :2].transpose(2, 0, 1) - 1


def canvases(size, **fields) -> ConfigDict:
    """The miniature LSPET as training and as test data."""
    return spec(
        data.Data,
        sources=(
            spec(
                records.Split,
                builder=lspet_dataset_builder.Builder,
                split="train",
                region=spec(regions.WholeImage),
            ),
        ),
        skeleton=LSP,
        size=size,
        **fields,
    )


def learner(size) -> ConfigDict:
    return spec(
        supervised.Supervised,
        model=spec(
            integral.IntegralRegressor, num_keypoints=14, features=(8, 8), blocks=(0, 1)
        ),
        objective=spec(coordinates.Coordinates, size=size),
        optimizer=spec(
            optimizers.sgd, learning_rate=0.2, momentum=0.9, weight_decay=1e-4
        ),
    )


def fields(root: pathlib.Path | str) -> dict:
    """Config fields of a run of 12 steps; data below `root`."""
    size = config_dict.FieldReference((24, 24))
    return {
        "seed": 0,
        "batch_size": 8,
        "num_steps": 12,
        "data_dir": str(pathlib.Path(root) / "data"),
        "manual_dir": str(pathlib.Path(root) / "manual"),
        "log_every": 2,
        "eval_every": 6,
        "data": canvases(size, threads=2, workers=0),
        "augment": spec(
            augment.Augment, skeleton=LSP, flip=0.5, rotation=20.0, hue=0.1
        ),
        "learner": learner(size),
        "evals": {
            "test": spec(
                evaluate.Eval,
                data=canvases(size, threads=2),
                metrics=(spec(pck.PCK, threshold=0.2), spec(mse.MSE)),
                mirror=True,
            )
        },
        "checkpoints": spec(
            checkpoint.Checkpoints, every=4, keep=2, best="test/PCK@0.2"
        ),
    }
