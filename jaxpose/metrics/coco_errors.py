"""Why average precision is lost: what is wrong with predicted people, kind by kind."""

import dataclasses
from typing import TypeVar

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxpose.metrics import coco, pycoco
from jaxpose.pose_files import coco_parts
from jaxpose.skeletons import Skeleton
from jaxpose.types import Annotations, Poses, Regions, Table

KINDS = ("good", "jitter", "inversion", "swap", "miss")
GOOD, JITTER, INVERSION, SWAP, MISS = range(5)
# Similarity of a keypoint, from which it is right, and from which it is near.
RIGHT, NEAR = 0.85, 0.5
# OKS of people who are found, and of those who are found badly but still are meant.
FOUND, MEANT = 0.5, 0.1

People = TypeVar("People", pycoco.Truth, pycoco.Found)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Errors:
    """Kinds of errors by their share, and what AP gains if one kind is mended.

    Of the keypoints that are labeled in people who are found:
        good: right to 0.85 of similarity.
        jitter: not right, but nearer than 0.5 to the true keypoint.
        inversion: nearer to the person's keypoint of the other side.
        swap: nearer to a keypoint of somebody else, of the same or of the other side.
        miss: near none of these.
    Background is a predicted person who is nobody. People are matched as AP does at an
    OKS of 0.5, then those who are left at 0.1, so that a bad prediction takes nobody
    away from a good one.

    Source: Ronchi & Perona 2017. Their code calls a keypoint a swap or an inversion
    although it is right, if another is nearer still; and mends by a move to the
    similarity that an error of another kind would leave. Here the mended keypoint is the
    true one, which tells how much this kind costs at most.
    """

    def __call__(
        self, poses: Poses, annotations: Annotations, skeleton: Skeleton
    ) -> Table:
        """Values in 0..1: the share of each kind among the keypoints; mean: the good.

        Extra holds the share of background among the 20 predictions of a photograph
        with the highest scores, the share of people who are not found, AP, and the gain
        by each kind alone. Shares of nothing are nan.

        Raises: ValueError as `coco.AP`.
        """
        truth, ignored, found = coco.people(poses, annotations, skeleton)
        pairs, background = _matched(truth, ignored, found, skeleton)
        kinds = _kinds(truth, found, pairs, skeleton)
        shares = [_share(kinds == kind, kinds >= 0) for kind in range(len(KINDS))]

        def precision(found: pycoco.Found) -> float:
            result = pycoco.evaluate(truth, ignored, found, skeleton.sigmas)
            return result.statistics["AP"]

        now = precision(found)
        mended = {
            KINDS[kind]: _mend(truth, found, pairs, kinds == kind)
            for kind in (JITTER, INVERSION, SWAP, MISS)
        }
        mended["background"] = _without(found, background)
        gains = {
            f"AP_gain_{name}": precision(better) - now
            for name, better in mended.items()
        }
        looked = len(background) + len(pairs)
        extra = {
            "background": len(background) / looked if looked else np.nan,
            "not_found": 1 - len(pairs) / len(truth.area)
            if len(truth.area)
            else np.nan,
            "AP": now,
        }
        return Table(
            name=f"good@{RIGHT:g}",
            convention=_convention(kinds, pairs, looked, skeleton),
            values=dict(zip(KINDS, shares, strict=True)),
            mean=shares[GOOD],
            extra=extra | gains,
        )


def _convention(
    kinds: Int[np.ndarray, "e k"],
    pairs: Int[np.ndarray, "e 2"],
    looked: int,
    skeleton: Skeleton,
) -> str:
    return (
        f"kinds of errors of Ronchi & Perona 2017 among {(kinds >= 0).sum()} labeled "
        f"keypoints of {len(pairs)} people, found by OKS {FOUND} or, if left, {MEANT}: "
        f"good is a similarity of {RIGHT} or more; else the nearest of one's own "
        "keypoint (jitter), one's other side (inversion) and others' same or other side "
        f"(swap), if {NEAR} or more; else miss. Background: share of {looked} "
        "predictions, the 20 of a photograph with the highest scores without those in "
        f"crowds, that are nobody. sigmas of {skeleton.name}. A gain is what AP, as COCO "
        "counts it, would be more with this kind alone put right"
    )


