"""Colours as hue, saturation and value; all in 0..1."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def rgb_to_hsv(
    image: Float[Array, "*n 3"],
) -> tuple[Float[Array, "*n"], Float[Array, "*n"], Float[Array, "*n"]]:
    """Hue in [0, 1), saturation and value in 0..1; grey has hue 0, black saturation 0.

    Where two channels share the maximum, blue wins over green and green over red.
    """
    r, g, b = image[..., 0], image[..., 1], image[..., 2]
    high = image.max(axis=-1)
    spread = high - image.min(axis=-1)
    safe = jnp.where(spread > 0, spread, 1)
    sextant = jnp.where(
        b == high,
        4 + (r - g) / safe,
        jnp.where(g == high, 2 + (b - r) / safe, (g - b) / safe),
    )
    hue = jnp.where(spread > 0, (sextant / 6) % 1.0, 0.0)
    return hue, jnp.where(high > 0, spread / jnp.where(high > 0, high, 1), 0.0), high


def hsv_to_rgb(
    hue: Float[Array, "*n"], saturation: Float[Array, "*n"], value: Float[Array, "*n"]
) -> Float[Array, "*n 3"]:
    """Inverse of `rgb_to_hsv`; hue 1 is red, like hue 0."""
    offset = jnp.array([5.0, 3.0, 1.0], hue.dtype)
    k = (offset + hue[..., None] * 6) % 6
    ramp = jnp.clip(jnp.minimum(k, 4 - k), 0, 1)
    return value[..., None] * (1 - saturation[..., None] * ramp)
