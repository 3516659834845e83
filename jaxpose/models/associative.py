"""The stacked hourglass of associative embedding: heatmaps, and tags that tell people.

Of plain convolutions: no normalization, no residual blocks, and a width that grows with
each halving.

Source: Newell, Huang and Deng 2017; layers, order and initial values (PyTorch's default)
of pose-ae-train and of hgpose-ae's `HourglassAENet`, which compute the same.
"""

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from jaxpose.models import convolution, hourglass


class Hourglass(nn.Module):
    """Down to a coarse grid and up again, one convolution at each place.

    Attributes:
        depth: halvings of the grid; 2**depth divides both its sides.
        increase: channels that the grid gains with each halving.
        dtype: of the computation; parameters stay float32.
    """

    depth: int
    increase: int
    dtype: str = "float32"

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        narrow, depth, dtype = x.shape[-1], self.depth - 1, self.dtype
        wide = narrow + self.increase
        y = _convolved(hourglass.halved(x), wide, "down", dtype)
        if depth:
            y = Hourglass(depth, self.increase, dtype, name="inner")(y)
        else:
            y = _convolved(y, wide, "inner", dtype)
        y = _convolved(y, narrow, "up", dtype)
        return _convolved(x, narrow, "skip", dtype) + hourglass.doubled(y)


class Stack(nn.Module):
    """An hourglass, heatmaps and tags, and what the next stack sees of them.

    Attributes:
        channels: of heatmaps and tags.
        last: no stack follows.
        depth, increase, dtype: as of `Hourglass`.
    """

    channels: int
    last: bool
    depth: int
    increase: int
    dtype: str

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w f"]
    ) -> tuple[Float[Array, "b h w f"], Float[Array, "b h w c"]]:
        """Input of the next stack (of the last, its own input again), and channels."""
        features, dtype = x.shape[-1], self.dtype
        y = Hourglass(self.depth, self.increase, dtype, name="hourglass")(x)
        for i in range(2):
            y = _convolved(y, features, f"after_{i}", dtype)
        maps = convolution.Conv(self.channels, dtype=dtype, name="maps")(y)
        if not self.last:
            x = x + convolution.Conv(features, dtype=dtype, name="merge")(y)
            x = x + convolution.Conv(features, dtype=dtype, name="merge_maps")(maps)
        return x, maps


class AssociativeHourglass(nn.Module):
    """Images, RGB in 0..1, to heatmaps and tags of a quarter of their size, per stack.

    Channels of the outputs: k heatmaps, then k of the tags' first number, k of their
    second, and so on.

    Attributes:
        num_keypoints: k.
        tags: numbers in a tag; 1 in the original.
        stacks: s; all are trained, the last is the answer.
        features: channels of the hourglasses.
        increase: channels that each halving adds.
        depth: halvings in an hourglass; 4 * 2**depth divides both sides of an image.
        stem: channels of the first three convolutions; a fourth makes `features`.
        channels: that a stack computes, and the next one sees; those after the tags are
            not returned. The original has 68 where 34 are used; 0 is what is used.
        remat: keeps a stack's input alone for the gradient and computes the rest anew:
            memory of one stack instead of s for a third more work. XLA's CPU compiler
            undoes it.
        dtype: of the computation; parameters and outputs are float32.

    Raises: ValueError if a field cannot be.
    """

    num_keypoints: int
    tags: int = 1
    stacks: int = 4
    features: int = 256
    increase: int = 128
    depth: int = 4
    stem: tuple[int, int, int] = (64, 128, 128)
    channels: int = 0
    remat: bool = False
    dtype: str = "float32"

    def __post_init__(self) -> None:
        for name in ("stacks", "depth", "tags"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be 1 or more")
        if self.channels and self.channels < self._used():
            raise ValueError(
                f"channels={self.channels} must be 0 or at least {self._used()}, for "
                f"{self.num_keypoints} heatmaps and as many tags of {self.tags} numbers"
            )
        super().__post_init__()

    @nn.compact
    def __call__(
        self, image: Float[Array, "b h w 3"], *, train: bool
    ) -> Float[Array, "s b h//4 w//4 c"]:
        """Outputs of all stacks; `train` changes nothing.

        Raises: ValueError if the size of the image cannot be.
        """
        hourglass.check_size(*image.shape[1:3], depth=self.depth)
        x = self._stem(image)
        stack = nn.remat(Stack) if self.remat else Stack
        outputs = []
        for i in range(self.stacks):
            x, maps = stack(
                channels=self.channels or self._used(),
                last=i == self.stacks - 1,
                depth=self.depth,
                increase=self.increase,
                dtype=self.dtype,
                name=f"stack{i}",
            )(x)
            outputs.append(maps[..., : self._used()])
        maps = jnp.stack(outputs)
        return maps.astype(jnp.promote_types(maps.dtype, jnp.float32))

    def _used(self) -> int:
        return self.num_keypoints * (1 + self.tags)

    def _stem(self, x: Float[Array, "b h w 3"]) -> Array:
        """From the image to the grid of the heatmaps."""
        x = _convolved(x, self.stem[0], "stem0", self.dtype, kernel=7, stride=2)
        x = hourglass.halved(_convolved(x, self.stem[1], "stem1", self.dtype))
        x = _convolved(x, self.stem[2], "stem2", self.dtype)
        return _convolved(x, self.features, "stem3", self.dtype)


def _convolved(
    x: Float[Array, "b h w i"],
    features: int,
    name: str,
    dtype: str,
    *,
    kernel: int = 3,
    stride: int = 1,
) -> Float[Array, "b g v o"]:
    """What a layer of this name makes of `x`, with a ReLU."""
    layer = convolution.Conv(features, kernel, stride, dtype=dtype, name=name)
    return nn.relu(layer(x))
