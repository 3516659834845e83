"""Proposals of parts, chosen and joined one to one, in programs of fixed shapes."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxpose.objectives import assignment, proposal_maps

# The column of each row so far, the scores left, and their maxima by row and by column.
_Pairing = tuple[Array, Array, Array, Array]


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
    k, c = score.shape
    missing = ((0, 0), (0, max(count - c, 0)))
    score = jnp.pad(score, missing, constant_values=-jnp.inf)
    box = jnp.pad(box, ((0, 0), *missing))
    nothing = Chosen(
        jnp.zeros((k, 0), int), jnp.zeros((k, 0), score.dtype), jnp.zeros((k, 0), bool)
    )

    def choose(left: Float[Array, "k c"], chosen: Chosen) -> tuple[Array, Chosen]:
        return _choose(left, chosen, box, count=count, overlap=overlap)

    def unfinished(state: tuple[Array, Chosen]) -> Bool[Array, ""]:
        left, chosen = state
        return ((left > -jnp.inf).any(axis=1) & ~chosen.there.all(axis=1)).any()

    state = choose(score, nothing)
    return jax.lax.while_loop(unfinished, lambda state: choose(*state), state)[1]


def _choose(
    left: Float[Array, "k c"],
    chosen: Chosen,
    box: Float[Array, "4 k c"],
    *,
    count: int,
    overlap: float,
) -> tuple[Float[Array, "k c"], Chosen]:
    """What is then left, and the chosen with the surest of what was left.

    Twice as many as are wanted are looked at together: mostly these are enough.
    """
    best, cell = jax.lax.top_k(left, min(2 * count, left.shape[1]))
    own, surer = (
        jnp.take_along_axis(box, x[None], axis=2) for x in (cell, chosen.cell)
    )
    lost = (_overlaps(surer, own, overlap) & chosen.there[..., None]).any(axis=1)
    there = _survivors((best > -jnp.inf) & ~lost, _overlaps(own, own, overlap))
    found = Chosen(
        jnp.concatenate([chosen.cell, cell], axis=1),
        jnp.concatenate([chosen.score, best], axis=1),
        jnp.concatenate([chosen.there, there], axis=1),
    )
    left = left.at[jnp.arange(len(left))[:, None], cell].set(-jnp.inf)
    return left, _surest(found, count)


def _overlaps(
    one: Float[Array, "4 k n"], other: Float[Array, "4 k m"], least: float
) -> Bool[Array, "k n m"]:
    return proposal_maps.overlap(one[..., None], other[:, :, None]) >= least


def _survivors(
    there: Bool[Array, "k n"], overlaps: Bool[Array, "k n n"]
) -> Bool[Array, "k n"]:
    """Those of proposals, the surest first, that no surviving surer one overlaps.

    Everyone is decided once all the surer are: in as many rounds as there are links in
    the longest chain of overlaps.
    """
    weaker = ~jnp.tri(there.shape[1], dtype=bool)
    beats = overlaps & weaker & there[..., None]

    def again(state: tuple[Array, Array]) -> tuple[Array, Array]:
        before, _ = state
        now = there & ~(beats & before[..., None]).any(axis=1)
        return now, (now != before).any()

    fresh = there, jnp.array(True)
    return jax.lax.while_loop(lambda state: state[1], again, fresh)[0]


def _surest(found: Chosen, count: int) -> Chosen:
    """As many as are wanted; what is not there has the score 0."""
    score, rank = jax.lax.top_k(jnp.where(found.there, found.score, -jnp.inf), count)
    there = score > -jnp.inf
    cell = jnp.take_along_axis(found.cell, rank, axis=1)
    return Chosen(jnp.where(there, cell, 0), jnp.where(there, score, 0), there)


def greedy(score: Float[Array, "l n n"]) -> Int[Array, "l n"]:
    """The column of each row, -1 for none: the highest score first, each only once.

    Only positive scores make pairs; of equals, the first in reading order. A score that
    is the highest of its row and of its column is never in the way of a higher one, so
    that all of these are paired at once, and then those of what is left.
    """
    n = score.shape[2]
    across = jnp.arange(n)
    down = across[:, None]

    def highest(left: Float[Array, "l n n"]) -> tuple[Array, Array, Array]:
        return left, left.max(axis=2), left.max(axis=1)

    def choose(state: _Pairing) -> _Pairing:
        column_of, left, of_row, of_column = state
        # Because the place of a maximum costs ten times the maximum.
        column = jnp.where(left == of_row[..., None], across, n).min(axis=2)
        row = jnp.where(left == of_column[:, None], down, n).min(axis=1)
        mine = (of_row > 0) & (jnp.take_along_axis(row, column, axis=1) == across)
        yours = (of_column > 0) & (jnp.take_along_axis(column, row, axis=1) == across)
        left = jnp.where(mine[..., None] | yours[:, None], 0, left)
        return jnp.where(mine, column, column_of), *highest(left)

    # A score that is not a number would never be used up.
    left = jnp.where(score > 0, score, 0)
    fresh = jnp.full(score.shape[:2], -1), *highest(left)
    return jax.lax.while_loop(lambda state: (state[2] > 0).any(), choose, fresh)[0]


def optimal(score: Float[Array, "l n n"]) -> Int[Array, "l n"]:
    """The column of each row, -1 for none, so that the total of scores is the highest.

    Args:
        score: 0 for what is no pair.
    """

    def one(score: Float[Array, "n n"]) -> Int[Array, "n"]:
        pairs = score > 0
        pairs &= assignment.assign(-score, pairs.any(axis=1), pairs.any(axis=0))
        return jnp.where(pairs.any(axis=1), pairs.argmax(axis=1), -1)

    return jax.vmap(one)(score)