def _matched(
    truth: pycoco.Truth, ignored: Regions, found: pycoco.Found, skeleton: Skeleton
) -> tuple[Int[np.ndarray, "e 2"], Int[np.ndarray, "a"]]:
    """(predicted, true) person of each pair, and the predictions that are nobody."""
    sure, alone = pycoco.match(truth, ignored, found, skeleton.sigmas, oks=FOUND)
    left = np.setdiff1d(np.arange(len(truth.area)), sure[:, 1])
    # AP counts what is near an ignored region, but not in it, as wrong.
    nothing = Regions(
        image_id=np.zeros(0, int),
        box=np.zeros((0, 4)),
        area=np.zeros(0),
        crowd=np.zeros(0, bool),
    )
    rest, background = pycoco.match(
        _take(truth, left), nothing, _take(found, alone), skeleton.sigmas, oks=MEANT
    )
    meant = np.stack([alone[rest[:, 0]], left[rest[:, 1]]], axis=1)
    return np.concatenate([sure, meant]), alone[background]


def _take(people: People, rows: Int[np.ndarray, "r"]) -> People:
    return dataclasses.replace(
        people,
        **{
            field.name: getattr(people, field.name)[rows]
            for field in dataclasses.fields(people)
        },
    )


def _kinds(
    truth: pycoco.Truth,
    found: pycoco.Found,
    pairs: Int[np.ndarray, "e 2"],
    skeleton: Skeleton,
) -> Int[np.ndarray, "e k"]:
    """The kind of each keypoint of each pair; -1 where the truth is unlabeled."""
    alike = _alike(truth, found, pairs, skeleton)
    own, kind = alike[JITTER], alike.argmax(axis=0)
    kind = np.where(alike.max(axis=0) < NEAR, MISS, kind)
    kind = np.where(own >= RIGHT, GOOD, kind)
    return np.where(truth.labeled[pairs[:, 1]], kind, -1)


def _alike(
    truth: pycoco.Truth,
    found: pycoco.Found,
    pairs: Int[np.ndarray, "e 2"],
    skeleton: Skeleton,
) -> Float[np.ndarray, "4 e k"]:
    """Highest similarity of predicted keypoints to those that make each kind of error.

    In the place of its number stand one's own keypoint (`JITTER`), the other side's
    (`INVERSION`), somebody else's (`SWAP`), and 0 at first. What is unlabeled or was
    not predicted is similar to nothing.
    """
    predicted, true = pairs.T
    together, near = _together(truth.image_id, true)
    flip = list(skeleton.flip)

    def similarity(
        pair: Int[np.ndarray, "m"], person: Int[np.ndarray, "m"], *, mirrored: bool
    ) -> Float[np.ndarray, "m k"]:
        side = flip if mirrored else slice(None)
        known = truth.labeled[person][:, side]
        alike = coco.similarity(
            found.keypoints[predicted[pair]],
            truth.keypoints[person][:, side],
            truth.area[person],
            skeleton.sigmas,
        )
        return np.where(known, np.nan_to_num(alike), 0)

    each = np.arange(len(pairs))
    alike = np.zeros((4, len(pairs), len(skeleton.keypoints)))
    alike[JITTER] = similarity(each, true, mirrored=False)
    alike[INVERSION] = similarity(each, true, mirrored=True)
    for mirrored in (False, True):
        others = similarity(together, near, mirrored=mirrored)
        np.maximum.at(alike[SWAP], together, others)
    return alike


def _together(
    image_id: Int[np.ndarray, "m"], true: Int[np.ndarray, "e"]
) -> tuple[Int[np.ndarray, "x"], Int[np.ndarray, "x"]]:
    """Each pair by its number, and each other person on the same photograph."""
    _, photograph = np.unique(image_id, return_inverse=True)
    at, shape = coco_parts.places(photograph, int(photograph.max(initial=-1)) + 1)
    people = np.full(shape, -1)
    people[at] = np.arange(len(image_id))
    beside = people[photograph[true]]
    other = (beside >= 0) & (beside != true[:, None])
    return np.nonzero(other)[0], beside[other]


def _share(part: Bool[np.ndarray, "e k"], whole: Bool[np.ndarray, "e k"]) -> float:
    return float(part.sum() / whole.sum()) if whole.any() else np.nan


def _mend(
    truth: pycoco.Truth,
    found: pycoco.Found,
    pairs: Int[np.ndarray, "e 2"],
    wrong: Bool[np.ndarray, "e k"],
) -> pycoco.Found:
    """These keypoints of the pairs where the truth has them."""
    predicted, true = pairs.T
    keypoints = found.keypoints.copy()
    keypoints[predicted] = np.where(
        wrong[..., None], truth.keypoints[true], keypoints[predicted]
    )
    return dataclasses.replace(found, keypoints=keypoints)


def _without(found: pycoco.Found, gone: Int[np.ndarray, "a"]) -> pycoco.Found:
    return _take(found, np.setdiff1d(np.arange(len(found.score)), gone))
