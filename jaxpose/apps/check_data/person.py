"""One annotation of a category with keypoints, with what can be read of it."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from jaxpose.apps.check_data import fault
from jaxpose.apps.check_data.fault import Annotation

FEW = 4  # keypoints that tell where a person is
FLAGS = {0, 1, 2}
# Pixels. A JPEG has 65,535 at most; the builder takes nothing larger either.
FAR = 1e6


@dataclasses.dataclass(frozen=True, kw_only=True)
class Person:
    """A person, or a crowd.

    Attributes:
        where: its name for messages.
        size: (width, height) of the photograph; nan, larger and smaller than nothing,
            if untold.
        points: (x, y, visibility), 0 where no keypoints are given; None of a crowd and
            where they cannot be read.
        box: (x, y, width, height); None if it is not four numbers.
    """

    annotation: Annotation
    where: str
    size: Float[np.ndarray, "2"]
    points: Float[np.ndarray, "k 3"] | None
    box: Float[np.ndarray, "4"] | None
    crowd: bool

    def seen(self) -> Float[np.ndarray, "n 2"]:
        """The visible keypoints: of hidden ones many lie outside of the box."""
        if self.points is None:
            return np.zeros((0, 2))
        return self.points[self.points[:, 2] == 2, :2]


def read(
    annotation: Annotation, images: Mapping[Any, Mapping[str, Any]], k: int
) -> Person:
    """A person with k keypoints on one of the images, which are told by their ids."""
    image = images.get(annotation.get("image_id"), {})
    size = numbers([image.get("width"), image.get("height")])
    box = numbers(annotation.get("bbox"))
    crowd = annotation.get("iscrowd") in (1,)
    return Person(
        annotation=annotation,
        where=fault.name(annotation, images),
        size=np.full(2, np.nan) if size is None else size,
        points=None if crowd else _triples(annotation, k),
        box=None if box is None or len(box) != 4 else box,
        crowd=crowd,
    )


def numbers(value: object) -> Float[np.ndarray, "n"] | None:
    """A list of numbers of pixels, None if it is none."""
    if not isinstance(value, list) or not all(
        isinstance(number, int | float) and abs(number) < FAR for number in value
    ):
        return None
    return np.asarray(value, float)


def _triples(annotation: Annotation, k: int) -> Float[np.ndarray, "k 3"] | None:
    flat = numbers(annotation.get("keypoints") or [0] * (3 * k))
    if flat is None or len(flat) != 3 * k or not {*flat[2::3].tolist()} <= FLAGS:
        return None
    return flat.reshape(k, 3)


def told(size: Float[np.ndarray, "2"]) -> str:
    """A photograph's (width, height) in words."""
    return f"{size[0]:g} wide and {size[1]:g} high"
