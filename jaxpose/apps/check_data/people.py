"""Faults of single annotations: keypoints, their number, boxes, areas, outlines."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from jaxpose.apps.check_data import fault
from jaxpose.apps.check_data.fault import Annotation, Fault

_SLACK = 1.0  # pixels that rounding may put something outside
_LEAST_AREA = 1.0  # square pixels; nobody is that small
# Share of the keypoints' tight box that a person covers at least, if they have a few.
_LEAST_SHARE = 0.02
_FEW = 4
_FLAGS = {0, 1, 2}


def check(
    annotation: Annotation,
    images: Mapping[Any, Mapping[str, Any]],
    names: Sequence[str],
) -> Iterator[Fault]:
    """Everything about one annotation of a category with keypoints."""
    where = fault.name(annotation, images)
    size = _size(images.get(annotation.get("image_id"), {}))
    crowd = bool(annotation.get("iscrowd"))
    points = None if crowd else triples(annotation, len(names))
    if points is None and not crowd:
        yield _unreadable(annotation, names, where)
    if points is not None:
        yield from _keypoints(points, size, names, where)
        yield from _count(annotation, points, where)
    yield from _box(annotation, points, size, where)
    yield from _area(annotation, points, where)
    yield from _outline(annotation, size, where)


def _size(image: Mapping[str, Any]) -> Float[np.ndarray, "2"]:
    """(width, height) of an image; nan, larger and smaller than nothing, if untold."""
    numbers = _numbers([image.get("width"), image.get("height")])
    return np.full(2, np.nan) if numbers is None else numbers


def _told(size: Float[np.ndarray, "2"]) -> str:
    return f"{size[0]:g} wide and {size[1]:g} high"


def triples(annotation: Annotation, k: int) -> Float[np.ndarray, "k 3"] | None:
    """(x, y, visibility) of each keypoint, 0 where none are given.

    None where they cannot be read.
    """
    flat = _numbers(annotation.get("keypoints") or [0] * (3 * k))
    if flat is None or len(flat) != 3 * k or not {*flat[2::3].tolist()} <= _FLAGS:
        return None
    return flat.reshape(k, 3)


def _numbers(value: Any) -> Float[np.ndarray, "n"] | None:
    """A list of finite numbers, None if it is none."""
    try:
        numbers = np.asarray(value, float)
    except (TypeError, ValueError):
        return None
    return numbers if numbers.ndim == 1 and np.isfinite(numbers).all() else None


def _unreadable(annotation: Annotation, names: Sequence[str], where: str) -> Fault:
    """Keypoints that are not x, y and a flag for each name."""
    flat = _numbers(annotation["keypoints"])
    if flat is None:
        text = "its keypoints are not all finite numbers"
    elif len(flat) != 3 * len(names):
        text = f"it has {len(flat)} numbers as keypoints"
    else:
        flags = ", ".join(f"{flag:g}" for flag in {*flat[2::3].tolist()} - _FLAGS)
        text = f"it has the visibility {flags}"
    return Fault(
        kind="keypoints",
        where=where,
        text=text,
        remedy=f"write {3 * len(names)} numbers: x, y and 0 (unlabeled), 1 (hidden) or "
        f"2 (visible) for each of the {len(names)} keypoints",
    )


def _keypoints(
    points: Float[np.ndarray, "k 3"],
    size: Float[np.ndarray, "2"],
    names: Sequence[str],
    where: str,
) -> Iterator[Fault]:
    """Labeled keypoints in the photograph's very corner, or outside of it."""
    labeled = points[:, 2] > 0
    corner = labeled & (points[:, :2] == 0).all(axis=1)
    beyond = (points[:, :2] < -_SLACK) | (points[:, :2] > size)
    outside = labeled & ~corner & beyond.any(axis=1)
    for k in np.flatnonzero(corner).tolist():
        yield Fault(
            kind="keypoint at (0, 0)",
            where=where,
            text=f"{names[k]} is labeled at (0, 0), where a keypoint nobody labeled is",
            remedy="give it visibility 0, or its coordinates",
        )
    for k in np.flatnonzero(outside).tolist():
        x, y = points[k, :2]
        yield Fault(
            kind="keypoint outside",
            where=where,
            text=f"{names[k]} is labeled at ({x:g}, {y:g}), outside of the photograph, "
            f"which is {_told(size)}",
            remedy="correct it, or give it visibility 0 and count it no more",
        )


