"""Textured shapes on a picture, and a map of what covers each pixel."""

import dataclasses
from typing import NamedTuple

import cv2
import numpy as np

from . import looks

# Fractional bits of coordinates in OpenCV's drawing.
_SHIFT = 4
# Points on a circle when a limb's outline is made.
_TURN = np.linspace(0, 2 * np.pi, 16, endpoint=False)
_CIRCLE = np.stack([np.cos(_TURN), np.sin(_TURN)], axis=-1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Light:
    """Where light comes from: `looks.shade` tells how."""

    direction: np.ndarray
    ambient: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Canvas:
    """What is painted on.

    Attributes:
        image: uint8 (height, width, 3), blue first.
        owner: uint16 (height, width); the number of the topmost shape of each pixel, 0
            for the background.
    """

    image: np.ndarray
    owner: np.ndarray
    light: Light


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shape:
    """A convex shape with a texture.

    Attributes:
        outline: (n, 2) in pixels; the shape is its convex hull.
        start, end: (2,) in pixels, the axis that the texture runs along.
        width: of the texture across the axis, in pixels.
    """

    outline: np.ndarray
    start: np.ndarray
    end: np.ndarray
    width: float
    texture: np.ndarray


class Layer(NamedTuple):
    """A shape of a body; the nearer one hides the farther one.

    Attributes:
        depth: in statures, larger is nearer to the viewer.
        part: of the body, as `keypoints.PARTS` names it.
    """

    depth: float
    part: str
    shape: Shape


def limb(centers: np.ndarray, radii: np.ndarray, texture: np.ndarray) -> Shape:
    """A shape around circles (n, 2) with radii (n,) in pixels, from first to last."""
    outline = centers[:, None] + radii[:, None, None] * _CIRCLE
    return Shape(
        outline=outline.reshape(-1, 2),
        start=centers[0],
        end=centers[-1],
        width=2 * float(radii.max()),
        texture=texture,
    )


def paint(canvas: Canvas, shape: Shape, number: int) -> None:
    """Draws a shape over all that is there, and claims its pixels for `number`."""
    height, width = canvas.owner.shape
    low = np.floor(shape.outline.min(axis=0)).astype(int) - 1
    high = np.ceil(shape.outline.max(axis=0)).astype(int) + 2
    x0, y0 = np.maximum(low, 0)
    x1, y1 = np.minimum(high, (width, height))
    if x0 >= x1 or y0 >= y1:
        return
    corner = np.array([x0, y0])
    fixed = np.rint((shape.outline - corner) * 2**_SHIFT).astype(np.int32)
    mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(fixed), 255, cv2.LINE_AA, _SHIFT)
    cover = mask.astype(np.float32) / 255
    part = canvas.image[y0:y1, x0:x1]
    part[:] = cv2.blendLinear(
        _stretched(shape, canvas.light, corner, mask.shape), part, cover, 1 - cover
    )
    canvas.owner[y0:y1, x0:x1][mask > 127] = number


def _stretched(
    shape: Shape, light: Light, corner: np.ndarray, size: tuple[int, int]
) -> np.ndarray:
    """The shaded texture where the shape lies, as a picture of (height, width)."""
    along = shape.end - shape.start
    length = float(np.hypot(*along))
    along = along / length if length > 1e-6 else np.array([0.0, 1.0])
    across = np.array([along[1], -along[0]])
    # The texture's middle is the axis's, and half a width shows beyond either end.
    scale_across = max(shape.width, 1e-3) / looks.SIDE
    scale_along = (length + max(shape.width, 1e-3)) / looks.SIDE
    matrix = np.empty((2, 3))
    matrix[:, 0], matrix[:, 1] = across * scale_across, along * scale_along
    middle = (shape.start + shape.end) / 2 - corner
    matrix[:, 2] = middle - matrix[:, :2] @ np.full(2, (looks.SIDE - 1) / 2)
    shaded = looks.shade(shape.texture, light.direction, across, light.ambient)
    return cv2.warpAffine(
        shaded,
        matrix,
        size[::-1],
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
