"""Random colours of whole images, as associative embedding is trained with."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxpose import colors


@dataclasses.dataclass(frozen=True, kw_only=True)
class Photometric:
    """Changes hue, saturation, brightness and contrast, in this order.

    Attributes:
        hue: largest turn, as a share of the circle of colours.
        saturation: S' = a S, a uniform in 1 +- saturation.
        brightness: all channels gain b, uniform in +- brightness.
        contrast: each pixel's channels spread from their mean by c, uniform in
            1 +- contrast: once more a saturation, in spite of its name.

    Source: Newell et al. 2017, their pose-ae-train; values below 0 and above 1 are
    clipped in the end alone.
    """

    hue: float = 0.2
    saturation: float = 0.5
    brightness: float = 0.3
    contrast: float = 0.5

    def __call__(
        self, key: Array, image: Float[Array, "b h w 3"]
    ) -> Float[Array, "b h w 3"]:
        """Images in 0..1, each with draws of its own."""
        draws = jax.random.uniform(key, (len(image), 4), minval=-1.0, maxval=1.0)
        return jax.vmap(self.recolored)(image, draws)

    def recolored(
        self, image: Float[Array, "h w 3"], draws: Float[Array, "4"]
    ) -> Float[Array, "h w 3"]:
        """One image by draws in -1..1, in the order of the attributes."""
        turn, saturation, gain, contrast = draws * jnp.array(
            [self.hue, self.saturation, self.brightness, self.contrast], draws.dtype
        )
        h, s, v = colors.rgb_to_hsv(image)
        s = jnp.clip(s * (1 + saturation), 0, 1)
        image = colors.hsv_to_rgb((h + turn) % 1.0, s, v) + gain
        mean = image.mean(axis=-1, keepdims=True)
        return jnp.clip((image - mean) * (1 + contrast) + mean, 0, 1)
