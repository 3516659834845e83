"""Pixel statistics that ImageNet networks expect."""

import jax.numpy as jnp
from jaxtyping import Array, Float

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def normalize(
    image: Float[Array, "b h w 3"],
    mean: tuple[float, float, float] = MEAN,
    std: tuple[float, float, float] = STD,
) -> Float[Array, "b h w 3"]:
    """RGB in 0..1 to zero mean and unit variance over ImageNet, a channel.

    Args:
        mean, std: of other photographs than ImageNet's.
    """
    return (image - jnp.array(mean)) / jnp.array(std)
