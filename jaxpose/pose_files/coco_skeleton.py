"""Keypoint sets out of files of COCO's format: names, mirror images, limbs."""

import json
import os
import pathlib
import re
from collections.abc import Sequence

from jaxpose import skeletons
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
        sigmas: fall-off of object keypoint similarity, one a keypoint. By default the
            file's, where a category has `sigmas`, or COCO's for COCO's keypoints.

    Raises: ValueError if the file is not of the format, its categories have different
        keypoints, or a keypoint with a side has no partner.
    """
    file = pathlib.Path(path)
    try:
        categories = json.loads(file.read_text(encoding="utf-8"))["categories"]
        posed = [category for category in categories if category.get("keypoints")]
        (keypoints,) = {tuple(category["keypoints"]) for category in posed}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"{file} has no `categories` of COCO's format with one list of keypoints "
            f"({type(error).__name__}: {error}); keep the categories of one kind"
        ) from error
    own = posed[0].get(
        "sigmas", skeletons.COCO.sigmas if keypoints == skeletons.COCO.keypoints else ()
    )
    return Skeleton(
        name=str(posed[0].get("name", file.stem)) if len(posed) == 1 else file.stem,
        keypoints=keypoints,
        flip=mirrored(keypoints, flip),
        # The format counts keypoints from 1.
        limbs=tuple((a - 1, b - 1) for a, b in posed[0].get("skeleton") or ()),
        sigmas=tuple(sigmas or own),
    )


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
