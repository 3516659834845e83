"""Optimizers in the originals' form, with their learning rate on view in the state."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int


class DescendState(NamedTuple):
    updates: Int[Array, ""]
    learning_rate: Float[Array, ""]


def sgd(
    *, learning_rate: optax.ScalarOrSchedule, momentum: float, weight_decay: float
) -> optax.GradientTransformation:
    """PyTorch's SGD: v <- momentum v + (g + weight_decay p), p <- p - learning_rate v.

    The decay acts on every parameter, biases and normalization included.
    """
    return optax.chain(
        optax.add_decayed_weights(weight_decay),
        optax.trace(decay=momentum),
        descend(learning_rate),
    )


def adamw(
    *, learning_rate: optax.ScalarOrSchedule, weight_decay: float
) -> optax.GradientTransformation:
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""
    return optax.chain(
        optax.scale_by_adam(),
        optax.add_decayed_weights(weight_decay),
        descend(learning_rate),
    )


def warmup_cosine(*, peak: float, warmup_steps: int, num_steps: int) -> optax.Schedule:
    """A straight rise to `peak`, then half a cosine down to 0 at the end of the run.

    In runs shorter than four times `warmup_steps` the rise is a quarter of the run.

    Source: the cosine is Loshchilov and Hutter 2017, without restarts.
    """
    rise = max(min(warmup_steps, num_steps // 4), 1)
    return optax.warmup_cosine_decay_schedule(0.0, peak, rise, max(num_steps, rise + 1))


def descend(learning_rate: optax.ScalarOrSchedule) -> optax.GradientTransformation:
    """Multiplies by minus the learning rate and keeps it in the state, to be logged."""

    def rate(count: Int[Array, ""]) -> Float[Array, ""]:
        value = learning_rate(count) if callable(learning_rate) else learning_rate
        return jnp.asarray(value, jnp.float32)

    def init(params: optax.Params) -> DescendState:
        start = jnp.zeros((), jnp.int32)
        return DescendState(start, rate(start))

    def update(updates: optax.Updates, state: DescendState, params=None):
        now = rate(state.updates)
        updates = jax.tree.map(lambda u: -now * u, updates)
        return updates, DescendState(optax.safe_increment(state.updates), now)

    return optax.GradientTransformation(init, update)
