"""Percentage of correct keypoints by the size of the head (PCKh)."""

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
HEAD_STICK = ("head_top", "neck")
HEADS = {
    "box": f"the head size ({HEAD_SHARE} x the diagonal of the head box)",
    "stick": "the head stick (head top to neck of the ground truth)",
}
# Points inside the body; no evaluation of MPII averages them.
OMITTED = ("pelvis", "thorax")
# Rows as the MPII literature prints them: its head is the head top alone.
GROUPS = pck.GROUPS | {"Head": ("head_top",)}
# Rows as DeepPose's TensorFlow version prints them, with every keypoint in one.
SYMMETRIC = (
    {"Head": ("head_top",), "Neck": ("neck",)}
    | GROUPS
    | {"Thorax": ("thorax",), "Pelvis": ("pelvis",)}
)
_WITHOUT = f", without {' and '.join(OMITTED)}"
MEANS = {
    "keypoints": pck.MEANS["keypoints"] + _WITHOUT,
    "labels": pck.MEANS["labels"] + _WITHOUT,
    "groups": "unweighted mean over {g} groups ({names}), left and right averaged first",
}
_NAMES = {"box": "PCKh", "stick": "PCKh-stick"}


def head_size(box: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, "n"]:
    """0.6 x the diagonal of head boxes (x0, y0, x1, y1), in their unit.

    Source: Andriluka et al. 2014, the toolkit of MPII.
    """
    return HEAD_SHARE * np.linalg.norm(box[:, 2:] - box[:, :2], axis=-1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PCKh:
    """Percent of keypoints nearer than `threshold` head sizes to the truth.

    Rows that join left and right weight both alike in every convention.

    Attributes:
        strict: the distance must be below the threshold, not equal to it.
        head: its size is `HEAD_SHARE` of the diagonal of its box, as in MPII's toolkit,
            or the distance from head top to neck, which every source of these keypoints
            has. A stick of no length makes all keypoints of the person misses.
        mean: weights keypoints, each alike however often it is labeled, or their
            labels, both without pelvis and thorax; or `SYMMETRIC` groups of all
            keypoints, and then tells the mean of all keypoints as a summary.
        fine: a second threshold, of the row `Mean@`.
        fine_printed: what the source of the convention calls it, if something else.
            HRNet takes value number 11 of 0, 0.01, 0.02, ... for that at 0.1.

    Raises: ValueError if a field is out of range.
    """

    threshold: float = 0.5
    strict: bool = True
    head: Literal["box", "stick"] = "box"
    mean: Literal["keypoints", "labels", "groups"] = "keypoints"
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
        if self.head not in HEADS:
            raise ValueError(f"head={self.head!r} is not one of {tuple(HEADS)}")
        if self.mean not in MEANS:
            raise ValueError(f"mean={self.mean!r} is not one of {tuple(MEANS)}")

    def __call__(
        self, poses: Poses, annotations: Annotations, skeleton: Skeleton
    ) -> Table:
        """Values in percent, one a keypoint; extra holds the rows of the literature.

        Raises: ValueError if a person with labels has no head box, or an empty one,
            where that is what measures; if the skeleton lacks an end of the head stick.
        """
        predicted, truth, labeled = types.single_person(poses, annotations, skeleton)
        if self.head == "box":
            size = _box_sizes(annotations, labeled)
        else:
            size = pck.limb_length(truth, labeled, skeleton, HEAD_STICK)
        error = pck.relative_error(predicted, truth, labeled, size)
        # Only sticks get here without a length. PCP's are misses too.
        error = np.where(labeled & (size == 0)[:, None], np.inf, error)
        groups = self._groups(error, skeleton, self.threshold)
        shares = pck.pck(error, self.threshold, strict=self.strict)
        extra = {f"Mean@{self.fine:g}": self._mean(error, skeleton, self.fine)}
        if self.mean == "groups":
            extra["Mean of keypoints"] = pck.known_mean(shares.tolist())
        return Table(
            name=f"{_NAMES[self.head]}@{self.threshold:g}",
            convention=self._convention(error, skeleton),
            values=dict(zip(skeleton.keypoints, shares.tolist())),
            mean=self._mean(error, skeleton, self.threshold),
            extra=groups | extra,
            row=groups if self.mean == "groups" else {},
        )

    def _groups(
        self, error: Float[np.ndarray, "n k"], skeleton: Skeleton, threshold: float
    ) -> dict[str, float]:
        return pck.group_means(
            error,
            threshold,
            skeleton,
            SYMMETRIC if self.mean == "groups" else GROUPS,
            mean="keypoints",
            strict=self.strict,
        )

    def _mean(
        self, error: Float[np.ndarray, "n k"], skeleton: Skeleton, threshold: float
    ) -> float:
        if self.mean == "groups":
            groups = self._groups(error, skeleton, threshold)
            return pck.known_mean(groups.values())
        averaged = error[:, _averaged(skeleton)]
        return pck.mean_pck(averaged, threshold, mean=self.mean, strict=self.strict)

    def _convention(self, error: Float[np.ndarray, "n k"], skeleton: Skeleton) -> str:
        scored = ~np.isnan(error[:, _averaged(skeleton)])
        groups = self._groups(error, skeleton, self.threshold)
        known = [name for name, share in groups.items() if not math.isnan(share)]
        mean = MEANS[self.mean].format(
            k=scored.any(axis=0).sum(),
            m=scored.sum(),
            g=len(known),
            names=", ".join(known),
        )
        lost_for = "a prediction" + (" or a head stick" if self.head == "stick" else "")
        return (
            f"distance {'<' if self.strict else '<='} {self.threshold:g} x "
            f"{HEADS[self.head]}; {mean}; left and right are the person's own; "
            f"{pck.describe_people(error, lost_for=lost_for)}"
        ) + (
            f"; Mean@{self.fine:g} is printed as Mean@{self.fine_printed:g} there"
            if self.fine_printed
            else ""
        )


def _averaged(skeleton: Skeleton) -> list[bool]:
    return [name not in OMITTED for name in skeleton.keypoints]


def _box_sizes(
    annotations: Annotations, labeled: Bool[np.ndarray, "n k"]
) -> Float[np.ndarray, "n"]:
    """Raises: ValueError if a person with labels has no size to measure by."""
    if annotations.head_box is None:
        raise ValueError(
            "annotations.head_box=None, PCKh measures by the size of the head; use a "
            "source with head boxes, such as MPII or a mat file with headboxes_src, or "
            "head='stick', as in the convention deeppose-tf"
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
    # Asanakoy's DeepPose in TensorFlow, on LSP and on MPII.
    "deeppose-tf": PCKh(strict=False, head="stick", mean="groups"),
}
