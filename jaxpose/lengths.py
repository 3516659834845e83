"""How large people are: the lengths that `Batch.scale` tells of scenes."""

import dataclasses
from typing import Protocol

import numpy as np
from jaxtyping import Float

from jaxpose import records
from jaxpose.skeletons import Skeleton

_STICK = ("head_top", "neck")
_FACE = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")


class Length(Protocol):
    """One length a person, in source pixels, 1 at least; a config field."""

    def __call__(
        self, people: records.People, skeleton: Skeleton
    ) -> Float[np.ndarray, "m"]: ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class Extent:
    """Root of the area, else diagonal of the box, else that of the keypoints' box."""

    def __call__(
        self, people: records.People, skeleton: Skeleton
    ) -> Float[np.ndarray, "m"]:
        labeled = (people.visibility > 0)[..., None]
        high = np.where(labeled, people.keypoints, -np.inf).max(axis=1)
        low = np.where(labeled, people.keypoints, np.inf).min(axis=1)
        area = people.more.get("area", np.full(len(people), np.nan))
        known = (
            np.sqrt(area),
            _diagonal(people, "box"),
            np.hypot(*np.maximum(high - low, 0).T),
        )
        return _first(known)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Head:
    """The size of the head, from the best that is known of each person.

    That is `box` diagonals of the head box; else the distance from head top to neck;
    else `face` times the largest distance among nose, eyes and ears, but at least
    `extent` of what `Extent` tells, since a face turned away looks small.

    Attributes:
        box: 0.6 is MPII's, of which PCKh is measured.
        face: 1.15 is the median ratio of the size by the box to that distance, of the
            drawn people.
        extent: nine in ten of the drawn people have a larger share than 0.2.
    """

    box: float = 0.6
    face: float = 1.15
    extent: float = 0.2

    def __call__(
        self, people: records.People, skeleton: Skeleton
    ) -> Float[np.ndarray, "m"]:
        guessed = np.maximum(
            self.face * _farthest(people, skeleton, _FACE),
            self.extent * Extent()(people, skeleton),
        )
        known = (
            self.box * _diagonal(people, "head_box"),
            _farthest(people, skeleton, _STICK),
            guessed,
        )
        return _first(known)


def _first(known: tuple[Float[np.ndarray, "m"], ...]) -> Float[np.ndarray, "m"]:
    """The first of the lengths that is a pixel or more; else a pixel."""
    length = np.ones(len(known[0]))
    for candidate in reversed(known):
        length = np.where(candidate >= 1, candidate, length)
    return length


def _diagonal(people: records.People, name: str) -> Float[np.ndarray, "m"]:
    """Of a kind of boxes; nan where unknown."""
    box = people.more.get(name, np.full((len(people), 4), np.nan))
    return np.hypot(*(box[:, 2:] - box[:, :2]).T)


def _farthest(
    people: records.People, skeleton: Skeleton, names: tuple[str, ...]
) -> Float[np.ndarray, "m"]:
    """Largest distance between two labeled ones of these keypoints; 0 without two."""
    there = [skeleton.index(name) for name in names if name in skeleton.keypoints]
    if not there:
        return np.zeros(len(people))
    points = people.keypoints[:, there].astype(np.float64)
    labeled = people.visibility[:, there] > 0
    both = labeled[:, :, None] & labeled[:, None]
    distance = np.linalg.norm(points[:, :, None] - points[:, None], axis=-1)
    return np.where(both, distance, 0).max(axis=(1, 2))
