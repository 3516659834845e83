"""Residual networks without their pooling and classifier, for heads of any kind.

Source: He et al. 2016, table 1, in torchvision's form: the 3 x 3 convolution of a
bottleneck has the stride, not the 1 x 1 before it.
"""

from flax import linen as nn
from jaxtyping import Array, Float

from jaxpose.models import batch_norm, convolution, imagenet, pooling

# Layers -> blocks of each stage, and whether they are bottlenecks.
VARIANTS = {
    18: ((2, 2, 2, 2), False),
    34: ((3, 4, 6, 3), False),
    50: ((3, 4, 6, 3), True),
    101: ((3, 4, 23, 3), True),
    152: ((3, 8, 36, 3), True),
}


class Block(nn.Module):
    """Two 3 x 3 convolutions, or three in a bottleneck, around a skip.

    Attributes:
        features: channels inside; a bottleneck has four times as many outside.
        stride: input cells per output cell.
        bottleneck: 1 x 1, 3 x 3, 1 x 1 instead of 3 x 3, 3 x 3.
        dtype: of the computation; parameters stay float32.
    """

    features: int
    stride: int
    bottleneck: bool
    dtype: str

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w i"], *, train: bool
    ) -> Float[Array, "b g v o"]:
        f, s = self.features, self.stride
        plain = ((f, 3, s), (f, 3, 1))
        layers = ((f, 1, 1), (f, 3, s), (4 * f, 1, 1)) if self.bottleneck else plain
        y = x
        for i, (features, kernel, stride) in enumerate(layers, start=1):
            y = nn.relu(y) if i > 1 else y
            y = _conv(features, kernel, stride, self.dtype, name=f"conv{i}")(y)
            y = batch_norm.BatchNorm(name=f"norm{i}")(y, train=train)
        if x.shape != y.shape:
            x = _conv(y.shape[-1], 1, s, self.dtype, name="skip_conv")(x)
            x = batch_norm.BatchNorm(name="skip_norm")(x, train=train)
        return nn.relu(x + y)


class ResNet(nn.Module):
    """Images, RGB in 0..1, to the feature map of the last stage, or of each.

    Attributes:
        blocks: blocks of each stage; each stage but the first halves the grid.
        bottleneck: form of the blocks.
        features: channels inside the blocks of each stage.
        mean, std: of each channel, subtracted from the image and divided out of it. They
            belong to the weights: ImageNet's to torchvision's and Simple Baselines'.
        dtype: of the computation and the features; parameters stay float32.
    """

    blocks: tuple[int, ...]
    bottleneck: bool
    features: tuple[int, ...] = (64, 128, 256, 512)
    mean: tuple[float, float, float] = imagenet.MEAN
    std: tuple[float, float, float] = imagenet.STD
    dtype: str = "float32"

    @property
    def stride(self) -> int:
        """Pixels of the image per cell of the feature map."""
        return 4 * 2 ** (len(self.blocks) - 1)

    def __call__(
        self, image: Float[Array, "b h w 3"], *, train: bool
    ) -> Float[Array, "b g v c"]:
        """Raises: ValueError if the stride does not divide the size of the image."""
        return self.stages(image, train=train)[-1]

    @nn.compact
    def stages(
        self, image: Float[Array, "b h w 3"], *, train: bool
    ) -> tuple[Float[Array, "b _ _ _"], ...]:
        """The feature map of every stage, the finest first.

        Raises: ValueError if the stride does not divide the size of the image.
        """
        self._check(*image.shape[1:3])
        x = imagenet.normalize(image, self.mean, self.std)
        x = _conv(self.features[0], 7, 2, self.dtype, name="stem_conv")(x)
        x = nn.relu(batch_norm.BatchNorm(name="stem_norm")(x, train=train))
        x = pooling.max_pool(x, window=3, stride=2, padding=1)
        found = []
        for i, (blocks, features) in enumerate(
            zip(self.blocks, self.features, strict=True), start=1
        ):
            for j in range(blocks):
                stride = 2 if i > 1 and j == 0 else 1
                name = f"stage{i}_{j}"
                block = Block(features, stride, self.bottleneck, self.dtype, name=name)
                x = block(x, train=train)
            found.append(x)
        return tuple(found)

    def _check(self, height: int, width: int) -> None:
        if len(self.blocks) != len(self.features):
            raise ValueError(
                f"blocks={self.blocks} and features={self.features} must have one "
                "number for each stage"
            )
        if height % self.stride or width % self.stride:
            raise ValueError(
                f"an image of {height} x {width} pixels; {len(self.blocks)} stages "
                f"take multiples of {self.stride}: change the size, or drop a stage"
            )


def resnet(
    *,
    layers: int,
    mean: tuple[float, float, float] = imagenet.MEAN,
    std: tuple[float, float, float] = imagenet.STD,
    dtype: str = "float32",
) -> ResNet:
    """A published depth at full width; `mean`, `std` and `dtype` are `ResNet`'s.

    Raises: ValueError for a number of layers that is none of `VARIANTS`.
    """
    if layers not in VARIANTS:
        raise ValueError(
            f"layers={layers} must be one of {', '.join(map(str, VARIANTS))}; "
            "resnet.ResNet takes any blocks and features"
        )
    blocks, bottleneck = VARIANTS[layers]
    return ResNet(blocks, bottleneck, mean=mean, std=std, dtype=dtype)


def _conv(
    features: int, kernel: int, stride: int, dtype: str, name: str
) -> convolution.Conv:
    """A batch normalization follows each, and brings the bias."""
    return convolution.Conv(
        features,
        kernel,
        stride,
        use_bias=False,
        kernel_init=convolution.he_normal,
        dtype=dtype,
        name=name,
    )
