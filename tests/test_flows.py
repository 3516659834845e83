"""RealNVP: a map that can be undone, whose Jacobian is the one it says."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import random_flows

from jaxpose import flows

POINTS = np.random.default_rng(1).normal(size=(40, 2)) * 2


def network(perceptrons, i, x):
    """One of the small networks, number to number, in plain NumPy."""
    h = np.array([x])
    for layer, (kernel, bias) in enumerate(
        zip(perceptrons.kernels, perceptrons.biases)
    ):
        h = np.where(h > 0, h, 0.01 * h) if layer else h
        h = h @ np.asarray(kernel[i], np.float64) + np.asarray(bias[i], np.float64)
    return h[0]


def undone(flow, point):
    """Couplings undone from the last to the first: x and y are kept in turn."""
    point = list(point)
    for i in reversed(range(len(flow.scale.kernels[0]))):
        kept, moved = (0, 1) if i in (0, 2, 4) else (1, 0)
        factor = np.exp(np.tanh(network(flow.scale, i, point[kept])))
        point[moved] = (point[moved] - network(flow.shift, i, point[kept])) / factor
    return point


def test_the_map_can_be_undone():
    flow = random_flows.random_flow()
    base, _ = flows.to_base(flow, jnp.array(POINTS, jnp.float32))
    assert np.abs(base - POINTS).max() > 2
    back = [undone(flow, point) for point in np.asarray(base, np.float64)]
    # Six factors of up to e on float32 numbers of up to 10.
    np.testing.assert_allclose(back, POINTS, atol=1e-3)


def test_log_determinant_is_that_of_the_jacobian():
    with jax.enable_x64(True):
        flow = random_flows.random_flow(seed=2)
        points = jnp.array(POINTS)
        _, found = flows.to_base(flow, points)
        jacobian = jax.vmap(jax.jacfwd(lambda p: flows.to_base(flow, p)[0]))(points)
        sign, expected = jnp.linalg.slogdet(jacobian)
    np.testing.assert_array_equal(sign, 1)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert np.ptp(expected) > 1


def test_every_coupling_counts():
    flow = random_flows.random_flow()
    points = jnp.array(POINTS, jnp.float32)
    whole, _ = flows.to_base(flow, points)
    for i in range(6):
        without = jax.tree.map(lambda x, i=i: x.at[i].set(0), flow)
        changed, _ = flows.to_base(without, points)
        assert np.abs(changed - whole).max() > 0.1, i


@pytest.mark.parametrize("seed", [0, 1])
def test_the_density_integrates_to_one(seed):
    step = 0.1
    grid = jnp.array(random_flows.plane(30.0, step), jnp.float32)
    flow = random_flows.random_flow(seed)
    density = jnp.exp(jax.jit(flows.log_density)(flow, grid))
    # A Riemann sum: 3e-4 more with half the step, and with twice the plane.
    np.testing.assert_allclose(density.sum() * step**2, 1, atol=1e-3)
    # It is not the standard normal one.
    assert abs(density.max() * 2 * np.pi - 1) > 0.3


def test_zeros_are_the_identity():
    flow = jax.tree.map(jnp.zeros_like, random_flows.random_flow())
    points = jnp.array(POINTS, jnp.float32)
    base, log_determinant = flows.to_base(flow, points)
    np.testing.assert_array_equal(base, points)
    np.testing.assert_array_equal(log_determinant, 0)
    # Two standard normal axes at (1, 2).
    found = flows.log_density(flow, jnp.array([1.0, 2.0]))
    np.testing.assert_allclose(found, -np.log(2 * np.pi) - 2.5, rtol=1e-6)
