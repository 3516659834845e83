"""Our own two formats of poses, npz and csv: 0-based, the same arrays by name."""

import csv
import io
import pathlib
import zipfile
from collections.abc import Mapping, Sequence
from typing import IO

import numpy as np
from jaxtyping import Float, Shaped

from jaxpose.skeletons import Skeleton

# Arrays by name, in the layout of our npz.
Fields = Mapping[str, Shaped[np.ndarray, "..."]]

# Columns after x and y, and the arrays that they hold.
THIRD = {"visibility": "visibility", "scores": "score"}

# Columns of a person rather than of a keypoint, by the arrays that they hold.
PERSON = {
    "size": ("height", "width"),
    "head_box": ("head_x0", "head_y0", "head_x1", "head_y1"),
}


def read_npz(file: pathlib.Path) -> Fields:
    """All arrays of the file, unchecked.

    Raises: ValueError if it is no npz or holds Python objects; OSError if unreadable.
    """
    with open(file, "rb") as stream:
        try:
            with np.load(stream, allow_pickle=False) as arrays:
                return {key: arrays[key] for key in arrays.files}
        except (ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(
                f"{file} is no npz of plain arrays: {error}; write it with numpy.savez "
                "and without objects"
            ) from error


def write_csv(stream: IO[bytes], fields: Fields, skeleton: Skeleton) -> None:
    """Writes a header and a row a person; numbers as the shortest that read back."""
    n = len(fields["keypoints"])
    columns = {"name": fields.get("names", np.full(n, ""))}
    for key, names in PERSON.items():
        if key in fields:
            columns |= dict(zip(names, fields[key].T, strict=True))
    for number, keypoint in enumerate(skeleton.keypoints):
        columns[f"{keypoint}_x"] = fields["keypoints"][:, number, 0]
        columns[f"{keypoint}_y"] = fields["keypoints"][:, number, 1]
        for key, ending in THIRD.items():
            if key in fields:
                columns[f"{keypoint}_{ending}"] = fields[key][:, number]
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(zip(*([str(v) for v in column] for column in columns.values())))
    text.detach()


def read_csv(file: pathlib.Path, skeleton: Skeleton) -> Fields:
    """Arrays named and shaped as in our npz; columns may stand in any order.

    Raises: ValueError if columns are missing or a value is no number; OSError if
        unreadable.
    """
    columns = _columns(file)
    points = [
        _numbers(file, columns, f"{k}_{a}") for k in skeleton.keypoints for a in "xy"
    ]
    fields = {"keypoints": np.stack(points, axis=1).reshape(-1, len(points) // 2, 2)}
    for key, ending in THIRD.items():
        if any(column.endswith(f"_{ending}") for column in columns):
            third = [
                _numbers(file, columns, f"{k}_{ending}") for k in skeleton.keypoints
            ]
            fields[key] = np.stack(third, axis=1)
    for key, names in PERSON.items():
        if columns.keys() & {*names}:
            fields[key] = np.stack([_numbers(file, columns, n) for n in names], axis=1)
    if any(columns.get("name", ())):
        fields["names"] = np.array(columns["name"])
    return fields


def _columns(file: pathlib.Path) -> Mapping[str, Sequence[str]]:
    with open(file, encoding="utf-8-sig", newline="") as stream:
        try:
            header, *rows = list(csv.reader(stream)) or [[]]
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"{file} is no csv file with a header: {error}") from error
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise ValueError(
                f"{file}: line {number} has {len(row)} fields, the header has "
                f"{len(header)}; give every row one field a column"
            )
    if len(set(header)) != len(header):
        raise ValueError(f"{file}: column names repeat in {header}; make them unique")
    return {name: [row[i] for row in rows] for i, name in enumerate(header)}


def _numbers(
    file: pathlib.Path, columns: Mapping[str, Sequence[str]], name: str
) -> Float[np.ndarray, "n"]:
    if name not in columns:
        raise ValueError(
            f"{file}: there is no column {name} among {list(columns)}; the header needs "
            "<keypoint>_x and <keypoint>_y for each keypoint, and the same third column"
        )
    try:
        return np.array([float(value) for value in columns[name]])
    except ValueError as error:
        raise ValueError(
            f"{file}: column {name}: {error}; write a number, or nan for a keypoint "
            "that was not predicted"
        ) from error
