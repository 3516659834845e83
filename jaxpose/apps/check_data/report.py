"""The command: reads a file, finds what is wrong, prints it."""

import argparse
import collections
import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxpose.apps.check_data import boxes, images, people, person, sides, structure
from jaxpose.apps.check_data.fault import Fault
from jaxpose.apps.check_data.person import Person
from jaxpose.pose_files import coco_skeleton

_SHOWN = 10  # faults of one kind, unless all are asked for
FAULTY = 1  # exit status


def add(commands: Any) -> None:
    about = "find what is wrong in a file of COCO's format"
    one = commands.add_parser("check-data", help=about, description=about)
    one.add_argument("file", type=pathlib.Path, help="JSON file of the ground truth")
    one.add_argument(
        "--images", type=pathlib.Path, help="folder that the photographs must be in"
    )
    one.add_argument("--all", action="store_true", help="print every single fault")
    one.add_argument("--json", action="store_true", help="print a list of JSON instead")
    one.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Prints the faults; the status is 1 if one of them is certain."""
    found = faults(options.file, options.images)
    if options.json:
        print(json.dumps([dataclasses.asdict(one) for one in found], indent=2))
    else:
        print(text(options.file, found, shown=len(found) if options.all else _SHOWN))
    return FAULTY if any(one.certain for one in found) else 0


def faults(path: pathlib.Path, folder: pathlib.Path | None = None) -> list[Fault]:
    """Everything that is wrong in a file, certain or not.

    Raises: ValueError if it is not of the format at all; OSError if unreadable.
    """
    if folder is not None and not folder.is_dir():
        raise ValueError(f"{folder} is no folder; give the one with the photographs")
    data = structure.read(path)
    names = structure.keypoints(data, path)
    found = [*structure.numbers(data)]
    if found:  # Nothing can be looked up.
        return found
    found += [*structure.categories(data, names), *images.check(data["images"], folder)]
    found += structure.references(data)
    everybody = _people(data, names)
    if not everybody:
        found.append(_nobody())
    for one in everybody:
        found += people.check(one, names)
    found += boxes.check(everybody)
    try:
        flip = coco_skeleton.mirrored(names)
    except ValueError as error:
        flip = tuple(range(len(names)))
        found.append(_flipless(str(error)))
    known = [(one.where, one.points) for one in everybody if one.points is not None]
    if known:
        points = np.stack([triples for _, triples in known])
        found += sides.check(points, names, flip, [where for where, _ in known])
    return found


def _people(data: Mapping[str, list[Any]], names: Sequence[str]) -> list[Person]:
    """The annotations of categories with keypoints."""
    by_id = {image.get("id"): image for image in data["images"]}
    posed = {c.get("id") for c in data["categories"] if c.get("keypoints")}
    return [
        person.read(annotation, by_id, len(names))
        for annotation in data["annotations"]
        if annotation.get("category_id") in posed
    ]


def _nobody() -> Fault:
    return Fault(
        kind="annotations",
        where="the whole file",
        text="nobody is annotated in a category with keypoints",
        remedy="export the annotations too, with the `category_id` of such a category",
    )


def _flipless(text: str) -> Fault:
    return Fault(
        kind="keypoint names",
        where="categories",
        text=f"mirror images cannot be told from the names: {text}",
        remedy="name partners alike but for left and right, or give the pairs when "
        "training",
        certain=False,
    )


def text(path: pathlib.Path, found: Sequence[Fault], *, shown: int) -> str:
    """A line for each fault, those of one kind together, and a summary."""
    kinds: dict[str, list[Fault]] = collections.defaultdict(list)
    for one in found:
        kinds[one.kind].append(one)
    lines = []
    for kind, some in kinds.items():
        lines += [f"{'!' if one.certain else '?'} {one}" for one in some[:shown]]
        if len(some) > shown:
            lines.append(f"  ... {kind}: {len(some) - shown} more; --all prints them")
    certain = sum(one.certain for one in found)
    doubtful = len(found) - certain
    counts = [f"{certain} faults", f"{doubtful} to look at"] if found else []
    return "\n".join([*lines, f"{path}: {', '.join(counts) or 'nothing is wrong'}"])
