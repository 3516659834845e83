"""Optimal assignment against SciPy's, with rows and columns that are not there."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from jaxpose.objectives import assignment

N = 12
assign = jax.jit(jax.vmap(assignment.assign))


def drawn(count, seed=0):
    """Costs and masks: real, whole numbers with many ties, and those of grouping."""
    rng = np.random.default_rng(seed)
    cost = rng.uniform(-1, 5, (count, N, N))
    cost[::3] = np.round(cost[::3])
    cost[1::3] += 100 * np.round(cost[1::3])
    there = rng.uniform(size=(2, count, N)) < rng.uniform(size=(2, count, 1))
    return cost.astype(np.float32), *there


def test_total_cost_is_the_optimum():
    cost, rows, columns = drawn(600)
    pairs = np.array(assign(cost, rows, columns))
    kinds = set()
    for c, row, column, chosen in zip(cost, rows, columns, pairs, strict=True):
        assert chosen.sum(axis=0).max() <= 1 and chosen.sum(axis=1).max() <= 1
        assert chosen.sum() == min(row.sum(), column.sum())
        assert not chosen[~row].any() and not chosen[:, ~column].any()
        best = scipy.optimize.linear_sum_assignment(c[np.ix_(row, column)])
        optimum = c[np.ix_(row, column)][best].astype(float).sum()
        # Each of 12 steps rounds a cost below 1000: 2^-24 of it.
        assert abs(c[chosen].astype(float).sum() - optimum) < 12 * 1000 * 2**-24
        kinds.add(int(np.sign(row.sum() - column.sum())))
    assert kinds == {-1, 0, 1}


def test_the_only_optimum():
    """Every row wants column 0: two must be moved on."""
    cost = np.array([[0, 2, 9], [0, 1, 9], [0, 3, 4]], np.float32)
    every = np.ones(3, bool)
    pairs = jax.jit(assignment.assign)(cost, every, every)
    np.testing.assert_array_equal(pairs, np.eye(3, dtype=bool))
    # Without column 1 one row goes without; not the cheapest cell is chosen, but -1 - 5.
    pairs = jax.jit(assignment.assign)(
        cost - [[1], [0], [9]], every, np.array([True, False, True])
    )
    np.testing.assert_array_equal(pairs, [[1, 0, 0], [0, 0, 0], [0, 0, 1]])


@pytest.mark.parametrize("rows, columns", [(0, 0), (0, N), (N, 0)])
def test_nothing_to_assign(rows, columns):
    """Beside an example that takes many steps, which its loops must wait for."""
    cost, _, _ = drawn(2)
    there = jnp.arange(N)[None] < jnp.array([[N], [rows]])
    others = jnp.arange(N)[None] < jnp.array([[N], [columns]])
    pairs = assign(cost, there, others)
    assert pairs[0].sum() == N and not pairs[1].any()


def test_costs_without_bounds_are_far():
    """As of a network that diverges: the search ends, and others are not disturbed."""
    cost = np.array([[9, 2, 9], [np.nan, np.inf, np.nan], [1, 9, 9]], np.float32)
    every = np.ones(3, bool)
    program = jax.jit(assignment.assign)
    found = program(cost, every, every)
    np.testing.assert_array_equal(found, [[0, 1, 0], [0, 0, 1], [1, 0, 0]])
    for wild in (np.nan, np.inf, -np.inf):
        found = program(np.full_like(cost, wild), every, every)
        assert found.sum() == 3 and found.any(axis=0).all() and found.any(axis=1).all()
