"""Boxes that are missing, lie elsewhere, or are two corners instead of corner and size."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float

from jaxpose.apps.check_data import person
from jaxpose.apps.check_data.fault import Fault
from jaxpose.apps.check_data.person import Person

_SLACK = 1.0  # pixels that rounding may put something outside
# Boxes that fit as two corners only, so that the whole file has such; and the share of
# them. Of COCO's boxes, written so, it is three of four.
_FILE, _SHARE = 5, 0.5
_REMEDY = "write bbox as [x, y, width, height] around what is seen of the person"


def check(people: Sequence[Person]) -> Iterator[Fault]:
    """Faults of people, or one of the file where boxes look like two corners."""
    judged = [one for one in people if len(one.seen()) >= person.FEW]
    corners = [one for one in judged if _are_corners(one)]
    whole = len(corners) >= _FILE and len(corners) > _SHARE * len(judged)
    if whole:
        yield Fault(
            kind="bbox",
            where="the whole file",
            text=f"of {len(judged)} boxes, {len(corners)} reach out of the photograph, "
            f"but fit as two corners, such as {_given(corners[0])} of "
            f"{corners[0].where}",
            remedy=f"{_REMEDY}, not its two corners",
        )
    for one in people:
        yield from _unreadable(one) if whole else _check_one(one)


def _given(one: Person) -> str:
    return f"bbox {one.annotation.get('bbox')}"


def _fault(one: Person, text: str, remedy: str = _REMEDY) -> Fault:
    return Fault(kind="bbox", where=one.where, text=text, remedy=remedy)


def _unreadable(one: Person) -> Iterator[Fault]:
    if one.box is None:
        given = one.annotation.get("bbox")
        yield _fault(
            one, f"bbox is {given}, not four numbers" if given else "it has no bbox"
        )
    elif (one.box[2:] <= 0).any():
        yield _fault(one, f"{_given(one)} has no area")


def _check_one(one: Person) -> Iterator[Fault]:
    if one.box is None or (one.box[2:] <= 0).any():
        yield from _unreadable(one)
    elif len(one.seen()) >= person.FEW and _covers(one.box, one.seen()) < 0.5:
        yield _fault(
            one, f"{_given(one)} holds less than half of the visible keypoints"
        )
    elif _reaches_out(one.box, one.size):
        yield _fault(
            one,
            f"{_given(one)} reaches out of the photograph, which is "
            f"{person.told(one.size)}",
            f"{_REMEDY}, not its two corners"
            if _are_corners(one)
            else "cut it at the border",
        )


def _are_corners(one: Person) -> bool:
    """Whether a box is too large, but as two corners just right."""
    if one.box is None or len(one.seen()) < person.FEW:
        return False
    box = np.concatenate([one.box[:2], one.box[2:] - one.box[:2]])
    return bool(
        _reaches_out(one.box, one.size)
        and not _reaches_out(box, one.size)
        and (box[2:] > 0).all()
        and _covers(box, one.seen()) > 0.9
    )


def _reaches_out(box: Float[np.ndarray, "4"], size: Float[np.ndarray, "2"]) -> bool:
    end = box[:2] + box[2:]
    return bool((box[:2] < -_SLACK).any() or (end > size + _SLACK).any())


def _covers(box: Float[np.ndarray, "4"], points: Float[np.ndarray, "n 2"]) -> float:
    """Share of the points inside a box (x, y, width, height), grown by a tenth."""
    margin = 0.1 * box[2:] + _SLACK
    inside = (points >= box[:2] - margin) & (points <= box[:2] + box[2:] + margin)
    return float(inside.all(axis=1).mean())
