"""Goals without a data set behind them."""

import numpy as np

from jaxpose.apps.overfit.goal import Goal
from jaxpose.skeletons import LSP


def goal_of(keypoints, visibility=None, image=None) -> Goal:
    e, p, k, _ = keypoints.shape
    if visibility is None:
        visibility = np.full((e, p, k), 2)
    if image is None:
        image = np.random.default_rng(0).integers(0, 255, (e, 100, 100, 3), np.uint8)
    names = tuple(f"example {n}" for n in range(e))
    return Goal(
        image=image.astype(np.uint8),
        keypoints=keypoints,
        visibility=visibility,
        asked=visibility > 0,
        names=names,
        skeleton=LSP,
    )
