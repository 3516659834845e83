"""Pose proposal networks as PyTorch computed them, and how they start."""

import functools
import re
import zlib

import jax
import jax.numpy as jnp
import numpy as np
import published_networks
import pytest
import random_variables

from jaxpose.models import proposal, resnet
from jaxpose.weights import proposal as published

IMAGE = jax.ShapeDtypeStruct((1, 64, 96, 3), jnp.float32)
# The record's images are normalized.
PLAIN = {"mean": (0.0,) * 3, "std": (1.0,) * 3}


def model_of(layers, **fields):
    trunk = resnet.resnet(layers=layers, **fields)
    return proposal.Proposal(num_parts=16, num_limbs=15, trunk=trunk)


def shapes_of(model):
    key = jax.random.key(0)
    return jax.eval_shape(lambda x: model.init_with_output(key, x, train=False), IMAGE)


@pytest.mark.parametrize(("layers", "parameters"), [(18, 16_569_695), (50, 35_979_103)])
def test_parameters_are_as_many_as_in_pytorch(layers, parameters):
    outputs, variables = shapes_of(model_of(layers))
    assert outputs.shape == (1, 2, 3, 1311)
    leaves = jax.tree.leaves(variables["params"])
    assert sum(leaf.size for leaf in leaves) == parameters


@pytest.fixture(scope="module")
def case(reference):
    """The record, our network, and its variables by the record's recipe."""
    record, state = reference("ppn_resnet18_forward"), {}
    for name, shape in (str(key).split("|") for key in record["keys"]):
        shape = tuple(map(int, re.findall(r"\d+", shape)))
        state[name] = published_networks.det_filled(name, shape)
    model = model_of(18, **PLAIN)
    _, fresh = shapes_of(model)
    variables = jax.device_put(published.proposal(lambda: state, fresh))
    return record, model, variables


def test_outputs_are_the_recorded_ones(case):
    """In evaluation, and by the batch's own statistics."""
    record, model, variables = case
    image = jnp.array(record["x128"].transpose(0, 2, 3, 1))
    evaluated = model.apply(variables, image, train=False)
    trained, _ = model.apply(variables, image, train=True, mutable=["batch_stats"])
    for found, name in ((evaluated, "out128_eval"), (trained, "out128_train")):
        expected = record[name]
        # About 20 layers, each with sums of up to 4608 products, rounded to 2^-24; the
        # normalization of 32 cells a channel enlarges what they lose.
        atol = 2e-5 * np.abs(expected).max()
        np.testing.assert_allclose(found, expected, rtol=0, atol=atol, err_msg=name)


def test_outputs_of_full_size_are_the_recorded_ones(case):
    record, model, variables = case
    random = np.random.Generator(np.random.PCG64(zlib.crc32(b"input:ppn18")))
    image = (random.random((1, 3, 384, 384)) * 4 - 2).astype(np.float32)
    image = jnp.array(image.transpose(0, 2, 3, 1))
    (outputs,) = np.asarray(model.apply(variables, image, train=False))
    atol = 2e-5 * np.abs(outputs).max()
    for found, name in (
        (outputs[..., :96], "out384_joint_channels"),
        (outputs[5, 6], "out384_y5x6"),
        (np.abs(outputs).mean(axis=-1), "out384_meanabs_cells"),
    ):
        np.testing.assert_allclose(found, record[name], rtol=0, atol=atol, err_msg=name)


TRUNK = {"blocks": (1, 1), "bottleneck": False, "features": (8, 16)}
PHOTOGRAPH = jnp.array(
    np.random.default_rng(0).uniform(size=(2, 32, 48, 3)), jnp.float32
)


def small(levels=1, **fields):
    return proposal.Proposal(
        num_parts=4,
        num_limbs=3,
        trunk=resnet.ResNet(**TRUNK, **fields),
        levels=levels,
        window=(3, 5),
        features=12,
    )


def test_a_small_one_has_the_grid_of_its_trunk_and_the_channels_of_its_window():
    outputs, variables = shapes_of(small())
    assert outputs.shape == (1, 64 // 8, 96 // 8, 6 * 4 + 3 * 5 * 3)
    params = variables["params"]
    assert set(params) == {"trunk", "hidden1", "hidden_norm", "hidden2", "proposals"}
    assert params["hidden2"]["kernel"].shape == (3, 3, 12, 12)
    assert params["proposals"]["kernel"].shape == (1, 1, 12, 69)


def test_the_head_by_hand():
    """Normalization after the first layer alone, leaks of a tenth, nothing at the end."""
    model = small()
    _, shapes = shapes_of(model)
    variables = random_variables.like(shapes)
    outputs, seen = jax.jit(
        lambda v, x: model.apply(v, x, train=False, capture_intermediates=True)
    )(variables, PHOTOGRAPH)
    params = variables["params"]
    hidden = np.array(seen["intermediates"]["hidden2"]["__call__"][0])
    leaked = np.where(hidden > 0, hidden, 0.1 * hidden)
    by_hand = leaked @ params["proposals"]["kernel"][0, 0] + params["proposals"]["bias"]
    np.testing.assert_allclose(outputs, by_hand, rtol=1e-4, atol=1e-5)
    assert (hidden < 0).any() and (np.array(outputs) < 0).any()


def test_two_levels_are_summed_on_the_finer_grid():
    model = small(levels=2)
    outputs, shapes = shapes_of(model)
    assert outputs.shape == (1, 64 // 4, 96 // 4, 69)
    variables = random_variables.like(shapes)
    run = jax.jit(
        lambda v, x: model.apply(v, x, train=False, capture_intermediates=True)
    )
    hidden = run(variables, PHOTOGRAPH)[1]["intermediates"]["hidden1"]["__call__"][0]
    params = variables["params"]
    trunk = {name: parts["trunk"] for name, parts in variables.items()}
    fine, coarse = model.trunk.apply(trunk, PHOTOGRAPH, train=False, method="stages")
    lifted = coarse @ params["up1"]["kernel"][0, 0] + params["up1"]["bias"]
    summed = fine + lifted.repeat(2, axis=1).repeat(2, axis=2)
    by_hand = jax.lax.conv_general_dilated(
        summed,
        params["hidden1"]["kernel"],
        (1, 1),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    np.testing.assert_allclose(
        hidden, by_hand + params["hidden1"]["bias"], rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("levels", [0, 3])
def test_levels_that_the_trunk_lacks_are_refused(levels):
    with pytest.raises(ValueError, match=f"levels={levels} of a trunk of 2 stages"):
        shapes_of(small(levels=levels))


def test_bfloat16_is_the_trunks_field():
    _, shapes = shapes_of(small())
    variables = random_variables.like(shapes)
    full, half = (
        jax.jit(functools.partial(small(dtype=dtype).apply, train=False))(
            variables, PHOTOGRAPH
        )
        for dtype in ("float32", "bfloat16")
    )
    assert half.dtype == jnp.float32
    np.testing.assert_allclose(half, full, atol=0.05 * float(jnp.abs(full).max()))
    assert not np.array_equal(half, full)
