"""A feature pyramid: what a residual network sees coarsely, laid over what it sees finely.

Source: Lin et al. 2017, "Feature pyramid networks", with one head, on the finest map.
"""

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from jaxpose.models import batch_norm, convolution, hourglass, pose_resnet, resnet


class Pyramid(nn.Module):
    """Images, RGB in 0..1, to one set of maps of a quarter of their size.

    From the coarsest stage of the trunk to the finest: the sum so far is doubled, the
    next stage is added through a 1 x 1 convolution, and a 3 x 3 convolution mixes both.
    In the source sums go on unmixed, and 3 x 3 convolutions make the outputs alone; here
    what goes on is mixed, normalized and rectified.

    Attributes:
        channels: of the maps.
        trunk: image to the features of its stages.
        features: channels of the sums.
    """

    channels: int
    trunk: resnet.ResNet
    features: int = 256

    @nn.compact
    def __call__(
        self, image: Float[Array, "b h w 3"], *, train: bool
    ) -> Float[Array, "1 b h//4 w//4 c"]:
        """Raises: ValueError as the trunk does."""
        dtype = self.trunk.dtype
        *finer, x = self.trunk.stages(image, train=train)
        x = self._lateral(x, len(finer) + 1)
        for stage, seen in reversed([*enumerate(finer, start=1)]):
            x = hourglass.doubled(x) + self._lateral(seen, stage)
            x = convolution.Conv(
                self.features,
                3,
                use_bias=False,
                kernel_init=convolution.he_normal,
                dtype=dtype,
                name=f"mix{stage}",
            )(x)
            norm = batch_norm.BatchNorm(name=f"norm{stage}")
            x = nn.relu(norm(x, train=train))
        maps = pose_resnet.map_layer(self.channels, dtype)(x)
        return maps[None].astype(jnp.promote_types(maps.dtype, jnp.float32))

    def _lateral(self, x: Float[Array, "b h w i"], stage: int) -> Array:
        conv = convolution.Conv(
            self.features, dtype=self.trunk.dtype, name=f"lateral{stage}"
        )
        return conv(x)
