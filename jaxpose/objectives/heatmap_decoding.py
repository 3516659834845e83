"""From heatmaps to points: the highest cell, refined between cells.

The centre of the top-left cell is (0, 0). A decoder takes maps to points (x, y) in
cells, one a map, and never cuts them to whole numbers.
"""

import dataclasses
import math
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int


@runtime_checkable
class Decoder(Protocol):
    def __call__(self, maps: Float[Array, "b h w k"]) -> Float[Array, "b k 2"]: ...


def highest_cell(maps: Float[Array, "b h w k"]) -> Int[Array, "b k 2"]:
    """(x, y) of the highest cell of each map; the first in reading order of several."""
    b, h, w, k = maps.shape
    number = maps.reshape(b, h * w, k).argmax(axis=1)
    return jnp.stack([number % w, number // w], axis=-1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Quarter:
    """A quarter of a cell from the highest cell to the higher neighbour on each axis.

    No shift between equal neighbours, and none on either axis for a cell at the border
    of the map. A map without a positive cell gives (-1, -1).

    Source: Newell et al. 2016, by the rule of PyTorch-Pose, which then cut the result
    to whole pixels of the photograph.
    """

    def __call__(self, maps: Float[Array, "b h w k"]) -> Float[Array, "b k 2"]:
        cell = highest_cell(maps)
        end = jnp.array([maps.shape[2], maps.shape[1]]) - 1
        interior = ((cell > 0) & (cell < end)).all(axis=-1, keepdims=True)
        slope, _ = _derivatives(_around(maps, cell))
        point = cell + jnp.where(interior, 0.25 * jnp.sign(slope), 0)
        return jnp.where(maps.max(axis=(1, 2))[..., None] > 0, point, -1.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dark:
    """Top of the parabola through the logarithm of the map; exact for a Gaussian.

    Distribution-aware: the map is smoothed, and its logarithm expanded to second order
    at the highest cell of the map as it came. Where that has no top the point stays in
    the cell, and it moves by a cell at most. Beside the border the parabola is that of
    the nearest interior cell, so that the outermost cells are refined too.

    Attributes:
        blur: sigma of the smoothing in cells, best that of the targets; 0 for none.

    Source: Zhang et al., "Distribution-aware coordinate representation for human pose
    estimation", 2020. Its differences span five cells, these three.
    """

    blur: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.blur) and self.blur >= 0):
            raise ValueError(
                f"blur={self.blur} must be 0 or a positive number of cells; take the "
                "sigma of the targets"
            )

    def __call__(self, maps: Float[Array, "b h w k"]) -> Float[Array, "b k 2"]:
        """Raises: ValueError if a side of the maps is under 3 cells."""
        cell = highest_cell(maps)
        # The paper's floor: what is below it has no logarithm worth following.
        log = jnp.log(jnp.maximum(_matched(maps, self.blur), 1e-10))
        slope, bend = _derivatives(_around(log, cell))
        end = jnp.array([maps.shape[2], maps.shape[1]]) - 2
        top = jnp.clip(cell, 1, end) + _newton(slope, bend)
        has_top = _is_top(bend)[..., None]
        return jnp.where(has_top, jnp.clip(top, cell - 1, cell + 1), cell)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Soft:
    """Mean position under weights max(map, 0) ** sharpness: a soft-argmax.

    These weights are the softmax of sharpness x log(map). For a Gaussian away from the
    border the mean is its centre, unless sharpness makes it much narrower than a cell.
    A map without a positive cell gives its highest cell.

    Attributes:
        sharpness: 1 for the centre of mass; more listens to high cells only.
        radius: cells to each side of the highest that count, fewer beside the border,
            so that what counts is symmetric; 3 sigma of the targets is enough. None for
            the whole map, where faint noise far away pulls too, and the border cuts one
            flank off.
    """

    sharpness: float = 1.0
    radius: int | None = 3

    def __post_init__(self) -> None:
        if not (math.isfinite(self.sharpness) and self.sharpness > 0):
            raise ValueError(f"sharpness={self.sharpness} must be positive, such as 1")
        if self.radius is not None and self.radius < 1:
            raise ValueError(
                f"radius={self.radius} must be 1 cell or more; None for the whole map"
            )

    def __call__(self, maps: Float[Array, "b h w k"]) -> Float[Array, "b k 2"]:
        cell = highest_cell(maps)
        highest = maps.max(axis=(1, 2), keepdims=True)
        # A power of heights beyond 1 may be infinite, one of small heights 0.
        share = jnp.maximum(maps, 0) / jnp.where(highest > 0, highest, 1)
        weight = share**self.sharpness
        x = jnp.arange(maps.shape[2])
        y = jnp.arange(maps.shape[1])
        if self.radius is not None:
            near_x = _near(cell[..., 0], maps.shape[2], self.radius)[:, None]
            near_y = _near(cell[..., 1], maps.shape[1], self.radius)[:, :, None]
            weight = jnp.where(near_x & near_y, weight, 0)
        total = weight.sum(axis=(1, 2))
        safe = jnp.where(total > 0, total, 1)
        mean_x = (weight.sum(axis=1) * x[:, None]).sum(axis=1) / safe
        mean_y = (weight.sum(axis=2) * y[:, None]).sum(axis=1) / safe
        point = jnp.stack([mean_x, mean_y], axis=-1)
        return jnp.where(total[..., None] > 0, point, cell)


def _near(cell: Int[Array, "b k"], length: int, radius: int) -> Bool[Array, "b n k"]:
    """Cells of an axis within the radius, and within the distance to its nearer end."""
    reach = jnp.minimum(radius, jnp.minimum(cell, length - 1 - cell))
    distance = jnp.abs(jnp.arange(length)[:, None] - cell[:, None])
    return distance <= reach[:, None]


def _around(
    maps: Float[Array, "b h w k"], cell: Int[Array, "b k 2"]
) -> Float[Array, "b k 3 3"]:
    """The 3 x 3 cells around a cell, or around the nearest one that is not at a border.

    Raises: ValueError if a side of the maps is under 3 cells.
    """
    h, w = maps.shape[1:3]
    if min(h, w) < 3:
        raise ValueError(
            f"maps of {(h, w)} cells have no cell with neighbours on all sides; both "
            "sides must be 3 or more: use a larger canvas or a smaller stride"
        )

    def cut(plane: Float[Array, "h w"], cell: Int[Array, "2"]) -> Array:
        # Starts beyond the last window that fits are moved to it, at both ends.
        corner = jnp.maximum(cell - 1, 0)
        return jax.lax.dynamic_slice(plane, (corner[1], corner[0]), (3, 3))

    return jax.vmap(jax.vmap(cut))(maps.transpose(0, 3, 1, 2), cell)


def _derivatives(
    around: Float[Array, "b k 3 3"],
) -> tuple[Float[Array, "b k 2"], Float[Array, "b k 2 2"]]:
    """Slope and second derivatives at the middle cell, by central differences."""
    left, here, right = around[..., 1, 0], around[..., 1, 1], around[..., 1, 2]
    up, down = around[..., 0, 1], around[..., 2, 1]
    corners = around[..., ::2, ::2]
    twist = corners[..., 1, 1] - corners[..., 1, 0] - corners[..., 0, 1]
    xy = (twist + corners[..., 0, 0]) / 4
    xx, yy = left - 2 * here + right, up - 2 * here + down
    slope = jnp.stack([right - left, down - up], axis=-1) / 2
    bend = jnp.stack([jnp.stack([xx, xy], -1), jnp.stack([xy, yy], -1)], -2)
    return slope, bend


def _is_top(bend: Float[Array, "b k 2 2"]) -> Bool[Array, "b k"]:
    """Whether the parabola falls off to all sides."""
    determinant = bend[..., 0, 0] * bend[..., 1, 1] - bend[..., 0, 1] ** 2
    return (bend[..., 0, 0] < 0) & (determinant > 0)


def _newton(
    slope: Float[Array, "b k 2"], bend: Float[Array, "b k 2 2"]
) -> Float[Array, "b k 2"]:
    """From the point of expansion to where the slope is 0; anything if there is none."""
    xx, xy, yy = bend[..., 0, 0], bend[..., 0, 1], bend[..., 1, 1]
    determinant = xx * yy - xy**2
    safe = jnp.where(determinant == 0, 1, determinant)
    x, y = slope[..., 0], slope[..., 1]
    return jnp.stack([xy * y - yy * x, xy * x - xx * y], axis=-1) / safe[..., None]


def _matched(maps: Float[Array, "b h w k"], blur: float) -> Float[Array, "b h w k"]:
    """How well a Gaussian centred on each cell matches the map, up to a factor.

    Away from the border it is the map, smoothed. Near it, dividing by the norm of the
    part of the Gaussian that is left keeps the best match at the true centre, where
    plain smoothing pulls it inward by half a cell and more.
    """
    if not blur:
        return maps
    rows, columns = (_gaussians(n, blur, maps.dtype) for n in maps.shape[1:3])
    # Matrix products, because they run well everywhere; at full precision, because a
    # GPU's default keeps 11 bits, and the logarithm's differences are small.
    highest = jax.lax.Precision.HIGHEST
    down = jnp.einsum("ih,bhwk->biwk", rows, maps, precision=highest)
    return jnp.einsum("jw,biwk->bijk", columns, down, precision=highest)


def _gaussians(length: int, sigma: float, dtype: np.dtype) -> Float[Array, "n n"]:
    """A Gaussian around every cell of an axis, each of norm 1."""
    cells = np.arange(length)
    rows = np.exp(-((cells[:, None] - cells) ** 2) / (2 * sigma**2))
    return jnp.array(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype)
