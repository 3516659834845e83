"""Percentage of correct parts (PCP): both ends of a limb near the truth."""

import dataclasses
import math
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxpose import types
from jaxpose.metrics import pck
from jaxpose.skeletons import Skeleton
from jaxpose.types import Annotations, Poses, Table

# Both ends of a stick; an end lies midway between its two keypoints.
STICKS = {
    "head": (("head_top", "head_top"), ("neck", "neck")),
    "torso": (("left_shoulder", "right_shoulder"), ("left_hip", "right_hip")),
    "right_upper_arm": (("right_shoulder",) * 2, ("right_elbow",) * 2),
    "right_lower_arm": (("right_elbow",) * 2, ("right_wrist",) * 2),
    "right_upper_leg": (("right_hip",) * 2, ("right_knee",) * 2),
    "right_lower_leg": (("right_knee",) * 2, ("right_ankle",) * 2),
    "left_upper_arm": (("left_shoulder",) * 2, ("left_elbow",) * 2),
    "left_lower_arm": (("left_elbow",) * 2, ("left_wrist",) * 2),
    "left_upper_leg": (("left_hip",) * 2, ("left_knee",) * 2),
    "left_lower_leg": (("left_knee",) * 2, ("left_ankle",) * 2),
}
# Another torso, of skeletons with both keypoints, such as MPII's.
SPINE = (("thorax",) * 2, ("pelvis",) * 2)
# Rows as the LSP literature prints them.
PARTS = {
    "Head": ("head",),
    "Torso": ("torso",),
    "Upper arm": ("right_upper_arm", "left_upper_arm"),
    "Lower arm": ("right_lower_arm", "left_lower_arm"),
    "Upper leg": ("right_upper_leg", "left_upper_leg"),
    "Lower leg": ("right_lower_leg", "left_lower_leg"),
}
RULES = {
    "strict": "the error of each end",
    "relaxed": "the mean error of both ends",
}
_NAMES = {"strict": "PCP", "relaxed": "PCP-relaxed"}
_ENDINGS = {"sticks": "", "parts": "-parts"}
# What DeepPose's TensorFlow version calls the parts; L is lower, not left.
_PRINTED = ("Head", "Torso", "U Arm", "L Arm", "U Leg", "L Leg")
MEANS = {
    "sticks": "unweighted mean over the 10 sticks, so that arms and legs count twice",
    "parts": "unweighted mean over the 6 parts, left and right averaged first",
}
TORSOS = {
    "midpoints": "from mid-shoulders to mid-hips",
    "spine": "from thorax to pelvis",
}


def stick_ends(
    skeleton: Skeleton, *, torso: Literal["midpoints", "spine"] = "midpoints"
) -> Int[np.ndarray, "s 2 2"]:
    """Numbers of the two keypoints that each end of each stick lies between.

    Raises: ValueError if the skeleton lacks a keypoint of a stick.
    """
    sticks = STICKS | ({"torso": SPINE} if torso == "spine" else {})
    return np.array(
        [[[skeleton.index(name) for name in end] for end in s] for s in sticks.values()]
    )


def fully_labeled(
    labeled: Bool[np.ndarray, "n k"], ends: Int[np.ndarray, "s 2 2"]
) -> Bool[np.ndarray, "n s"]:
    """Whether every keypoint of a stick is labeled, so that the stick counts."""
    return np.asarray(labeled[:, ends].all(axis=(2, 3)))


