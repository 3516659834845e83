"""Percentage of correct keypoints by the size of the head (PCKh), as MPII counts it."""

import dataclasses
import math
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from jaxpose import types
from jaxpose.metrics import pck
from jaxpose.skeletons import Skeleton
from jaxpose.types import Annotations, Poses, Table

# Of the head box's diagonal, so that the size is about that of the head itself.
HEAD_SHARE = 0.6
# Points inside the body; no evaluation of MPII averages them.
OMITTED = ("pelvis", "thorax")
# Rows as the MPII literature prints them: its head is the head top alone.
GROUPS = pck.GROUPS | {"Head": ("head_top",)}


def head_size(box: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, "n"]:
    """0.6 x the diagonal of head boxes (x0, y0, x1, y1), in their unit.

    Source: Andriluka et al. 2014, the toolkit of MPII.
    """
    return HEAD_SHARE * np.linalg.norm(box[:, 2:] - box[:, :2], axis=-1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PCKh:
    """Percent of keypoints nearer than `threshold` head sizes to the truth.

    The mean leaves out pelvis and thorax and weights the other keypoints, each alike
    however often it is labeled, or their labels. Rows that join left and right weight
    both alike in every convention.

    Attributes:
        strict: the distance must be below the threshold, not equal to it.
        fine: a second threshold, of the row `Mean@`.
        fine_printed: what the source of the convention calls it, if something else.
            HRNet takes value number 11 of 0, 0.01, 0.02, ... for that at 0.1.

    Raises: ValueError if a threshold or `mean` is out of range.
    """

    threshold: float = 0.5
    strict: bool = True
    mean: Literal["keypoints", "labels"] = "keypoints"
    fine: float = 0.1
    fine_printed: float | None = None

    def __post_init__(self) -> None:
        for name in ("threshold", "fine"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(
                    f"{name}={value} must be a positive number of head sizes, such as "
                    "0.5"
                )
        if self.mean not in pck.MEANS:
            raise ValueError(f"mean={self.mean!r} is not one of {tuple(pck.MEANS)}")

    def __call__(
        self, poses: Poses, annotations: Annotations, skeleton: Skeleton
    ) -> Table:
        """Values in percent, one a keypoint; extra holds the rows of the literature.

        Raises: ValueError if a person with labels has no head box, or an empty one.
        """
        predicted, truth, labeled = types.single_person(poses, annotations, skeleton)
        size = _head_sizes(annotations, labeled)
        error = pck.relative_error(predicted, truth, labeled, size)
        averaged = error[:, [name not in OMITTED for name in skeleton.keypoints]]
        groups = pck.group_means(
            error,
            self.threshold,
            skeleton,
            GROUPS,
            mean="keypoints",
            strict=self.strict,
        )
        shares = pck.pck(error, self.threshold, strict=self.strict)
        return Table(
            name=f"PCKh@{self.threshold:g}",
            convention=self._convention(error, averaged),
            values=dict(zip(skeleton.keypoints, shares.tolist())),
            mean=self._mean(averaged, self.threshold),
            extra=groups | {f"Mean@{self.fine:g}": self._mean(averaged, self.fine)},
        )

    def _mean(self, error: Float[np.ndarray, "n a"], threshold: float) -> float:
        return pck.mean_pck(error, threshold, mean=self.mean, strict=self.strict)

    def _convention(
        self, error: Float[np.ndarray, "n k"], averaged: Float[np.ndarray, "n a"]
    ) -> str:
        scored = ~np.isnan(averaged)
        mean = pck.MEANS[self.mean].format(k=scored.any(axis=0).sum(), m=scored.sum())
        return (
            f"distance {'<' if self.strict else '<='} {self.threshold:g} x the head size "
            f"({HEAD_SHARE} x the diagonal of the head box); {mean}, without "
            f"{' and '.join(OMITTED)}; left and right are the person's own; "
            f"{pck.describe_people(error)}"
        ) + (
            f"; Mean@{self.fine:g} is printed as Mean@{self.fine_printed:g} there"
            if self.fine_printed
            else ""
        )


def _head_sizes(
    annotations: Annotations, labeled: Bool[np.ndarray, "n k"]
) -> Float[np.ndarray, "n"]:
    """Raises: ValueError if a person with labels has no size to measure by."""
    if annotations.head_box is None:
        raise ValueError(
            "annotations.head_box=None, PCKh measures by the size of the head; use a "
            "source with head boxes, such as MPII or a mat file with headboxes_src"
        )
    size = head_size(annotations.head_box[:, 0])
    empty = labeled.any(axis=1) & ~(np.isfinite(size) & (size > 0))
    if empty.any():
        row = int(np.flatnonzero(empty)[0])
        name = f" ({annotations.names[row]})" if annotations.names else ""
        raise ValueError(
            f"record {row}{name} has the head box "
            f"{annotations.head_box[row, 0].tolist()} of size {size[row]:g}, first of "
            f"{empty.sum()}; a size must be positive: mend the box, or take the "
            "person's labels away"
        )
    return size


CONVENTIONS = {
    "pytorch-pose": PCKh(),
    "hrnet": PCKh(strict=False, mean="labels", fine=0.11, fine_printed=0.1),
    # Its releases from 1.0; before, it compared as HRNet does.
    "mmpose": PCKh(mean="labels"),
}
