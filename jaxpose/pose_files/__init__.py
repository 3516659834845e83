"""Poses in files: public MATLAB layouts, and our own npz and csv.

In memory all coordinates are source pixels, 0-based. MATLAB files are 1-based and
shifted on the way; npz and csv are 0-based. With k keypoints and n people, mat holds

- ground truth: `joints` (3, k, n) as in LSP, third row 1 = occluded; `joints` (k, 3, n)
  as in LSPET, third column 1 = visible and 0 = unlabeled; or `pos_gt_src` (k, 2, n)
  with `jnt_missing` (k, n), and `headboxes_src` (2, 2, n) with the upper left corner and
  the lower right one, as in the MPII evaluation of Tompson et al.
- predictions: `preds` (n, k, 2), with `scores` (n, k) and `names` where we wrote it;
  `prediction_all` (k, 2, n); or `pos_pred_src` (k, 2, n).

npz holds `keypoints` (n, k, 2), for ground truth `visibility` (n, k), and if known
`names` (n), `size` (n, 2) as height and width, `head_box` (n, 4) as x0, y0, x1 and y1,
and `scores` (n, k). csv has a header and a row a person: name, if known height and
width, head_x0, head_y0, head_x1 and head_y1, then for each keypoint such as neck:
neck_x, neck_y, and neck_visibility or neck_score.

json holds the truth of MPII's validation people, as `mpii_json` tells.

Several people a photograph, in COCO's format: `coco_truth` and `coco_results`.
"""

import dataclasses
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from jaxpose import atomic
from jaxpose.pose_files import arrays, matlab, mpii_json
from jaxpose.skeletons import Skeleton
from jaxpose.types import Annotations


@dataclasses.dataclass(frozen=True, kw_only=True)
class Predictions:
    """One predicted person a photograph, in source pixels, 0-based.

    Attributes:
        keypoints: (x, y); nan where a keypoint was not predicted.
        scores: confidences; None where a file does not tell.
        names: file names of the photographs; empty where a file does not tell.
    """

    keypoints: Float[np.ndarray, "n k 2"]
    scores: Float[np.ndarray, "n k"] | None = None
    names: tuple[str, ...] = ()


def read_truth(path: str | os.PathLike[str], skeleton: Skeleton) -> Annotations:
    """Ground truth of one person a photograph, from a mat, npz, csv or MPII's json file.

    Raises: ValueError if the layout is unknown, does not hold the keypoints of
        `skeleton`, or a labeled keypoint is not finite; OSError if unreadable.
    """
    file = pathlib.Path(path)
    if file.suffix == ".json":
        fields: arrays.Fields = mpii_json.read(file)
    else:
        fields = _read(file, skeleton, matlab.TRUTH)
    _check_truth(file, fields, skeleton)
    size, head_box = fields.get("size"), fields.get("head_box")
    return Annotations(
        keypoints=fields["keypoints"].astype(float)[:, None],
        visibility=fields["visibility"].astype(int)[:, None],
        size=None if size is None else size.astype(int),
        head_box=None if head_box is None else head_box.astype(float)[:, None],
        names=tuple(fields.get("names", np.array([])).tolist()),
    )


def read_predictions(path: str | os.PathLike[str], skeleton: Skeleton) -> Predictions:
    """Predictions of one person a photograph, from a mat, npz or csv file.

    nan stands for a keypoint that was not predicted.

    Raises: ValueError if the layout is unknown, does not hold the keypoints of
        `skeleton`, or a coordinate is infinite; OSError if unreadable.
    """
    file = pathlib.Path(path)
    fields = _read(file, skeleton, matlab.PREDICTIONS)
    _check_predictions(file, fields, skeleton)
    scores = fields.get("scores")
    return Predictions(
        keypoints=fields["keypoints"].astype(float),
        scores=None if scores is None else scores.astype(float),
        names=tuple(fields.get("names", np.array([])).tolist()),
    )


def save_truth(
    path: str | os.PathLike[str], truth: Annotations, skeleton: Skeleton
) -> None:
    """Writes ground truth of one person a photograph to an npz or csv file.

    The file appears whole or not at all.

    Raises: ValueError for what `read_truth` would refuse, before anything is written.
    """
    file = pathlib.Path(path)
    if truth.keypoints.shape[1] != 1:
        raise ValueError(
            f"{file}: truth has {truth.keypoints.shape[1]} people a photograph; pose "
            "files hold one, so give each person an entry"
        )
    fields = {"keypoints": truth.keypoints[:, 0], "visibility": truth.visibility[:, 0]}
    if truth.size is not None:
        fields["size"] = truth.size
    if truth.head_box is not None:
        fields["head_box"] = truth.head_box[:, 0]
    if truth.names:
        fields["names"] = np.array(truth.names)
    _check_truth(file, fields, skeleton)
    _write(file, fields, skeleton, (".npz", ".csv"))


