"""Faults of single annotations: keypoints, their number, areas."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float

from jaxpose.apps.check_data import outlines, person
from jaxpose.apps.check_data.fault import Fault
from jaxpose.apps.check_data.person import Person

_SLACK = 1.0  # pixels that rounding may put something outside
_LEAST_AREA = 1.0  # square pixels; nobody is that small
# Share of the keypoints' tight box that a person covers at least, if they have a few.
_LEAST_SHARE = 0.02


def check(one: Person, names: Sequence[str]) -> Iterator[Fault]:
    """What one annotation of a category with keypoints tells, but for its box."""
    yield from _crowd(one)
    if one.points is None and not one.crowd:
        yield _unreadable(one, names)
    if one.points is not None:
        yield from _keypoints(one, one.points, names)
        yield from _count(one, one.points)
    yield from _area(one)
    yield from outlines.check(one)


def _crowd(one: Person) -> Iterator[Fault]:
    flag = one.annotation.get("iscrowd")
    if flag not in (None, 0, 1):
        yield Fault(
            kind="iscrowd",
            where=one.where,
            text=f"iscrowd is {flag!r}",
            remedy="write the number 0 for a person, 1 for a crowd",
        )


def _unreadable(one: Person, names: Sequence[str]) -> Fault:
    """Keypoints that are not x, y and a flag for each name."""
    flat = person.numbers(one.annotation["keypoints"])
    if flat is None:
        text = "its keypoints are not all numbers of pixels"
    elif len(flat) != 3 * len(names):
        text = f"it has {len(flat)} numbers as keypoints"
    else:
        flags = ", ".join(f"{flag:g}" for flag in {*flat[2::3].tolist()} - person.FLAGS)
        text = f"it has the visibility {flags}"
    return Fault(
        kind="keypoints",
        where=one.where,
        text=text,
        remedy=f"write {3 * len(names)} numbers: x, y and 0 (unlabeled), 1 (hidden) or "
        f"2 (visible) for each of the {len(names)} keypoints",
    )


def _keypoints(
    one: Person, points: Float[np.ndarray, "k 3"], names: Sequence[str]
) -> Iterator[Fault]:
    """Labeled keypoints in the photograph's very corner, or outside of it."""
    labeled = points[:, 2] > 0
    corner = labeled & (points[:, :2] == 0).all(axis=1)
    beyond = (points[:, :2] < -_SLACK) | (points[:, :2] > one.size)
    outside = labeled & ~corner & beyond.any(axis=1)
    for k in np.flatnonzero(corner).tolist():
        yield Fault(
            kind="keypoint at (0, 0)",
            where=one.where,
            text=f"{names[k]} is labeled at (0, 0), where a keypoint nobody labeled is",
            remedy="give it visibility 0, or its coordinates",
        )
    for k in np.flatnonzero(outside).tolist():
        x, y = points[k, :2]
        yield Fault(
            kind="keypoint outside",
            where=one.where,
            text=f"{names[k]} is labeled at ({x:g}, {y:g}), outside of the photograph, "
            f"which is {person.told(one.size)}",
            remedy="correct it, or give it visibility 0 and count it no more",
        )


def _count(one: Person, points: Float[np.ndarray, "k 3"]) -> Iterator[Fault]:
    labeled = int((points[:, 2] > 0).sum())
    stated = one.annotation.get("num_keypoints")
    if stated != labeled:
        said = "missing" if stated is None else stated
        remedy = f"write {labeled}; who has 0 is not evaluated"
        if stated is not None and not one.annotation.get("keypoints"):
            remedy = f"write the {stated} keypoints; who has none is not evaluated"
        yield Fault(
            kind="num_keypoints",
            where=one.where,
            text=f"num_keypoints is {said}, but {labeled} keypoints are labeled",
            remedy=remedy,
        )


def _area(one: Person) -> Iterator[Fault]:
    """An area that similarity of keypoints cannot be measured by."""
    area, box, points = one.annotation.get("area"), one.box, one.points
    remedy = (
        "write the area of the outline in square pixels, or without an outline 0.53 "
    )
    remedy += "of the box's, as others do"
    number = isinstance(area, int | float) and abs(area) < person.FAR**2
    span = 0.0
    if points is not None and (points[:, 2] > 0).sum() >= person.FEW:
        span = float(np.prod(np.ptp(points[points[:, 2] > 0, :2], axis=0)))
    if area is None or not number:
        text = "it has no area" if area is None else f"area is {area!r}"
    elif area <= _LEAST_AREA:
        text = f"area {area:g} is too small for a person"
    elif area < _LEAST_SHARE * span:
        text = f"area {area:g} is too small for keypoints that span {span:g}"
    elif box is not None and area > 1.05 * np.prod(box[2:] + 1):
        text = f"area {area:g} is larger than the box's, {np.prod(box[2:]):g}"
    else:
        return
    yield Fault(kind="area", where=one.where, text=text, remedy=remedy)
