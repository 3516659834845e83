"""Simple Baselines: a residual network, transposed convolutions, heatmaps.

Source: Xiao et al. 2018, as in PyTorch-Pose's `pose_resnet`.
"""

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from jaxpose.models import batch_norm, convolution, resnet

# The head starts next to nothing; batch normalization undoes the scale at once.
_head_init = nn.initializers.normal(0.001)


class PoseResNet(nn.Module):
    """Images, RGB in 0..1, to one set of heatmaps.

    The original starts its trunk as small as its head before it loads ImageNet's
    weights; here a trunk without them starts as torchvision's, from which it can learn.

    Attributes:
        num_keypoints: k.
        trunk: image to features.
        deconvolutions: channels of the layers that each double the grid; after three,
            the heatmaps of a trunk of stride 32 have a quarter of the image's size.
    """

    num_keypoints: int
    trunk: resnet.ResNet
    deconvolutions: tuple[int, ...] = (256, 256, 256)

    @nn.compact
    def __call__(
        self, image: Float[Array, "b h w 3"], *, train: bool
    ) -> Float[Array, "1 b g v k"]:
        """Raises: ValueError as the trunk does."""
        x, dtype = self.trunk(image, train=train), self.trunk.dtype
        for i, features in enumerate(self.deconvolutions, start=1):
            x = convolution.Deconv(features, _head_init, dtype, name=f"deconv{i}")(x)
            x = nn.relu(batch_norm.BatchNorm(name=f"norm{i}")(x, train=train))
        maps = map_layer(self.num_keypoints, dtype)(x)
        return maps[None].astype(jnp.promote_types(maps.dtype, jnp.float32))


def map_layer(channels: int, dtype: str) -> convolution.Conv:
    """The last layer, `maps`, which starts with maps next to nothing."""
    return convolution.Conv(
        channels,
        kernel_init=_head_init,
        bias_init=nn.initializers.zeros,
        dtype=dtype,
        name="maps",
    )
