"""Batches of several people a canvas, and outputs that name them without fault."""

import dataclasses

import batches
import jax.numpy as jnp
import numpy as np


def random_crowd(n=4, size=(32, 40), p=5, k=3, seed=0):
    """Up to p people an example, from nobody on; some keypoints lie off the canvas.

    Unlabeled keypoints are nan, and a patch of each canvas is masked.
    """
    random = np.random.default_rng(seed)
    end = np.array(size[::-1])
    keypoints = random.uniform(-0.1 * end, 1.1 * end, (n, p, k, 2))
    visibility = random.choice([0, 1, 2], (n, p, k), p=[0.2, 0.2, 0.6])
    for i in range(n):
        visibility[i, i % (p + 1) :] = 0
    keypoints[visibility == 0] = np.nan
    mask = np.ones((n, *size), np.uint8)
    mask[:, : size[0] // 3, : size[1] // 3] = 0
    return dataclasses.replace(
        batches.random_batch(n, size, k=k, seed=seed),
        keypoints=jnp.array(keypoints, jnp.float32),
        visibility=jnp.array(visibility),
        scale=jnp.ones((n, p)),
        mask=jnp.array(mask),
    )


def perfect_outputs(targets, tags):
    """True maps, and in every cell the tag of whoever is nearest.

    Args:
        tags: of each person, "p d".
    """
    b, h, w, _ = targets.maps.shape
    y, x = np.divmod(np.array(targets.cell), w)
    squares = (np.arange(h)[:, None, None, None] - y[:, None, None]) ** 2 + (
        np.arange(w)[:, None, None] - x[:, None, None]
    ) ** 2
    squares = np.where(np.array(targets.counted)[:, None, None], squares, np.inf)
    nearest = tags[squares.argmin(axis=3)]
    maps = np.moveaxis(nearest, -1, -2).reshape(b, h, w, -1)
    return jnp.concatenate([targets.maps, jnp.array(maps)], axis=-1)[None]
