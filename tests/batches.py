"""Small batches from a seed, and photographs on a canvas."""

import jax.numpy as jnp
import numpy as np

from jaxpose import geometry
from jaxpose.skeletons import Skeleton
from jaxpose.types import Batch

# Two keypoints that a mirror exchanges and one that it keeps.
TRIO = Skeleton(
    name="trio", keypoints=("right", "left", "top"), flip=(1, 0, 2), limbs=((0, 1),)
)


def random_batch(n=8, size=(16, 20), k=3, seed=0, dtype=np.uint8) -> Batch:
    """Uniform noise; every fifth keypoint or so is unlabeled, weights are uneven."""
    random = np.random.default_rng(seed)
    image = random.integers(0, 256, (n, *size, 3)).astype(np.uint8)
    if dtype != np.uint8:
        image = (image / 255).astype(dtype)
    keypoints = random.uniform(0, np.array(size[::-1]) - 1, (n, 1, k, 2))
    to_source = np.array([[2.0, 0.0, 5.0], [0.0, 3.0, 7.0]])
    return Batch(
        image=jnp.array(image),
        keypoints=jnp.array(keypoints, jnp.float32),
        visibility=jnp.array(random.choice([0, 1, 2], (n, 1, k), p=[0.2, 0.2, 0.6])),
        scale=jnp.ones((n, 1)),
        weight=jnp.array(random.uniform(0.3, 3.0, n), jnp.float32),
        mask=jnp.ones((n, *size), jnp.uint8),
        to_source=jnp.array(np.tile(to_source, (n, 1, 1)), jnp.float32),
        index=jnp.arange(n),
    )


def stretched(image, size=(224, 224)):
    """A whole image on a canvas as scikit-image 0.13 resizes it."""
    box = geometry.whole_image(np.array(image.shape[:2]))
    to_input = jnp.array(geometry.invert(geometry.stretch(box, size)), image.dtype)
    # scikit-image clips to the input's range, which the zero border can leave.
    return jnp.clip(geometry.warp(image, to_input, size=size), image.min(), image.max())
