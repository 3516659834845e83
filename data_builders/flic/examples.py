"""FLIC's `examples.mat`: frames of films with the upper bodies of people.

Source: the archive's own demonstration `demo_FLIC.m`, and the file itself.
"""

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING or __name__.startswith("data_builders."):
    from data_builders.parts import contract, matlab
else:  # `tfds build` imports `flic.examples`, from inside data_builders.
    from parts import contract, matlab

# Columns of `coords`, from 0; the other ones of the 29 are empty. Left and right are
# the person's own.
_COLUMNS = {
    "left_shoulder": 0,
    "left_elbow": 1,
    "left_wrist": 2,
    "right_shoulder": 3,
    "right_elbow": 4,
    "right_wrist": 5,
    "left_hip": 6,
    "right_hip": 9,
    "left_eye": 12,
    "right_eye": 13,
    "nose": 16,
}
NAMES = tuple(_COLUMNS)
_SHAPE = (2, 29)
_REMEDY = "take examples.mat from FLIC.zip again"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Frame:
    """One frame, in pixels; the centre of the top-left one is (0, 0).

    Attributes:
        keypoints: float32 (people, 11, 2), 0 where not labeled.
        visibility: int32 (people, 11), COCO's; the file does not tell who is hidden.
        torso_box: float32 (people, 4), (x0, y0, x1, y1) that a detector found.
    """

    name: str
    keypoints: np.ndarray
    visibility: np.ndarray
    torso_box: np.ndarray


def read(mat: bytes, *, where: str) -> dict[str, list[Frame]]:
    """The frames of `train` and of `test`, in the file's order.

    Every entry of the file is a person; those of one frame are joined.

    Raises:
        ValueError: no readable MAT file, a person of no or of both splits, or numbers
            of another shape; the person is named.
    """
    people: dict[str, dict[str, list[Any]]] = {"train": {}, "test": {}}
    entries = matlab.load(mat, "examples", where=where, remedy=_REMEDY)
    for number, entry in enumerate(entries, start=1):
        here = f"{where}: example {number}"
        split, person = _split(entry, here), _person(entry, here)
        people[split].setdefault(matlab.text(entry, "filepath"), []).append(person)
    return {
        split: [_frame(name, found) for name, found in frames.items()]
        for split, frames in people.items()
    }


def _frame(name: str, people: list[tuple[np.ndarray, np.ndarray]]) -> Frame:
    keypoints = matlab.rows([points for points, _ in people], len(NAMES), 2)
    labeled = np.isfinite(keypoints).all(axis=-1)
    return Frame(
        name=name,
        # Not nan: it would spread even where it is multiplied by 0.
        keypoints=np.where(labeled[..., None], keypoints, np.float32(0)),
        visibility=np.where(labeled, contract.VISIBLE, contract.UNLABELED).astype(
            np.int32
        ),
        torso_box=matlab.rows([box for _, box in people], 4),
    )


def _split(entry: Any, where: str) -> str:
    train, test = (matlab.number(entry, name) == 1 for name in ("istrain", "istest"))
    if train == test:
        raise ValueError(
            f"{where} has istrain {train:d} and istest {test:d}; it must belong to one "
            f"of both; {_REMEDY}"
        )
    return "train" if train else "test"


def _person(entry: Any, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints (11, 2) and torso box (4,), from 0."""
    coords = np.asarray(matlab.field(entry, "coords"))
    box = matlab.items(matlab.field(entry, "torsobox"))
    if coords.shape != _SHAPE or len(box) != 4:
        raise ValueError(
            f"{where} has coords of shape {coords.shape} and a torsobox of {len(box)} "
            f"numbers; it must be {_SHAPE} and 4; {_REMEDY}"
        )
    keypoints = coords.T[list(_COLUMNS.values())].astype(np.float64) - 1
    return keypoints, np.asarray(box, np.float64) - 1
