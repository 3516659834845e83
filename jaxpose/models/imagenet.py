"""Pixel statistics that ImageNet networks expect."""

import jax.numpy as jnp
from jaxtyping import Array, Float

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def normalize(image: Float[Array, "b h w 3"]) -> Float[Array, "b h w 3"]:
    """RGB in 0..1 to zero mean and unit variance over ImageNet, a channel."""
    return (image - jnp.array(MEAN)) / jnp.array(STD)
