"""Which part of a photograph a canvas shows: one box an example."""

import dataclasses
from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxpose import geometry


class Region(Protocol):
    """Boxes (x0, y0, x1, y1) in source pixels, from the people of a data set."""

    def __call__(
        self,
        keypoints: Float[np.ndarray, "m k 2"],
        labeled: Bool[np.ndarray, "m k"],
        size: Int[np.ndarray, "m 2"],
    ) -> Float[np.ndarray, "m 4"]: ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class WholeImage:
    """All of the photograph, stretched to the canvas; needs no person box at test."""

    def __call__(
        self,
        keypoints: Float[np.ndarray, "m k 2"],
        labeled: Bool[np.ndarray, "m k"],
        size: Int[np.ndarray, "m 2"],
    ) -> Float[np.ndarray, "m 4"]:
        return geometry.whole_image(size)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PersonBox:
    """The tight box of the labeled keypoints, padded.

    At test time such a box knows the answer's extent: say so beside every score.

    Attributes:
        padding: sides of the box as a multiple of the tight box's.
        margin: pixels added on every side before the padding.
        aspect: width / height that the box grows to, so that people keep their
            proportions on a canvas of that aspect; 0 leaves it, and they are stretched.
        inside: cut the box at the border of the photograph.
    """

    padding: float = 1.25
    margin: float = 0.0
    aspect: float = 0.0
    inside: bool = False

    def __call__(
        self,
        keypoints: Float[np.ndarray, "m k 2"],
        labeled: Bool[np.ndarray, "m k"],
        size: Int[np.ndarray, "m 2"],
    ) -> Float[np.ndarray, "m 4"]:
        """Raises: ValueError if a person has no labeled keypoint."""
        box = geometry.tight_box(keypoints, labeled)
        box = box + self.margin * np.array([-1.0, -1.0, 1.0, 1.0])
        box = geometry.pad_box(box, padding=self.padding, aspect=self.aspect)
        return (
            geometry.intersect(box, geometry.whole_image(size)) if self.inside else box
        )
