"""Coordinates by one linear layer on the features of a trunk.

Source: the last layer of DeepPose (Toshev and Szegedy 2014); on a residual network it
takes the place of the classifier.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

# Outputs of a hundredth of the features' size, however many there are: a fresh network
# says about the centre of the canvas.
near_zero = nn.initializers.variance_scaling(1e-4, "fan_in", "truncated_normal")


class Regressor(nn.Module):
    """Images, RGB in 0..1, to (x, y) of each keypoint, without bounds.

    The trunk computes in its own dtype; the last layer, of which a pixel is a small
    part, in float32 at least.

    Attributes:
        num_keypoints: k.
        trunk: image to features, a vector or a map, called with `train`.
        kernel_init: of the linear layer; its bias starts at 0. The TensorFlow DeepPose
            has `jax.nn.initializers.truncated_normal(0.01)`.
    """

    num_keypoints: int
    trunk: nn.Module
    kernel_init: nn.initializers.Initializer = near_zero

    @nn.compact
    def __call__(
        self, image: Float[Array, "b h w 3"], *, train: bool
    ) -> Float[Array, "b k 2"]:
        """Raises: ValueError as the trunk does, or if its features are no such thing."""
        x = pooled(self.trunk(image, train=train))
        x = linear(2 * self.num_keypoints, self.kernel_init, name="coordinates")(x)
        return x.reshape(-1, self.num_keypoints, 2)


def pooled(features: Float[Array, "b *grid n"]) -> Float[Array, "b n"]:
    """A vector for each image: a map is averaged over its grid.

    Raises: ValueError for features that are neither a vector nor a map.
    """
    if features.ndim not in (2, 4):
        raise ValueError(
            f"features of shape {features.shape} are neither (batch, channels) nor "
            "(batch, height, width, channels); give another trunk"
        )
    features = features.astype(jnp.promote_types(features.dtype, jnp.float32))
    return features.mean((1, 2)) if features.ndim == 4 else features


def linear(
    features: int, kernel_init: nn.initializers.Initializer, name: str
) -> nn.Dense:
    """Accelerators would round the products to 8 bits: a fraction of a pixel."""
    return nn.Dense(
        features,
        kernel_init=kernel_init,
        precision=jax.lax.Precision.HIGHEST,
        name=name,
    )
