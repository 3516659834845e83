"""Outlines of people: polygons, or run lengths of the photograph.

Source: run lengths as pycocotools' maskApi.c documents them.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from jaxpose.apps.check_data import person
from jaxpose.apps.check_data.fault import Fault
from jaxpose.apps.check_data.person import Person

_CORNERS = 3  # of the simplest polygon
_FIRST = 48  # the character that stands for 0
_MORE, _SIGN, _BITS = 32, 16, 5


def check(one: Person) -> Iterator[Fault]:
    """A segmentation that is neither polygons nor run lengths of the photograph."""
    outline = one.annotation.get("segmentation")
    text = ""
    if isinstance(outline, dict):
        text = _run_length_fault(outline, one)
    elif outline and not (isinstance(outline, list) and all(map(_is_polygon, outline))):
        text = "its segmentation has a polygon that is none"
    if text:
        yield Fault(
            kind="segmentation",
            where=one.where,
            text=text,
            remedy="write a list of polygons [x, y, x, y, ...] of three corners or more, "
            "or counts and size [height, width] of the photograph",
        )


def _is_polygon(polygon: object) -> bool:
    corners = person.numbers(polygon)
    return (
        corners is not None and len(corners) >= 2 * _CORNERS and len(corners) % 2 == 0
    )


def _run_length_fault(outline: dict[str, Any], one: Person) -> str:
    if "counts" not in outline:
        return "its run lengths have no counts"
    if np.isnan(one.size).any():
        return ""
    width, height = one.size.astype(int).tolist()
    if outline.get("size") != [height, width]:
        return f"its run lengths are of size {outline.get('size')}"
    runs = outline["counts"]
    if isinstance(runs, str):
        runs = _unpacked(runs)
    if not isinstance(runs, list) or not all(
        isinstance(run, int) and run >= 0 for run in runs
    ):
        return "its run lengths cannot be read"
    if sum(runs) != height * width:
        return f"its run lengths are of {sum(runs)} pixels, not {height} x {width}"
    return ""


def _unpacked(text: str) -> list[int] | None:
    """The numbers of the text form; None where it breaks off or has other characters.

    A number is its bits, five a character, the lowest first. From the fourth on it is
    the difference to the last but one.
    """
    runs: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - _FIRST
        if not 0 <= bits < 2 * _MORE:
            return None
        value |= (bits % _MORE) << shift
        shift += _BITS
        if not bits & _MORE:
            if bits & _SIGN:
                value -= 1 << shift
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    return None if shift else runs
