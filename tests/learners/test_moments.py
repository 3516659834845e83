import jax.numpy as jnp
import numpy as np

from jaxpose.learners import moments


def test_batches_add_up_to_all_of_them():
    generator = np.random.default_rng(0)
    values = generator.normal((1.0, -2.0), (0.5, 3.0), (3, 40, 2)).astype(np.float32)
    where = generator.random((3, 40, 1)) < 0.7
    found = moments.nothing(2)
    for batch, counted in zip(values, where, strict=True):
        wild = jnp.where(jnp.array(counted), batch, jnp.nan)
        found = moments.add(found, wild, jnp.array(counted))
    kept = values[where[..., 0]]
    np.testing.assert_array_equal(found.count, len(kept))
    # Sums of some 84 float32 numbers under 10.
    np.testing.assert_allclose(moments.mean(found), kept.mean(0), atol=1e-5)
    np.testing.assert_allclose(moments.spread(found), kept.std(0), atol=1e-5)


def test_each_place_has_its_own_count():
    where = jnp.array([[True, False, False], [True, True, False]])
    found = moments.add(moments.nothing(3), jnp.array([[1.0, 9, 9], [3, 5, 9]]), where)
    np.testing.assert_array_equal(found.count, [2, 1, 0])
    np.testing.assert_array_equal(moments.mean(found), [2, 5, 0])
    np.testing.assert_array_equal(moments.spread(found), [1, 0, 0])


def test_equal_values_have_no_spread():
    """Rounding may leave a square mean above the mean square: no nan comes of it."""
    values = jnp.full((1000, 1), 0.1)
    found = moments.add(moments.nothing(1), values, jnp.ones_like(values, bool))
    # The root of some ulps of 0.01.
    np.testing.assert_allclose(moments.spread(found), 0, atol=1e-3)
