"""Percentage of correct keypoints (PCK)."""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from jaxpose import types
from jaxpose.skeletons import Skeleton
from jaxpose.types import Annotations, Poses, Table

AUC_STEPS = 20  # each 0.01 at the usual threshold of 0.2
REFERENCES = {
    "torso": "the torso (left shoulder to right hip of the ground truth)",
    "box": "the longer side of the tight box of the labeled keypoints",
}
_NAMES = {"torso": "PCK", "box": "PCK-box"}
MEANS = {
    "keypoints": "unweighted mean over {k} keypoints",
    "labels": "mean over {m} labels, so that each labeled keypoint counts once",
}
# Rows as the LSP literature prints them.
GROUPS = {
    "Head": ("head_top", "neck"),
    "Shoulder": ("left_shoulder", "right_shoulder"),
    "Elbow": ("left_elbow", "right_elbow"),
    "Wrist": ("left_wrist", "right_wrist"),
    "Hip": ("left_hip", "right_hip"),
    "Knee": ("left_knee", "right_knee"),
    "Ankle": ("left_ankle", "right_ankle"),
}


def torso_length(
    truth: Float[np.ndarray, "n k 2"],
    labeled: Bool[np.ndarray, "n k"],
    skeleton: Skeleton,
) -> Float[np.ndarray, "n"]:
    """Distance of left shoulder and right hip, in the unit of `truth`.

    nan for a person without either label; may be zero.
    """
    return limb_length(truth, labeled, skeleton, ("left_shoulder", "right_hip"))


def limb_length(
    truth: Float[np.ndarray, "n k 2"],
    labeled: Bool[np.ndarray, "n k"],
    skeleton: Skeleton,
    ends: tuple[str, str],
) -> Float[np.ndarray, "n"]:
    """Distance of two keypoints, in the unit of `truth`.

    nan for a person without either label; may be zero.

    Raises: ValueError if the skeleton lacks one of them.
    """
    first, second = map(skeleton.index, ends)
    length = np.linalg.norm(truth[:, first] - truth[:, second], axis=-1)
    return np.where(labeled[:, first] & labeled[:, second], length, np.nan)


def box_length(
    truth: Float[np.ndarray, "n k 2"], labeled: Bool[np.ndarray, "n k"]
) -> Float[np.ndarray, "n"]:
    """Longer side of the tight box of the labeled keypoints, in the unit of `truth`.

    nan for a person without labels, zero for a person with one.

    Source: Yang and Ramanan 2013, section 7.
    """
    low = np.where(labeled[..., None], truth, np.inf).min(axis=1)
    high = np.where(labeled[..., None], truth, -np.inf).max(axis=1)
    return np.where(labeled.any(axis=1), (high - low).max(axis=1), np.nan)


def relative_error(
    predicted: Float[np.ndarray, "n k 2"],
    truth: Float[np.ndarray, "n k 2"],
    labeled: Bool[np.ndarray, "n k"],
    length: Float[np.ndarray, "n"],
) -> Float[np.ndarray, "n k"]:
    """Distances from the truth, in lengths of the person; nan where not scored.

    Not scored are unlabeled keypoints and all keypoints of a person whose length is
    nan or not positive. A scored keypoint whose prediction is not finite is
    infinitely far away, so it is a miss at every threshold.
    """
    scored = labeled & (length > 0)[:, None]
    distance = np.linalg.norm(predicted - truth, axis=-1)
    distance = np.where(np.isfinite(distance), distance, np.inf)
    return np.where(scored, distance / np.where(length > 0, length, 1)[:, None], np.nan)


def pck(
    error: Float[np.ndarray, "n k"], threshold: float, *, strict: bool = False
) -> Float[np.ndarray, "k"]:
    """Percent of scored keypoints with a relative error <= `threshold`.

    `strict` asks for < instead. `error` is nan where a keypoint is not scored; one that
    never is gives nan.
    """
    scored = (~np.isnan(error)).sum(axis=0)
    hits = (error < threshold if strict else error <= threshold).sum(axis=0)
    return np.where(scored > 0, 100 * hits / np.maximum(scored, 1), np.nan)


def mean_pck(
    error: Float[np.ndarray, "n k"],
    threshold: float,
    *,
    mean: Literal["keypoints", "labels"],
    strict: bool = False,
) -> float:
    """`pck` over several keypoints: each weighted alike, or by how often it is scored.

    nan where nothing is scored.
    """
    if mean == "labels":
        error = error.reshape(-1, 1)
    return known_mean(pck(error, threshold, strict=strict).tolist())


def known_mean(values: Iterable[float]) -> float:
    """Mean of what is known; nan where nothing is."""
    known = [value for value in values if not math.isnan(value)]
    return math.fsum(known) / len(known) if known else math.nan


