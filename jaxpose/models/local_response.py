"""Local response normalization across channels, as in AlexNet."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

RADIUS = 2
# Of the sum of squares; Caffe, which takes their mean, calls it 1e-4.
ALPHA = 2e-5


def normalize(x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
    """x / (1 + ALPHA s)^(3/4), where s sums x^2 over channels up to RADIUS away.

    Beyond the first and the last channel are zeros.

    Source: Krizhevsky, Sutskever and Hinton 2012, section 3.3, with Caffe's constants.
    """
    # Sums of squares need more than the 8 bits of bfloat16.
    wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    scale = 1 + ALPHA * _window_sum(jnp.square(wide))
    # Roots are three times faster than a power.
    return (wide * jax.lax.rsqrt(scale * jnp.sqrt(scale))).astype(x.dtype)


def _window_sum(x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
    # On CPU, backward, ten times faster than shifted slices, and seven times faster than
    # a product with a banded matrix: 21 ms against 201 and 146 for eight 57 x 57 x 96.
    return jax.lax.reduce_window(
        x,
        0.0,
        jax.lax.add,
        window_dimensions=(1, 1, 1, 2 * RADIUS + 1),
        window_strides=(1, 1, 1, 1),
        padding=((0, 0), (0, 0), (0, 0), (RADIUS, RADIUS)),
    )
