"""MPII's `mpii_human_pose_v1_u12_1.mat`: photographs with all their people.

Source: the README.md of the archive, and the files themselves.
"""

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING or __name__.startswith("data_builders."):
    from data_builders.parts import contract, matlab
else:  # `tfds build` imports `mpii.release`, from inside data_builders.
    from parts import contract, matlab

# In the order of the file's point ids; its "upper neck" is the neck of LSP.
NAMES = (
    "right_ankle",
    "right_knee",
    "right_hip",
    "left_hip",
    "left_knee",
    "left_ankle",
    "pelvis",
    "thorax",
    "neck",
    "head_top",
    "right_wrist",
    "right_elbow",
    "right_shoulder",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
)
_REMEDY = "take the file from mpii_human_pose_v1_u12_2.zip again"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Photograph:
    """One entry of the file, in pixels; the centre of the top-left one is (0, 0).

    Attributes:
        number: place in the file, from 1.
        name: file name of the photograph.
        training: it belongs to the official training set, whose keypoints are public.
        keypoints: float32 (people, 16, 2), 0 where the file has no point.
        visibility: int32 (people, 16), COCO's. A point without a flag is visible: head
            top and neck never have one.
        head_box: float32 (people, 4), nan where the file has none.
        center: float32 (people, 2), roughly the middle of a person, nan where missing.
        scale: float32 (people,), a person's height / 200 pixels, nan where missing.
        separate: bool (people,), far enough from all others to be evaluated alone.
        activity: what people do, such as "curling"; empty where nobody said.
        category: the kind of activity, such as "winter activities".
        activity_id: the number of the activity, -1 where nobody said.
    """

    number: int
    name: str
    training: bool
    keypoints: np.ndarray
    visibility: np.ndarray
    head_box: np.ndarray
    center: np.ndarray
    scale: np.ndarray
    separate: np.ndarray
    activity: str
    category: str
    activity_id: int


def read(mat: bytes, *, where: str) -> list[Photograph]:
    """Every entry of the file, in its order.

    Args:
        mat: the file's content.
        where: the file's name, for messages.

    Raises:
        ValueError: no readable MAT file, lists of different lengths, or a point that is
            none of the 16 or not finite; the photograph and the person are named.
    """
    release = matlab.load(mat, "RELEASE", where=where, remedy=_REMEDY)[0]
    lists = {name: matlab.items(matlab.field(release, name)) for name in _LISTS}
    lengths = {name: len(values) for name, values in lists.items()}
    if len(set(lengths.values())) != 1 or not lengths["annolist"]:
        raise ValueError(
            f"{where}: RELEASE holds lists of these lengths: {lengths}; each must have "
            f"one entry for every photograph; {_REMEDY}"
        )
    return [
        _photograph(number, *entry, where=where)
        for number, entry in enumerate(zip(*lists.values(), strict=True), start=1)
    ]


_LISTS = ("annolist", "img_train", "single_person", "act")


def _photograph(
    number: int, entry: Any, training: Any, separate: Any, act: Any, *, where: str
) -> Photograph:
    name = matlab.text(matlab.first(matlab.field(entry, "image")), "name")
    where = f"{where}: photograph {number} ({name})"
    people = matlab.items(matlab.field(entry, "annorect"))
    points = [_points(p, f"{where}, person {i}") for i, p in enumerate(people, start=1)]
    centers = [matlab.first(matlab.field(person, "objpos")) for person in people]
    alone = {int(index) for index in matlab.items(separate)}
    act = matlab.first(act)
    activity_id = matlab.number(act, "act_id")
    return Photograph(
        number=number,
        name=name,
        training=bool(training),
        keypoints=matlab.rows([keypoints for keypoints, _ in points], len(NAMES), 2),
        visibility=matlab.rows([seen for _, seen in points], len(NAMES)).astype(
            np.int32
        ),
        head_box=matlab.rows(
            [matlab.numbers(p, "x1", "y1", "x2", "y2") for p in people], 4
        )
        - 1,
        center=matlab.rows([matlab.numbers(center, "x", "y") for center in centers], 2)
        - 1,
        scale=matlab.rows([matlab.number(person, "scale") for person in people]),
        separate=np.array([i + 1 in alone for i in range(len(people))], bool),
        activity=matlab.text(act, "act_name"),
        category=matlab.text(act, "cat_name"),
        activity_id=-1 if np.isnan(activity_id) else int(activity_id),
    )


def _points(person: Any, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints (16, 2), 0-based, and visibility (16,) of one person.

    Raises:
        ValueError: a point has another id than 0 to 15, or is not finite.
    """
    keypoints = np.zeros((len(NAMES), 2), np.float32)
    visibility = np.full(len(NAMES), contract.UNLABELED, np.int32)
    annotated = matlab.first(matlab.field(person, "annopoints"))
    for point in matlab.items(matlab.field(annotated, "point")):
        index, x, y = matlab.numbers(point, "id", "x", "y")
        if index not in range(len(NAMES)) or not np.isfinite([x, y]).all():
            raise ValueError(
                f"{where} has the point {index:g} at ({x}, {y}); a point must have an id "
                f"from 0 to {len(NAMES) - 1} and finite numbers; {_REMEDY}"
            )
        keypoints[int(index)] = x - 1, y - 1
        hidden = matlab.number(point, "is_visible") == 0
        visibility[int(index)] = contract.HIDDEN if hidden else contract.VISIBLE
    return keypoints, visibility
