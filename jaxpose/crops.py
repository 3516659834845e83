"""Which box a canvas shows of a photograph: a region, extended and shifted at random."""

import dataclasses

import numpy as np
from jaxtyping import Float, Int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Crop:
    """Extends a region's box and shifts it, so that it holds the whole region.

    Each axis has draws of its own: people are stretched as well as sized. What lies
    outside the photograph is black and masked.

    Attributes:
        extension: least and largest factor of a side. Evaluation takes their mean.
        shift: largest move along an axis, as a share of the region's side; never
            farther than the extension reaches.
        whole_pixels: begin the box at the pixel where it begins, counted from the
            photograph's corner, and round its sides up.
        inside: move a box that begins outside the photograph to the border without
            shortening it, and cut it where the photograph ends: it is no longer centred
            on the region.
        clip_keypoints: move keypoints beyond the box to its border, on the far sides
            to a pixel before it.
        max_height: higher photographs are first shrunk to this height, without
            antialiasing, and their pixels are those of the shrunk ones; 0 for none.

    Source: the TensorFlow DeepPose of Toshev and Szegedy 2014, which does the last
    four. It extends by 1.5 to 2.0 on LSP and by 1.0 to 1.2 on MPII, shifts by 0.1, and
    shrinks MPII to a height of 400.
    """

    extension: tuple[float, float] = (1.0, 1.0)
    shift: float = 0.0
    whole_pixels: bool = False
    inside: bool = False
    clip_keypoints: bool = False
    max_height: int = 0

    def __post_init__(self) -> None:
        low, high = self.extension
        if not 1 <= low <= high:
            raise ValueError(
                f"extension={self.extension}; it must be (least, largest) with "
                "1 <= least <= largest, or keypoints would leave the canvas"
            )
        if not 0 <= self.shift <= 1:
            raise ValueError(
                f"shift={self.shift} of the region's side; it must lie in 0..1"
            )

    def __call__(
        self,
        region: Float[np.ndarray, "*n 4"],
        size: Int[np.ndarray, "*n 2"],
        draws: Float[np.ndarray, "*n 4"],
    ) -> Float[np.ndarray, "*n 4"]:
        """Boxes (x0, y0, x1, y1) in source pixels.

        Args:
            size: (height, width) of the photograph.
            draws: in [0, 1): of the extension in x and y, and of the shift in x and y.
        """
        pixel = self.pixel(size)[..., None]
        # From here on in pixels of the shrunk photograph, from its corner.
        near, far = (region[..., :2] + 0.5) / pixel, (region[..., 2:] + 0.5) / pixel
        least, largest = self.extension
        sides = (far - near) * (least + (largest - least) * draws[..., :2])
        padding = (sides - (far - near)) / 2
        reach = np.minimum(padding, self.shift * (far - near))
        near = near - padding + reach * (2 * draws[..., 2:] - 1)
        if self.whole_pixels:
            first = np.trunc(near)
            near, sides = first, np.ceil(sides + (near - first))
        if self.inside:
            end = np.rint(size[..., ::-1] / pixel)
            near = np.clip(near, 0, end - 1)
            sides = np.clip(sides, 1, end - near)
        return np.concatenate([near, near + sides], axis=-1) * pixel - 0.5

    def keypoints(
        self,
        keypoints: Float[np.ndarray, "k 2"],
        box: Float[np.ndarray, "4"],
        size: Int[np.ndarray, "2"],
    ) -> Float[np.ndarray, "k 2"]:
        """Where a network is to find the keypoints of a photograph, in source pixels."""
        if not self.clip_keypoints:
            return keypoints
        return np.clip(keypoints, box[:2], box[2:] - self.pixel(size))

    def pixel(self, size: Int[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n"]:
        """Side of a pixel of the shrunk photograph, in source pixels; 1 if it is not."""
        height = size[..., 0].astype(np.float64)
        return np.maximum(height / (self.max_height or np.inf), 1.0)


def draws(seed: int, start: int, count: int) -> Float[np.ndarray, "count 4"]:
    """Numbers in [0, 1) for the examples at positions start, start + 1, ... of a run.

    A position has its four, whoever asks: each is a block of a counter-based generator.

    Source: Salmon et al. 2011, Philox.
    """
    philox = np.random.Philox(key=seed, counter=start)
    return np.random.Generator(philox).random((count, 4))
