"""Max pooling against XLA's own, and PyTorch's rule for equals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from jaxpose.models import pooling

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("size", [(8, 6), (7, 9)])
@pytest.mark.parametrize(
    ("window", "stride", "padding"),
    [(3, 2, 1), (2, 2, 0), (3, 2, 0), (3, 1, 1), (3, 3, 0), (2, 3, 0), (5, 2, 2)],
)
def test_value_and_gradient_are_xla_s(size, window, stride, padding):
    x = jnp.array(RANDOM.normal(size=(2, *size, 3)), jnp.float32)

    def plain(x):
        sides = ((padding, padding),) * 2
        return nn.max_pool(x, (window,) * 2, (stride,) * 2, sides)

    def own(x):
        return pooling.max_pool(x, window, stride, padding)

    expected, back = jax.vjp(plain, x)
    found, own_back = jax.vjp(own, x)
    np.testing.assert_array_equal(found, expected)
    gradient = jnp.array(RANDOM.normal(size=expected.shape), jnp.float32)
    # Sums of at most 9 numbers of some units, in another order.
    np.testing.assert_allclose(own_back(gradient)[0], back(gradient)[0], atol=2e-6)


def test_of_equals_the_first_has_the_whole_gradient():
    x = jnp.array([[0.0, 5.0, 0.0, 0.0], [5.0, 5.0, 0.0, 0.0]])[None, :, :, None]
    gradient = jax.grad(lambda x: pooling.max_pool(x, 2, 2).sum())(x)
    # Also a window of zeros, as they come from a ReLU, has a first.
    np.testing.assert_array_equal(gradient[0, :, :, 0], [[0, 1, 1, 0], [0, 0, 0, 0]])


def test_what_no_window_sees_has_no_gradient():
    x = jnp.array(RANDOM.normal(size=(1, 5, 5, 1)), jnp.float32)
    gradient = jax.grad(lambda x: pooling.max_pool(x, 2, 2).sum())(x)[0, :, :, 0]
    assert gradient.sum() == 4
    assert not gradient[4].any()
    assert not gradient[:, 4].any()


def test_half_precision_stays():
    x = jnp.ones((1, 4, 4, 1), jnp.bfloat16)
    value, back = jax.vjp(lambda x: pooling.max_pool(x, 3, 2, 1), x)
    assert value.dtype == back(value)[0].dtype == jnp.bfloat16
