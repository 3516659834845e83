"""What the entries of a file of COCO's format must hold so that records can be made."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

REMEDY = "`python -m jaxpose check-data FILE` lists every fault of a file"
# Pixels. A JPEG has 65,535 at most, and outlines are drawn dot by dot.
_FAR = 1e6
_FLAGS = (0, 1, 2)


def near(value: object) -> bool:
    """Whether it is a number, neither nan nor too large for a coordinate."""
    return isinstance(value, int | float) and abs(value) < _FAR


@dataclasses.dataclass(frozen=True)
class _Rule:
    """What a field must be, in words and as a function of its value, None if missing."""

    text: str
    holds: Callable[[Any], bool]


_ID = _Rule(
    "a whole number of 64 bits", lambda v: isinstance(v, int) and abs(v) < 2**63
)
_FILE = _Rule("the name of a file", lambda v: isinstance(v, str))
_SIDE = _Rule(
    "a whole number of pixels, or missing",
    lambda v: v is None or (isinstance(v, int) and v > 0),
)
_NAMES = _Rule(
    "a list of names, or missing",
    lambda v: not v or (isinstance(v, list) and all(isinstance(n, str) for n in v)),
)
_ENTRIES = {
    "images": {"id": _ID, "file_name": _FILE, "height": _SIDE, "width": _SIDE},
    "categories": {"id": _ID, "keypoints": _NAMES},
    "annotations": {"id": _ID, "image_id": _ID, "category_id": _ID},
}
_PERSON = {
    "iscrowd": _Rule("0 or 1", lambda v: v in (None, 0, 1)),
    "bbox": _Rule(
        "four numbers, or missing",
        lambda v: not v or (isinstance(v, list) and len(v) == 4 and all(map(near, v))),
    ),
    "area": _Rule(
        "a number of square pixels, or missing",
        lambda v: v is None or (isinstance(v, int | float) and 0 <= v < _FAR**2),
    ),
}


def lists(data: object, where: str) -> None:
    """ValueError unless a file has its lists, and their entries are told apart."""
    for name, rules in _ENTRIES.items():
        entries = data.get(name) if isinstance(data, dict) else None
        if not isinstance(entries, list) or not all(
            isinstance(entry, dict) for entry in entries
        ):
            raise ValueError(
                f"{where} is not of COCO's format: it must hold a list {name!r} of "
                f"objects; {REMEDY}"
            )
        for number, entry in enumerate(entries):
            _keep(rules, entry, f"{where}: number {number} of the list {name}")


def annotation(
    entry: Mapping[str, Any],
    names: Sequence[str],
    *,
    images: Mapping[int, object],
    kinds: Mapping[int, bool],
    where: str,
) -> None:
    """ValueError for an annotation that cannot become part of a record.

    Args:
        images: by their numbers.
        kinds: number of each category, and whether it has keypoints; of one without,
            the annotation is left out.
    """
    where = f"{where}: annotation {entry['id']}"
    if entry["image_id"] not in images:
        raise ValueError(
            f"{where} is of image {entry['image_id']}, which is not among the images; "
            f"{REMEDY}"
        )
    if entry["category_id"] not in kinds:
        raise ValueError(
            f"{where} is of category {entry['category_id']}, which is not among the "
            f"categories; {REMEDY}"
        )
    if kinds[entry["category_id"]]:
        _keep(_PERSON, entry, where)
        if not entry.get("iscrowd"):
            _keypoints(entry.get("keypoints") or [0] * (3 * len(names)), names, where)


def _keep(rules: Mapping[str, _Rule], entry: Mapping[str, Any], where: str) -> None:
    for field, rule in rules.items():
        if not rule.holds(entry.get(field)):
            has = (
                f"the {field} {entry[field]!r:.80}" if field in entry else f"no {field}"
            )
            raise ValueError(f"{where} has {has}; it must be {rule.text}; {REMEDY}")


def _keypoints(flat: object, names: Sequence[str], where: str) -> None:
    rule = f"there must be {3 * len(names)} numbers: x, y and 0, 1 or 2 for each of "
    rule += f"{', '.join(names)}; {REMEDY}"
    if not isinstance(flat, list) or len(flat) != 3 * len(names):
        given = f"a list of {len(flat)}" if isinstance(flat, list) else f"{flat!r:.80}"
        raise ValueError(f"{where} has {given} as keypoints; {rule}")
    for name, x, y, flag in zip(names, flat[::3], flat[1::3], flat[2::3], strict=True):
        if not near(x) or not near(y) or flag not in _FLAGS:
            raise ValueError(f"{where} has {[x, y, flag]} as {name}; {rule}")
