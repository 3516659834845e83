"""A small residual network that regresses coordinates through a spatial expectation.

Source: the output layer is integral regression (Sun et al. 2018), also known as DSNT
(Nibali et al. 2018): each keypoint is the mean position under its own softmax map, so
that the network learns where to look instead of a table of coordinates. The trunk is an
ordinary ResNet (He et al. 2016) of basic blocks.
"""

import functools

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from jaxpose.models import batch_norm, imagenet


class Block(nn.Module):
    """Two 3 x 3 convolutions around a skip."""

    features: int
    stride: int = 1

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], *, train: bool) -> Array:
        y = _conv(self.features, 3, self.stride)(x)
        y = nn.relu(batch_norm.BatchNorm()(y, train=train))
        y = _conv(self.features, 3, 1)(y)
        y = batch_norm.BatchNorm()(y, train=train)
        if x.shape != y.shape:
            x = _conv(self.features, 1, self.stride)(x)
            x = batch_norm.BatchNorm()(x, train=train)
        return nn.relu(x + y)


class IntegralRegressor(nn.Module):
    """Images, RGB in 0..1, to coordinates in -1..1 over the canvas.

    Attributes:
        num_keypoints: k.
        features: channels of the stages; the stem and each stage but the first halve
            the grid.
        blocks: residual blocks in each stage.
    """

    num_keypoints: int
    features: tuple[int, ...] = (32, 64, 128)
    blocks: tuple[int, ...] = (1, 2, 2)

    @nn.compact
    def __call__(
        self, image: Float[Array, "b h w 3"], *, train: bool
    ) -> Float[Array, "b k 2"]:
        x = imagenet.normalize(image)
        x = _conv(self.features[0], 5, 2)(x)
        x = nn.relu(batch_norm.BatchNorm()(x, train=train))
        for i, (features, blocks) in enumerate(
            zip(self.features, self.blocks, strict=True)
        ):
            for j in range(blocks):
                x = Block(features, 2 if i > 0 and j == 0 else 1)(x, train=train)
        maps = nn.Conv(self.num_keypoints, (1, 1), name="maps")(x)
        return expectation(maps)


def expectation(maps: Float[Array, "b h w k"]) -> Float[Array, "b k 2"]:
    """Mean (x, y) in -1..1 under the softmax of each map; cell centres are inside."""
    b, h, w, k = maps.shape
    share = jax.nn.softmax(maps.reshape(b, h * w, k), axis=1).reshape(b, h, w, k)
    # Accelerators would round the products to 8 bits: a fraction of a pixel.
    mean = functools.partial(jnp.einsum, precision=jax.lax.Precision.HIGHEST)
    x = mean("bhwk,w->bk", share, (2 * jnp.arange(w) + 1) / w - 1)
    y = mean("bhwk,h->bk", share, (2 * jnp.arange(h) + 1) / h - 1)
    return jnp.stack([x, y], axis=-1)


def _conv(features: int, kernel: int, stride: int) -> nn.Conv:
    """Padded as PyTorch does, alike on both sides; batch normalization brings the bias."""
    return nn.Conv(
        features,
        (kernel, kernel),
        strides=(stride, stride),
        padding=kernel // 2,
        use_bias=False,
        kernel_init=nn.initializers.he_normal(),
    )
