"""Keypoint sets out of files of COCO's format: names, mirror images, limbs."""

import os
import pathlib
import re
from collections.abc import Sequence
from typing import Any

from jaxpose.pose_files import coco_parts
from jaxpose.skeletons import Skeleton


def read(
    path: str | os.PathLike[str],
    *,
    flip: Sequence[tuple[str, str]] = (),
    sigmas: Sequence[float] = (),
) -> Skeleton:
    """The keypoint set of a file of COCO's format, as its categories describe it.

    Args:
        flip: pairs of names that a mirrored image exchanges. By default they are told
            from the names: left and right, or l and r, as words of their own.
        sigmas: fall-off of object keypoint similarity, one a keypoint, or one for all.
            By default the file's, where a category has `sigmas`, or COCO's for COCO's keypoints.

    Raises: ValueError if the file is not of the format, its categories have different
        keypoints, a keypoint with a side has no partner, or sigmas or limbs are none;
        OSError if unreadable.
    """
    file = pathlib.Path(path)
    kinds = coco_parts.kinds(file, coco_parts.read(file))
    first, several = kinds.categories[0], len(kinds.categories) > 1
    return Skeleton(
        name=file.stem if several else str(first.get("name", file.stem)),
        keypoints=kinds.keypoints,
        flip=mirrored(kinds.keypoints, flip),
        limbs=_limbs(file, first.get("skeleton") or [], len(kinds.keypoints)),
        sigmas=coco_parts.sigmas(kinds, sigmas),
    )


def _limbs(file: pathlib.Path, limbs: Any, k: int) -> tuple[tuple[int, int], ...]:
    """The format counts keypoints from 1. Raises: ValueError if a limb is no pair."""
    good = isinstance(limbs, list) and all(
        isinstance(limb, list)
        and len(limb) == 2
        and all(isinstance(end, int) and 1 <= end <= k for end in limb)
        for limb in limbs
    )
    if not good:
        raise ValueError(
            f"{file}: the `skeleton` of its category is {limbs!r:.80}; it must be a list "
            f"of pairs of keypoints, numbered 1 to {k}"
        )
    return tuple((a - 1, b - 1) for a, b in limbs)


def mirrored(
    keypoints: tuple[str, ...], pairs: Sequence[tuple[str, str]] = ()
) -> tuple[int, ...]:
    """Number of each keypoint's mirror image; its own where it has no side.

    Raises: ValueError if a keypoint with a side has no partner, or a pair is none.
    """
    if pairs:
        partner = {name: name for name in keypoints}
        for a, b in pairs:
            partner |= {a: b, b: a}
    else:
        partner = {name: _partner(name, keypoints) for name in keypoints}
    if not partner.keys() == set(keypoints) == set(partner.values()):
        raise ValueError(
            f"the pairs {tuple(pairs)} are not pairs of different keypoints out of "
            f"{keypoints}"
        )
    return tuple(keypoints.index(partner[name]) for name in keypoints)


def _partner(name: str, keypoints: tuple[str, ...]) -> str:
    """What `left` in a name becomes as `right`, in the same letter case."""
    words = re.split(r"([^A-Za-z]+|(?<=[a-z])(?=[A-Z]))", name)
    mirrored = "".join(_OTHER_SIDE.get(word, word) for word in words)
    # A lone letter need not be a side.
    if mirrored not in keypoints and {word.lower() for word in words} & _SIDES:
        raise ValueError(
            f"{name} has a side, but {mirrored} is not among {keypoints}; give the "
            "pairs that a mirrored image exchanges as `flip`"
        )
    return mirrored if mirrored in keypoints else name


_SIDES = {"left", "right"}
_OTHER_SIDE = {
    case(side): case(other)
    for one, two in (("left", "right"), ("l", "r"))
    for side, other in ((one, two), (two, one))
    for case in (str.lower, str.upper, str.capitalize)
}
