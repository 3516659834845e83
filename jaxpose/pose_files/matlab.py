"""Public MATLAB layouts of poses: 1-based on disk, 0-based in memory."""

import pathlib
from collections.abc import Callable, Mapping
from typing import IO, Any

import numpy as np
import scipy.io
from jaxtyping import Float, Num

from jaxpose.pose_files.arrays import Fields
from jaxpose.skeletons import Skeleton

# By the key that tells a layout: reads it for this many keypoints.
Layouts = Mapping[str, Callable[[Fields, int], Fields]]

FIRST_PIXEL = 1  # MATLAB's number for the centre of the top-left pixel


def read(file: pathlib.Path, skeleton: Skeleton, layouts: Layouts) -> Fields:
    """Arrays named and shaped as in our npz, from whichever layout the file has.

    Raises: ValueError if it has none of `layouts`; OSError if unreadable.
    """
    with open(file, "rb") as stream:
        found = {k: v for k, v in _load(file, stream).items() if not k.startswith("__")}
    for key, layout in layouts.items():
        if key in found:
            try:
                return layout(found, len(skeleton.keypoints))
            except ValueError as error:
                raise ValueError(f"{file}: {error}") from error
    raise ValueError(
        f"{file}: none of the keys {', '.join(layouts)}, there are "
        f"{sorted(found)}; see jaxpose.pose_files for the layouts, truth and "
        "predictions differ"
    )


def _load(file: pathlib.Path, stream: IO[bytes]) -> dict[str, Any]:
    try:
        return scipy.io.loadmat(stream)
    except NotImplementedError:
        raise ValueError(f"{file} is MATLAB 7.3 (HDF5); save it again with -v7")
    except Exception as error:  # Whatever SciPy stumbles over in a damaged file.
        raise ValueError(
            f"{file} is no MATLAB file that can be read: {error}; take it again"
        ) from error


def write(stream: IO[bytes], fields: Fields) -> None:
    """Writes predictions as `preds` (n, k, 2), in float64 for the shift to be exact."""
    preds = fields["keypoints"].astype(np.float64) + FIRST_PIXEL
    found = {"preds": preds} | {
        # Python strings become the cells of a cell array.
        key: array.astype(object) if key == "names" else array
        for key, array in fields.items()
        if key != "keypoints"
    }
    scipy.io.savemat(stream, found, do_compression=True)


def _joints(found: Fields, k: int) -> Fields:
    joints = _three_axes(found["joints"]).astype(np.float64)
    # The lengths of both first axes decide, for n may be 3 or k too.
    if joints.shape[:2] == (3, k):
        points, flag = joints[:2].transpose(2, 1, 0), joints[2].T
        meaning = (2, 1)  # LSP: the flag says occluded
    elif joints.shape[:2] == (k, 3):
        points, flag = joints[:, :2].transpose(2, 0, 1), joints[:, 2].T
        meaning = (0, 2)  # LSPET: the flag says visible
    else:
        raise ValueError(
            f"joints has shape {joints.shape}, must be (3, {k}, n) as in LSP or "
            f"({k}, 3, n) as in LSPET"
        )
    if not np.isin(flag, (0, 1)).all():
        raise ValueError(
            f"the third coordinates of joints are {np.unique(flag)[:5].tolist()}, must "
            "be 0 or 1: occluded in LSP, visible in LSPET"
        )
    visibility = np.where(flag == 1, meaning[1], meaning[0])
    return {"keypoints": points - FIRST_PIXEL, "visibility": visibility}


def _tompson_truth(found: Fields, k: int) -> Fields:
    if "jnt_missing" not in found:
        raise ValueError("pos_gt_src comes without jnt_missing (k, n); add it")
    missing = found["jnt_missing"].T
    fields = {
        "keypoints": _people_last(found, "pos_gt_src"),
        "visibility": np.where(missing, 0, 2),
    }
    if "headboxes_src" in found:
        # Two rows a person, like two keypoints: the corners of the box.
        corners = _people_last(found, "headboxes_src")
        fields["head_box"] = corners.reshape(len(corners), -1)
    return fields


def _preds(found: Fields, k: int) -> Fields:
    fields = {"keypoints": found["preds"].astype(np.float64) - FIRST_PIXEL}
    if "scores" in found:
        fields["scores"] = found["scores"]
    if "names" in found:
        cells = found["names"].ravel()
        fields["names"] = np.array([str(c.item()) if c.size else "" for c in cells])
    return fields


def _people_last(found: Fields, key: str) -> Float[np.ndarray, "n k 2"]:
    points = _three_axes(found[key])
    if points.shape[1] != 2:
        raise ValueError(f"{key} has shape {points.shape}, must be (keypoints, 2, n)")
    # To float before the shift: the published arrays include unsigned integers.
    return np.moveaxis(points, 2, 0).astype(np.float64) - FIRST_PIXEL


def _three_axes(array: Num[np.ndarray, "..."]) -> Num[np.ndarray, "a b n"]:
    """Gives back the axis of people, which MATLAB drops where there is one person."""
    if array.ndim not in (2, 3):
        raise ValueError(f"shape {array.shape} must have three axes, people last")
    return array[..., None] if array.ndim == 2 else array


TRUTH: Layouts = {"joints": _joints, "pos_gt_src": _tompson_truth}
PREDICTIONS: Layouts = {
    "preds": _preds,
    "prediction_all": lambda found, k: {
        "keypoints": _people_last(found, "prediction_all")
    },
    "pos_pred_src": lambda found, k: {"keypoints": _people_last(found, "pos_pred_src")},
}
