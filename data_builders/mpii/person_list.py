"""MPII's annotations as a JSON list of people, each with the others on the photograph.

Convolutional pose machines made such files out of the release. Two go around:
`mpii_annotations.json` of PyTorch-Pose, whose key of the validation people is
`isValidation`, whose missing joints are zeros, and where an only other person lies in no
list; and `mpi_annotations.json` of the pose proposal networks, with the key `validation`
and with 2 for the visibility of missing joints. Neither has head boxes.
"""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import release

if TYPE_CHECKING or __name__.startswith("data_builders."):
    from data_builders.parts import contract
else:  # `tfds build` imports `mpii.person_list`, from inside data_builders.
    from parts import contract

_VALIDATION = ("isValidation", "validation")
_NEEDED = ("img_paths", "objpos", "scale_provided", "joint_self")
_JOINTS = len(release.NAMES)
_MISSING = 2  # a visibility
_REMEDY = "take the file again"

# (people, 16, 3) joints as stored, (people, 2) centers and (people,) scales.
_People = tuple[np.ndarray, np.ndarray, np.ndarray]


def read(
    content: bytes, *, where: str
) -> tuple[list[release.Photograph], list[np.ndarray]]:
    """Every photograph, in the order of the file, and who on it is a validation person.

    People with an entry of their own come first, in their order, and are `separate`.

    Args:
        content: the file's.
        where: the file's name, for messages.

    Raises:
        ValueError: it is no such list, or an entry is not as it should be.
    """
    entries = _entries(content, where)
    everybody = [_people(e, f"{where}, entry {n}") for n, e in enumerate(entries)]
    own = {
        people[0][0].tobytes(): e["img_paths"] for e, people in zip(entries, everybody)
    }
    rows: dict[str, list[int]] = {}
    for row, entry in enumerate(entries):
        rows.setdefault(entry["img_paths"], []).append(row)
    photographs, validation = [], []
    for number, (name, there) in enumerate(rows.items(), start=1):
        # Some entries list people of the photograph before.
        people = [_without(everybody[row], own, name) for row in there]
        chosen = [_flag(entries[row]) for row in there]
        number = int(entries[there[0]].get("annolist_index", number))
        photographs.append(_photograph(number, name, people))
        extra = len(photographs[-1].scale) - len(chosen)
        validation.append(np.array(chosen + [False] * extra, bool))
    return photographs, validation


def _entries(content: bytes, where: str) -> list[dict[str, Any]]:
    try:
        entries = json.loads(content)
    except ValueError as error:
        raise ValueError(f"{where} is no JSON ({error}); {_REMEDY}") from error
    if not isinstance(entries, list) or not entries:
        raise ValueError(f"{where} must be a list of people, with one at least")
    for number, entry in enumerate(entries):
        known = entry.keys() if isinstance(entry, dict) else set()
        missing = [key for key in _NEEDED if key not in known]
        if missing or not set(_VALIDATION) & known:
            raise ValueError(
                f"{where}, entry {number}: it must have {', '.join(_NEEDED)}, and "
                f"{' or '.join(_VALIDATION)}; it has {sorted(known)}; {_REMEDY}"
            )
    return entries


def _flag(entry: Mapping[str, Any]) -> bool:
    """Whether the entry is of a validation person."""
    return any(entry.get(key) for key in _VALIDATION)


def _people(entry: Mapping[str, Any], where: str) -> _People:
    """Whose entry it is, then the others."""
    try:
        joints = np.concatenate(
            [
                _array(entry[key], _JOINTS, 3)
                if key in entry
                else np.zeros((0, _JOINTS, 3))
                for key in ("joint_self", "joint_others")
            ]
        )
        center = np.full((len(joints), 2), np.nan)
        scale = np.full(len(joints), np.nan)
        for values, name in ((center, "objpos"), (scale, "scale_provided")):
            shape = values.shape[1:]
            values[:1] = _array(entry[name], *shape)
            others = _array(entry.get(f"{name}_other", []), *shape)
            values[1 : 1 + len(others)] = others
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{where}: {error}; joints must be {_JOINTS} times x, y and visibility, "
            f"centers two numbers and scales one; {_REMEDY}"
        ) from error
    flags = joints[..., 2]
    if not (np.isfinite(joints).all() and np.isin(flags, (0, 1, _MISSING)).all()):
        raise ValueError(
            f"{where}: joints must be finite, and visible 0, 1 or {_MISSING}, not "
            f"{np.unique(flags).tolist()}; {_REMEDY}"
        )
    return joints, center, scale


def _array(values: Any, *shape: int) -> np.ndarray:
    """(n, *shape), also of one that is in no list, and of an empty MATLAB array."""
    return np.array(values if not isinstance(values, dict) else [], float).reshape(
        -1, *shape
    )


def _without(people: _People, own: Mapping[bytes, str], name: str) -> _People:
    """Without others whose own entry is of another photograph, or who lack joints."""
    here = [own.get(joints.tobytes(), name) == name for joints in people[0]]
    kept = np.array(here) & _labeled(people[0]).any(axis=1)
    kept[0] = True
    joints, center, scale = (values[kept] for values in people)
    return joints, center, scale


def _photograph(
    number: int, name: str, people: Sequence[_People]
) -> release.Photograph:
    """Whoever is told of in several entries is there once."""
    first = [tuple(values[0] for values in entry) for entry in people]
    rest = [other for entry in people for other in list(zip(*entry))[1:]]
    joints = [entry[0] for entry in first]
    told = list(first)
    for other in rest:
        same = [n for n, one in enumerate(joints) if _same(one, other[0])]
        if not same:
            told.append(other)
            joints.append(other[0])
        for n in same:
            # A missing joint may keep what the entry before had there.
            joints[n] = np.where(_labeled(other[0])[:, None], joints[n], 0)
    stored = np.stack(joints)
    labeled = _labeled(stored)
    seen = np.where(stored[..., 2] == 1, contract.VISIBLE, contract.HIDDEN)
    return release.Photograph(
        number=number,
        name=name,
        training=True,
        keypoints=np.where(labeled[..., None], stored[..., :2] - 1, 0).astype(
            np.float32
        ),
        visibility=np.where(labeled, seen, contract.UNLABELED).astype(np.int32),
        head_box=np.full((len(told), 4), np.nan, np.float32),
        center=(np.stack([one[1] for one in told]) - 1).astype(np.float32),
        scale=np.array([one[2] for one in told], np.float32),
        separate=np.arange(len(told)) < len(first),
        activity="",
        category="",
        activity_id=-1,
    )


def _labeled(joints: np.ndarray) -> np.ndarray:
    """Which of (..., 3) joints are there."""
    return (joints[..., 2] != _MISSING) & (joints[..., :2] != 0).any(axis=-1)


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether most joints that both have are in the same places."""
    both = _labeled(one) & _labeled(other)
    alike = (one[:, :2] == other[:, :2]).all(axis=-1) & both
    return 2 * alike.sum() > max(both.sum(), 1)
