"""AlexNet without its classifier, for heads of any kind.

Source: Krizhevsky, Sutskever and Hinton 2012 in Caffe's form (normalization before
pooling, two groups), with the input and initial values of DeepPose in TensorFlow.
"""

from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from jaxpose.models import convolution, local_response, pooling

# Of ImageNet's photographs in blue, green, red, 0..255, rounded as in Caffe's settings.
CAFFE_MEAN = (104.0, 117.0, 123.0)

# A pooling halves the grid; after three of them a cell must be left.
_SMALLEST_GRID = 15


class AlexNet(nn.Module):
    """Images, RGB in 0..1, to the features of the second dense layer.

    The first dense layer takes the grid that the poolings leave of an image: 6 x 6 cells
    of the original's 227 x 227 pixels. The original's fc8, a classifier that nothing
    reads, is left out.

    Attributes:
        scaling: what the first layer sees, in blue, green, red: `contrast` for each
            channel of each image at mean 0 and variance 1, `mean` for 0..255 less
            ImageNet's mean, which Caffe's weights were trained on, `none` for 0..255.
        first_padding: of the first convolution: `SAME` as in DeepPose in TensorFlow,
            `VALID` as in Caffe.
        dropout: share of hidden units dropped in training, in both dense layers.
        features: channels of the five convolutions.
        hidden: width of the dense layers; n.
        kernel_init: of every layer; () for the original's, normal with deviations of
            0.01 and 0.005, from which a signal fades through the layers: such a network
            answers the mean pose for a long while.
        dtype: of the computation and the features; parameters stay float32.
    """

    scaling: str = "contrast"
    first_padding: str = "SAME"
    dropout: float = 0.6
    features: tuple[int, int, int, int, int] = (96, 256, 384, 384, 256)
    hidden: int = 4096
    kernel_init: nn.initializers.Initializer | tuple[()] = ()
    dtype: str = "float32"

    @nn.compact
    def __call__(
        self, image: Float[Array, "b h w 3"], *, train: bool
    ) -> Float[Array, "b n"]:
        """Raises: ValueError for an unknown scaling or padding, or a small image."""
        first, second, third, fourth, fifth = self.features
        x = _scaled(image[..., ::-1], self.scaling).astype(self.dtype)
        x = self._first(x, first)
        x = _pool(local_response.normalize(nn.relu(x)))
        x = self._conv(second, 5, groups=2, bias=0.1, name="conv2")(x)
        x = _pool(local_response.normalize(nn.relu(x)))
        x = nn.relu(self._conv(third, 3, name="conv3")(x))
        x = self._conv(fourth, 3, groups=2, bias=0.1, name="conv4")(x)
        x = nn.relu(x)
        x = self._conv(fifth, 3, groups=2, bias=0.1, name="conv5")(x)
        x = _pool(nn.relu(x))
        x = x.reshape(x.shape[0], -1)
        for name in ("fc6", "fc7"):
            x = nn.relu(self._dense(x, name))
            x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return x

    def _first(self, x: Float[Array, "b h w 3"], features: int) -> Array:
        if self.first_padding not in ("SAME", "VALID"):
            raise ValueError(
                f"first_padding={self.first_padding!r} must be SAME, as in DeepPose in "
                "TensorFlow, or VALID, as in Caffe"
            )
        h, w = x.shape[1:3]
        padding = self.first_padding
        y = self._conv(features, 11, stride=4, padding=padding, name="conv1")(x)
        if min(y.shape[1:3]) < _SMALLEST_GRID:
            raise ValueError(
                f"an image of {h} x {w} pixels is {y.shape[1]} x {y.shape[2]} cells after "
                f"the first convolution and nothing after three poolings; "
                f"{_SMALLEST_GRID} cells are needed: make the canvas larger, 227 x 227 "
                "as the original's"
            )
        return y

    def _conv(
        self, features: int, kernel: int, *, bias: float = 0.0, **fields: Any
    ) -> convolution.Conv:
        """`bias` is its initial value; kernels are normal, cut at two deviations."""
        return convolution.Conv(
            features,
            kernel,
            kernel_init=self.kernel_init or nn.initializers.truncated_normal(0.01),
            bias_init=nn.initializers.constant(bias),
            dtype=self.dtype,
            **fields,
        )

    def _dense(self, x: Float[Array, "b i"], name: str) -> Float[Array, "b n"]:
        return nn.Dense(
            self.hidden,
            kernel_init=self.kernel_init or nn.initializers.truncated_normal(0.005),
            bias_init=nn.initializers.constant(0.1),
            dtype=self.dtype,
            name=name,
        )(x)


def _scaled(image: Float[Array, "b h w 3"], scaling: str) -> Float[Array, "b h w 3"]:
    levels = 255 * image
    match scaling:
        case "contrast":
            return contrast_normalize(levels)
        case "mean":
            return levels - jnp.array(CAFFE_MEAN, levels.dtype)
        case "none":
            return levels
    raise ValueError(f"scaling={scaling!r} must be contrast, mean or none")


def contrast_normalize(image: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
    """(x - mean) / (deviation + 1e-5) of each channel of each image, in 0..255.

    The deviation is that of the population; a channel of one level becomes 0.

    Source: DeepPose in TensorFlow, option `--gcn`.
    """
    # From one of its pixels a flat channel is 0 exactly; the rounding of its mean, as
    # small as it is, would be divided by itself.
    shifted = image - image[:, :1, :1]
    centered = shifted - shifted.mean((1, 2), keepdims=True)
    deviation = jnp.sqrt(jnp.square(centered).mean((1, 2), keepdims=True))
    return centered / (deviation + 1e-5)


def _pool(x: Float[Array, "b h w c"]) -> Float[Array, "b g v c"]:
    return pooling.max_pool(x, window=3, stride=2)
