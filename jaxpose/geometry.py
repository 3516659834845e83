"""Affine maps, boxes and the bilinear warp; the pixel convention is defined here.

The centre of the top-left pixel is (0, 0), so an image of width w covers x from -0.5 to
w - 0.5. Sizes are (height, width), points are (x, y), boxes are (x0, y0, x1, y1) of the
covered area, and an affine map is the 2 x 3 matrix that takes (x, y, 1) to a point.
"""

from typing import Literal, TypeVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

A = TypeVar("A", Array, np.ndarray)
Affine = Float[np.ndarray, "2 3"]
Border = Literal["zero", "edge"]


def apply(affine: Float[A, "*n 2 3"], points: Float[A, "*n k 2"]) -> Float[A, "*n k 2"]:
    """Maps points; NumPy in, NumPy out, and JAX in, JAX out."""
    x, y = points[..., :1], points[..., 1:]
    column = affine[..., None, :, :]
    return column[..., 0] * x + column[..., 1] * y + column[..., 2]


def compose(outer: Affine, inner: Affine) -> Affine:
    """The map that applies `inner` first."""
    return (_square(outer) @ _square(inner))[:2]


def invert(affine: Affine) -> Affine:
    """Raises: numpy.linalg.LinAlgError if the map flattens the plane."""
    return np.linalg.inv(_square(affine))[:2]


def _square(affine: Affine) -> Float[np.ndarray, "3 3"]:
    return np.vstack([np.asarray(affine, np.float64), [0.0, 0.0, 1.0]])


def whole_image(size: Int[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n 4"]:
    """The box that an image of this (height, width) covers."""
    height, width = np.moveaxis(np.asarray(size), -1, 0)
    start = np.full_like(width, -0.5, dtype=np.float64)
    return np.stack([start, start, width - 0.5, height - 0.5], axis=-1)


def stretch(box: Float[np.ndarray, "4"], size: tuple[int, int]) -> Affine:
    """Maps a box onto a whole canvas, each axis by its own factor.

    Raises: ValueError if the box has no area.
    """
    x0, y0, x1, y1 = box
    if not (x1 > x0 and y1 > y0):
        raise ValueError(f"box {tuple(box)} has no area; x1 > x0 and y1 > y0 must hold")
    height, width = size
    sx, sy = width / (x1 - x0), height / (y1 - y0)
    return np.array([[sx, 0.0, -0.5 - sx * x0], [0.0, sy, -0.5 - sy * y0]])


def tight_box(
    keypoints: Float[np.ndarray, "*n k 2"], labeled: Bool[np.ndarray, "*n k"]
) -> Float[np.ndarray, "*n 4"]:
    """Smallest box around the labeled keypoints.

    Raises: ValueError if a person has none.
    """
    empty = np.flatnonzero(~labeled.any(axis=-1))
    if empty.size:
        raise ValueError(
            f"{empty.size} people, the first number {empty[0]}, have no labeled keypoint "
            "and so no box; leave them out or take the whole image"
        )
    there = labeled[..., None]
    low = np.where(there, keypoints, np.inf).min(axis=-2)
    high = np.where(there, keypoints, -np.inf).max(axis=-2)
    return np.concatenate([low, high], axis=-1).astype(np.float64)


def pad_box(
    box: Float[np.ndarray, "*n 4"], *, padding: float, aspect: float = 0.0
) -> Float[np.ndarray, "*n 4"]:
    """Grows a box about its centre to `padding` times its sides, then to an aspect.

    Args:
        aspect: width / height that the shorter side grows to meet; 0 leaves it. Sides
            under one pixel are taken as one, so that the result has area.
    """
    center = (box[..., :2] + box[..., 2:]) / 2
    sides = np.maximum((box[..., 2:] - box[..., :2]) * padding, 1.0)
    if aspect:
        width, height = sides[..., 0], sides[..., 1]
        sides = np.stack(
            [np.maximum(width, height * aspect), np.maximum(height, width / aspect)], -1
        )
    return np.concatenate([center - sides / 2, center + sides / 2], axis=-1)


def intersect(
    box: Float[np.ndarray, "*n 4"], other: Float[np.ndarray, "*n 4"]
) -> Float[np.ndarray, "*n 4"]:
    """What two boxes share; x1 <= x0 or y1 <= y0 where that is nothing."""
    return np.concatenate(
        [
            np.maximum(box[..., :2], other[..., :2]),
            np.minimum(box[..., 2:], other[..., 2:]),
        ],
        axis=-1,
    )


def warp(
    image: Float[Array, "h w c"],
    to_input: Float[Array, "2 3"],
    *,
    size: tuple[int, int],
    border: Border = "zero",
) -> Float[Array, "height width c"]:
    """Samples an image bilinearly on a new grid, on the device.

    Args:
        to_input: takes pixels of the result to pixels of `image`.
        border: what lies outside the image: `zero`, or `edge` for its nearest pixel.
    """
    grid = jnp.stack(jnp.meshgrid(jnp.arange(size[1]), jnp.arange(size[0])), axis=-1)
    points = apply(to_input, grid.reshape(-1, 2).astype(image.dtype))
    result = jnp.zeros((points.shape[0], image.shape[2]), image.dtype)
    for y, y_weight in _taps(points[:, 1], image.shape[0], border):
        for x, x_weight in _taps(points[:, 0], image.shape[1], border):
            result += image[y, x] * (y_weight * x_weight)[:, None]
    return result.reshape(*size, image.shape[2])


def _taps(
    at: Float[Array, "n"], length: int, border: Border
) -> list[tuple[Int[Array, "n"], Float[Array, "n"]]]:
    """The two grid lines around each coordinate, each with its weight."""
    low = jnp.floor(at)
    taps = []
    for line, weight in ((low, low + 1 - at), (low + 1, at - low)):
        inside = (line >= 0) & (line <= length - 1)
        index = jnp.clip(line, 0, length - 1).astype(jnp.int32)
        taps.append(
            (index, jnp.where(inside, weight, 0) if border == "zero" else weight)
        )
    return taps
