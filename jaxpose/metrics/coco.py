"""Average precision and recall by object keypoint similarity (OKS), as COCO counts."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from jaxpose.metrics import pycoco
from jaxpose.skeletons import Skeleton
from jaxpose.types import Annotations, Poses, Regions, Table


def similarity(
    predicted: Float[np.ndarray, "n k 2"],
    truth: Float[np.ndarray, "n k 2"],
    area: Float[np.ndarray, "n"],
    sigmas: Sequence[float],
) -> Float[np.ndarray, "n k"]:
    """Of each keypoint, in 0..1: exp(-d^2 / (8 sigma^2 area)).

    Coordinates are in pixels, areas in square pixels. OKS is the mean over the labeled
    keypoints of a person.

    Source: cocodataset.org/#keypoints-eval, as pycocotools computes it.
    """
    distance = ((predicted - truth) ** 2).sum(axis=-1)
    return np.exp(-distance / (8 * np.square(sigmas) * area[:, None]))


@dataclasses.dataclass(frozen=True, kw_only=True)
class AP:
    """COCO's average precision of keypoints, computed by pycocotools.

    Rows are photographs with any number of people and of predictions, or single people
    whose `image_id` joins them. What `annotations.ignored` holds, and people with a box
    but without labels, neither count nor make a prediction there wrong.

    Attributes:
        in_sight: people of whom fewer keypoints are visible, not only labeled, count as
            people without labels.
        hidden: keypoints that are labeled but hidden count; without them only what is
            in sight does.
        smallest: square pixels; people of a smaller area count as people without labels.
            COCO itself labels nobody below 32^2 (cocodataset.org/#keypoints-eval).

    The table's name tells what is left out.
    """

    in_sight: int = 0
    hidden: bool = True
    smallest: int = 0

    def __post_init__(self) -> None:
        if self.in_sight < 0:
            raise ValueError(f"in_sight={self.in_sight} must be 0 or more keypoints")
        if self.smallest < 0:
            raise ValueError(
                f"smallest={self.smallest} must be 0 or more square pixels, such as 1024"
            )

    def __call__(
        self, poses: Poses, annotations: Annotations, skeleton: Skeleton
    ) -> Table:
        """Values in 0..1: the mean similarity of each keypoint in people that are found.

        Extra holds the ten numbers of pycocotools; nan where nobody counts.

        Raises: ValueError if the skeleton has no sigmas, a person with labels has no
            area, or shapes disagree.
        """
        truth, ignored, found = people(poses, self._counted(annotations), skeleton)
        result = pycoco.evaluate(truth, ignored, found, skeleton.sigmas)
        convention, counted = (
            _convention(truth, ignored, result, skeleton),
            self._only(),
        )
        return Table(
            name="_".join(["AP", *counted]),
            convention="; ".join([convention, *counted.values()]),
            values=_per_keypoint(truth, found, result, skeleton),
            mean=result.statistics["AP"],
            extra=result.statistics,
        )

    def _only(self) -> dict[str, str]:
        """What alone counts, as the table's name says it and as its convention does."""
        found = {}
        if self.in_sight:
            found[f"{self.in_sight}_in_sight"] = (
                f"people with {self.in_sight} or more keypoints in sight"
            )
        if not self.hidden:
            found["visible"] = "keypoints in sight alone"
        if self.smallest:
            found[f"area_{self.smallest}"] = (
                f"people of {self.smallest} square pixels or more"
            )
        return found

    def _counted(self, annotations: Annotations) -> Annotations:
        """The same, without the labels that do not count."""
        visibility = annotations.visibility
        visible = visibility == 2
        counts = visible.sum(axis=-1, keepdims=True) >= self.in_sight
        if not self.hidden:
            counts = counts & visible
        if self.smallest:
            counts = counts & (_area(annotations) >= self.smallest)[..., None]
        return dataclasses.replace(
            annotations, visibility=np.where(counts, visibility, 0)
        )


def people(
    poses: Poses, annotations: Annotations, skeleton: Skeleton
) -> tuple[pycoco.Truth, Regions, pycoco.Found]:
    """Who is there, what does not count, and who was predicted.

    Raises: ValueError as `AP`.
    """
    _check_sigmas(skeleton)
    check_shapes(poses, annotations, skeleton)
    area = _area(annotations)
    found = _found(poses, annotations.photographs)
    return _truth(annotations, area), _ignored(annotations, area), found


def _per_keypoint(
    truth: pycoco.Truth, found: pycoco.Found, result: pycoco.Result, skeleton: Skeleton
) -> dict[str, float]:
    predicted, true = result.matches.T
    alike = similarity(
        found.keypoints[predicted],
        truth.keypoints[true],
        truth.area[true],
        skeleton.sigmas,
    )
    labeled = truth.labeled[true]
    # A keypoint that was not predicted is nan, and similar to nothing.
    total = np.where(labeled, np.nan_to_num(alike), 0).sum(axis=0)
    count = labeled.sum(axis=0)
    means = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return dict(zip(skeleton.keypoints, means.tolist()))


def _convention(
    truth: pycoco.Truth, ignored: Regions, result: pycoco.Result, skeleton: Skeleton
) -> str:
    return (
        "COCO by pycocotools: mean over OKS 0.50, 0.55, ..., 0.95, of the 20 predictions "
        "a photograph with the highest scores; AP the precision at recalls 0, 0.01, "
        f"..., 1, AR the highest recall; sigmas of {skeleton.name}; medium is an area "
        "of 32^2 to 96^2 pixels, large is above; "
        f"{len(truth.area)} people with labels in {len(np.unique(truth.image_id))} "
        "photographs, "
        f"{len(ignored.area)} crowds and people with too few labels ignored; a "
        "keypoint's row is its mean similarity where labeled, in the "
        f"{len(result.matches)} people found at OKS 0.5"
    )


def _check_sigmas(skeleton: Skeleton) -> None:
    sigmas, k = skeleton.sigmas, len(skeleton.keypoints)
    if len(sigmas) != k or not all(0 < sigma < np.inf for sigma in sigmas):
        raise ValueError(
            f"{skeleton.name} has sigmas {sigmas}, OKS needs {k} positive ones: how far "
            "each keypoint may be off, in square roots of the area; give them in the "
            "file, as `sigmas` of its category, in a config by spec(coco_skeleton.read, "
            "path=..., sigmas=(...)), to `python -m jaxpose score` by --sigmas"
        )


def check_shapes(poses: Poses, annotations: Annotations, skeleton: Skeleton) -> None:
    predicted, truth = np.shape(poses.keypoints), annotations.keypoints.shape
    expected = (len(annotations.keypoints), len(skeleton.keypoints), 2)
    for name, shape in (("predicted", predicted), ("true", truth)):
        if (shape[0], *shape[2:]) != expected:
            raise ValueError(
                f"{name} keypoints have shape {shape}, must be ({expected[0]}, people, "
                f"{expected[1]}, 2): as many rows as the truth, and the keypoints of "
                f"{skeleton.name}"
            )


def _area(annotations: Annotations) -> Float[np.ndarray, "n p"]:
    """Raises: ValueError if a person with labels has no area."""
    area = annotations.area
    if area is None:
        raise ValueError(
            "annotations.area=None, OKS is relative to the people's areas; use a source "
            "with areas, such as a COCO file"
        )
    empty = annotations.labeled.any(axis=-1) & ~(np.isfinite(area) & (area > 0))
    if empty.any():
        row, slot = np.argwhere(empty)[0].tolist()
        raise ValueError(
            f"person {slot} of record {row} (image_id {annotations.photographs[row]}) has "
            f"the area {area[row, slot]:g}, first of {empty.sum()}; OKS needs positive "
            "areas: mend it, or take the person's labels away"
        )
    return area


def _truth(annotations: Annotations, area: Float[np.ndarray, "n p"]) -> pycoco.Truth:
    """Everybody with labels."""
    people = annotations.labeled.any(axis=-1)
    return pycoco.Truth(
        image_id=annotations.photographs[np.nonzero(people)[0]],
        keypoints=annotations.keypoints[people],
        labeled=annotations.labeled[people],
        area=area[people],
    )


def _ignored(annotations: Annotations, area: Float[np.ndarray, "n p"]) -> Regions:
    """The regions of the annotations, and people with a box and without labels."""
    box = annotations.box
    if box is None:
        box = np.full((*area.shape, 4), np.nan)
    people = ~annotations.labeled.any(axis=-1) & np.isfinite(box).all(axis=-1)
    unlabeled = Regions(
        image_id=annotations.photographs[np.nonzero(people)[0]],
        box=box[people],
        area=area[people],
        crowd=np.zeros(people.sum(), bool),
    )
    if annotations.ignored is None:
        return unlabeled
    parts = unlabeled, annotations.ignored
    return Regions(
        **{
            field.name: np.concatenate([getattr(part, field.name) for part in parts])
            for field in dataclasses.fields(Regions)
        }
    )


def _found(poses: Poses, image_id: Int[np.ndarray, "n"]) -> pycoco.Found:
    """Everybody of whom a keypoint is finite, and who has a score."""
    keypoints, score = np.asarray(poses.keypoints), np.asarray(poses.person_scores)
    known = np.isfinite(keypoints).all(axis=-1)
    people = known.any(axis=-1) & np.isfinite(score)
    return pycoco.Found(
        image_id=image_id[np.nonzero(people)[0]],
        keypoints=np.where(known[..., None], keypoints, np.nan)[people].astype(float),
        score=score[people].astype(float),
    )


CONVENTIONS = {"coco": AP()}
