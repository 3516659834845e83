"""Stacked hourglass networks: heatmaps that one stack after the other refines.

Source: Newell et al. 2016; widths, order and initial values of PyTorch-Pose's `hg` and
`hg_gn`. Its `--features` is accepted and ignored; here it counts.
"""

import functools
from collections.abc import Callable, Sequence

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from jaxpose.models import batch_norm, convolution, pooling

# BatchNorm, GroupNorm, or a functools.partial of one: made with a name, called with
# the activations and `train`.
Norm = Callable[..., nn.Module]

# Mean RGB over training photographs, as PyTorch-Pose subtracts it.
MPII_MEAN = (0.4404428, 0.4440267, 0.4326828)
LSP_MEAN = (0.4442081, 0.4302157, 0.4039498)
COCO_MEAN = (0.4566077, 0.4368823, 0.4061418)


class Residual(nn.Module):
    """Three convolutions, each behind a normalization and a ReLU, around a skip.

    Attributes:
        features: output channels; inside there are half as many.
        norm: class of the normalizations.
        dtype: of the computation; parameters stay float32.
    """

    features: int
    norm: Norm = batch_norm.BatchNorm
    dtype: str = "float32"

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w i"], *, train: bool
    ) -> Float[Array, "b h w o"]:
        y, half = x, self.features // 2
        layers = ((half, 1), (half, 3), (self.features, 1))
        for i, (features, kernel) in enumerate(layers, start=1):
            y = nn.relu(self.norm(name=f"norm{i}")(y, train=train))
            y = convolution.Conv(features, kernel, dtype=self.dtype, name=f"conv{i}")(y)
        if x.shape[-1] != self.features:
            x = convolution.Conv(self.features, dtype=self.dtype, name="skip")(x)
        return x + y


class Hourglass(nn.Module):
    """Down to a coarse grid and up again, with a skip past each halving.

    Attributes:
        depth: halvings of the grid; 2**depth divides both its sides.
        blocks: residual blocks at each place.
        increase: channels that the grid gains with each halving.
        norm, dtype: as of `Residual`.
    """

    depth: int
    blocks: int = 1
    increase: int = 0
    norm: Norm = batch_norm.BatchNorm
    dtype: str = "float32"

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w c"], *, train: bool
    ) -> Float[Array, "b h w c"]:
        def residuals(x: Array, place: str, features: int) -> Array:
            for i in range(self.blocks):
                block = Residual(features, self.norm, self.dtype, name=f"{place}_{i}")
                x = block(x, train=train)
            return x

        skips: list[Array] = []
        # Level 0 is the innermost, as in the original's names.
        for level in reversed(range(self.depth)):
            skips.append(residuals(x, f"level{level}_skip", x.shape[-1]))
            features = x.shape[-1] + self.increase
            x = residuals(halved(x), f"level{level}_down", features)
        x = residuals(x, "bottom", x.shape[-1])
        for level in range(self.depth):
            x = residuals(x, f"level{level}_up", x.shape[-1] - self.increase)
            x = skips.pop() + doubled(x)
        return x


class Stack(nn.Module):
    """An hourglass, heatmaps, and what the next stack sees of both.

    Attributes:
        num_keypoints: k.
        last: no stack follows.
        depth, blocks, increase, norm, dtype: as of `Hourglass`.
    """

    num_keypoints: int
    last: bool
    depth: int
    blocks: int
    increase: int
    norm: Norm
    dtype: str

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w c"], train: bool
    ) -> tuple[Float[Array, "b h w c"], Float[Array, "b h w k"]]:
        """Input of the next stack (of the last, its own input again), and heatmaps."""
        features, norm, dtype = x.shape[-1], self.norm, self.dtype
        inner = Hourglass(
            self.depth, self.blocks, self.increase, norm, dtype, name="hourglass"
        )
        y = inner(x, train=train)
        for i in range(self.blocks):
            y = Residual(features, norm, dtype, name=f"after_{i}")(y, train=train)
        y = self._conv(features, "mix")(y)
        y = nn.relu(norm(name="norm")(y, train=train))
        maps = self._conv(self.num_keypoints, "maps")(y)
        if not self.last:
            x = x + self._conv(features, "merge")(y)
            x = x + self._conv(features, "merge_maps")(maps)
        return x, maps

    def _conv(self, features: int, name: str) -> convolution.Conv:
        return convolution.Conv(features, dtype=self.dtype, name=name)


