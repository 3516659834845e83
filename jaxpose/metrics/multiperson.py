"""Average precision of the keypoints of several people, as MPII counts it."""

import dataclasses
import math

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxpose.metrics import coco, pck, pckh
from jaxpose.skeletons import Skeleton
from jaxpose.types import Annotations, Poses, Table

# Rows as MPII's toolkit prints them: here its head is head top and neck.
GROUPS = pck.GROUPS
# Of the longer side of the box of the labeled keypoints: half of it is PCK-box@0.1.
EXTENT_SHARE = 0.2
_HEADS = (
    f"the head box ({pckh.HEAD_SHARE} x its diagonal)",
    "the head stick (head top to neck)",
    f"the box of labeled keypoints ({EXTENT_SHARE} x its longer side)",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _People:
    """One after the other; (x, y) and lengths in source pixels.

    Attributes:
        known: keypoints that are labeled, or predicted.
        score: of predicted keypoints.
    """

    image_id: Int[np.ndarray, "m"]
    keypoints: Float[np.ndarray, "m k 2"]
    known: Bool[np.ndarray, "m k"]
    score: Float[np.ndarray, "m k"]


def average_precision(
    score: Float[np.ndarray, "d"], right: Bool[np.ndarray, "d"], total: int
) -> float:
    """Area in percent under precision over recall, as predictions are taken by score.

    Precision is the best at this recall or a higher one. Of equal scores the first comes
    first. nan if there is nothing to be found.

    Source: VOC's devkit since 2010, which MPII's toolkit uses.
    """
    if total == 0:
        return math.nan
    hits = right[np.argsort(-score, kind="stable")]
    precision = hits.cumsum() / np.arange(1, len(hits) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return 100 * float(best[hits].sum()) / total


def owners(
    close: Bool[np.ndarray, "d m k"], labels: Int[np.ndarray, "m"]
) -> Int[np.ndarray, "d"]:
    """The true person that each predicted one of a photograph is; -1 for nobody.

    Each chooses whom it has the largest share of labels right of; each true person
    keeps of those who chose them the one with the largest share. Of equals, the first.

    Args:
        close: keypoints that are right if that is the person.
        labels: how many there are.

    Source: MPII's toolkit, assignGTmulti.
    """
    share = close.sum(axis=2) / np.maximum(labels, 1)
    owner = np.full(len(close), -1)
    if share.size:
        chosen = share.argmax(axis=1)
        own = np.where(chosen[:, None] == np.arange(share.shape[1]), share, 0)
        kept = own.argmax(axis=0)[own.max(axis=0) > 0]
        owner[kept] = chosen[kept]
    return owner


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeanAP:
    """Average precision of every keypoint, and their mean, at one distance.

    Keypoints are right at most `threshold` head sizes from those of the true person that
    theirs is matched to. A second prediction of a person, and one of nobody, has only
    wrong ones, and so is a keypoint which the true person has no label of. Predictions
    are ranked by the scores of keypoints, and of equally good predictions of a person,
    that of the higher person's score is taken.

    The head size is that of the head box, as in MPII's toolkit; where there is none, the
    head stick; where that is not labeled, a share of the box of labeled keypoints.
    People with none of these do not count. Rows of one `image_id` are one photograph.
    Predictions of nobody do not count if most of their keypoints are in a region of
    `annotations.ignored` or in the box of somebody without labels.

    Source: Pishchulin et al., "DeepCut", 2016; MPII's toolkit for groups of people.

    Raises: ValueError if `threshold` is not positive.
    """

    threshold: float = 0.5

    def __post_init__(self) -> None:
        if not (math.isfinite(self.threshold) and self.threshold > 0):
            raise ValueError(
                f"threshold={self.threshold} must be a positive number of head sizes, "
                "such as 0.5"
            )

    def __call__(
        self, poses: Poses, annotations: Annotations, skeleton: Skeleton
    ) -> Table:
        """Values in percent, one a keypoint; nan for what is never labeled.

        The mean is over keypoints, without MPII's pelvis and thorax.

        Raises: ValueError if shapes disagree.
        """
        coco.check_shapes(poses, annotations, skeleton)
        image_id = annotations.photographs
        truth, size, measured = _truth(annotations, image_id, skeleton)
        found = _found(poses, image_id)
        right, alone = self._judged(found, truth, size, skeleton)
        beside = alone & _mostly_inside(found, annotations, image_id)
        counted = found.known & ~beside[:, None]
        values = {
            name: average_precision(
                found.score[counted[:, k], k],
                right[counted[:, k], k],
                int(truth.known[:, k].sum()),
            )
            for k, name in enumerate(skeleton.keypoints)
        }
        mean = pck.known_mean(v for n, v in values.items() if n not in pckh.OMITTED)
        groups = {
            group: pck.known_mean(values[name] for name in names)
            for group, names in GROUPS.items()
            if set(names) <= set(skeleton.keypoints)
        }
        return Table(
            name=f"mAP@{self.threshold:g}",
            convention=self._convention(truth, found, measured, skeleton),
            values=values,
            mean=mean,
            extra=groups,
            row=groups | {"Total": mean},
        )

    def _judged(
        self,
        found: _People,
        truth: _People,
        size: Float[np.ndarray, "m"],
        skeleton: Skeleton,
    ) -> tuple[Bool[np.ndarray, "d k"], Bool[np.ndarray, "d"]]:
        """Which predicted keypoints are right, and which people are nobody."""
        matched = np.array([name not in pckh.OMITTED for name in skeleton.keypoints])
        right, alone = np.zeros_like(found.known), np.ones(len(found.known), bool)
        for image in np.unique(found.image_id):
            mine = np.flatnonzero(found.image_id == image)
            true = np.flatnonzero(truth.image_id == image)
            apart = found.keypoints[mine][:, None] - truth.keypoints[true]
            # What is not known is nan, and near nothing.
            distance = np.linalg.norm(apart, axis=-1) / size[true][:, None]
            close = distance <= self.threshold
            labels = truth.known[true][:, matched].sum(axis=1)
            owner = owners(close[..., matched], labels)
            paired = owner >= 0
            right[mine[paired]] = close[paired, owner[paired]]
            alone[mine] = ~paired
        return right, alone

    def _convention(
        self,
        truth: _People,
        found: _People,
        measured: Int[np.ndarray, "4"],
        skeleton: Skeleton,
    ) -> str:
        heads = [f"{head} of {n}" for head, n in zip(_HEADS, measured) if n]
        omitted = [name for name in pckh.OMITTED if name in skeleton.keypoints]
        without = f" without {' and '.join(omitted)}" if omitted else ""
        return (
            f"average precision of keypoints as in MPII's toolkit: distance <= "
            f"{self.threshold:g} x the head size, which is {', '.join(heads)} people"
            + (f" ({measured[-1]} without any do not count)" if measured[-1] else "")
            + "; each prediction is matched to the person with the largest share of "
            "labels right, each person to one; the others, and keypoints without a "
            "label, are wrong; area under the best precision at each recall, ranked by "
            f"keypoint scores; unweighted mean over keypoints{without}; "
            f"{len(truth.known)} people with labels in "
            f"{len(np.unique(truth.image_id))} photographs, {len(found.known)} predicted"
        )


def _truth(
    annotations: Annotations, image_id: Int[np.ndarray, "n"], skeleton: Skeleton
) -> tuple[_People, Float[np.ndarray, "m"], Int[np.ndarray, "4"]]:
    """Everybody with labels and a size, the sizes, and how many have which, or none."""
    there = annotations.labeled.any(axis=-1)
    known = annotations.labeled[there]
    points = np.where(known[..., None], annotations.keypoints[there], np.nan)
    lengths = _lengths(points, known, annotations, skeleton)
    usable = np.isfinite(lengths) & (lengths > 0)
    measured = usable.any(axis=1)
    first = np.where(measured, usable.argmax(axis=1), len(_HEADS))
    size = lengths[np.arange(len(lengths)), usable.argmax(axis=1)]
    people = _People(
        image_id=image_id[np.nonzero(there)[0]][measured],
        keypoints=points[measured],
        known=known[measured],
        score=np.ones(known[measured].shape),
    )
    return people, size[measured], np.bincount(first, minlength=len(_HEADS) + 1)


def _lengths(
    points: Float[np.ndarray, "m k 2"],
    known: Bool[np.ndarray, "m k"],
    annotations: Annotations,
    skeleton: Skeleton,
) -> Float[np.ndarray, "m 3"]:
    """What could be a person's head size, the best first; nan where there is none."""
    box = stick = np.full(len(points), np.nan)
    if annotations.head_box is not None:
        there = annotations.labeled.any(axis=-1)
        box = pckh.head_size(annotations.head_box[there])
    if set(pckh.HEAD_STICK) <= set(skeleton.keypoints):
        stick = pck.limb_length(points, known, skeleton, pckh.HEAD_STICK)
    extent = EXTENT_SHARE * pck.box_length(points, known)
    return np.stack([box, stick, extent], axis=1)


def _found(poses: Poses, image_id: Int[np.ndarray, "n"]) -> _People:
    """Everybody of whom a keypoint is finite, and who has a score; the surest first."""
    keypoints = np.asarray(poses.keypoints)
    known = np.asarray(np.isfinite(keypoints).all(axis=-1))
    score = np.asarray(poses.person_scores)
    there = known.any(axis=-1) & np.isfinite(score)
    order = np.argsort(-score[there], kind="stable")
    scores = np.asarray(poses.scores)[there][order]
    points = np.where(known[..., None], keypoints, np.nan)[there][order]
    return _People(
        image_id=image_id[np.nonzero(there)[0]][order],
        keypoints=points.astype(float),
        known=known[there][order],
        score=np.where(np.isfinite(scores), scores, -np.inf).astype(float),
    )


def _mostly_inside(
    found: _People, annotations: Annotations, image_id: Int[np.ndarray, "n"]
) -> Bool[np.ndarray, "d"]:
    """Who has more than half of their keypoints in one place that is ignored."""
    inside = np.zeros(len(found.known), bool)
    for image, box in zip(*_ignored(annotations, image_id), strict=True):
        mine = np.flatnonzero(found.image_id == image)
        points, count = found.keypoints[mine], found.known[mine].sum(axis=1)
        within = ((points >= box[:2]) & (points <= box[2:])).all(axis=-1).sum(axis=1)
        inside[mine] |= 2 * within > count
    return inside


def _ignored(
    annotations: Annotations, image_id: Int[np.ndarray, "n"]
) -> tuple[Int[np.ndarray, "r"], Float[np.ndarray, "r 4"]]:
    """Photographs and boxes of regions, and of people without labels."""
    numbers, boxes = [np.zeros(0, int)], [np.zeros((0, 4))]
    if annotations.ignored is not None:
        numbers.append(annotations.ignored.image_id)
        boxes.append(annotations.ignored.box)
    if annotations.box is not None:
        there = np.isfinite(annotations.box).all(axis=-1)
        there &= ~annotations.labeled.any(axis=-1)
        numbers.append(image_id[np.nonzero(there)[0]])
        boxes.append(annotations.box[there])
    return np.concatenate(numbers), np.concatenate(boxes)
