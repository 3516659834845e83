"""Proposals of parts, chosen and joined one to one, in programs of fixed shapes."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, UInt32

from jaxpose.objectives import assignment, proposal_maps

# Rounds of `_survivors` and `greedy` that are made without asking whether they are needed.
# So long as they are enough, many people take no more rounds than one person.
_SURVIVAL_ROUNDS, _GREEDY_ROUNDS = 4, 2
# The row of each column so far, the scores left, and their maxima by row and by column.
_Pairing = tuple[Array, Array, Array, Array]


class Chosen(NamedTuple):
    """Of every part the surest proposals, the surest first, and room for more."""

    cell: Int[Array, "b k n"]  # counted in reading order
    score: Float[Array, "b k n"]
    there: Bool[Array, "b k n"]


def suppress(
    score: Float[Array, "b k c"],
    box: Float[Array, "4 b k c"],
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
    b, k, c = score.shape
    missing = ((0, 0), (0, 0), (0, max(count - c, 0)))
    score = jnp.pad(score, missing, constant_values=-jnp.inf)
    box = jnp.pad(box, ((0, 0), *missing))
    nothing = Chosen(
        jnp.zeros((b, k, 0), int),
        jnp.zeros((b, k, 0), score.dtype),
        jnp.zeros((b, k, 0), bool),
    )

    def choose(left: Float[Array, "b k c"], chosen: Chosen) -> tuple[Array, Chosen]:
        return _choose(left, chosen, box, count=count, overlap=overlap)

    def unfinished(state: tuple[Array, Chosen]) -> Bool[Array, ""]:
        left, chosen = state
        return ((left > -jnp.inf).any(axis=2) & ~chosen.there.all(axis=2)).any()

    state = choose(score, nothing)
    return jax.lax.while_loop(unfinished, lambda state: choose(*state), state)[1]


def _choose(
    left: Float[Array, "b k c"],
    chosen: Chosen,
    box: Float[Array, "4 b k c"],
    *,
    count: int,
    overlap: float,
) -> tuple[Float[Array, "b k c"], Chosen]:
    """What is then left, and the chosen with the surest of what was left.

    Twice as many as are wanted are looked at together: mostly these are enough.
    """
    best, cell = jax.lax.top_k(left, min(2 * count, left.shape[2]))
    own, surer = (_at(box, x[None]) for x in (cell, chosen.cell))
    lost = (_overlaps(surer, own, overlap) & chosen.there[..., None]).any(axis=2)
    there = _survivors((best > -jnp.inf) & ~lost, _overlaps(own, own, overlap))
    found = Chosen(
        jnp.concatenate([chosen.cell, cell], axis=2),
        jnp.concatenate([chosen.score, best], axis=2),
        jnp.concatenate([chosen.there, there], axis=2),
    )
    left = jnp.put_along_axis(left, cell, -jnp.inf, axis=2, inplace=False)
    return left, _surest(found, count)


def _at(values: Array, place: Int[Array, "*b n"]) -> Array:
    """Values at places of the last axis, all of which are there."""
    return jnp.take_along_axis(values, place, axis=-1, mode="promise_in_bounds")


def _overlaps(
    one: Float[Array, "4 b k n"], other: Float[Array, "4 b k m"], least: float
) -> Bool[Array, "b k n m"]:
    return proposal_maps.overlap(one[..., None], other[..., None, :]) >= least


def _survivors(
    there: Bool[Array, "b k n"], overlaps: Bool[Array, "b k n n"]
) -> Bool[Array, "b k n"]:
    """Those of proposals, the surest first, that no surviving surer one overlaps.

    Everyone is decided once all the surer are: in as many rounds as there are links in
    the longest chain of overlaps.
    """
    weaker = ~jnp.tri(there.shape[2], dtype=bool)
    beaten_by = _packed(overlaps & weaker & there[..., None])

    def again(state: tuple[Array, Array]) -> tuple[Array, Array]:
        alive, _ = state
        beaten = (beaten_by & _packed(alive[..., None])).any(axis=2)
        return there & ~beaten, alive

    def undecided(state: tuple[Array, Array]) -> Bool[Array, ""]:
        return (state[0] != state[1]).any()

    state = there, there
    for _ in range(_SURVIVAL_ROUNDS):
        state = again(state)
    return jax.lax.while_loop(undecided, again, state)[0]


def _packed(bits: Bool[Array, "b k n m"]) -> UInt32[Array, "b k w m"]:
    """32 bits of the third axis to a number: what a round costs is reading them."""

    def number(first: int) -> UInt32[Array, "b k m"]:
        these = bits[:, :, first : first + 32].astype(jnp.uint32)
        shifted = [these[:, :, i] << i for i in range(these.shape[2])]
        return functools.reduce(jnp.bitwise_or, shifted)

    return jnp.stack([number(n) for n in range(0, bits.shape[2], 32)], axis=2)


def _surest(found: Chosen, count: int) -> Chosen:
    """As many as are wanted; what is not there has the score 0."""
    score, rank = jax.lax.top_k(jnp.where(found.there, found.score, -jnp.inf), count)
    there = score > -jnp.inf
    cell = _at(found.cell, rank)
    return Chosen(jnp.where(there, cell, 0), jnp.where(there, score, 0), there)


def greedy(score: Float[Array, "b l n n"]) -> Int[Array, "b l n"]:
    """The row of each column, -1 for none: the highest score first, each only once.

    Only positive scores make pairs; of equals, the first in reading order. A score that
    is the highest of its row and of its column is never in the way of a higher one, so
    that all of these are paired at once, and then those of what is left.
    """
    n = score.shape[3]
    across = jnp.arange(n)
    down = across[:, None]

    def highest(left: Float[Array, "b l n n"]) -> tuple[Array, Array, Array]:
        return left, left.max(axis=3), left.max(axis=2)

    def choose(state: _Pairing) -> _Pairing:
        row_of, left, of_row, of_column = state
        # Because the place of a maximum costs ten times the maximum.
        column = jnp.where(left == of_row[..., None], across, n).min(axis=3)
        row = jnp.where(left == of_column[..., None, :], down, n).min(axis=2)
        mine = (of_row > 0) & (_at(row, column) == across)
        yours = (of_column > 0) & (_at(column, row) == across)
        left = jnp.where(mine[..., None] | yours[..., None, :], 0, left)
        return jnp.where(yours, row, row_of), *highest(left)

    # A score that is not a number would never be used up.
    left = jnp.where(score > 0, score, 0)
    state = jnp.full(score.shape[:3], -1), *highest(left)
    for _ in range(_GREEDY_ROUNDS):
        state = choose(state)
    return jax.lax.while_loop(lambda state: (state[2] > 0).any(), choose, state)[0]


def optimal(score: Float[Array, "b l n n"]) -> Int[Array, "b l n"]:
    """The row of each column, -1 for none, so that the total of scores is the highest.

    Args:
        score: 0 for what is no pair.
    """

    def one(score: Float[Array, "n n"]) -> Int[Array, "n"]:
        pairs = score > 0
        pairs &= assignment.assign(-score, pairs.any(axis=1), pairs.any(axis=0))
        return jnp.where(pairs.any(axis=0), pairs.argmax(axis=0), -1)

    return jax.vmap(jax.vmap(one))(score)