def group_means(
    error: Float[np.ndarray, "n k"],
    threshold: float,
    skeleton: Skeleton,
    groups: Mapping[str, Sequence[str]],
    *,
    mean: Literal["keypoints", "labels"],
    strict: bool = False,
) -> dict[str, float]:
    """`mean_pck` of each group whose keypoints the skeleton has."""
    return {
        group: mean_pck(
            error[:, [skeleton.index(name) for name in names]],
            threshold,
            mean=mean,
            strict=strict,
        )
        for group, names in groups.items()
        if set(names) <= set(skeleton.keypoints)
    }


@dataclasses.dataclass(frozen=True, kw_only=True)
class PCK:
    """Percent of keypoints at most `threshold` x `reference` from the truth.

    `mean` weights keypoints (each alike, however often it is labeled) or labels; the
    rows that join left and right, and the area under the curve, are averaged so too.
    `averaged` names the keypoints that enter the mean and the area; () for all.

    Raises: ValueError if a field is out of range.
    """

    threshold: float = 0.2
    reference: Literal["torso", "box"] = "torso"
    mean: Literal["keypoints", "labels"] = "keypoints"
    averaged: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not (math.isfinite(self.threshold) and self.threshold > 0):
            raise ValueError(
                f"threshold={self.threshold} must be a positive number of reference "
                "lengths, such as 0.2"
            )
        if self.reference not in REFERENCES:
            raise ValueError(
                f"reference={self.reference!r} is not one of {tuple(REFERENCES)}"
            )
        if self.mean not in MEANS:
            raise ValueError(f"mean={self.mean!r} is not one of {tuple(MEANS)}")

    def __call__(
        self, poses: Poses, annotations: Annotations, skeleton: Skeleton
    ) -> Table:
        """Values in percent; extra holds left-right averages and `AUC`, in percent."""
        predicted, truth, labeled = types.single_person(poses, annotations, skeleton)
        if self.reference == "torso":
            length = torso_length(truth, labeled, skeleton)
        else:
            length = box_length(truth, labeled)
        error = relative_error(predicted, truth, labeled, length)
        averaged = error[:, [skeleton.index(k) for k in self._averaged(skeleton)]]
        groups = group_means(error, self.threshold, skeleton, GROUPS, mean=self.mean)
        return Table(
            name=f"{_NAMES[self.reference]}@{self.threshold:g}",
            convention=self._convention(error, averaged),
            values=dict(zip(skeleton.keypoints, pck(error, self.threshold).tolist())),
            mean=mean_pck(averaged, self.threshold, mean=self.mean),
            extra=groups | {"AUC": self._area(averaged)},
        )

    def _averaged(self, skeleton: Skeleton) -> tuple[str, ...]:
        return self.averaged or skeleton.keypoints

    def _area(self, error: Float[np.ndarray, "n a"]) -> float:
        """Trapezoid rule from 0 to the threshold, which counts as width 1."""
        grid = np.arange(AUC_STEPS + 1) * self.threshold / AUC_STEPS
        means = [mean_pck(error, t, mean=self.mean) for t in grid]
        return float(np.trapezoid(means) / AUC_STEPS)

    def _convention(
        self, error: Float[np.ndarray, "n k"], averaged: Float[np.ndarray, "n a"]
    ) -> str:
        entering = ~np.isnan(averaged)
        mean = MEANS[self.mean].format(k=entering.any(axis=0).sum(), m=entering.sum())
        chosen = f" ({', '.join(self.averaged)})" if self.averaged else ""
        return (
            f"distance <= {self.threshold:g} x {REFERENCES[self.reference]}; {mean}"
            f"{chosen}; left and right are the person's own; {describe_people(error)}"
            f"; AUC: trapezoids over {AUC_STEPS + 1} thresholds, "
            f"0 to {self.threshold:g}"
        )


def describe_people(
    error: Float[np.ndarray, "n k"], *, lost_for: str = "a prediction"
) -> str:
    """Whose keypoints are scored, and which count as misses for want of what."""
    people = int((~np.isnan(error)).any(axis=1).sum())
    lost = int(np.isinf(error).sum())
    return (
        f"labeled keypoints of {people} of {len(error)} people"
        + (", the others lack a label or a length" if people < len(error) else "")
        + (f"; {lost} keypoints without {lost_for} are misses" if lost else "")
    )


# FLIC's results are told for elbows and wrists. Its authors measure the same torso, with
# left and right as the observer sees them (Sapp and Taskar 2013, MODEC/eval_dataset.m).
CONVENTIONS = {
    "lsp": PCK(),
    "lsp-labels": PCK(mean="labels"),
    "box": PCK(reference="box", threshold=0.1),
    "flic": PCK(averaged=(*GROUPS["Elbow"], *GROUPS["Wrist"])),
}
