"""Keypoints drawn as peaks on a grid of cells; the shapes and windows that peaks have.

The centre of the top-left cell is (0, 0), and lengths are in cells. A kernel takes a
squared distance and sigma to a height. A window takes centres along one axis, sigma and
the number of cells to the offset of every cell from the centre, whether the peak is
drawn there, and whether any of the axis is within its reach.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

Scalar = Float[Array, ""]
Kernel = Callable[[Float[Array, "b h w k"], Scalar], Float[Array, "b h w k"]]
Axis = tuple[Float[Array, "b n k"], Bool[Array, "b n k"], Bool[Array, "b k"]]
Window = Callable[[Float[Array, "b k"], Scalar, int], Axis]


def draw(
    centers: Float[Array, "b k 2"],
    sigma: Scalar,
    *,
    size: tuple[int, int],
    kernel: Kernel,
    window: Window,
) -> tuple[Float[Array, "b h w k"], Bool[Array, "b k"]]:
    """One map a keypoint, and which keypoints are near enough to have one.

    A keypoint beyond the grid has the flank that reaches in, or an empty map.

    Args:
        centers: (x, y) in cells; finite.
        size: (height, width) in cells.
    """
    y, y_drawn, y_reached = window(centers[..., 1], sigma, size[0])
    x, x_drawn, x_reached = window(centers[..., 0], sigma, size[1])
    heights = kernel(y[:, :, None] ** 2 + x[:, None] ** 2, sigma)
    drawn = y_drawn[:, :, None] & x_drawn[:, None]
    return jnp.where(drawn, heights, 0), y_reached & x_reached


def draw_people(
    centers: Float[Array, "b p k 2"],
    counted: Bool[Array, "b p k"],
    sigma: Scalar,
    *,
    size: tuple[int, int],
    window: Window,
) -> Float[Array, "b h w k"]:
    """One map a keypoint, in each cell the height of the highest of p Gaussian peaks.

    Args:
        centers: (x, y) in cells; finite.
        counted: which of them have a peak.
        size: (height, width) in cells.
    """

    def flank(center: Float[Array, "b k"], length: int) -> Float[Array, "b n k"]:
        offset, drawn, _ = window(center, sigma, length)
        return jnp.where(drawn, gaussian(offset**2, sigma), 0)

    # One person after another: all maps at once take p times the memory, and XLA took
    # 17 times as long on CPU. A Gaussian is the product of its flanks.
    def add(
        maps: Float[Array, "b h w k"],
        person: tuple[Float[Array, "b k 2"], Bool[Array, "b k"]],
    ) -> tuple[Float[Array, "b h w k"], None]:
        center, there = person
        y = flank(center[..., 1], size[0]) * there[:, None]
        x = flank(center[..., 0], size[1])
        return jnp.maximum(maps, y[:, :, None] * x[:, None]), None

    b, _, k, _ = centers.shape
    people = (centers.swapaxes(0, 1), counted.swapaxes(0, 1))
    maps, _ = jax.lax.scan(add, jnp.zeros((b, *size, k), centers.dtype), people)
    return maps


def gaussian(squared: Float[Array, "*n"], sigma: Scalar) -> Float[Array, "*n"]:
    """1 at the centre."""
    return jnp.exp(-squared / (2 * sigma**2))


def cauchy(squared: Float[Array, "*n"], sigma: Scalar) -> Float[Array, "*n"]:
    """1 at the centre, with tails that fall as the third power of the distance."""
    return (1 + squared / sigma**2) ** -1.5


def cauchy_density(squared: Float[Array, "*n"], sigma: Scalar) -> Float[Array, "*n"]:
    """1 / sigma^2 at the centre: 2 pi times the density, as PyTorch-Pose draws it."""
    return sigma / (squared + sigma**2) ** 1.5


def smooth(center: Float[Array, "b k"], sigma: Scalar, length: int) -> Axis:
    """No cut; a centre up to 3 sigma beyond the outermost cell is within reach."""
    cells = jnp.arange(length, dtype=center.dtype)
    offset = cells[:, None] - center[:, None]
    reached = (center >= -3 * sigma) & (center <= length - 1 + 3 * sigma)
    return offset, jnp.ones_like(offset, bool), reached


def wide_patch(center: Float[Array, "b k"], sigma: Scalar, length: int) -> Axis:
    """Cut to the cells no farther than 3 sigma + 1, as pose-ae-train does."""
    cells = jnp.arange(length, dtype=center.dtype)
    offset = cells[:, None] - center[:, None]
    drawn = jnp.abs(offset) <= 3 * sigma + 1
    return offset, drawn, drawn.any(axis=1)


def patch(center: Float[Array, "b k"], sigma: Scalar, length: int) -> Axis:
    """Cut to a patch 6 sigma + 1 cells wide around the cell nearest to the centre.

    At whole centres it is PyTorch-Pose's, where int() rounds the ends of the patch
    toward zero: with a sigma that is no multiple of 1/3 the patch is not symmetric, and
    one that begins left of the first cell is moved, peak and all, by a cell.
    """
    return _paste(center, sigma, length, left_out=0)


def short_patch(center: Float[Array, "b k"], sigma: Scalar, length: int) -> Axis:
    """`patch` without its last row and column, as hgpose forgets them."""
    return _paste(center, sigma, length, left_out=1)


def _paste(
    center: Float[Array, "b k"], sigma: Scalar, length: int, *, left_out: int
) -> Axis:
    cells = jnp.arange(length, dtype=center.dtype)[:, None]
    cell = jnp.round(center)
    start = jnp.trunc(cell - 3 * sigma)
    stop = jnp.trunc(cell + 3 * sigma + 1)
    number = cells - start[:, None]
    offset = number - jnp.floor((6 * sigma + 1) / 2) - (center - cell)[:, None]
    last = jnp.minimum(stop - start, jnp.ceil(6 * sigma + 1)) - left_out
    drawn = (number >= 0) & (number < last[:, None])
    # One cell too generous where the patch ends before the first cell, as there.
    reached = (start < length) & (stop >= 0)
    return offset, drawn, reached