def _count(
    annotation: Annotation, points: Float[np.ndarray, "k 3"], where: str
) -> Iterator[Fault]:
    labeled = int((points[:, 2] > 0).sum())
    stated = annotation.get("num_keypoints")
    if stated != labeled:
        said = "missing" if stated is None else stated
        yield Fault(
            kind="num_keypoints",
            where=where,
            text=f"num_keypoints is {said}, but {labeled} keypoints are labeled",
            remedy=f"write {labeled}; who has 0 is not evaluated",
        )


def _box(
    annotation: Annotation,
    points: Float[np.ndarray, "k 3"] | None,
    size: Float[np.ndarray, "2"],
    where: str,
) -> Iterator[Fault]:
    """A box that is missing, has no area, or lies elsewhere."""
    box = _numbers(annotation.get("bbox"))
    remedy = "write bbox as [x, y, width, height] around what is seen of the person"
    if box is None or len(box) != 4:
        given = annotation.get("bbox")
        text = f"bbox is {given}, not four numbers" if given else "it has no bbox"
        yield Fault(kind="bbox", where=where, text=text, remedy=remedy)
        return
    text = f"bbox {box.tolist()}"
    if (box[2:] <= 0).any():
        yield Fault(kind="bbox", where=where, text=f"{text} has no area", remedy=remedy)
        return
    # A box holds what is seen of a person, so hidden keypoints may lie outside.
    seen = points[points[:, 2] == 2, :2] if points is not None else np.zeros((0, 2))
    if len(seen) >= _FEW and _covers(box, seen) < 0.5:
        corners = np.concatenate([box[:2], box[2:] - box[:2]])
        swapped = (corners[2:] > 0).all() and _covers(corners, seen) > 0.9
        yield Fault(
            kind="bbox",
            where=where,
            text=f"{text} holds less than half of the visible keypoints",
            remedy=f"{remedy}, not its two corners" if swapped else remedy,
        )
    elif (box[:2] < -_SLACK).any() or (box[:2] + box[2:] > size + _SLACK).any():
        yield Fault(
            kind="bbox",
            where=where,
            text=f"{text} reaches out of the photograph, which is {_told(size)}",
            remedy="cut it at the border",
        )


def _covers(box: Float[np.ndarray, "4"], points: Float[np.ndarray, "n 2"]) -> float:
    """Share of the points inside a box (x, y, width, height), grown by a tenth."""
    margin = 0.1 * box[2:] + _SLACK
    inside = (points >= box[:2] - margin) & (points <= box[:2] + box[2:] + margin)
    return float(inside.all(axis=1).mean())


def _area(
    annotation: Annotation, points: Float[np.ndarray, "k 3"] | None, where: str
) -> Iterator[Fault]:
    """An area that similarity of keypoints cannot be measured by."""
    area = annotation.get("area")
    box = _numbers(annotation.get("bbox"))
    remedy = (
        "write the area of the outline in square pixels, or without an outline 0.53 "
    )
    remedy += "of the box's, as others do"
    number = isinstance(area, int | float) and np.isfinite(area)
    span = 0.0
    if points is not None and (points[:, 2] > 0).sum() >= _FEW:
        span = float(np.prod(np.ptp(points[points[:, 2] > 0, :2], axis=0)))
    if area is None or not number:
        text = "it has no area" if area is None else f"area is {area!r}"
    elif area <= _LEAST_AREA:
        text = f"area {area:g} is too small for a person"
    elif area < _LEAST_SHARE * span:
        text = f"area {area:g} is too small for keypoints that span {span:g}"
    elif box is not None and len(box) == 4 and area > 1.05 * np.prod(box[2:] + 1):
        text = f"area {area:g} is larger than the box's, {np.prod(box[2:]):g}"
    else:
        return
    yield Fault(kind="area", where=where, text=text, remedy=remedy)


def _outline(
    annotation: Annotation, size: Float[np.ndarray, "2"], where: str
) -> Iterator[Fault]:
    """A segmentation that is neither polygons nor run lengths of the photograph."""
    outline = annotation.get("segmentation")
    text = ""
    if isinstance(outline, dict):
        stated = outline.get("size")
        if "counts" not in outline:
            text = "its run lengths have no counts"
        elif not np.isnan(size).any() and stated != [size[1], size[0]]:
            text = f"its run lengths are of size {stated}"
    elif outline:
        good = isinstance(outline, list) and all(
            (corners := _numbers(polygon)) is not None
            and len(corners) >= 6
            and len(corners) % 2 == 0
            for polygon in outline
        )
        text = "" if good else "its segmentation has a polygon that is none"
    if text:
        yield Fault(
            kind="segmentation",
            where=where,
            text=text,
            remedy="write a list of polygons [x, y, x, y, ...] of three corners or more, "
            "or counts and size [height, width] of the photograph",
        )
