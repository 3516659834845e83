"""MPII's people in the two JSON files that go around: 1-based on disk, 0-based in memory.

`mpii_annotations.json` of PyTorch-Pose, which marks validation people by `isValidation`
and missing joints by zeros, and `mpi_annotations.json` of the pose proposal networks, by
`validation` and by the visibility 2. An entry is a person, with the others on the
photograph; an only other may lie in no list. data_builders.mpii makes records of either.
"""

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from jaxpose import skeletons
from jaxpose.pose_files import coco_parts
from jaxpose.types import Annotations

_FIRST_PIXEL = 1
_MISSING = 2  # a visibility
_JOINTS = len(skeletons.MPII.keypoints)


def read(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """The validation people, one an entry, in the order of published predictions.

    Returns: `keypoints`, `visibility` and `names`, as in our npz.

    Raises: ValueError if it is no such file, or nobody is in it; OSError if unreadable.
    """
    file = pathlib.Path(path)
    entries = _validation(file)
    joints = np.concatenate([_joints(file, entry, "joint_self") for entry in entries])
    names = np.array([str(entry["img_paths"]) for entry in entries])
    return _points(joints) | {"names": names}


def annotations(path: str | os.PathLike[str]) -> Annotations:
    """The same people in rows of their own, each before the others on the photograph.

    A row is a picture by itself: who is on a photograph with several validation people
    is told of in several rows.

    Raises: as `read`.
    """
    file = pathlib.Path(path)
    entries = _validation(file)
    people = [
        np.concatenate([_joints(file, entry, key) for key in _KEYS if key in entry])
        for entry in entries
    ]
    row = np.repeat(np.arange(len(people)), [len(joints) for joints in people])
    at, shape = coco_parts.places(row, len(people))
    stored = np.zeros((*shape, _JOINTS, 3))
    stored[at] = np.concatenate(people)
    names = tuple(str(entry["img_paths"]) for entry in entries)
    points = _points(stored)
    return Annotations(
        keypoints=points["keypoints"], visibility=points["visibility"], names=names
    )


_KEYS = ("joint_self", "joint_others")


def _validation(file: pathlib.Path) -> Sequence[Mapping[str, Any]]:
    entries = coco_parts.read(file)
    if not coco_parts.is_objects(entries, img_paths=str, joint_self=list):
        raise ValueError(
            f"{file} must be a list of people with `img_paths` and `joint_self`, as in "
            "mpii_annotations.json"
        )
    flags = ("isValidation", "validation")
    chosen = [entry for entry in entries if any(entry.get(flag) for flag in flags)]
    if not chosen:
        raise ValueError(f"{file}: nobody of {len(entries)} has {' or '.join(flags)}")
    return chosen


def _joints(
    file: pathlib.Path, entry: Mapping[str, Any], key: str
) -> Float[np.ndarray, "n k 3"]:
    """Also of one who lies in no list."""
    try:
        # An empty array of MATLAB is an object.
        stored = entry[key] if isinstance(entry[key], list) else []
        joints = np.array(stored, float).reshape(-1, _JOINTS, 3)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{file}: {key} of a person on {entry['img_paths']} must be {_JOINTS} times "
            f"x, y and visibility: {error}"
        ) from error
    return joints


def _points(stored: Float[np.ndarray, "*n k 3"]) -> dict[str, np.ndarray]:
    """0-based keypoints and COCO's visibility; a missing joint is at 0."""
    labeled = (stored[..., 2] != _MISSING) & (stored[..., :2] != 0).any(axis=-1)
    keypoints = np.where(labeled[..., None], stored[..., :2] - _FIRST_PIXEL, 0)
    seen = np.where(stored[..., 2] == 1, 2, 1)
    return {"keypoints": keypoints, "visibility": np.where(labeled, seen, 0)}
