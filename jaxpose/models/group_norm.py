"""Group normalization with the interface of batch normalization."""

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float


class GroupNorm(nn.Module):
    """Normalizes each example over space and a group of channels (Wu and He 2018).

    Attributes:
        groups: number of groups; divides the channels.
        epsilon: added to the variance.
    """

    groups: int = 32
    epsilon: float = 1e-5

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w c"], *, train: bool
    ) -> Float[Array, "b h w c"]:
        """The same in training and inference. Raises: ValueError if c does not fit."""
        b, h, w, c = x.shape
        if c % self.groups:
            raise ValueError(
                f"{c} channels in {self.groups} groups; the groups must divide the "
                "channels: change the network's features, or its norm with "
                "functools.partial(GroupNorm, groups=...)"
            )
        scale = self.param("scale", nn.initializers.ones, (c,))
        bias = self.param("bias", nn.initializers.zeros, (c,))
        # Statistics of bfloat16 activations need more than their 8 bits.
        y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
        y = y.reshape(b, h * w, self.groups, -1)
        y -= y.mean((1, 3), keepdims=True)
        y /= jnp.sqrt(jnp.square(y).mean((1, 3), keepdims=True) + self.epsilon)
        return (y.reshape(x.shape) * scale + bias).astype(x.dtype)
