"""Pose proposal networks: a residual network and three convolutions, on one grid.

Source: Sekii 2018, in the form of pytorch_pose_proposal_networks.
"""

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from jaxpose.models import batch_norm, convolution, hourglass, resnet

_SLOPE = 0.1


class Proposal(nn.Module):
    """Images, RGB in 0..1, to what each cell proposes, as objectives.proposals reads it.

    A cell has the size of the trunk's stride, halved for each level beyond the first.
    Outputs are linear: 6 channels for each part, then a window of channels for each
    limb, a limb next to another.

    Attributes:
        num_parts: kinds of parts, the person among them.
        num_limbs: kinds of limbs.
        trunk: image to the features of its stages.
        levels: how many of the last stages are summed, on the grid of the finest of
            them, so that a small cell knows what lies far around it. 1 is the paper's.
        window: (height, width) of cells, both odd, in which limbs end.
        features: channels of the hidden layers.
    """

    num_parts: int
    num_limbs: int
    trunk: resnet.ResNet
    levels: int = 1
    window: tuple[int, int] = (9, 9)
    features: int = 512

    @nn.compact
    def __call__(
        self, image: Float[Array, "b h w 3"], *, train: bool
    ) -> Float[Array, "b i j c"]:
        """Raises: ValueError as the trunk does, or for a number of levels it lacks."""
        if not 1 <= self.levels <= len(self.trunk.blocks):
            raise ValueError(
                f"levels={self.levels} of a trunk of {len(self.trunk.blocks)} stages; "
                "give 1 to as many"
            )
        dtype = self.trunk.dtype
        *finer, x = self.trunk.stages(image, train=train)[-self.levels :]
        for level, seen in reversed([*enumerate(finer, start=1)]):
            lateral = convolution.Conv(seen.shape[-1], dtype=dtype, name=f"up{level}")
            x = seen + hourglass.doubled(lateral(x))
        x = convolution.Conv(self.features, 3, dtype=dtype, name="hidden1")(x)
        x = batch_norm.BatchNorm(name="hidden_norm")(x, train=train)
        x = nn.leaky_relu(x, _SLOPE)
        x = convolution.Conv(self.features, 3, dtype=dtype, name="hidden2")(x)
        # As in the original, no normalization here.
        x = nn.leaky_relu(x, _SLOPE)
        channels = 6 * self.num_parts + self.window[0] * self.window[1] * self.num_limbs
        x = convolution.Conv(channels, dtype=dtype, name="proposals")(x)
        return x.astype(jnp.promote_types(x.dtype, jnp.float32))
