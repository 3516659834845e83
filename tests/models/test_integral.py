"""The spatial expectation against a slow loop, and the network's shapes and range."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpose.models import integral


def test_expectation_is_a_slow_loop():
    maps = np.random.default_rng(0).normal(size=(2, 3, 5, 4)).astype(np.float32) * 3
    expected = np.zeros((2, 4, 2))
    for i, k in np.ndindex(2, 4):
        share = np.exp(maps[i, :, :, k].astype(np.float64))
        share /= share.sum()
        for row, column in np.ndindex(3, 5):
            expected[i, k, 0] += share[row, column] * ((column + 0.5) / 5 * 2 - 1)
            expected[i, k, 1] += share[row, column] * ((row + 0.5) / 3 * 2 - 1)
    result = integral.expectation(jnp.array(maps))
    # Sums of 15 products of numbers under 1, in float32.
    np.testing.assert_allclose(result, expected, atol=5e-7)


def test_a_lit_cell_gives_its_centre_and_an_even_map_the_middle():
    maps = jnp.zeros((1, 4, 6, 2)).at[0, 3, 1, 0].set(1e4)
    (lit, even) = integral.expectation(maps)[0]
    # Cell 1 of 6 spans -2/3..-1/3, cell 3 of 4 spans 1/2..1.
    np.testing.assert_allclose(lit, [-0.5, 0.75], atol=1e-6)
    np.testing.assert_allclose(even, [0, 0], atol=1e-7)


def network(size, **kwargs):
    model = integral.IntegralRegressor(
        num_keypoints=3, features=(4, 8), blocks=(1, 1), **kwargs
    )
    image = jax.random.uniform(jax.random.key(1), (2, *size, 3))
    return model, image, model.init(jax.random.key(0), image, train=False)


@pytest.mark.parametrize("size", [(8, 12), (9, 7)])
def test_outputs_lie_in_the_canvas_also_for_odd_sizes(size):
    model, image, variables = network(size)
    sharp = jax.tree.map(lambda x: 50 * x, variables["params"]["maps"])
    for maps in (variables["params"]["maps"], sharp):
        params = {**variables["params"], "maps": maps}
        outputs = model.apply({**variables, "params": params}, image, train=False)
        assert outputs.shape == (2, 3, 2)
        assert jnp.abs(outputs).max() < 1


def test_grid_is_a_quarter_of_the_image_and_blocks_keep_or_halve_it():
    model, image, variables = network((16, 24))
    _, state = model.apply(
        variables, image, train=False, capture_intermediates=True, mutable=True
    )
    (maps,) = state["intermediates"]["maps"]["__call__"]
    assert maps.shape == (2, 4, 6, 3)


def test_training_moves_running_statistics_and_inference_is_per_example():
    model, image, variables = network((8, 8))
    _, updated = model.apply(variables, image, train=True, mutable=["batch_stats"])
    for before, after in zip(
        jax.tree.leaves(variables["batch_stats"]), jax.tree.leaves(updated), strict=True
    ):
        assert not np.array_equal(before, after)
    together = model.apply(variables, image, train=False)
    alone = model.apply(variables, image[1:], train=False)
    np.testing.assert_allclose(together[1:], alone, atol=1e-6)
