"""Batch normalization with PyTorch's running statistics."""

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float


class BatchNorm(nn.Module):
    """Normalizes over all axes but the last, in training by the batch's statistics.

    Flax's own layer keeps the biased variance of a batch in its running average;
    PyTorch, which the originals were trained with, keeps the unbiased one.

    Attributes:
        momentum: share of the running statistics that a step keeps.
        epsilon: added to the variance.
    """

    momentum: float = 0.9
    epsilon: float = 1e-5

    @nn.compact
    def __call__(self, x: Float[Array, "*b c"], *, train: bool) -> Float[Array, "*b c"]:
        shape = x.shape[-1:]
        scale = self.param("scale", nn.initializers.ones, shape)
        bias = self.param("bias", nn.initializers.zeros, shape)
        running_mean = self.variable("batch_stats", "mean", jnp.zeros, shape)
        running_var = self.variable("batch_stats", "var", jnp.ones, shape)
        # Statistics of bfloat16 activations need more than their 8 bits.
        dtype, x = x.dtype, x.astype(jnp.promote_types(x.dtype, jnp.float32))
        if not train:
            mean, var = running_mean.value, running_var.value
        else:
            axes, count = tuple(range(x.ndim - 1)), x.size // x.shape[-1]
            # Two passes: one pass, E[x^2] - E[x]^2, loses digits when |mean| >> std.
            mean = x.mean(axes)
            var = jnp.square(x - mean).mean(axes)
            if not self.is_initializing():
                unbiased = var * (count / max(count - 1, 1))
                running_mean.value += (1 - self.momentum) * (mean - running_mean.value)
                running_var.value += (1 - self.momentum) * (
                    unbiased - running_var.value
                )
        factor = scale / jnp.sqrt(var + self.epsilon)
        # The mean goes first: x * factor - mean * factor loses the digits they share,
        # enough to leave PyTorch's trajectory in three steps of VGG16-BN.
        return ((x - mean) * factor + bias).astype(dtype)
