"""What pose proposal networks should say of labeled people, cell by cell."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxpose.objectives.proposal_parts import Parts


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Found:
    """Parts of each person.

    Attributes:
        box: centre x and y, width and height, in pixels of the canvas.
        there: whether the keypoints tell the part; the box of others means nothing.
    """

    box: Float[Array, "b p k 4"]
    there: Bool[Array, "b p k"]


def find(
    keypoints: Float[Array, "b p n 2"],
    labeled: Bool[Array, "b p n"],
    head: Float[Array, "b p"],
    parts: Parts,
    *,
    canvas: tuple[int, int],
    one_end_labeled: bool = False,
) -> Found:
    """Boxes of parts from keypoints, as `Part` tells.

    Args:
        head: size of each person's, pixels.
        canvas: (height, width) in pixels.
        one_end_labeled: as of `Proposals`.
    """
    index, member = _groups(parts)
    around = jnp.array([part.around for part in parts.parts])[:, None]
    # Unlabeled coordinates may be anything, even infinite.
    finite = jnp.where(jnp.isfinite(keypoints), keypoints, 0)
    points = finite[:, :, index]
    known = labeled[:, :, index] & member
    end = jnp.array(canvas[::-1]) - 0.5
    inside = ((points >= -0.5) & (points < end)).all(axis=-1)
    boxed = known & (inside | ~around)
    there = jnp.where(around[:, 0], boxed.any(axis=-1), (known | ~member).all(axis=-1))
    if one_end_labeled:
        boxed = jnp.where(around, boxed, member)
        there = jnp.where(around[:, 0], there, known[..., 0])
    low = jnp.where(boxed[..., None], points, jnp.inf).min(axis=3)
    high = jnp.where(boxed[..., None], points, -jnp.inf).max(axis=3)
    length = jnp.array([part.size for part in parts.parts]) * head[..., None]
    sides = jnp.where(around, high - low, 0) + length[..., None]
    box = jnp.concatenate([(low + high) / 2, sides], axis=-1)
    return Found(box=jnp.where(there[..., None], box, 0), there=there)


def _groups(parts: Parts) -> tuple[Int[np.ndarray, "k m"], Bool[np.ndarray, "k m"]]:
    """Keypoints of each part, and which of the m places it uses."""
    most = max(len(part.keypoints) for part in parts.parts)
    index = np.zeros((len(parts), most), int)
    member = np.zeros((len(parts), most), bool)
    for number, part in enumerate(parts.parts):
        index[number, : len(part.keypoints)] = part.keypoints
        member[number, : len(part.keypoints)] = True
    return index, member


def largest_last(found: Found, head: Float[Array, "b p"]) -> Found:
    """People from the smallest head to the largest; of equal ones the first is last."""
    order = head.shape[1] - 1 - jnp.argsort(head[:, ::-1], axis=1, stable=True)
    return Found(
        box=jnp.take_along_axis(found.box, order[:, :, None, None], axis=1),
        there=jnp.take_along_axis(found.there, order[:, :, None], axis=1),
    )


def owners(
    found: Found, *, grid: tuple[int, int], stride: int, origin: float
) -> Int[Array, "b i j k"]:
    """Whose part is in a cell; -1 for nobody's. Of several people's it is the last's."""
    b, p, k = found.there.shape
    cell = jnp.floor((found.box[..., :2] - origin) / stride)
    on_grid = ((cell >= 0) & (cell < jnp.array(grid[::-1]))).all(axis=-1)
    person = jnp.where(found.there & on_grid, jnp.arange(p)[:, None], -1)
    column, row = jnp.moveaxis(jnp.where(on_grid[..., None], cell, 0), -1, 0)
    example = jnp.arange(b)[:, None, None]
    at = (example, row.astype(jnp.int32), column.astype(jnp.int32), jnp.arange(k))
    return jnp.full((b, *grid, k), -1).at[at].max(person)


def boxes_of(found: Found, owner: Int[Array, "b i j k"]) -> Float[Array, "b i j k 4"]:
    """Of each cell its owner's; of others 0."""
    b, *cells, k = owner.shape
    index = jnp.maximum(owner, 0).reshape(b, -1, k, 1)
    box = jnp.take_along_axis(found.box, index, axis=1).reshape(b, *cells, k, 4)
    return jnp.where(owner[..., None] >= 0, box, 0)


def limbs_of(
    owner: Int[Array, "b i j k"], parts: Parts, window: tuple[int, int]
) -> tuple[Bool[Array, "b i j wi wj l"], Bool[Array, "b i j wi wj l"]]:
    """Which pairs of cells a limb joins, and which of them tell anything.

    A pair tells if a part that starts the limb is in one cell, or a part that ends it in
    the other.
    """
    start, end = np.array(parts.limbs).T
    starts = owner[..., start][:, :, :, None, None]
    ends = _windows(owner[..., end], window)
    return (starts >= 0) & (starts == ends), (starts >= 0) | (ends >= 0)


def _windows(
    owner: Int[Array, "b i j l"], window: tuple[int, int]
) -> Int[Array, "b i j wi wj l"]:
    """The cells around each cell; nobody's beyond the grid."""
    margin = [(0, 0), *((side // 2, side // 2) for side in window), (0, 0)]
    padded = jnp.pad(owner, margin, constant_values=-1)
    row, column = (
        np.arange(cells)[:, None] + np.arange(side)
        for cells, side in zip(owner.shape[1:3], window)
    )
    return padded[:, row[:, None, :, None], column[None, :, None, :]]
