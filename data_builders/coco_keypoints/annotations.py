"""A file of COCO's format: photographs with their people, as checked Python objects.

Source: the format as cocodataset.org documents it, under "keypoint detection".
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Annotation = Mapping[str, Any]
# Of COCO itself.
COCO = (
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
)
# Boxes count from the corner of the first pixel, the project from its centre.
_CORNER = 0.5
_REMEDY = "`python -m jaxpose check-data FILE` lists every fault of a file"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Photograph:
    """One photograph; people and crowds as the file has them, in its order."""

    image_id: int
    name: str
    size: tuple[int, int] | None
    people: tuple[Annotation, ...]
    crowds: tuple[Annotation, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class File:
    """Names of the keypoints, and every photograph in the file's order."""

    keypoints: tuple[str, ...]
    photographs: tuple[Photograph, ...]


def read(content: bytes, *, where: str) -> File:
    """Checks a whole file.

    Several categories may have keypoints, kinds of animals say, if they all have the
    same; annotations of categories without keypoints are left out.

    Args:
        where: the file's name, for messages.

    Raises:
        ValueError: not of COCO's format; the annotation is named.
    """
    data = _data(content, where)
    keypoints = _keypoint_names(data["categories"], where)
    numbers = {c["id"] for c in data["categories"]}
    posed = {c["id"] for c in data["categories"] if c.get("keypoints")}
    by_image: dict[int, list[Annotation]] = {i["id"]: [] for i in data["images"]}
    if len(by_image) != len(data["images"]):
        raise ValueError(f"{where}: two images have one id; {_REMEDY}")
    for annotation in data["annotations"]:
        _check(annotation, keypoints, by_image, numbers, where)
        if annotation["category_id"] in posed:
            by_image[annotation["image_id"]].append(annotation)
    photographs = tuple(_photograph(i, by_image[i["id"]]) for i in data["images"])
    return File(keypoints=keypoints, photographs=photographs)


def names(content: bytes, *, where: str) -> tuple[str, ...]:
    """The keypoints of a file, in its order. Raises: ValueError as `read`."""
    return _keypoint_names(_data(content, where)["categories"], where)


def _keypoint_names(categories: Sequence[Any], where: str) -> tuple[str, ...]:
    """The keypoints of the categories that have some.

    Raises:
        ValueError: none has, or they have different ones.
    """
    lists = {tuple(c["keypoints"]) for c in categories if c.get("keypoints")}
    if len(lists) != 1:
        raise ValueError(
            f"{where}: its categories have {len(lists)} different lists of keypoints; "
            "all that have keypoints must have the same: keep some of the categories"
        )
    (names,) = lists
    if len(set(names)) != len(names):
        raise ValueError(f"{where}: names of keypoints repeat: {names}; rename them")
    return names


def arrays(photograph: Photograph, names: Sequence[str]) -> dict[str, np.ndarray]:
    """The record's numbers, under the contract's names, 0-based like the file's."""
    people, crowds = photograph.people, photograph.crowds
    unlabeled = [0] * (3 * len(names))
    triples = np.asarray(
        [person.get("keypoints") or unlabeled for person in people], np.float64
    ).reshape(len(people), len(names), 3)
    ids = [person["id"] for person in people]
    areas = [person.get("area", np.nan) for person in people]
    return {
        "keypoints": triples[..., :2].astype(np.float32),
        "visibility": triples[..., 2].astype(np.int32),
        "box": _boxes(people),
        "area": np.asarray(areas, np.float32),
        "crowd_box": _boxes(crowds),
        "person_id": np.asarray(ids, np.int64),
    }


def _boxes(annotations: Sequence[Annotation]) -> np.ndarray:
    """float32 (annotations, 4), (x0, y0, x1, y1); nan where there is none."""
    boxes = [annotation.get("bbox") or [np.nan] * 4 for annotation in annotations]
    box = np.asarray(boxes, np.float64).reshape(len(boxes), 4)
    start = box[:, :2] - _CORNER
    return np.concatenate([start, start + box[:, 2:]], axis=1).astype(np.float32)


def _data(content: bytes, where: str) -> dict[str, list[Any]]:
    """The lists of a file; ValueError where it has not all of them."""
    try:
        data = json.loads(content)
    except ValueError as error:
        raise ValueError(
            f"{where} ({len(content)} bytes) is no JSON: {error}; take it again"
        ) from error
    needed = {"images": {"id", "file_name"}, "categories": {"id"}}
    needed["annotations"] = {"id", "image_id", "category_id"}
    for name, keys in needed.items():
        entries = data.get(name) if isinstance(data, dict) else None
        if not isinstance(entries, list) or not all(
            isinstance(entry, dict)
            and keys <= entry.keys()
            and all(isinstance(entry[key], int) for key in keys if key != "file_name")
            for entry in entries
        ):
            raise ValueError(
                f"{where} is not of COCO's format: it must hold a list {name!r}, and "
                f"every entry of it {', '.join(sorted(keys))}, ids being whole numbers; "
                f"{_REMEDY}"
            )
    return data


def _photograph(image: Mapping[str, Any], annotations: list[Annotation]) -> Photograph:
    sized = "height" in image and "width" in image
    return Photograph(
        image_id=image["id"],
        name=image["file_name"],
        size=(image["height"], image["width"]) if sized else None,
        people=tuple(a for a in annotations if not a.get("iscrowd")),
        crowds=tuple(a for a in annotations if a.get("iscrowd")),
    )


def _check(
    annotation: Annotation,
    names: Sequence[str],
    images: Mapping[int, list[Annotation]],
    categories: set[int],
    where: str,
) -> None:
    """ValueError for an annotation that cannot become part of a record."""
    where = f"{where}: annotation {annotation['id']}"
    if annotation["image_id"] not in images:
        raise ValueError(
            f"{where} is of image {annotation['image_id']}, which is not among the "
            f"images; {_REMEDY}"
        )
    if annotation["category_id"] not in categories:
        raise ValueError(
            f"{where} is of category {annotation['category_id']}, which is not among "
            f"the categories; {_REMEDY}"
        )
    keypoints = annotation.get("keypoints") or [0] * (3 * len(names))
    if (
        len(keypoints) != 3 * len(names)
        or not set(keypoints[2::3]) <= {0, 1, 2}
        or not _finite(keypoints)
    ):
        raise ValueError(
            f"{where} has {len(keypoints)} numbers as keypoints; there must be "
            f"{3 * len(names)}: x, y and 0, 1 or 2 for each of {', '.join(names)}; "
            f"{_REMEDY}"
        )
    box = annotation.get("bbox") or [0] * 4
    if len(box) != 4 or not _finite(box):
        raise ValueError(f"{where} has the bbox {box}, not four numbers; {_REMEDY}")


def _finite(numbers: Sequence[Any]) -> bool:
    try:
        return bool(np.isfinite(np.asarray(numbers, np.float64)).all())
    except (TypeError, ValueError):
        return False
