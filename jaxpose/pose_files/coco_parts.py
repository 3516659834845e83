"""What files of COCO's format share: JSON, categories, people who share photographs."""

import dataclasses
import json
import math
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeGuard

import numpy as np
from jaxtyping import Int

from jaxpose import skeletons


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kinds:
    """Who is annotated: the categories that have keypoints, all the same ones."""

    file: pathlib.Path
    categories: tuple[Mapping[str, Any], ...]
    keypoints: tuple[str, ...]


def read(file: pathlib.Path) -> Any:
    """The whole content. Raises: ValueError if it is no JSON; OSError if unreadable."""
    try:
        with open(file, encoding="utf-8") as stream:
            return json.load(stream)
    except ValueError as error:
        raise ValueError(f"{file} is no JSON file that can be read: {error}") from error


def kinds(file: pathlib.Path, content: Any) -> Kinds:
    """Raises: ValueError if no categories, or different ones, have keypoints."""
    categories = content.get("categories") if isinstance(content, dict) else None
    if not is_objects(categories):
        raise ValueError(
            f"{file} has no `categories` of COCO's format, a list of objects; take a "
            "file of annotations"
        )
    posed = tuple(c for c in categories if c.get("keypoints"))
    lists = {_names(file, category) for category in posed}
    if len(lists) != 1:
        raise ValueError(
            f"{file}: its categories have {len(lists)} different lists of keypoints, must "
            "have one: keep only categories of the same keypoints"
        )
    return Kinds(file=file, categories=posed, keypoints=lists.pop())


def _names(file: pathlib.Path, category: Mapping[str, Any]) -> tuple[str, ...]:
    names = category["keypoints"]
    good = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if not good or len(set(names)) != len(names):
        raise ValueError(
            f"{file}: category {category.get('name')!r} has the keypoints {names!r:.80}; "
            "they must be a list of different names"
        )
    return tuple(names)


def sigmas(kinds: Kinds, given: Sequence[float] = ()) -> tuple[float, ...]:
    """How far each keypoint may be off: as given, the file's, COCO's, or none.

    One number stands for all keypoints; a file holds them in a category's `sigmas`.

    Raises: ValueError if there is another number of them, or one is not positive.
    """
    own = next((c["sigmas"] for c in kinds.categories if c.get("sigmas")), ())
    is_coco = kinds.keypoints == skeletons.COCO.keypoints
    found = given or own or (skeletons.COCO.sigmas if is_coco else ())
    k = len(kinds.keypoints)
    listed = isinstance(found, list | tuple)
    if not (
        listed
        and len(found) in (0, 1, k)
        and finite(found)
        and min(found, default=1) > 0
    ):
        count = len(found) if listed else "no list of"
        raise ValueError(
            f"{count} sigmas for the {k} keypoints of {kinds.file}: {found!r:.80}; give "
            f"positive numbers, one each, in the order {', '.join(kinds.keypoints)}, or "
            "one for all"
        )
    return tuple(found) * (k if len(found) == 1 else 1)


def is_objects(entries: Any, **fields: type) -> TypeGuard[list[dict[str, Any]]]:
    """Whether it is a list of JSON objects that have these fields, of these types."""
    return isinstance(entries, list) and all(
        isinstance(entry, dict)
        and all(isinstance(entry.get(name), kind) for name, kind in fields.items())
        for entry in entries
    )


def finite(numbers: Iterable[Any]) -> bool:
    """Whether all are numbers, and none of them nan or infinite."""
    return all(isinstance(n, int | float) and math.isfinite(n) for n in numbers)


def places(
    row: Int[np.ndarray, "m"], n: int
) -> tuple[tuple[Int[np.ndarray, "m"], Int[np.ndarray, "m"]], tuple[int, int]]:
    """Where each person goes in an array of n rows, and the shape that it needs."""
    order = np.argsort(row, kind="stable")
    ordered = row[order]
    slot = np.empty_like(row)
    slot[order] = np.arange(len(row)) - np.searchsorted(ordered, ordered)
    return (row, slot), (n, int(slot.max(initial=0)) + 1)
