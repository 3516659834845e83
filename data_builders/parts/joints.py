"""The Leeds archives' `joints.mat`: 14 joints a person, each with a flag.

Source: the README.txt of both archives, and the files themselves. The archives order
the axes differently, and their flags mean different things.
"""

import dataclasses
import io

import numpy as np
import scipy.io

NAMES = (
    "right_ankle",
    "right_knee",
    "right_hip",
    "left_hip",
    "left_knee",
    "left_ankle",
    "right_wrist",
    "right_elbow",
    "right_shoulder",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "neck",
    "head_top",
)
_REMEDY = "take joints.mat from the archive again"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layout:
    """How an archive stores its joints.

    `axes` is the order of the stored array, of "joint", "value" (x, y, flag) and
    "person". `visibility` is COCO's visibility for flag 0 and for flag 1.
    """

    axes: tuple[str, str, str]
    visibility: tuple[int, int]

    def shape(self, people: int | str) -> tuple[int | str, ...]:
        """The stored array's shape for so many people."""
        sizes = {"joint": len(NAMES), "value": 3, "person": people}
        return tuple(sizes[axis] for axis in self.axes)


def read(mat: bytes, *, layout: Layout, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Reads `joints.mat` into keypoints and visibility, one row a person.

    Args:
        mat: the file's content.
        layout: how this archive stores joints.
        where: the file's name, for messages.

    Returns:
        float32 (people, 14, 2), (x, y) in pixels, the centre of the top-left pixel
        being (0, 0), while MATLAB counts from 1; what stands for an unlabeled joint
        is kept, and means nothing. And int32 (people, 14), COCO's visibility.

    Raises:
        ValueError: no readable MAT file, a wrong shape, a joint that is not finite, a
            flag other than 0 and 1.
    """
    stored = _stored(mat, layout, where)
    order = [layout.axes.index(axis) for axis in ("person", "joint", "value")]
    values = stored.transpose(order).astype(np.float64)
    not_finite = np.any(~np.isfinite(values), axis=-1)
    _refuse(not_finite, values, "x, y and flag must be finite", where)
    flags = values[..., 2]
    _refuse(~np.isin(flags, (0, 1)), values, "a flag must be 0 or 1", where)
    visibility = np.asarray(layout.visibility, np.int32)[flags.astype(np.int32)]
    return (values[..., :2] - 1).astype(np.float32), visibility


def _stored(mat: bytes, layout: Layout, where: str) -> np.ndarray:
    """The variable `joints` as stored; ValueError where it is not what it should be."""
    try:
        contents = scipy.io.loadmat(io.BytesIO(mat))
    except Exception as error:  # SciPy has no one kind of error for a damaged file.
        raise ValueError(
            f"{where} cannot be read ({type(error).__name__}: {error}); it must be a "
            f"MATLAB 5 file; {_REMEDY}"
        ) from error
    if "joints" not in contents:
        variables = sorted(name for name in contents if not name.startswith("__"))
        raise ValueError(
            f"{where} holds the variables {variables}; it must hold `joints`; {_REMEDY}"
        )
    stored = contents["joints"]
    expected = layout.shape(stored.shape[-1] if stored.ndim == 3 else 0)
    if stored.shape != expected or stored.dtype.kind not in "fiu" or not stored.size:
        raise ValueError(
            f"{where}: joints is {stored.dtype} of shape {stored.shape}; it must be "
            f"numbers of shape {layout.shape('people')}; {_REMEDY}"
        )
    return stored


def _refuse(bad: np.ndarray, values: np.ndarray, rule: str, where: str) -> None:
    """ValueError that names the first bad joint; `bad` is (people, 14)."""
    if bad.any():
        person, joint = np.argwhere(bad)[0]
        x, y, flag = values[person, joint]
        raise ValueError(
            f"{where}: {NAMES[joint]} of person {person + 1} is ({x}, {y}), flag "
            f"{flag}; {rule}; {_REMEDY}"
        )
