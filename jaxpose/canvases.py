"""Boxes of photographs, stretched to the fixed size that networks see."""

from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

from jaxpose import geometry, prepared

# What is repeated or blended with where bilinear interpolation looks over a border.
Border = Literal["edge", "zero", "box"]


def cut(
    jpeg: bytes,
    box: Float[np.ndarray, "4"],
    *,
    size: Int[np.ndarray, "2"],
    canvas_size: tuple[int, int],
    border: Border = "edge",
    antialias: bool = True,
    pixel: float = 1.0,
) -> tuple[
    UInt8[np.ndarray, "h w 3"], UInt8[np.ndarray, "h w"], Float[np.ndarray, "2 3"]
]:
    """Cuts a box out of a photograph and stretches it to a canvas.

    Args:
        size: (height, width) that the annotations state.
        border: as in `data.Data`.
        antialias: decode a photograph that shrinks to half or less at reduced size.
        pixel: the photograph is first shrunk by this factor, and not antialiased.

    Returns:
        RGB canvas, black where the photograph ends; mask, 1 inside the photograph; the
        map from source to canvas pixels.

    Raises: ValueError if the JPEG cannot be decoded or has another size.
    """
    to_canvas = geometry.stretch(box, canvas_size)
    factor = _reduction(to_canvas) if antialias and pixel == 1 else 1
    image = _decode(jpeg, factor, size)
    if pixel > 1:
        scale = 1 / pixel
        image = cv2.resize(
            image, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR
        )
    from_image = geometry.compose(to_canvas, _enlarge(factor * pixel))
    if border == "box":
        image, from_image = _trim(image, from_image, canvas_size)
    canvas = cv2.warpAffine(
        image,
        from_image,
        canvas_size[::-1],
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT if border == "zero" else cv2.BORDER_REPLICATE,
    )
    mask = _inside(to_canvas, size, canvas_size)
    return canvas * mask[..., None], mask, to_canvas


def _reduction(to_canvas: Float[np.ndarray, "2 3"]) -> int:
    """How many times smaller a photograph may be decoded."""
    shrink = 1 / max(to_canvas[0, 0], to_canvas[1, 1])
    return max((factor for factor in (2, 4, 8) if shrink >= factor), default=1)


def _decode(
    jpeg: bytes, factor: int, size: Int[np.ndarray, "2"]
) -> UInt8[np.ndarray, "h w 3"]:
    image = prepared.decode(jpeg, factor)
    if image.shape[:2] != tuple(-(-int(side) // factor) for side in size):
        raise ValueError(
            f"decoded at 1/{factor} it is {image.shape[:2]}, the record says {tuple(size)}"
        )
    return image


def _enlarge(factor: float) -> Float[np.ndarray, "2 3"]:
    """Maps pixels of an image at 1 / factor of its size to pixels of the full one."""
    return np.array([[factor, 0, (factor - 1) / 2], [0, factor, (factor - 1) / 2]])


def _trim(
    image: UInt8[np.ndarray, "h w 3"],
    to_canvas: Float[np.ndarray, "2 3"],
    canvas_size: tuple[int, int],
) -> tuple[UInt8[np.ndarray, "height width 3"], Float[np.ndarray, "2 3"]]:
    """The pixels that a canvas touches alone, and their map to it."""
    corners = geometry.whole_image(np.array(canvas_size)).reshape(2, 2)
    # Rounded, so that a box of whole pixels touches no others.
    near, far = np.round(geometry.apply(geometry.invert(to_canvas), corners) + 0.5, 6)
    end = np.array(image.shape[1::-1])
    x0, y0 = first = np.clip(np.floor(near), 0, end - 1).astype(int)
    x1, y1 = np.clip(np.ceil(far), first + 1, end).astype(int)
    start = np.array([[1.0, 0.0, x0], [0.0, 1.0, y0]])
    return image[y0:y1, x0:x1], geometry.compose(to_canvas, start)


def _inside(
    to_canvas: Float[np.ndarray, "2 3"],
    size: Int[np.ndarray, "2"],
    canvas_size: tuple[int, int],
) -> UInt8[np.ndarray, "h w"]:
    """1 where a canvas pixel's centre lies in the photograph."""
    x0, y0, x1, y1 = geometry.apply(
        to_canvas, geometry.whole_image(size).reshape(2, 2)
    ).ravel()
    rows, columns = np.arange(canvas_size[0]), np.arange(canvas_size[1])
    inside = ((rows >= y0) & (rows <= y1))[:, None] & (
        (columns >= x0) & (columns <= x1)
    )
    return inside.astype(np.uint8)
