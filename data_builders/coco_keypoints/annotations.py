"""A file of COCO's format: photographs with their people, as checked Python objects.

Source: the format as cocodataset.org documents it, under "keypoint detection".
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from . import checks

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
    posed = {c["id"]: bool(c.get("keypoints")) for c in data["categories"]}
    by_image: dict[int, list[Annotation]] = {i["id"]: [] for i in data["images"]}
    for table, name in ((by_image, "images"), (posed, "categories")):
        if len(table) != len(data[name]):
            raise ValueError(f"{where}: two {name} have one id; {checks.REMEDY}")
    for annotation in data["annotations"]:
        checks.annotation(
            annotation, keypoints, images=by_image, kinds=posed, where=where
        )
        if posed[annotation["category_id"]]:
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
    ids, categories = (
        np.asarray([person[key] for person in people], np.int64)
        for key in ("id", "category_id")
    )
    return {
        "keypoints": triples[..., :2].astype(np.float32),
        "visibility": triples[..., 2].astype(np.int32),
        "box": _boxes(people),
        "area": _areas(people),
        "crowd_box": _boxes(crowds),
        "crowd_area": _areas(crowds),
        "person_id": ids,
        "category_id": categories,
    }


def _areas(annotations: Sequence[Annotation]) -> np.ndarray:
    """float32 (annotations,), square pixels; nan where there is none."""
    areas = [annotation.get("area", np.nan) for annotation in annotations]
    return np.asarray(areas, np.float32)


def _boxes(annotations: Sequence[Annotation]) -> np.ndarray:
    """float32 (annotations, 4), (x0, y0, x1, y1); nan where there is none."""
    boxes = [annotation.get("bbox") or [np.nan] * 4 for annotation in annotations]
    box = np.asarray(boxes, np.float64).reshape(len(boxes), 4)
    start = box[:, :2] - _CORNER
    return np.concatenate([start, start + box[:, 2:]], axis=1).astype(np.float32)


def _data(content: bytes, where: str) -> dict[str, list[Any]]:
    """The lists of a file. Raises: ValueError as `checks.lists`, and for no JSON."""
    try:
        data = json.loads(content)
    except ValueError as error:
        raise ValueError(
            f"{where} ({len(content)} bytes) is no JSON: {error}; take it again"
        ) from error
    checks.lists(data, where)
    return data


def _photograph(image: Mapping[str, Any], annotations: list[Annotation]) -> Photograph:
    height, width = image.get("height"), image.get("width")
    return Photograph(
        image_id=image["id"],
        name=image["file_name"],
        size=(height, width) if height and width else None,
        people=tuple(a for a in annotations if not a.get("iscrowd")),
        crowds=tuple(a for a in annotations if a.get("iscrowd")),
    )
