"""MPII's people in the two JSON files that go around: 1-based on disk, 0-based in memory.

`mpii_annotations.json` of PyTorch-Pose, which marks validation people by `isValidation`
and missing joints by zeros, and `mpi_annotations.json` of the pose proposal networks, by
`validation` and by the visibility 2. An entry is a person, and tells of the others on the
photograph too, who are not read here; data_builders.mpii makes records of everybody.
"""

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from jaxpose import skeletons
from jaxpose.pose_files import coco_parts

_FIRST_PIXEL = 1
_MISSING = 2  # a visibility
_JOINTS = len(skeletons.MPII.keypoints)


def read(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """The validation people, one an entry, in the order of the file.

    Returns: `keypoints`, `visibility` and `names`, as in our npz.

    Raises: ValueError if it is no such file, or nobody is in it; OSError if unreadable.
    """
    file = pathlib.Path(path)
    entries = _validation(file)
    joints = np.concatenate([_joints(file, entry) for entry in entries])
    names = np.array([str(entry["img_paths"]) for entry in entries])
    return _points(joints) | {"names": names}


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


def _joints(file: pathlib.Path, entry: Mapping[str, Any]) -> Float[np.ndarray, "1 k 3"]:
    try:
        return np.array(entry["joint_self"], float).reshape(1, _JOINTS, 3)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{file}: joint_self of a person on {entry['img_paths']} must be {_JOINTS} "
            f"times x, y and visibility: {error}"
        ) from error


def _points(stored: Float[np.ndarray, "n k 3"]) -> dict[str, np.ndarray]:
    """0-based keypoints and COCO's visibility; a missing joint is at 0."""
    labeled = (stored[..., 2] != _MISSING) & (stored[..., :2] != 0).any(axis=-1)
    keypoints = np.where(labeled[..., None], stored[..., :2] - _FIRST_PIXEL, 0)
    seen = np.where(stored[..., 2] == 1, 2, 1)
    return {"keypoints": keypoints, "visibility": np.where(labeled, seen, 0)}
