"""Ground truth in COCO's format: several people a photograph.

A JSON object with `images`, `annotations` and `categories`, which have `keypoints`, their
names: all the same ones, or none. Keypoints stand in the file as in memory, 0-based. Boxes
do not: there (x, y, width, height) from the corner of the first pixel, here (x0, y0, x1,
y1) from its centre.
"""

import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxpose import skeletons
from jaxpose.pose_files import coco_parts
from jaxpose.skeletons import Skeleton
from jaxpose.types import Annotations, Regions

CORNER = 0.5  # from the corner of the first pixel to its centre


@dataclasses.dataclass(frozen=True, kw_only=True)
class Truth:
    """A file of ground truth, looked through but not yet turned into arrays.

    Attributes:
        annotations: those of categories with keypoints, which are not told apart.
    """

    file: pathlib.Path
    kinds: coco_parts.Kinds
    images: Sequence[Mapping[str, Any]]
    annotations: Sequence[Mapping[str, Any]]

    @property
    def name(self) -> str:
        """What is annotated; of several categories, joined by commas."""
        stem, categories = self.file.stem, self.kinds.categories
        return ", ".join(str(category.get("name", stem)) for category in categories)

    @property
    def categories(self) -> tuple[int, ...]:
        """Numbers of those that have keypoints."""
        return tuple(category["id"] for category in self.kinds.categories)


def read(path: str | os.PathLike[str]) -> Truth:
    """The annotations of the categories that have keypoints.

    Raises: ValueError if the file is no ground truth of keypoints, or an annotation is
        of an unknown photograph; OSError if unreadable.
    """
    file = pathlib.Path(path)
    content = coco_parts.read(file)
    needed = ("images", "annotations", "categories")
    if not isinstance(content, dict) or not set(needed) <= content.keys():
        raise ValueError(
            f"{file} is no ground truth of COCO's format, an object with "
            f"{', '.join(needed)}; truth and results differ"
        )
    kinds = coco_parts.kinds(file, content)
    for name in ("categories", "images"):
        _check_ids(file, name, content[name])
    if not coco_parts.is_objects(content["annotations"]):
        raise ValueError(f"{file}: `annotations` must be a list of objects")
    known = {
        "images": {image["id"] for image in content["images"]},
        "categories": {category["id"] for category in content["categories"]},
    }
    numbers = tuple(c["id"] for c in kinds.categories)
    for number, a in enumerate(content["annotations"]):
        _check(file, number, a, known)
        if a["category_id"] in numbers:
            _check_values(file, a)
    return Truth(
        file=file,
        kinds=kinds,
        images=content["images"],
        annotations=[a for a in content["annotations"] if a["category_id"] in numbers],
    )


def skeleton_of(truth: Truth, sigmas: Sequence[float] = ()) -> Skeleton:
    """Names and sigmas of a file's keypoints.

    Limbs and mirror images are left out: scoring needs neither.

    Args:
        sigmas: one a keypoint, or one for all of them. By default the file's, where a
            category has `sigmas`, or COCO's for COCO's keypoints.

    Raises: ValueError if there is another number of sigmas.
    """
    names, known = truth.kinds.keypoints, coco_parts.sigmas(truth.kinds, sigmas)
    if (names, known) == (skeletons.COCO.keypoints, skeletons.COCO.sigmas):
        return skeletons.COCO
    return Skeleton(
        name=truth.name,
        keypoints=names,
        flip=tuple(range(len(names))),
        limbs=(),
        sigmas=known,
    )


def image_id_of(truth: Truth) -> Int[np.ndarray, "n"]:
    """Numbers of the photographs, in the order of the file."""
    return np.array([image["id"] for image in truth.images], int)


def annotations_of(truth: Truth, skeleton: Skeleton) -> Annotations:
    """A row for each photograph; crowds and people without labels are ignored regions.

    Raises: ValueError if an annotation does not hold the keypoints of the skeleton, or
        lacks its box where only that counts.
    """
    points = _points(truth, skeleton)
    row = _rows(truth)
    crowd = np.array([bool(a.get("iscrowd", 0)) for a in truth.annotations], bool)
    scored = (points[..., 2] > 0).any(axis=1) & ~crowd
    at, shape = coco_parts.places(row[scored], len(truth.images))
    keypoints = np.zeros((*shape, len(skeleton.keypoints), 3))
    keypoints[at] = points[scored]
    box, area = np.full((*shape, 4), np.nan), np.full(shape, np.nan)
    boxes, areas = _boxes(truth), _areas(truth)
    box[at], area[at] = boxes[scored], areas[scored]
    ids = image_id_of(truth)
    return Annotations(
        keypoints=keypoints[..., :2],
        visibility=keypoints[..., 2].astype(int),
        names=tuple(str(image.get("file_name", "")) for image in truth.images),
        image_id=ids,
        box=box,
        area=area,
        ignored=_regions(truth, ids[row], boxes, areas, crowd, ~scored),
    )


