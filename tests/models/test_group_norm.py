"""Group normalization by its formula, in NumPy and float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpose.models import group_norm


def test_each_group_of_each_example_alone():
    random = np.random.default_rng(0)
    # A mean of 100 deviations: one-pass variances would lose four of seven digits.
    x = random.normal(200.0, 2.0, (2, 4, 3, 6)).astype(np.float32)
    scale, bias = random.normal(size=(2, 6)).astype(np.float32)
    expected = np.zeros(x.shape)
    for example in range(2):
        for channels in (slice(0, 2), slice(2, 4), slice(4, 6)):
            part = x[example, :, :, channels].astype(np.float64)
            normal = (part - part.mean()) / np.sqrt(part.var() + 1e-5)
            expected[example, :, :, channels] = (
                normal * scale[channels] + bias[channels]
            )
    variables = {"params": {"scale": jnp.array(scale), "bias": jnp.array(bias)}}
    layer = group_norm.GroupNorm(groups=3)
    for train in (True, False):
        result = layer.apply(variables, jnp.array(x), train=train)
        # 200 in float32 is rounded by 8e-6 deviations.
        np.testing.assert_allclose(result, expected, atol=1e-4)


def test_bfloat16_keeps_its_type_and_float32_statistics():
    x = jnp.array(np.random.default_rng(1).normal(50.0, 1.0, (1, 8, 8, 4)))
    layer = group_norm.GroupNorm(groups=2)
    x = x.astype(jnp.bfloat16)
    out, variables = layer.init_with_output(jax.random.key(0), x, train=False)
    assert out.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    full = layer.apply(variables, x.astype(jnp.float32), train=False)
    np.testing.assert_allclose(out.astype(jnp.float32), full, rtol=0.01, atol=0.01)


def test_groups_must_divide_the_channels():
    x = jnp.zeros((1, 2, 2, 48))
    with pytest.raises(ValueError, match="48 channels in 32 groups; the groups must"):
        group_norm.GroupNorm().init(jax.random.key(0), x, train=False)
