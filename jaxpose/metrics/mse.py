"""Mean squared error of coordinates relative to the photograph."""

import dataclasses
import math

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxpose import types
from jaxpose.skeletons import Skeleton
from jaxpose.types import Annotations, Poses, Table


def squared_error(
    predicted: Float[np.ndarray, "n k 2"],
    truth: Float[np.ndarray, "n k 2"],
    size: Int[np.ndarray, "n 2"],
) -> Float[np.ndarray, "n k 2"]:
    """Squared error of each coordinate where the whole photograph spans -1 to 1.

    Coordinates are in source pixels, `size` is (height, width).
    """
    return (2 * (predicted - truth) / size[:, None, ::-1]) ** 2


def inside(
    points: Float[np.ndarray, "n k 2"], size: Int[np.ndarray, "n 2"]
) -> Bool[np.ndarray, "n k"]:
    """Whether points, in source pixels, lie within the photograph of (height, width).

    The photograph reaches from half a pixel before its first pixel centre to half a
    pixel behind its last; a point on that border is outside.
    """
    share = (points + 0.5) / size[:, None, ::-1]
    return ((share > 0) & (share < 1)).all(axis=-1)


def mse(
    error: Float[np.ndarray, "n k 2"], valid: Bool[np.ndarray, "n k"]
) -> tuple[Float[np.ndarray, "k"], float]:
    """Mean of the coordinate errors of valid keypoints: per keypoint, and over all.

    Both weight every valid coordinate of the split alike; nan where none is valid.
    """
    total = np.where(valid[..., None], error, 0).sum(axis=(0, 2))
    count = 2 * valid.sum(axis=0)
    per_keypoint = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return per_keypoint, float(total.sum() / count.sum()) if count.any() else math.nan


@dataclasses.dataclass(frozen=True, kw_only=True)
class MSE:
    """Mean squared coordinate error where the photograph spans -1 to 1.

    `inside_only` leaves out labels outside the photograph. The original of the
    weighted loss goes by the coordinate alone; no unlabeled keypoint of LSP and LSPET
    has coordinates inside, so the two agree up to its border, half a pixel off ours.

    Source: JindongJiang/WeightedLoss_DeepPose_PyTorch, its evaluation.
    """

    inside_only: bool = False

    def __call__(
        self, poses: Poses, annotations: Annotations, skeleton: Skeleton
    ) -> Table:
        """Extra holds the root of the mean in pixels of a 224 x 224 input.

        Raises: ValueError if sizes are missing or a prediction is not finite.
        """
        predicted, truth, valid = types.single_person(poses, annotations, skeleton)
        size = annotations.size
        if size is None:
            raise ValueError(
                "annotations.size=None, the error is relative to the photographs; "
                "read the annotations from a source that holds (height, width)"
            )
        if self.inside_only:
            valid = valid & inside(truth, size)
        _refuse_missing(predicted, valid)
        values, mean = mse(squared_error(predicted, truth, size), valid)
        return Table(
            name="MSE",
            convention=self._convention(valid),
            values=dict(zip(skeleton.keypoints, values.tolist())),
            mean=mean,
            extra={"RMSE in 224-grid pixels": math.sqrt(mean) * 112},
        )

    def _convention(self, valid: Bool[np.ndarray, "n k"]) -> str:
        where = "labeled keypoints inside" if self.inside_only else "labeled keypoints"
        return (
            "squared error per coordinate, no threshold, normalized by half the width "
            "(x) or height (y) of the whole photograph; mean over all "
            f"{2 * valid.sum()} coordinates of {where}, each weighted alike; "
            f"{valid.any(axis=1).sum()} of {len(valid)} people"
        )


def _refuse_missing(
    predicted: Float[np.ndarray, "n k 2"], valid: Bool[np.ndarray, "n k"]
) -> None:
    """A missing prediction has no squared error, and leaving it out would reward it."""
    missing = valid & ~np.isfinite(predicted).all(axis=-1)
    if missing.any():
        person, keypoint = np.argwhere(missing)[0].tolist()
        raise ValueError(
            f"{missing.sum()} labeled keypoints have no finite prediction, first "
            f"keypoint {keypoint} of person {person}; MSE needs all: predict them, or "
            "use PCK, which counts them as misses"
        )


CONVENTIONS = {"labeled": MSE(), "deeppose-wl": MSE(inside_only=True)}