def save_predictions(
    path: str | os.PathLike[str], predictions: Predictions, skeleton: Skeleton
) -> None:
    """Writes predictions to an npz, csv or mat (1-based `preds`) file.

    The file appears whole or not at all, and gives back the same float32 numbers.

    Raises: ValueError for what `read_predictions` would refuse, before anything is
        written.
    """
    file = pathlib.Path(path)
    fields = {"keypoints": predictions.keypoints}
    if predictions.scores is not None:
        fields["scores"] = predictions.scores
    if predictions.names:
        fields["names"] = np.array(predictions.names)
    _check_predictions(file, fields, skeleton)
    _write(file, fields, skeleton, (".npz", ".csv", ".mat"))


def _check_truth(file: pathlib.Path, fields: arrays.Fields, skeleton: Skeleton) -> None:
    _check_shapes(file, fields, skeleton, required=("keypoints", "visibility"))
    visibility = fields["visibility"]
    if not np.isin(visibility, (0, 1, 2)).all():
        raise ValueError(
            f"{file}: visibility holds {np.unique(visibility).tolist()}; it must be 0 "
            "unlabeled, 1 labeled but hidden, or 2 visible"
        )
    broken = (visibility > 0) & ~np.isfinite(fields["keypoints"]).all(axis=-1)
    if broken.any():
        person, keypoint = np.argwhere(broken)[0].tolist()
        raise ValueError(
            f"{file}: {skeleton.keypoints[keypoint]} of person {person} is labeled, "
            f"but at {fields['keypoints'][person, keypoint].tolist()}; give it finite "
            "coordinates, or mark it unlabeled"
        )


def _check_predictions(
    file: pathlib.Path, fields: arrays.Fields, skeleton: Skeleton
) -> None:
    _check_shapes(file, fields, skeleton, required=("keypoints",))
    infinite = np.isinf(fields["keypoints"]).any(axis=-1)
    if infinite.any():
        person, keypoint = np.argwhere(infinite)[0].tolist()
        raise ValueError(
            f"{file}: {skeleton.keypoints[keypoint]} of person {person} is infinite; "
            "write nan for a keypoint that was not predicted"
        )


def _check_shapes(
    file: pathlib.Path,
    fields: arrays.Fields,
    skeleton: Skeleton,
    required: Sequence[str],
) -> None:
    for key in required:
        if key not in fields:
            raise ValueError(
                f"{file}: {key} is missing, there are {sorted(fields)}; needed are "
                f"{', '.join(required)}"
            )
    n, k = len(fields["keypoints"]), len(skeleton.keypoints)
    shapes = {"keypoints": (n, k, 2), "visibility": (n, k), "scores": (n, k)}
    shapes |= {"names": (n,), "size": (n, 2), "head_box": (n, 4)}
    if n == 0:
        raise ValueError(f"{file}: no people; there must be at least one")
    for key in shapes.keys() & fields.keys():
        array = fields[key]
        if array.shape != shapes[key] or array.dtype.kind not in (
            "U" if key == "names" else "fiu"
        ):
            raise ValueError(
                f"{file}: {key} are {array.dtype} of shape {array.shape}, must be "
                f"{'strings' if key == 'names' else 'numbers'} of shape {shapes[key]}: "
                f"one entry a person, and the {k} keypoints of {skeleton.name}"
            )


def _read(
    file: pathlib.Path, skeleton: Skeleton, layouts: matlab.Layouts
) -> arrays.Fields:
    if file.suffix == ".mat":
        return matlab.read(file, skeleton, layouts)
    if file.suffix == ".npz":
        return arrays.read_npz(file)
    if file.suffix == ".csv":
        return arrays.read_csv(file, skeleton)
    raise _unknown_ending(file, (".mat", ".npz", ".csv"))


def _write(
    file: pathlib.Path,
    fields: arrays.Fields,
    skeleton: Skeleton,
    endings: Sequence[str],
) -> None:
    if file.suffix not in endings:
        raise _unknown_ending(file, endings)
    with atomic.replacing(file) as stream:
        if file.suffix == ".npz":
            np.savez_compressed(stream, **dict[str, Any](fields))
        elif file.suffix == ".csv":
            arrays.write_csv(stream, fields, skeleton)
        else:
            matlab.write(stream, fields)


def _unknown_ending(file: pathlib.Path, endings: Sequence[str]) -> ValueError:
    return ValueError(
        f"{file}: the ending {file.suffix!r} names no format for this; use one of "
        f"{', '.join(endings)}"
    )
