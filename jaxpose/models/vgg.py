"""VGG-16 with batch normalization as a coordinate regressor (weighted-loss DeepPose).

Source: Simonyan and Zisserman 2015, configuration D, with batch normalization after each
convolution; the three dense layers of the regressor are fresh, also where the
convolutions come from ImageNet.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from jaxpose.models import batch_norm, imagenet, pooling

# Output channels of the 3 x 3 convolutions, one row between poolings.
STAGES = ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3)

_torch_conv_init = nn.initializers.variance_scaling(2.0, "fan_out", "normal")


def _torch_dense_init(fan_in: int):
    """Uniform in +- 1 / sqrt(fan_in), for weight and bias: PyTorch's default."""
    bound = fan_in**-0.5

    def init(key: Array, shape: tuple[int, ...], dtype=jnp.float32) -> Array:
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return init


class VGG16BN(nn.Module):
    """Images, RGB in 0..1, of one size that 32 divides, to normalized coordinates.

    Attributes:
        num_keypoints: k.
        hidden: width of the two hidden dense layers.
        dropout: share of hidden units dropped in training.
        stages: output channels of the convolutions, one tuple between poolings.
    """

    num_keypoints: int
    hidden: int = 4096
    dropout: float = 0.5
    stages: tuple[tuple[int, ...], ...] = STAGES

    @nn.compact
    def __call__(
        self, image: Float[Array, "b h w 3"], *, train: bool
    ) -> Float[Array, "b k 2"]:
        x = imagenet.normalize(image)
        for row, stage in enumerate(self.stages):
            for column, features in enumerate(stage):
                name = f"conv{row + 1}_{column + 1}"
                x = nn.Conv(
                    features, (3, 3), padding=1, kernel_init=_torch_conv_init, name=name
                )(x)
                x = batch_norm.BatchNorm(name=f"bn{row + 1}_{column + 1}")(
                    x, train=train
                )
                x = nn.relu(x)
            x = pooling.max_pool(x, window=2, stride=2)
        x = x.reshape(x.shape[0], -1)
        for i, features in enumerate((self.hidden, self.hidden)):
            x = nn.relu(self._dense(x, features, f"fc{i + 6}"))
            x = nn.Dropout(self.dropout, deterministic=not train)(x)
        x = self._dense(x, 2 * self.num_keypoints, "fc8")
        # The original's 2k outputs are all x, then all y.
        return x.reshape(-1, 2, self.num_keypoints).swapaxes(1, 2)

    def _dense(self, x: Float[Array, "b n"], features: int, name: str) -> Array:
        init = _torch_dense_init(x.shape[-1])
        return nn.Dense(features, kernel_init=init, bias_init=init, name=name)(x)
