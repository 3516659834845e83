"""Proposals of parts, chosen and joined one to one, in programs of fixed shapes."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxpose.objectives import assignment, proposal_maps


class Chosen(NamedTuple):
    """Of every part the surest proposals, the surest first, and room for more."""

    cell: Int[Array, "k n"]  # counted in reading order
    score: Float[Array, "k n"]
    there: Bool[Array, "k n"]


def suppress(
    score: Float[Array, "k c"],
    box: Float[Array, "4 k c"],
    *,
    count: int,
    overlap: float,
) -> Chosen:
    """The surest proposals of every part, without those that a surer one overlaps.

    Of equals the first is the surer.

    Args:
        score: -inf for what is no proposal.
        box: centre x and y, width and height.
        count: of proposals that are chosen at most, of each part.
        overlap: intersection over union, from which a proposal is left out.
    """
    cells = jnp.arange(score.shape[1])

    def choose(left: Float[Array, "k c"], _: None) -> tuple[Array, Chosen]:
        best = left.max(axis=1)
        cell = (left == best[:, None]).argmax(axis=1)
        there = best > -jnp.inf
        here = cells == cell[:, None]
        own = jnp.take_along_axis(box, cell[None, :, None], axis=2)
        gone = here | (proposal_maps.overlap(own, box) >= overlap)
        left = jnp.where(gone & there[:, None], -jnp.inf, left)
        return left, Chosen(cell, jnp.where(there, best, 0), there)

    _, chosen = jax.lax.scan(choose, score, length=count)
    return Chosen(*(x.T for x in chosen))


def greedy(score: Float[Array, "n n"]) -> Bool[Array, "n n"]:
    """Pairs of a row and a column, the highest score first, each only once.

    Only positive scores make pairs; of equals, the first in reading order.
    """
    n = len(score)
    number = jnp.arange(n)

    def choose(state: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], None]:
        row_of, left = state
        # Rows first, because the place of a maximum costs ten times the maximum.
        best = left.max(axis=1)
        row = best.argmax()
        column = left[row].argmax()
        positive = best[row] > 0
        row_of = jnp.where(positive & (number == column), row, row_of)
        used = (number[:, None] == row) | (number == column)
        return (row_of, jnp.where(used, 0, left)), None

    fresh = jnp.full(n, -1), score
    (row_of, _), _ = jax.lax.scan(choose, fresh, length=n)
    return row_of == number[:, None]


def optimal(score: Float[Array, "n n"]) -> Bool[Array, "n n"]:
    """Pairs of a row and a column of the highest total of scores, all of them positive.

    Args:
        score: 0 for what is no pair.
    """
    pairs = score > 0
    return pairs & assignment.assign(-score, pairs.any(axis=1), pairs.any(axis=0))
