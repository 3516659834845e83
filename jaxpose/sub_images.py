"""Square boxes around keypoints, each shown as a small image of its own.

Source: DeepPose (Toshev and Szegedy 2014, section 3.2), whose later stages look there.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxpose import geometry
from jaxpose.types import Batch

# The torso's diagonal over that of the box around all labeled keypoints: its median is
# 0.33 on LSP 1-1000 and 0.34 on LSPET.
TYPICAL = 1 / 3


def body_size(
    keypoints: Float[Array, "b k 2"],
    labeled: Bool[Array, "b k"],
    torso: tuple[int, int],
) -> Float[Array, "b"]:
    """What boxes are measured in: the torso's diagonal, in the unit of the keypoints.

    It is at least `TYPICAL` of the diagonal of the box around all labeled keypoints: a
    torso seen from above, one that is estimated badly, or one with an unlabeled end says
    little. With one labeled keypoint or none the size is 0.

    Args:
        torso: numbers of two opposite corners, as left shoulder and right hip.
    """
    there = labeled[..., None]
    low = jnp.where(there, keypoints, jnp.inf).min(axis=1)
    high = jnp.where(there, keypoints, -jnp.inf).max(axis=1)
    span = jnp.where(labeled.any(axis=1)[:, None], high - low, 0.0)
    extent = jnp.sqrt(jnp.square(span).sum(axis=-1))
    ends = jnp.array(torso)
    known = labeled[:, ends].all(axis=1)[:, None]
    torso_span = jnp.where(known, keypoints[:, ends[0]] - keypoints[:, ends[1]], 0.0)
    diagonal = jnp.sqrt(jnp.square(torso_span).sum(axis=-1))
    return jnp.maximum(diagonal, TYPICAL * extent)


def to_canvas(
    center: Float[Array, "*n 2"], sides: Float[Array, "*n 2"], size: tuple[int, int]
) -> Float[Array, "*n 2 3"]:
    """From pixels of a (height, width) image of a box to pixels of the canvas.

    Args:
        center: of the box, in pixels of the canvas, as are its (horizontal, vertical)
            sides, which are taken as one pixel at least.
    """
    sides = jnp.maximum(sides, 1.0)
    pixel = sides / jnp.array(size[::-1], sides.dtype)
    start = center - sides / 2 + pixel / 2
    x, y = pixel[..., 0], pixel[..., 1]
    zero = jnp.zeros_like(x)
    rows = [
        jnp.stack([x, zero, start[..., 0]], -1),
        jnp.stack([zero, y, start[..., 1]], -1),
    ]
    return jnp.stack(rows, axis=-2)


def look(
    image: Float[Array, "b h w c"],
    boxes: Float[Array, "b m 2 3"],
    size: tuple[int, int],
) -> Float[Array, "n height width c"]:
    """The boxes' images, those of an example side by side; black outside the canvas."""

    def one(image: Float[Array, "h w c"], box: Float[Array, "2 3"]) -> Array:
        return geometry.warp(image, box, size=size)

    found = jax.vmap(jax.vmap(one, (None, 0)))(image, boxes)
    return found.reshape(-1, *found.shape[2:])


def examples(
    batch: Batch,
    boxes: Float[Array, "b m 2 3"],
    which: Int[Array, "b m"],
    size: tuple[int, int],
) -> Batch:
    """A batch of the boxes' images, one person each; of the keypoints one is labeled.

    Args:
        which: the keypoint that each box is about.
    """
    only = which[..., None] == jnp.arange(batch.keypoints.shape[2])
    visibility = jnp.where(only, batch.visibility, 0)
    mask = batch.mask[..., None].astype(batch.image.dtype)
    images = look(batch.image, boxes, size), look(mask, boxes, size)
    return _in_boxes(batch, boxes, visibility, *images)


def whole(batch: Batch, size: tuple[int, int]) -> Batch:
    """The canvases themselves, stretched to another (height, width) if they differ."""
    height, width = batch.image.shape[1:3]
    if (height, width) == size:
        return batch
    mask = batch.mask[..., None].astype(batch.image.dtype)
    images = stretch(batch.image, size), stretch(mask, size)
    sides = jnp.array([width, height], batch.keypoints.dtype)
    box = to_canvas((sides - 1) / 2, sides, size)
    boxes = jnp.broadcast_to(box, (len(batch.image), 1, 2, 3))
    return _in_boxes(batch, boxes, batch.visibility, *images)


def stretch(
    image: Float[Array, "b h w c"], size: tuple[int, int]
) -> Float[Array, "b height width c"]:
    """Whole images at another (height, width), antialiased."""
    shape = (image.shape[0], *size, image.shape[3])
    return jax.image.resize(image, shape, "linear")


def _in_boxes(
    batch: Batch,
    boxes: Float[Array, "b m 2 3"],
    visibility: Int[Array, "b m k"],
    image: Float[Array, "n h w 3"],
    mask: Float[Array, "n h w 1"],
) -> Batch:
    """What a batch says, in pixels of the boxes' images."""
    pixel = jnp.stack([boxes[..., 0, 0], boxes[..., 1, 1]], axis=-1)
    start = boxes[..., 2]
    keypoints = (batch.keypoints - start[:, :, None]) / pixel[:, :, None]
    linear = batch.to_source[:, None, :, :2] * pixel[:, :, None]
    corner = geometry.apply(batch.to_source, start)
    m, k = visibility.shape[1:]
    return Batch(
        image=image,
        keypoints=keypoints.reshape(-1, 1, k, 2),
        visibility=visibility.reshape(-1, 1, k),
        scale=(batch.scale / jnp.sqrt(pixel.prod(axis=-1))).reshape(-1, 1),
        weight=jnp.repeat(batch.weight, m),
        mask=mask[..., 0],
        to_source=jnp.concatenate([linear, corner[..., None]], -1).reshape(-1, 2, 3),
        index=jnp.repeat(batch.index, m),
    )
