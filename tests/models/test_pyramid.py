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


@pytest.mark.parametrize("stages", [1, 2, 4])
def test_maps_have_a_quarter_of_the_size_however_many_the_stages(stages):
    trunk = resnet.ResNet(
        blocks=(1,) * stages, bottleneck=False, features=(4, 5, 6, 7)[:stages]
    )
    model = pyramid.Pyramid(channels=6, trunk=trunk, features=3)
    image = jax.ShapeDtypeStruct((2, 64, 96, 3), jnp.float32)
    maps, variables = jax.eval_shape(
        lambda x: model.init_with_output(jax.random.key(0), x, train=False), image
    )
    assert maps.shape == (1, 2, 16, 24, 6)
    between = {f"{name}{i}" for i in range(1, stages) for name in ("mix", "norm")}
    laterals = {f"lateral{i}" for i in range(1, stages + 1)}
    assert set(variables["params"]) == {"trunk", "maps"} | between | laterals


def test_maps_by_hand(variables):
    """Coarse sums, each cell four times, with the next stage; mixed on every level."""
    params, stats = variables["params"], variables["batch_stats"]
    trunk = {"params": params["trunk"], "batch_stats": stats["trunk"]}
    stages = jax.jit(functools.partial(TRUNK.apply, train=False, method="stages"))(
        trunk, PHOTOGRAPH
    )
    assert [x.shape for x in stages] == [(2, 8, 12, 8), (2, 4, 6, 12), (2, 2, 3, 16)]

    def pointwise(x, name):
        return x @ params[name]["kernel"][0, 0] + params[name]["bias"]

    x = pointwise(stages[2], "lateral3")
    for i in (2, 1):
        x = x.repeat(2, axis=1).repeat(2, axis=2)
        x += pointwise(stages[i - 1], f"lateral{i}")
        x = jax.lax.conv_general_dilated(
            x,
            params[f"mix{i}"]["kernel"],
            (1, 1),
            "SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        scale, bias = (params[f"norm{i}"][k] for k in ("scale", "bias"))
        mean, var = (stats[f"norm{i}"][k] for k in ("mean", "var"))
        x = jnp.maximum((x - mean) / jnp.sqrt(var + 1e-5) * scale + bias, 0)
    expected = np.array(pointwise(x, "maps"))
    np.testing.assert_allclose(
        run(SMALL, variables)[0], expected, atol=1e-5 * np.abs(expected).max()
    )


def test_it_starts_with_maps_next_to_nothing():
    init = functools.partial(SMALL.init_with_output, train=False)
    maps, variables = jax.jit(init)(jax.random.key(0), PHOTOGRAPH)
    # Ten channels of the order of 1, and kernels of 0.001.
    assert 0 < np.abs(maps).max() < 0.02
    np.testing.assert_array_equal(variables["params"]["maps"]["bias"], 0)


def test_bfloat16_is_the_trunks_field(variables):
    """Of every layer; maps come out in float32."""
    full = run(SMALL, variables)
    model = SMALL.clone(trunk=dataclasses.replace(TRUNK, dtype="bfloat16"))
    half, seen = run(
        model, variables, capture_intermediates=True, mutable=["intermediates"]
    )
    seen = {k: v for k, v in seen["intermediates"].items() if k != "__call__"}
    layers = {k: v["__call__"][0].dtype for k, v in seen.items() if k != "trunk"}
    assert len(layers) == 8 and set(layers.values()) == {jnp.dtype("bfloat16")}
    assert half.dtype == jnp.float32
    np.testing.assert_allclose(half, full, atol=0.05 * float(jnp.abs(full).max()))


def test_a_size_that_the_trunk_cannot_halve_is_refused():
    with pytest.raises(ValueError, match="multiples of 16"):
        SMALL.init(jax.random.key(0), PHOTOGRAPH[:, :24], train=False)
