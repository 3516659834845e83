"""Push and pull of tags, beside slow loops over people."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpose.objectives import tag_losses

STACKS, B, P, K, D = 2, 5, 6, 4, 3


def crowd():
    """Tags in float64 and who counts: nobody, then 1, 2, 4 and 6 people in between."""
    random = np.random.default_rng(0)
    tags = random.normal(size=(STACKS, B, P, K, D))
    counted = random.random((B, P, K)) < 0.7
    counted[..., 0] = True
    for i, people in enumerate([(), (3,), (0, 5), (0, 2, 3, 5), range(P)]):
        counted[i, [n for n in range(P) if n not in people]] = False
    return tags, counted


def people_of(tags, counted):
    """The tags of everybody with a keypoint."""
    return [tags[n][counted[n]] for n in range(P) if counted[n].any()]


def slow_pull(people):
    scatters = []
    for person in people:
        mean = sum(person) / len(person)
        scatters.append(sum(((tag - mean) ** 2).mean() for tag in person) / len(person))
    return sum(scatters) / len(scatters) if scatters else 0


def slow_push(people):
    means = [sum(person) / len(person) for person in people]
    near = [
        math.exp(-((a - b) ** 2).sum()) for a, b in itertools.combinations(means, 2)
    ]
    return sum(near) / len(near) / 2 if near else 0


def slow_paper_push(people, sigma):
    means = [sum(person) / len(person) for person in people]
    pairs = itertools.product(means, repeat=2)
    near = [math.exp(-((a - b) ** 2).sum() / (2 * sigma**2)) for a, b in pairs]
    return sum(near) / len(people) ** 2 if people else 0


@pytest.mark.parametrize(
    "fast, slow",
    [
        (tag_losses.pull, slow_pull),
        (tag_losses.push, slow_push),
        (
            lambda tags, counted: tag_losses.paper_push(tags, counted, 0.8),
            lambda people: slow_paper_push(people, 0.8),
        ),
    ],
)
def test_beside_loops_over_people(fast, slow):
    tags, counted = crowd()
    with jax.enable_x64(True):
        found = jax.jit(fast)(jnp.array(tags), jnp.array(counted))
    expected = [
        [slow(people_of(tags[s, i], counted[i])) for i in range(B)]
        for s in range(STACKS)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_forms_of_the_push_for_few_people():
    """Two at distance 1: half of exp(-1) in the code; (1 + exp(-1/2)) / 2 on paper."""
    tags = jnp.arange(3.0)[None, None, :, None, None]
    for people, push, paper in (
        (0, 0, 0),
        (1, 0, 1),
        (2, math.exp(-1) / 2, (1 + math.exp(-0.5)) / 2),
    ):
        counted = (jnp.arange(3) < people)[None, :, None]
        np.testing.assert_allclose(tag_losses.push(tags, counted), push, rtol=1e-6)
        np.testing.assert_allclose(
            tag_losses.paper_push(tags, counted, 1.0), paper, rtol=1e-6
        )


@pytest.mark.parametrize("wild", [np.inf, np.nan])
def test_what_does_not_count_reaches_neither_losses_nor_gradients(wild):
    tags, counted = (jnp.array(x) for x in crowd())

    def total(tags):
        return sum(
            loss.sum()
            for loss in (
                tag_losses.pull(tags, counted),
                tag_losses.push(tags, counted),
                tag_losses.paper_push(tags, counted, 1.0),
            )
        )

    program = jax.jit(jax.value_and_grad(total))
    tame = program(jnp.where(counted[..., None], tags, 0.0))
    loss, gradient = program(jnp.where(counted[..., None], tags, wild))
    assert loss == tame[0] and np.isfinite(loss)
    np.testing.assert_array_equal(gradient, tame[1])
    np.testing.assert_array_equal(
        gradient[:, 2:].any(axis=-1), jnp.stack([counted[2:]] * STACKS)
    )
