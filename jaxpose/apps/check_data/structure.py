"""Faults of a file as a whole: its lists, categories, and who refers to whom."""

import collections
import json
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jaxpose import skeletons
from jaxpose.apps.check_data import fault
from jaxpose.apps.check_data.fault import Fault

_LISTS = ("images", "annotations", "categories")


def read(path: pathlib.Path) -> Mapping[str, list[Any]]:
    """The lists of a file.

    Raises: ValueError if it is no JSON object with three lists of objects; OSError if
        unreadable.
    """
    try:
        data = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is no JSON: {error}; export it again") from error
    for name in _LISTS:
        entries = data.get(name) if isinstance(data, dict) else None
        if not isinstance(entries, list) or not all(
            isinstance(entry, dict) for entry in entries
        ):
            raise ValueError(
                f"{path} is no ground truth of COCO's format: it must be an object with "
                f"the lists {', '.join(_LISTS)}, and every entry an object; a list of "
                "results is something else"
            )
    return data


def keypoints(data: Mapping[str, list[Any]], path: pathlib.Path) -> tuple[str, ...]:
    """The names of the categories that have keypoints.

    Raises: ValueError if none has, they have different ones, or they are no names.
    """
    given = [c["keypoints"] for c in data["categories"] if c.get("keypoints")]
    for names in given:
        if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
            raise ValueError(
                f"{path}: a category has the keypoints {names!r:.80}, but they must be "
                "a list of names; write a name for each"
            )
    lists = {tuple(names) for names in given}
    if len(lists) != 1:
        raise ValueError(
            f"{path}: {len(lists)} different lists of keypoints in its categories, but "
            "all categories with keypoints must have the same; write the list of names "
            "as `keypoints` of the category, or keep the categories that share one"
        )
    return lists.pop()


def categories(data: Mapping[str, list[Any]], names: Sequence[str]) -> Iterator[Fault]:
    """Ids and names that repeat, names in another order than COCO's, wrong limbs."""
    ids = collections.Counter(category.get("id") for category in data["categories"])
    for number in [number for number, times in ids.items() if times > 1]:
        yield Fault(
            kind="same id of categories",
            where=f"category {number}",
            text=f"{ids[number]} categories have this id",
            remedy="give each an id of its own, and its annotations too",
        )
    for category in data["categories"]:
        where = f"category {category.get('id')} ({category.get('name')})"
        if not category.get("keypoints"):
            continue
        repeated = [n for n, k in collections.Counter(names).items() if k > 1]
        if repeated:
            yield Fault(
                kind="keypoint names",
                where=where,
                text=f"the keypoints {repeated} are there more than once",
                remedy="give every keypoint a name of its own",
            )
        coco = skeletons.COCO.keypoints
        if set(names) == set(coco) and tuple(names) != coco:
            yield Fault(
                kind="keypoint names",
                where=where,
                text="the keypoints are COCO's in another order, which often means that "
                "names were exchanged, of left and right say",
                remedy=f"look whether the coordinates are in this order: {coco}",
                certain=False,
            )
        limbs = category.get("skeleton") or []
        if not isinstance(limbs, list):
            limbs = [limbs]
        bad = [limb for limb in limbs if not _is_limb(limb, len(names))]
        if bad:
            yield Fault(
                kind="skeleton",
                where=where,
                text=f"the limb {bad[0]!r} does not join two of {len(names)} keypoints",
                remedy="write pairs of numbers, which count keypoints from 1",
            )


def _is_limb(limb: Any, k: int) -> bool:
    return (
        isinstance(limb, list)
        and len(limb) == 2
        and all(isinstance(end, int) and 1 <= end <= k for end in limb)
    )


def numbers(data: Mapping[str, list[Any]]) -> Iterator[Fault]:
    """Ids that are not whole numbers, by which nothing else can be looked up."""
    for name in _LISTS:
        for number, entry in enumerate(data[name]):
            for field in ("id", "image_id", "category_id"):
                if field in entry and not isinstance(entry[field], int):
                    yield Fault(
                        kind="id",
                        where=f"number {number} of the list {name}",
                        text=f"its {field} is {entry[field]!r}",
                        remedy="ids must be whole numbers: number the entries, and "
                        "write the same numbers where others refer to them",
                    )


def references(data: Mapping[str, list[Any]]) -> Iterator[Fault]:
    """Annotations without an id of their own, or of something that is not there."""
    known = {image.get("id"): image for image in data["images"]}
    kinds = {category.get("id") for category in data["categories"]}
    seen: set[Any] = set()
    for number, annotation in enumerate(data["annotations"]):
        where = fault.name(annotation, known)
        missing = {"id", "image_id", "category_id"} - annotation.keys()
        if missing:
            yield Fault(
                kind="annotation fields",
                where=f"{where}, number {number} of the list",
                text=f"{', '.join(sorted(missing))} missing",
                remedy="write them, or take the annotation out",
            )
        if "id" in annotation and annotation["id"] in seen:
            yield Fault(
                kind="same id of annotations",
                where=f"{where}, number {number} of the list",
                text="another annotation has this id too, and evaluations would lose one",
                remedy="give one of them an id that nobody has",
            )
        seen.add(annotation.get("id"))
        for field, there in (("image_id", known), ("category_id", kinds)):
            if field in annotation and annotation[field] not in there:
                yield Fault(
                    kind=field,
                    where=where,
                    text=f"{field} {annotation[field]} is not among the "
                    f"{'images' if field == 'image_id' else 'categories'}",
                    remedy="add it there, or take the annotation out",
                )
