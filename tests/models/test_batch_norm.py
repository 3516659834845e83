"""Batch normalization by PyTorch's documented formulas, in NumPy and float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpose.models import batch_norm


@pytest.mark.parametrize("shape", [(4, 3), (2, 5, 3, 4)])
def test_training_normalizes_and_keeps_unbiased_variances(shape):
    random = np.random.default_rng(0)
    channels = shape[-1]
    # A mean of 100 deviations: one-pass variances would lose four of seven digits.
    x = random.normal(200.0, 2.0, shape).astype(np.float32)
    scale, bias = random.normal(size=(2, channels)).astype(np.float32)
    mean, var = random.uniform(0.5, 2.0, (2, channels)).astype(np.float32)
    outputs, updated = batch_norm.BatchNorm(momentum=0.9).apply(
        {
            "params": {"scale": jnp.array(scale), "bias": jnp.array(bias)},
            "batch_stats": {"mean": jnp.array(mean), "var": jnp.array(var)},
        },
        jnp.array(x),
        train=True,
        mutable=["batch_stats"],
    )
    rows = x.reshape(-1, channels).astype(np.float64)
    normal = (x - rows.mean(0)) / np.sqrt(rows.var(0, ddof=0) + 1e-5)
    # 200 in float32 is rounded by 8e-6 deviations; the product with the factor doubles.
    np.testing.assert_allclose(outputs, normal * scale + bias, atol=1e-4)
    stats = updated["batch_stats"]
    np.testing.assert_allclose(
        stats["mean"], 0.9 * mean + 0.1 * rows.mean(0), rtol=1e-6
    )
    np.testing.assert_allclose(
        stats["var"], 0.9 * var + 0.1 * rows.var(0, ddof=1), rtol=1e-5
    )


def test_inference_uses_the_running_statistics():
    variables = {
        "params": {"scale": jnp.array([2.0, 1.0]), "bias": jnp.array([0.0, 3.0])},
        "batch_stats": {"mean": jnp.array([1.0, 0.0]), "var": jnp.array([4.0, 0.25])},
    }
    x = jnp.array([[3.0, 1.0], [1.0, 0.0]])
    outputs = batch_norm.BatchNorm(epsilon=0.0).apply(variables, x, train=False)
    np.testing.assert_allclose(outputs, [[2.0, 5.0], [0.0, 3.0]])


def test_starts_as_the_identity_and_init_moves_nothing():
    x = 3.0 + jnp.arange(6.0).reshape(3, 2)
    for train in (False, True):
        variables = batch_norm.BatchNorm().init(jax.random.key(0), x, train=train)
        np.testing.assert_array_equal(variables["params"]["scale"], 1)
        np.testing.assert_array_equal(variables["params"]["bias"], 0)
        np.testing.assert_array_equal(variables["batch_stats"]["mean"], 0)
        np.testing.assert_array_equal(variables["batch_stats"]["var"], 1)


def test_a_batch_of_one_number_has_no_infinite_variance():
    x = jnp.ones((1, 2))
    _, updated = batch_norm.BatchNorm().init_with_output(
        jax.random.key(0), x, train=False
    )
    _, updated = batch_norm.BatchNorm().apply(
        updated, x, train=True, mutable=["batch_stats"]
    )
    np.testing.assert_allclose(updated["batch_stats"]["var"], 0.9)


def test_bfloat16_keeps_its_type_and_float32_statistics():
    random = np.random.default_rng(2)
    x = jnp.array(random.normal(50.0, 1.0, (256, 3))).astype(jnp.bfloat16)
    layer = batch_norm.BatchNorm()
    variables = layer.init(jax.random.key(0), x, train=False)
    out, updated = layer.apply(variables, x, train=True, mutable=["batch_stats"])
    assert out.dtype == jnp.bfloat16
    stats = updated["batch_stats"]
    assert {leaf.dtype for leaf in jax.tree.leaves(stats)} == {jnp.dtype("float32")}
    # In bfloat16 the mean itself would be rounded to a multiple of 1/4.
    rows = np.asarray(x, np.float64)
    np.testing.assert_allclose(stats["mean"], 0.1 * rows.mean(0), rtol=1e-5)
