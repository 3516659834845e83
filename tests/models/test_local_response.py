"""Local response normalization against its formula, channel by channel."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxpose.models import local_response


def slow(x):
    """x_c / (1 + 1e-4 / 5 * sum of x^2 from channel c - 2 to c + 2)^0.75, as Caffe's."""
    y = np.empty_like(x, dtype=np.float64)
    for c in range(x.shape[-1]):
        around = x[..., max(c - 2, 0) : c + 3].astype(np.float64)
        y[..., c] = x[..., c] / (1 + 1e-4 / 5 * (around**2).sum(-1)) ** 0.75
    return y


# Fewer channels than the window has, too.
@pytest.mark.parametrize("channels", [1, 3, 7])
def test_it_is_the_formula(channels):
    # Activations of a fresh AlexNet on 0..255: the sums matter.
    x = np.random.default_rng(0).normal(0, 200, (2, 3, 4, channels)).astype(np.float32)
    # A sum of five, two roots and a product in float32.
    np.testing.assert_allclose(
        local_response.normalize(jnp.array(x)), slow(x), rtol=1e-6
    )


def test_its_gradient_is_that_of_the_formula():
    x = np.random.default_rng(1).normal(0, 200, (1, 2, 2, 6))
    with jax.enable_x64(True):
        # The step suits numbers of hundreds: central differences to 1e-8 of them.
        check_grads(jax.jit(local_response.normalize), (x,), 1, ("rev",), eps=1e-3)


def test_bfloat16_is_summed_in_float32():
    x = np.random.default_rng(2).normal(0, 200, (2, 3, 4, 96))
    x = jnp.array(x, jnp.bfloat16)
    found = local_response.normalize(x)
    assert found.dtype == jnp.bfloat16
    # Its own rounding alone: half of 2^-7.
    expected = slow(np.asarray(x, np.float32))
    np.testing.assert_allclose(np.asarray(found, np.float64), expected, rtol=2**-8)
