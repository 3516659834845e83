"""The balance between the networks, and the signs that it is lost."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxpose.learners import balance

GOOD = {"k": 0.2, "real": 0.3, "fake": 0.2, "blank": 1.0}


@pytest.mark.parametrize(
    ("k", "real", "fake", "expected"),
    [
        # 0.1 + 0.01 (0.5 x 4 - 3) = 0.09
        (0.1, 4.0, 3.0, 0.09),
        (0.1, 8.0, 1.0, 0.13),
        (0.005, 4.0, 3.0, 0.0),
        (0.995, 8.0, 1.0, 1.0),
    ],
)
def test_k_follows_the_balance_between_its_bounds(k, real, fake, expected):
    errors = balance.Errors(jnp.array(real), jnp.array(fake), jnp.array(9.0))
    after, log = balance.advance(jnp.array(k), errors, gamma=0.5, rate=0.01)
    np.testing.assert_allclose(after, expected, rtol=1e-5, atol=1e-8)
    assert log["k"] == after
    assert log["balance"] == real / 2 - fake
    assert log["measure"] == real + abs(real / 2 - fake)
    assert (log["real"], log["fake"], log["blank"]) == (real, fake, 9.0)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (GOOD | {"k": 0.0}, ["k stays at 0"]),
        (GOOD | {"k": 1.0}, ["k stays at 1"]),
        (GOOD | {"real": 1.0}, ["collapsed"]),
        (GOOD | {"real": 9e-4, "fake": 9e-4}, ["copies"]),
        (GOOD | {"k": 0.0, "real": 2.0}, ["k stays at 0", "collapsed"]),
        (GOOD | {"fake": 1e-4}, []),
        (GOOD | {"real": 1e-4}, []),
        (GOOD, []),
    ],
)
def test_what_ten_lines_agree_on_is_said(line, words):
    found = balance.advice([GOOD, *[line] * 10])
    assert len(found) == len(words)
    for text, word in zip(found, words, strict=True):
        assert word in text
    assert balance.advice([line] * 9) == ()
    assert balance.advice([*[line] * 9, GOOD]) == ()