class StackedHourglass(nn.Module):
    """Images, RGB in 0..1, to heatmaps of a quarter of their size, one set a stack.

    Attributes:
        num_keypoints: k.
        stacks: s; all are trained, the last is the answer.
        blocks: residual blocks at each place of an hourglass, and after it.
        features: channels of the hourglasses.
        depth: halvings in an hourglass; 4 * 2**depth divides both sides of an image.
        increase: channels that each halving adds; 0 in the original.
        stem: channels of the first convolution and of the two blocks after it.
        norm: class of the normalizations: batch_norm.BatchNorm, group_norm.GroupNorm.
        mean: of each channel, subtracted from the image.
        dtype: of the computation; parameters, statistics and heatmaps are float32.
        remat: keeps a stack's input alone for the gradient and computes the rest anew:
            memory of one stack instead of s for a third more work. XLA's CPU compiler
            undoes it.

    Raises: ValueError without a stack.
    """

    num_keypoints: int
    stacks: int = 2
    blocks: int = 1
    features: int = 256
    depth: int = 4
    increase: int = 0
    stem: tuple[int, int, int] = (64, 128, 256)
    norm: Norm = batch_norm.BatchNorm
    mean: tuple[float, float, float] = MPII_MEAN
    dtype: str = "float32"
    remat: bool = False

    def __post_init__(self) -> None:
        check_stacks(self.stacks)
        super().__post_init__()

    @nn.compact
    def __call__(
        self, image: Float[Array, "b h w 3"], *, train: bool
    ) -> Float[Array, "s b h//4 w//4 k"]:
        """Raises: ValueError if the size of the image cannot be."""
        check_size(*image.shape[1:3], depth=self.depth)
        x = stem(
            image - jnp.array(self.mean),
            (*self.stem, self.features),
            quarter=True,
            norm=self.norm,
            dtype=self.dtype,
            train=train,
        )
        stack = functools.partial(
            rematerialised() if self.remat else Stack,
            num_keypoints=self.num_keypoints,
            depth=self.depth,
            blocks=self.blocks,
            increase=self.increase,
            norm=self.norm,
            dtype=self.dtype,
        )
        return stacked(x, stack, stacks=self.stacks, train=train)


def rematerialised() -> Callable[..., nn.Module]:
    """`Stack`, that keeps nothing but its input for the gradient."""
    return nn.remat(Stack, static_argnums=(2,))


def stem(
    x: Float[Array, "b h w i"],
    features: Sequence[int],
    *,
    quarter: bool,
    norm: Norm,
    dtype: str,
    train: bool,
) -> Float[Array, "b g v o"]:
    """Layers before the first stack: a convolution, and residual blocks.

    Args:
        features: output channels of each.
        quarter: whether the grid shrinks to a quarter along each axis, or stays.
    """
    kernel, stride = (7, 2) if quarter else (3, 1)
    first, *rest = features
    x = convolution.Conv(first, kernel, stride, dtype=dtype, name="stem_conv")(x)
    x = nn.relu(norm(name="stem_norm")(x, train=train))
    for i, width in enumerate(rest, start=1):
        x = Residual(width, norm, dtype, name=f"stem_{i}")(x, train=train)
        x = halved(x) if quarter and i == 1 else x
    return x


def stacked(
    x: Float[Array, "b h w c"],
    stack: Callable[..., nn.Module],
    *,
    stacks: int,
    train: bool,
) -> Float[Array, "s b h w k"]:
    """Heatmaps of all stacks, one after the other, in float32 at least.

    Args:
        stack: makes one, given a name and whether it is the last.
    """
    # A loop over stacked parameters (nn.scan) would compile 8 stacks sooner and run much
    # slower on CPU, whose loops use one thread: a third of the time and 5 times slower
    # when measured once, by hand, on two cores.
    outputs = []
    for i in range(stacks):
        x, maps = stack(last=i == stacks - 1, name=f"stack{i}")(x, train)
        outputs.append(maps)
    maps = jnp.stack(outputs)
    return maps.astype(jnp.promote_types(maps.dtype, jnp.float32))


def check_stacks(stacks: int) -> None:
    """Raises: ValueError without a stack."""
    if stacks < 1:
        raise ValueError(f"stacks={stacks} must be 1 or more")


def check_size(height: int, width: int, *, depth: int) -> None:
    """Raises: ValueError if hourglasses cannot halve a quarter of it `depth` times."""
    unit = 4 * 2**depth
    if height % unit or width % unit:
        raise ValueError(
            f"an image of {height} x {width} pixels; an hourglass of depth {depth} "
            f"takes multiples of {unit} (4 before it, halved {depth} times in it): "
            "change the size, or lower the depth"
        )


def halved(x: Float[Array, "b h w c"]) -> Float[Array, "b h//2 w//2 c"]:
    """The largest of each 2 x 2 cells."""
    return pooling.max_pool(x, window=2, stride=2)


def doubled(x: Float[Array, "b h w c"]) -> Float[Array, "b 2*h 2*w c"]:
    """Each cell four times."""
    b, h, w, c = x.shape
    x = jnp.broadcast_to(x[:, :, None, :, None], (b, h, 2, w, 2, c))
    return x.reshape(b, 2 * h, 2 * w, c)
