"""Outputs of pose proposal networks, cell by cell: what they say, and their mirror.

A cell is a square of stride x stride pixels. Of a cell's channels, the first six for
each part are response, predicted IoU, x, y, width and height; then follow those of limbs,
which start in the cell and end in one of the window around it, a limb next to another.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxpose.objectives import heatmap_grid
from jaxpose.objectives.proposal_parts import Parts

FIELDS = 6


class ProposalMaps(NamedTuple):
    """What a network proposes in each cell (i, j), row and column.

    Attributes:
        response: whether a part of type k is there.
        iou: of the box with the true one.
        box: centre x and y, width and height, in pixels of the canvas.
        limbs: whether a part that starts limb l in the cell and one that ends it in
            cell (i + wi - height // 2, j + wj - width // 2) belong to the same person,
            of a window (height, width).
    """

    response: Float[Array, "b i j k"]
    iou: Float[Array, "b i j k"]
    box: Float[Array, "b i j k 4"]
    limbs: Float[Array, "b i j wi wj l"]


def channels(parts: Parts, window: tuple[int, int]) -> int:
    """How many a cell has."""
    return FIELDS * len(parts) + window[0] * window[1] * len(parts.limbs)


def fields(
    outputs: Float[Array, "b i j c"], parts: Parts, window: tuple[int, int]
) -> tuple[Float[Array, "b i j k 6"], Float[Array, "b i j wi wj l"]]:
    """Channels of parts and of limbs, as the network gives them, in float32 or more.

    Raises: ValueError for another number of channels.
    """
    expected = channels(parts, window)
    if outputs.ndim != 4 or outputs.shape[-1] != expected:
        raise ValueError(
            f"outputs of shape {outputs.shape}, must be (batch, rows, columns, "
            f"{expected}): {FIELDS} for each of {len(parts)} parts of {parts.name} and a "
            f"window of {window} for each of {len(parts.limbs)} limbs; check the "
            "network's parts, limbs and window"
        )
    values = heatmap_grid.at_least_float32(outputs)
    cells, end = values.shape[:3], FIELDS * len(parts)
    return (
        values[..., :end].reshape(*cells, len(parts), FIELDS),
        values[..., end:].reshape(*cells, *window, len(parts.limbs)),
    )


def split(
    outputs: Float[Array, "b i j c"],
    parts: Parts,
    *,
    window: tuple[int, int],
    size: tuple[int, int],
    stride: int,
    origin: float = -0.5,
) -> ProposalMaps:
    """What a network's outputs mean.

    Args:
        window: (height, width) of cells in which limbs end.
        size: (height, width) in pixels that boxes are measured in: the outputs are
            square roots of their shares. Signs of these roots are lost.
        stride: pixels of a cell, along each axis.
        origin: x and y of the pixel where the first cell begins.

    Raises: ValueError for another number of channels.
    """
    of_parts, limbs = fields(outputs, parts, window)
    return ProposalMaps(
        response=of_parts[..., 0],
        iou=of_parts[..., 1],
        box=boxes(of_parts, size=size, stride=stride, origin=origin),
        limbs=limbs,
    )


def boxes(
    of_parts: Float[Array, "b i j k 6"],
    *,
    size: tuple[int, int],
    stride: int,
    origin: float,
) -> Float[Array, "b i j k 4"]:
    """Those of `ProposalMaps`, from channels of parts; arguments as of `split`."""
    center = (of_parts[..., 2:4] + corners(of_parts.shape[1:3])) * stride + origin
    sides = jnp.square(of_parts[..., 4:]) * jnp.array(size[::-1])
    return jnp.concatenate([center, sides], axis=-1)


def overlap(
    one: Float[Array, "4 *#n"], other: Float[Array, "4 *#n"]
) -> Float[Array, "*_"]:
    """Intersection over union of boxes (x, y, width, height) about their centres.

    In 0..1; 0 for two without area.
    """

    def common(axis: int) -> Float[Array, "*_"]:
        half, others = one[axis + 2] / 2, other[axis + 2] / 2
        high = jnp.minimum(one[axis] + half, other[axis] + others)
        low = jnp.maximum(one[axis] - half, other[axis] - others)
        return jnp.maximum(high - low, 0)

    both = common(0) * common(1)
    union = one[2] * one[3] + other[2] * other[3] - both
    return jnp.clip(both / jnp.maximum(union, 1e-10), 0, 1)


def corners(grid: tuple[int, ...]) -> Float[Array, "i j 1 2"]:
    """(column, row) of each cell of a grid of (rows, columns), for parts of it."""
    rows, columns = grid
    cells = jnp.meshgrid(jnp.arange(columns), jnp.arange(rows))
    return jnp.stack(cells, axis=-1)[:, :, None].astype(jnp.float32)


def flip(
    outputs: Float[Array, "b i j c"],
    parts: Parts,
    *,
    window: tuple[int, int],
    stride: int,
    origin: float = -0.5,
) -> Float[Array, "b i j c"]:
    """Outputs for a mirrored canvas as those for the canvas; arguments as of `split`.

    Exact, without a shift: left and right change places in parts and limbs, cells and
    windows are reversed, and so is x within a cell.

    Raises: ValueError for another number of channels.
    """
    of_parts, limbs = fields(outputs, parts, window)
    of_parts = of_parts[:, :, ::-1, jnp.array(parts.flip)]
    # Where cells do not begin at the edge of the canvas, neither do the mirrored ones.
    other_side = 1 - (2 * origin + 1) / stride
    of_parts = of_parts.at[..., 2].set(other_side - of_parts[..., 2])
    limbs = limbs[:, :, ::-1, :, ::-1, jnp.array(parts.limb_flip)]
    cells = outputs.shape[:3]
    return jnp.concatenate(
        [of_parts.reshape(*cells, -1), limbs.reshape(*cells, -1)], axis=-1
    )