def pcp(
    predicted: Float[np.ndarray, "n k 2"],
    truth: Float[np.ndarray, "n k 2"],
    labeled: Bool[np.ndarray, "n k"],
    ends: Int[np.ndarray, "s 2 2"],
    *,
    threshold: float = 0.5,
    rule: Literal["strict", "relaxed"] = "strict",
) -> Float[np.ndarray, "s"]:
    """Percent of sticks whose ends err by at most `threshold` true stick lengths.

    `strict` asks it of each end, `relaxed` of the mean of both. A stick with an
    unlabeled keypoint does not count; nan for one that never counts. A stick of no
    length and a prediction that is not finite are misses.

    Source: Ferrari et al. 2008; Pishchulin et al. 2012 for strict against relaxed.
    """
    counted = fully_labeled(labeled, ends)
    true_ends = truth[:, ends].mean(axis=3)
    length = np.linalg.norm(true_ends[:, :, 0] - true_ends[:, :, 1], axis=-1)
    error = np.linalg.norm(predicted[:, ends].mean(axis=3) - true_ends, axis=-1)
    error = error.max(axis=2) if rule == "strict" else error.mean(axis=2)
    has_length = length > 0
    relative = error / np.where(has_length, length, 1)
    hits = (counted & has_length & (relative <= threshold)).sum(axis=0)
    counts = counted.sum(axis=0)
    return np.where(counts > 0, 100 * hits / np.maximum(counts, 1), np.nan)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PCP:
    """Percent of correct sticks, with the parts of the literature as extra.

    Attributes:
        rule: a stick is right by the worse of its ends, or by both on average.
        mean: over the 10 sticks or over the 6 parts; the other one is a summary.
        torso: between the midpoints of shoulders and of hips; or the spine, from thorax
            to pelvis, of skeletons that have both.

    Raises: ValueError if a field is out of range.
    """

    threshold: float = 0.5
    rule: Literal["strict", "relaxed"] = "strict"
    mean: Literal["sticks", "parts"] = "sticks"
    torso: Literal["midpoints", "spine"] = "midpoints"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.threshold) and self.threshold > 0):
            raise ValueError(
                f"threshold={self.threshold} must be a positive number of stick "
                "lengths, such as 0.5"
            )
        if self.rule not in RULES:
            raise ValueError(f"rule={self.rule!r} is not one of {tuple(RULES)}")
        if self.mean not in MEANS:
            raise ValueError(f"mean={self.mean!r} is not one of {tuple(MEANS)}")
        if self.torso not in TORSOS:
            raise ValueError(f"torso={self.torso!r} is not one of {tuple(TORSOS)}")

    def __call__(
        self, poses: Poses, annotations: Annotations, skeleton: Skeleton
    ) -> Table:
        """Values in percent, one a stick; extra holds one a part."""
        predicted, truth, labeled = types.single_person(poses, annotations, skeleton)
        torso = self._torso(skeleton)
        ends = stick_ends(skeleton, torso=torso)
        shares = pcp(
            predicted, truth, labeled, ends, threshold=self.threshold, rule=self.rule
        )
        sticks = dict(zip(STICKS, shares.tolist()))
        parts = {
            part: pck.known_mean(sticks[name] for name in names)
            for part, names in PARTS.items()
        }
        means = {
            "sticks": pck.known_mean(sticks.values()),
            "parts": pck.known_mean(parts.values()),
        }
        other = "parts" if self.mean == "sticks" else "sticks"
        printed = dict(zip(_PRINTED, parts.values())) | {"mean": means["parts"]}
        return Table(
            name=f"{_NAMES[self.rule]}{_ENDINGS[self.mean]}@{self.threshold:g}",
            convention=self._convention(fully_labeled(labeled, ends), torso),
            values=sticks,
            mean=means[self.mean],
            extra=parts | {f"Mean of {other}": means[other]},
            row=printed if self.mean == "parts" else {},
        )

    def _torso(self, skeleton: Skeleton) -> Literal["midpoints", "spine"]:
        has_spine = {"thorax", "pelvis"} <= set(skeleton.keypoints)
        return self.torso if has_spine else "midpoints"

    def _convention(self, counted: Bool[np.ndarray, "n s"], torso: str) -> str:
        return (
            f"{self.rule}: {RULES[self.rule]} <= {self.threshold:g} x the length of "
            f"the true stick; {MEANS[self.mean]}; torso {TORSOS[torso]}; left and right "
            f"are the person's own; {counted.sum()} sticks with all keypoints labeled, "
            f"of {counted.any(axis=1).sum()} of {len(counted)} people"
        )


CONVENTIONS = {
    "strict": PCP(),
    "relaxed": PCP(rule="relaxed"),
    # Asanakoy's DeepPose in TensorFlow, on LSP and on MPII.
    "deeppose-tf": PCP(mean="parts", torso="spine"),
    "deeppose-tf-relaxed": PCP(rule="relaxed", mean="parts", torso="spine"),
}
