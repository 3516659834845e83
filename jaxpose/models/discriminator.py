"""The discriminator of self-adversarial training: heatmaps that fit a photograph pass.

Source: Chou, Chien and Chen 2017, "Self adversarial training for human pose estimation";
layers, order and initial values of advpose's `HourglassDisNet`.
"""

import functools

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from jaxpose.models import batch_norm, hourglass


class Discriminator(nn.Module):
    """Images and heatmaps on one grid to the same heatmaps, reconstructed.

    Stacked hourglasses like those that estimate poses. The stem keeps the grid; of the
    stacks the last one alone is returned, and trained.

    Attributes:
        num_keypoints: k.
        stacks: hourglasses, one after the other.
        blocks: residual blocks at each place of an hourglass, and after it.
        features: channels of the hourglasses.
        depth: halvings in an hourglass; 2**depth divides both sides of the grid.
        stem: channels of the first convolution and of the two blocks after it.
        dtype: of the computation; parameters, statistics and heatmaps are float32.
        remat: keeps a stack's input alone for the gradient and computes the rest anew.

    Raises: ValueError without a stack.
    """

    num_keypoints: int
    stacks: int = 4
    blocks: int = 2
    features: int = 256
    depth: int = 4
    stem: tuple[int, int, int] = (64, 128, 128)
    dtype: str = "float32"
    remat: bool = False

    def __post_init__(self) -> None:
        hourglass.check_stacks(self.stacks)
        super().__post_init__()

    @nn.compact
    def __call__(
        self,
        image: Float[Array, "b h w 3"],
        heatmaps: Float[Array, "b h w k"],
        *,
        train: bool,
    ) -> Float[Array, "b h w k"]:
        """Takes RGB in 0..1, without a mean subtracted.

        Raises: ValueError if the grid cannot be halved as often, or for heatmaps of
            other keypoints.
        """
        self._check(heatmaps)
        x = hourglass.stem(
            jnp.concatenate([image, heatmaps], axis=-1),
            (*self.stem, self.features),
            quarter=False,
            norm=batch_norm.BatchNorm,
            dtype=self.dtype,
            train=train,
        )
        stack = functools.partial(
            hourglass.rematerialised() if self.remat else hourglass.Stack,
            num_keypoints=self.num_keypoints,
            depth=self.depth,
            blocks=self.blocks,
            increase=0,
            norm=batch_norm.BatchNorm,
            dtype=self.dtype,
        )
        return hourglass.stacked(x, stack, stacks=self.stacks, train=train)[-1]

    def _check(self, heatmaps: Float[Array, "b h w k"]) -> None:
        _, height, width, k = heatmaps.shape
        unit = 2**self.depth
        if height % unit or width % unit:
            raise ValueError(
                f"heatmaps of {height} x {width} cells; a discriminator of depth "
                f"{self.depth} takes multiples of {unit}: change the size of the "
                "canvas, or lower the depth"
            )
        if k != self.num_keypoints:
            raise ValueError(
                f"heatmaps of {k} keypoints for a discriminator of num_keypoints="
                f"{self.num_keypoints}; give it as many as the objective has"
            )
