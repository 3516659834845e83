"""Mean and spread of numbers that arrive batch by batch."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Moments:
    """How many there were, their sum and the sum of their squares."""

    count: Float[Array, "*n"]
    total: Float[Array, "*n"]
    square: Float[Array, "*n"]


def nothing(*shape: int) -> Moments:
    """Before the first batch."""
    return Moments(jnp.zeros(shape), jnp.zeros(shape), jnp.zeros(shape))


def add(
    moments: Moments, values: Float[Array, "b *n"], where: Bool[Array, "b *n"]
) -> Moments:
    """The values of a batch too, but for those that do not count."""
    where = jnp.broadcast_to(where, values.shape)
    kept = jnp.where(where, values, 0.0)
    return Moments(
        moments.count + where.sum(axis=0),
        moments.total + kept.sum(axis=0),
        moments.square + jnp.square(kept).sum(axis=0),
    )


def mean(moments: Moments) -> Float[Array, "*n"]:
    """0 where nothing was counted."""
    return moments.total / jnp.maximum(moments.count, 1)


def spread(moments: Moments) -> Float[Array, "*n"]:
    """Standard deviation of what was counted, 0 where that was nothing."""
    square = moments.square / jnp.maximum(moments.count, 1)
    return jnp.sqrt(jnp.maximum(square - jnp.square(mean(moments)), 0.0))
