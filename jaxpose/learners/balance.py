"""How a discriminator that reconstructs heatmaps stands against the pose network.

Source: BEGAN (Berthelot, Schumm and Metz 2017), with predictions for its generated
images.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxpose.types import Metrics

# Lines of the log that have to agree before anything is said.
LINES = 10
# Errors of so small a share of what is to be reconstructed are those of a copy.
_COPY = 1e-3


class Errors(NamedTuple):
    """Mean squared errors of reconstructions.

    Attributes:
        real: of true heatmaps.
        fake: of predicted ones.
        blank: of true ones, by a discriminator that says nothing but 0.
    """

    real: Float[Array, ""]
    fake: Float[Array, ""]
    blank: Float[Array, ""]


def advance(
    k: Float[Array, ""], errors: Errors, *, gamma: float, rate: float
) -> tuple[Float[Array, ""], Metrics]:
    """The next k, and numbers to log; `measure` falls as both networks converge."""
    balance = gamma * errors.real - errors.fake
    after = jnp.clip(k + rate * balance, 0, 1)
    measure = errors.real + jnp.abs(balance)
    log = {"k": after, "balance": balance, "measure": measure}
    return after, errors._asdict() | log


def advice(lines: Sequence[Mapping[str, float]]) -> tuple[str, ...]:
    """Warnings of what holds in each of the last `LINES` lines of the log.

    That is k at a bound, or a discriminator that tells nothing. A step that goes over
    to nan is not its business: the loop ends there.
    """
    recent = lines[-LINES:]
    if len(recent) < LINES:
        return ()
    return tuple(text for text, holds in _SIGNS.items() if all(map(holds, recent)))


_SIGNS: dict[str, Callable[[Mapping[str, float]], bool]] = {
    "k stays at 0: the discriminator learns from true heatmaps alone, as is usual at "
    "first; if this goes on, raise gamma": lambda line: line["k"] == 0,
    "k stays at 1: the discriminator reconstructs predictions too well beside the "
    "truth; lower gamma, or raise its learning rate": lambda line: line["k"] == 1,
    "the discriminator reconstructs true heatmaps no better than empty ones would: "
    "later than at first, it has collapsed; change its learning rate, or lower gamma": (
        lambda line: line["real"] >= line["blank"]
    ),
    "the discriminator copies what it is given, truth and prediction alike, and tells "
    "nothing; make it smaller, or raise gamma": (
        lambda line: max(line["real"], line["fake"]) < _COPY * line["blank"]
    ),
}
