"""Optimal one-to-one assignment inside a compiled program of fixed shapes.

Rows and columns that are not there are said by masks, so that no cost has to be made up
for them. `optax.assignment` has no masks, and takes every row in turn; here rows that
want different columns, almost all when people are grouped, are settled at once.
"""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

Matching = tuple[Array, Array, Array, Array]
Search = tuple[Array, Array, Array, Array, Array, Array]
# The largest cost: a search among infinite costs would not end.
_FAR = 1e9


def assign(
    cost: Float[Array, "n n"], rows: Bool[Array, "n"], columns: Bool[Array, "n"]
) -> Bool[Array, "n n"]:
    """Pairs of rows and columns of the smallest total cost, as many as can be.

    Every row that is there gets a column, or every column a row, whichever are fewer.
    Optimal to rounding: costs of 1e6 hide differences of 0.1 in float32.

    Args:
        cost: square, for as many rows and columns as there could be. Beyond +-1e9 it
            counts as that, and nan, as of a network that diverges, as 1e9.
        rows: which rows are there.
        columns: which columns are there.

    Source: shortest augmenting paths, Jonker and Volgenant 1987, in the form for
    rectangles of Crouse, "On implementing 2D rectangular assignment algorithms", 2016.
    """
    cost = jnp.nan_to_num(cost, nan=_FAR).clip(-_FAR, _FAR)
    # A path ends in a column nobody has: the fewer must look for the more.
    swap = rows.sum() > columns.sum()
    cost = jnp.where(swap, cost.T, cost)
    seekers = jnp.where(swap, columns, rows)
    sought = jnp.where(swap, rows, columns)
    column = _seek(jnp.where(sought, cost, jnp.inf), seekers)
    pairs = column[:, None] == jnp.arange(len(cost))
    return jnp.where(swap, pairs.T, pairs)


def _seek(cost: Float[Array, "n n"], rows: Bool[Array, "n"]) -> Int[Array, "n"]:
    """The column of each row that is there, -1 for others; absent columns cost inf."""
    number = jnp.arange(len(cost))
    cheapest = jnp.where(rows, cost.argmin(axis=1), -1)
    claims = cheapest[:, None] == number
    first = jnp.where(claims.any(axis=0), claims.argmax(axis=0), -1)
    settled = (claims & (number[:, None] == first)).any(axis=1)
    price = jnp.where(rows, cost.min(axis=1), 0)
    state = jnp.where(settled, cheapest, -1), first, price, jnp.zeros_like(price)

    def unsettled(state: Matching) -> Bool[Array, ""]:
        return (rows & (state[0] < 0)).any()

    def settle(state: Matching) -> Matching:
        left = rows & (state[0] < 0)
        return _augment(cost, jnp.where(left.any(), left.argmax(), -1), *state)

    return jax.lax.while_loop(unsettled, settle, state)[0]


def _augment(
    cost: Float[Array, "n n"],
    start: Int[Array, ""],
    column: Int[Array, "n"],
    row: Int[Array, "n"],
    u: Float[Array, "n"],
    v: Float[Array, "n"],
) -> Matching:
    """Gives one more row a column, by the cheapest chain of changes.

    Args:
        start: the row; -1 for none, which is what a mapped loop gives to examples that
            are done while others are not.
        column: that of each row, -1 for none.
        row: that of each column, -1 for none.
        u, v: prices of rows and columns: cost - u - v is 0 for pairs, never below.
    """
    number = jnp.arange(len(cost))
    search = functools.partial(_scan, cost, row, u, v)
    length, reached, before, scanned, end, _ = jax.lax.while_loop(
        lambda state: state[-1] >= 0,
        search,
        (
            jnp.zeros((), cost.dtype),
            jnp.full_like(v, jnp.inf),
            jnp.full_like(row, -1),
            jnp.zeros(len(v), bool),
            jnp.array(-1, row.dtype),
            start,
        ),
    )
    gain = jnp.where(scanned, length - reached, 0)
    u = u + jnp.where(column >= 0, gain[column], 0) + (number == start) * length

    def change(state: Matching) -> Matching:
        column, row, free, _ = state
        taker = before[free]
        released = column[taker]
        column = jnp.where(number == taker, free, column)
        row = jnp.where(number == free, taker, row)
        return column, row, released, taker == start

    column, row, _, _ = jax.lax.while_loop(
        lambda state: ~state[-1], change, (column, row, end, start < 0)
    )
    return column, row, u, v - gain


def _scan(
    cost: Float[Array, "n n"],
    row: Int[Array, "n"],
    u: Float[Array, "n"],
    v: Float[Array, "n"],
    state: Search,
) -> Search:
    """One step of Dijkstra's search: from a row to the nearest column not yet scanned."""
    length, reached, before, scanned, _, here = state
    through = length + cost[here] - u[here] - v
    nearer = ~scanned & (through < reached)
    reached = jnp.where(nearer, through, reached)
    before = jnp.where(nearer, here, before)
    unscanned = jnp.where(scanned, jnp.inf, reached)
    nearest = unscanned.argmin()
    scanned |= jnp.arange(len(v)) == nearest
    return unscanned[nearest], reached, before, scanned, nearest, row[nearest]
