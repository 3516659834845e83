"""Coordinates, scales and a flow: how they start, and in which precision."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import random_variables

from jaxpose import flows
from jaxpose.models import density_regressor, resnet

TRUNK = resnet.ResNet(blocks=(1, 1), bottleneck=False, features=(8, 16))
IMAGE = jnp.array(np.random.default_rng(0).uniform(size=(2, 32, 48, 3)), jnp.float32)


def model(dtype="float32"):
    return density_regressor.DensityRegressor(
        num_keypoints=3, trunk=TRUNK.clone(dtype=dtype)
    )


def shapes_of(model):
    key = jax.random.key(0)
    return jax.eval_shape(lambda x: model.init_with_output(key, x, train=False), IMAGE)


def test_a_fresh_one_is_at_the_centre_half_sure_and_expects_normal_errors():
    init = functools.partial(model().init_with_output, train=False)
    found, variables = jax.jit(init)(jax.random.key(0), IMAGE)
    for values in (found.coordinates, found.scale):
        assert values.shape == (2, 3, 2) and 0 < np.abs(values).max() < 0.05
    points = jnp.array(np.random.default_rng(1).normal(size=(20, 2)), jnp.float32)
    base, log_determinant = flows.to_base(found.flow, points)
    np.testing.assert_array_equal(base, points)
    np.testing.assert_array_equal(log_determinant, 0)
    assert set(variables["params"]) == {"trunk", "coordinates", "scale", "flow"}


def test_the_flow_is_the_published_one_less_what_its_masks_blot_out():
    """Li et al.: 6 couplings, each of two networks 2, 64, 64, 2, of which half a mask.

    A masked input is a row of 64 weights, a masked output a column of 64 and its bias.
    """
    found, _ = shapes_of(model())
    count = sum(leaf.size for leaf in jax.tree.leaves(found.flow))
    published = 6 * 2 * ((2 * 64 + 64) + (64 * 64 + 64) + (64 * 2 + 2))
    assert count == published - 6 * 2 * (64 + 64 + 1)


def test_hidden_layers_do_not_start_alike_and_bend_in_different_places():
    flow, _ = density_regressor.Flow(6, (64, 64)).init_with_output(jax.random.key(0))
    kernel, bias = flow.scale.kernels[0][:, 0], flow.scale.biases[0]
    assert len(np.unique(kernel)) == kernel.size
    bends = np.sort(-bias / kernel)
    # Within two sigmas there are bends for every tenth of one, over six couplings.
    assert np.diff(np.unique(bends[np.abs(bends) < 2])).max() < 0.1


def test_a_bfloat16_trunk_leaves_head_and_flow_in_float32():
    full, half = model(), model("bfloat16")
    outputs, shapes = shapes_of(half)
    for tree in (outputs, shapes):
        assert {leaf.dtype for leaf in jax.tree.leaves(tree)} == {jnp.dtype("float32")}
    variables = random_variables.like(shapes)
    expected, found = (
        jax.jit(functools.partial(m.apply, train=False))(variables, IMAGE)
        for m in (full, half)
    )
    for name in ("coordinates", "scale"):
        a, b = getattr(expected, name), getattr(found, name)
        np.testing.assert_allclose(b, a, atol=0.03 * np.abs(a).max())
        assert not np.array_equal(a, b)
    jax.tree.map(np.testing.assert_array_equal, expected.flow, found.flow)
