"""What heatmaps share: their grid of cells, and its mirror.

A cell is a square of stride x stride pixels, so that cell c is centred on pixel
(c + 0.5) x stride - 0.5. Outputs are "s b h w k", one set of maps from each of s stacks.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Shaped

from jaxpose.objectives import heatmap_decoding
from jaxpose.skeletons import Skeleton
from jaxpose.types import Batch, Poses


def check_canvas(size: tuple[int, int], stride: int) -> None:
    """Raises: ValueError if a canvas does not divide into cells."""
    if stride < 1 or any(side % stride for side in size):
        raise ValueError(
            f"a canvas of {size} does not divide into cells of stride={stride}; make "
            "both sides multiples of it"
        )


def check_sigma(sigma: float) -> None:
    """Raises: ValueError if peaks cannot be as wide."""
    if not 0 < sigma < math.inf:
        raise ValueError(
            f"sigma={sigma} must be a positive number of cells, such as 1.0"
        )


def check_batch(batch: Batch, size: tuple[int, int]) -> None:
    """Raises: ValueError for canvases of another size, or with several people."""
    if batch.image.shape[1:3] != size or batch.keypoints.shape[1] != 1:
        raise ValueError(
            f"a canvas of {batch.image.shape[1:3]} with {batch.keypoints.shape[1]} "
            f"people; this objective takes one person on a canvas of {size}: give data "
            "and objective the same size"
        )


def check_outputs(
    outputs: Float[Array, "s b h w k"], maps: Float[Array, "b h w k"]
) -> None:
    """Raises: ValueError if outputs and target maps differ in shape."""
    if outputs.ndim != 5 or outputs.shape[1:] != maps.shape:
        raise ValueError(
            f"outputs of shape {outputs.shape} for targets of {maps.shape}; they must "
            "be (stacks, batch, height, width, keypoints) in cells: check the network's "
            "keypoints and stride"
        )


def cells(size: tuple[int, int], stride: int) -> tuple[int, int]:
    """(height, width) of the grid."""
    return size[0] // stride, size[1] // stride


def to_cells(pixels: Float[Array, "*n 2"], stride: int) -> Float[Array, "*n 2"]:
    """Positions on the canvas, as positions on the grid."""
    return (pixels + 0.5) / stride - 0.5


def to_pixels(cells: Float[Array, "*n 2"], stride: int) -> Float[Array, "*n 2"]:
    """Undoes `to_cells`."""
    return (cells + 0.5) * stride - 0.5


def shown(mask: Shaped[Array, "b y x"], stride: int) -> Float[Array, "b h w"]:
    """Of each cell, the share where the mask is 1."""
    b, y, _ = mask.shape
    blocks = mask.astype(jnp.float32).reshape(b, y // stride, stride, -1, stride)
    return blocks.mean(axis=(2, 4))


def touched(
    mask: Shaped[Array, "b y x"], size: tuple[int, int]
) -> Bool[Array, "b h w"]:
    """Cells of a grid of any (height, width) in which a pixel has the mask 1."""
    b, height, width = mask.shape
    row = jnp.arange(height) * size[0] // height
    column = jnp.arange(width) * size[1] // width
    return jnp.zeros((b, *size), bool).at[:, row[:, None], column].max(mask > 0)


def resize(
    maps: Float[Array, "b _ _ k"], size: tuple[int, int]
) -> Float[Array, "b h w k"]:
    """Maps of the same canvas on a grid of other cells.

    Bilinear between the middles of cells, as OpenCV does it; not smoothed first.
    """
    shape = (len(maps), *size, maps.shape[-1])
    return jax.image.resize(maps, shape, "bilinear", antialias=False)


def at_least_float32(outputs: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """bfloat16 would lose what small errors add, and positions between cells."""
    return outputs.astype(jnp.promote_types(outputs.dtype, jnp.float32))


def poses(
    maps: Float[Array, "b h w k"], decoder: heatmap_decoding.Decoder, stride: int
) -> Poses:
    """Pixels of the canvas, not cut to whole numbers.

    The score of a keypoint is its map's highest value, that of a person their mean.
    """
    scores = maps.max(axis=(1, 2))
    return Poses(
        keypoints=to_pixels(decoder(maps), stride)[:, None],
        scores=scores[:, None],
        person_scores=scores.mean(axis=1, keepdims=True),
    )


def flip(
    outputs: Float[Array, "s b h w k"], skeleton: Skeleton
) -> Float[Array, "s b h w k"]:
    """Exact, without a shift: the canvas and its grid of cells mirror alike.

    Raises: ValueError if the skeleton has another number of keypoints.
    """
    if outputs.shape[-1] != len(skeleton.flip):
        raise ValueError(
            f"outputs of shape {outputs.shape} have {outputs.shape[-1]} maps, the "
            f"skeleton {skeleton.name} has {len(skeleton.flip)} keypoints; give the "
            "skeleton of the network"
        )
    return outputs[:, :, :, ::-1][..., jnp.array(skeleton.flip)]
