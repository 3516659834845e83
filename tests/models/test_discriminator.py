"""The discriminator's sizes and fields; its numbers are in test_adversarial_recorded."""

import functools

import jax
import jax.numpy as jnp
import pytest

from jaxpose.models import discriminator

SMALL = functools.partial(
    discriminator.Discriminator, stacks=2, blocks=1, features=8, depth=2, stem=(4, 8, 8)
)


def shapes_of(model, size, k):
    image, maps = (jax.ShapeDtypeStruct((2, *size, n), jnp.float32) for n in (3, k))
    return jax.eval_shape(
        lambda *x: model.init_with_output(jax.random.key(0), *x, train=False),
        image,
        maps,
    )


@pytest.mark.parametrize(
    ("fields", "size", "k", "parameters"),
    [
        # specs/adversarial_ae.md, section 0: of advpose and of advpose-ae.
        ({}, (64, 64), 16, 24_873_408),
        ({"blocks": 1, "features": 128}, (128, 128), 17, 3_335_044),
    ],
)
def test_parameters_are_as_many_as_in_the_original(fields, size, k, parameters):
    model = discriminator.Discriminator(num_keypoints=k, **fields)
    maps, variables = shapes_of(model, size, k)
    assert maps.shape == (2, *size, k)
    found = sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))
    assert found == parameters


def test_fields_change_what_they_say():
    model = SMALL(num_keypoints=3, dtype="bfloat16", remat=True)
    maps, variables = shapes_of(model, (8, 12), 3)
    assert maps.shape == (2, 8, 12, 3) and maps.dtype == jnp.float32
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    _, plain = shapes_of(SMALL(num_keypoints=3), (8, 12), 3)
    assert jax.tree.structure(plain) == jax.tree.structure(variables)


@pytest.mark.parametrize(
    ("size", "k", "message"),
    [
        ((10, 12), 3, "10 x 12 cells; a discriminator of depth 2 takes multiples of 4"),
        ((8, 12), 5, "5 keypoints for a discriminator of num_keypoints=3"),
    ],
)
def test_heatmaps_that_do_not_fit_are_refused(size, k, message):
    with pytest.raises(ValueError, match=message):
        shapes_of(SMALL(num_keypoints=3), size, k)


def test_a_discriminator_without_stacks_is_refused():
    with pytest.raises(ValueError, match="stacks=0 must be 1 or more"):
        SMALL(num_keypoints=3, stacks=0)