def _check_ids(file: pathlib.Path, name: str, entries: Any) -> None:
    """Raises: ValueError if they are no objects with whole numbers of their own."""
    whole = coco_parts.is_objects(entries, id=int)
    if not whole or len({entry["id"] for entry in entries}) != len(entries):
        raise ValueError(
            f"{file}: `{name}` must be a list of objects, each with an `id`, a whole "
            "number that no other one has; `python -m jaxpose check-data FILE` lists "
            "every fault"
        )


def _check_values(file: pathlib.Path, annotation: Mapping[str, Any]) -> None:
    """Raises: ValueError if one of them is of another type."""
    box, area = annotation.get("bbox") or [0] * 4, annotation.get("area")
    points = annotation.get("keypoints") or []
    good = {
        "bbox": isinstance(box, list) and len(box) == 4 and coco_parts.finite(box),
        "area": area is None or coco_parts.finite([area]),
        "iscrowd": annotation.get("iscrowd", 0) in (0, 1),
        "keypoints": isinstance(points, list)
        and all(isinstance(point, int | float) for point in points),
    }
    for name, rule in _RULES.items():
        if not good[name]:
            raise ValueError(
                f"{file}: annotation {annotation['id']} has the {name} "
                f"{annotation[name]!r:.60}; it must be {rule}"
            )


_RULES = {
    "bbox": "[x, y, width, height]",
    "area": "a number",
    "iscrowd": "0 or 1",
    "keypoints": "a list of numbers: x, y and 0, 1 or 2 for each keypoint",
}


def _check(
    file: pathlib.Path,
    number: int,
    annotation: Mapping[str, Any],
    known: Mapping[str, set[int]],
) -> None:
    ids = ("category_id", "id", "image_id")
    missing = [key for key in ids if not isinstance(annotation.get(key), int)]
    if missing:
        raise ValueError(
            f"{file}: annotation number {number} lacks {', '.join(missing)}, which must "
            "be whole numbers"
        )
    for key, among in (("image_id", "images"), ("category_id", "categories")):
        if annotation[key] not in known[among]:
            raise ValueError(
                f"{file}: annotation {annotation['id']} is of {key} {annotation[key]}, "
                f"which is not among the {among}; add it there, or take the annotation "
                "out"
            )


def _rows(truth: Truth) -> Int[np.ndarray, "a"]:
    """Which photograph each annotation is of."""
    row_of = {image["id"]: row for row, image in enumerate(truth.images)}
    return np.array([row_of[a["image_id"]] for a in truth.annotations], int)


def _points(truth: Truth, skeleton: Skeleton) -> Float[np.ndarray, "a k 3"]:
    """(x, y, visibility) of each annotation; zeros where it has no keypoints."""
    k = len(skeleton.keypoints)
    flat = [a.get("keypoints") or [0] * 3 * k for a in truth.annotations]
    for a, numbers in zip(truth.annotations, flat, strict=True):
        if len(numbers) != 3 * k or not set(numbers[2::3]) <= {0, 1, 2}:
            raise ValueError(
                f"{truth.file}: annotation {a['id']} has {len(numbers)} numbers as "
                f"keypoints, visibility {sorted(set(numbers[2::3]))}; there must be "
                f"{3 * k}, x, y and 0, 1 or 2 for each keypoint of {skeleton.name}"
            )
    points = np.array(flat, float).reshape(-1, k, 3)
    broken = ((points[..., 2] > 0) & ~np.isfinite(points).all(axis=-1)).any(axis=1)
    if broken.any():
        first = truth.annotations[int(np.flatnonzero(broken)[0])]
        raise ValueError(
            f"{truth.file}: annotation {first['id']} has a labeled keypoint that is not "
            "finite; give it coordinates, or visibility 0"
        )
    return points


def _boxes(truth: Truth) -> Float[np.ndarray, "a 4"]:
    """nan where an annotation has none."""
    boxes = [a.get("bbox") or [np.nan] * 4 for a in truth.annotations]
    box = np.array(boxes, float).reshape(-1, 4)
    start = box[:, :2] - CORNER
    return np.concatenate([start, start + box[:, 2:]], axis=1)


def _areas(truth: Truth) -> Float[np.ndarray, "a"]:
    """nan where an annotation has none."""
    return np.array([a.get("area", np.nan) for a in truth.annotations], float)


def _regions(
    truth: Truth,
    image_id: Int[np.ndarray, "a"],
    box: Float[np.ndarray, "a 4"],
    area: Float[np.ndarray, "a"],
    crowd: Bool[np.ndarray, "a"],
    ignored: Bool[np.ndarray, "a"],
) -> Regions:
    boxless = ignored & np.isnan(box).any(axis=1)
    if boxless.any():
        first = truth.annotations[int(np.flatnonzero(boxless)[0])]
        raise ValueError(
            f"{truth.file}: annotation {first['id']} has neither a labeled keypoint nor "
            "a bbox, or is a crowd without one; give it a bbox, or take it out"
        )
    return Regions(
        image_id=image_id[ignored],
        box=box[ignored],
        area=area[ignored],
        crowd=crowd[ignored],
    )
