"""The pyramid: its sizes, its sums by hand, how it starts, bfloat16."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import random_variables

from jaxpose.models import pyramid, resnet

TRUNK = resnet.ResNet(blocks=(1, 2, 1), bottleneck=False, features=(8, 12, 16))
SMALL = pyramid.Pyramid(channels=6, trunk=TRUNK, features=10)
PHOTOGRAPH = jnp.array(
    np.random.default_rng(0).uniform(size=(2, 32, 48, 3)), jnp.float32
)


def run(model, variables, **fields):
    return jax.jit(functools.partial(model.apply, train=False, **fields))(
        variables, PHOTOGRAPH
    )


@pytest.fixture(scope="module")
def variables():
    shapes = jax.eval_shape(
        lambda x: SMALL.init(jax.random.key(0), x, train=False), PHOTOGRAPH
    )
    return random_variables.like(shapes)


def test_maps_have_a_quarter_of_the_size_however_many_the_stages(variables):
    assert run(SMALL, variables).shape == (1, 2, 8, 12, 6)
    assert {name for name in variables["params"] if name != "trunk"} == {
        "lateral1",
        "lateral2",
        "lateral3",
        "mix1",
        "mix2",
        "norm1",
        "norm2",
        "maps",
    }


def test_sums_by_hand(variables):
    """Each is the coarser one, every cell four times, and the next stage beside it."""
    _, seen = run(
        SMALL, variables, capture_intermediates=True, mutable=["intermediates"]
    )
    seen, params = seen["intermediates"], variables["params"]
    layer = {k: np.array(v["__call__"][0]) for k, v in seen.items() if "mix" in k}
    trunk = {
        "params": params["trunk"],
        "batch_stats": variables["batch_stats"]["trunk"],
    }
    stages = jax.jit(functools.partial(TRUNK.apply, train=False, method="stages"))(
        trunk, PHOTOGRAPH
    )
    assert [x.shape for x in stages] == [(2, 8, 12, 8), (2, 4, 6, 12), (2, 2, 3, 16)]

    def lateral(i):
        of_stage = params[f"lateral{i + 1}"]
        return stages[i] @ of_stage["kernel"][0, 0] + of_stage["bias"]

    coarse = lateral(2).repeat(2, axis=1).repeat(2, axis=2) + lateral(1)
    mixed = jax.lax.conv_general_dilated(
        coarse,
        params["mix2"]["kernel"],
        (1, 1),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    np.testing.assert_allclose(layer["mix2"], mixed, rtol=1e-4, atol=1e-5)


def test_every_stage_reaches_the_maps(variables):
    """Without the sums a stage would have no gradient."""

    def total(params):
        maps = SMALL.apply({**variables, "params": params}, PHOTOGRAPH, train=False)
        return jnp.square(maps).sum()

    gradient = jax.jit(jax.grad(total))(variables["params"])
    for name in ("lateral1", "lateral2", "lateral3"):
        assert np.abs(gradient[name]["kernel"]).max() > 0, name


def test_it_starts_with_maps_next_to_nothing():
    init = functools.partial(SMALL.init_with_output, train=False)
    maps, _ = jax.jit(init)(jax.random.key(0), PHOTOGRAPH)
    assert 0 < np.abs(maps).max() < 0.1


def test_bfloat16_is_the_trunks_field(variables):
    full = run(SMALL, variables)
    half = run(
        SMALL.clone(trunk=dataclasses.replace(TRUNK, dtype="bfloat16")), variables
    )
    assert half.dtype == jnp.float32
    np.testing.assert_allclose(half, full, atol=0.05 * float(jnp.abs(full).max()))
    assert not np.array_equal(half, full)


def test_a_size_that_the_trunk_cannot_halve_is_refused():
    with pytest.raises(ValueError, match="multiples of 16"):
        SMALL.init(jax.random.key(0), PHOTOGRAPH[:, :24], train=False)
