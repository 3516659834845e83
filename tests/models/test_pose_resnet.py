"""Simple Baselines as PyTorch-Pose computes it, and how it starts."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import published_networks
import pytest
import recorded

from jaxpose.learners import optimizers
from jaxpose.models import pose_resnet, resnet
from jaxpose.weights import pytorch_pose

IMAGE = jax.ShapeDtypeStruct((2, 64, 64, 3), jnp.float32)


def model_of(layers=50, **fields):
    trunk = resnet.resnet(layers=layers, **fields)
    return pose_resnet.PoseResNet(num_keypoints=16, trunk=trunk)


def shapes_of(model):
    return jax.eval_shape(
        lambda x: model.init(jax.random.key(0), x, train=False), IMAGE
    )


@pytest.fixture(scope="module")
def case(reference):
    record = reference("hg_model_pose_resnet50")
    shapes = published_networks.pose_resnet50()
    state = published_networks.filled(shapes)
    variables = pytorch_pose.pose_resnet(lambda: state, shapes_of(model_of()))
    run = recorded.run(
        record,
        # The record's input is normalized, PyTorch-Pose's way.
        model_of(mean=(0.0,) * 3, std=(1.0,) * 3, dtype="float64"),
        variables,
        optimizers.adamw(learning_rate=1e-3, weight_decay=0.0),
    )
    return record, shapes, run


def test_forward_and_losses_are_the_recorded_ones(case):
    record, _, run = case
    recorded.assert_forward(run, record)


def test_gradients_and_running_statistics_are_the_recorded_ones(case):
    record, shapes, run = case
    recorded.assert_gradients(run, record, pytorch_pose.pose_resnet, shapes)


def test_what_a_step_leaves_is_the_recorded(case):
    record, shapes, run = case
    recorded.assert_step(run, record, pytorch_pose.pose_resnet, shapes)


@pytest.mark.parametrize(
    ("layers", "parameters"),
    [
        (18, 15_376_464),
        (34, 25_484_624),
        (50, 33_999_440),
        (101, 52_991_568),
        (152, 68_635_216),
    ],
)
def test_parameters_are_as_many_as_in_pytorch(layers, parameters):
    params = shapes_of(model_of(layers))["params"]
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == parameters


SMALL = pose_resnet.PoseResNet(
    num_keypoints=3,
    trunk=resnet.ResNet(blocks=(1, 1), bottleneck=False, features=(8, 16)),
    deconvolutions=(32,),
)
PHOTOGRAPH = jnp.array(
    np.random.default_rng(0).uniform(size=(2, 32, 48, 3)), jnp.float32
)


@pytest.fixture(scope="module")
def started():
    """Heatmaps of a fresh network, and its variables."""
    init = functools.partial(SMALL.init_with_output, train=False)
    return jax.jit(init)(jax.random.key(0), PHOTOGRAPH)


def test_a_small_one_starts_with_heatmaps_next_to_nothing(started):
    maps, variables = started
    assert maps.shape == (1, 2, 8, 12, 3)
    params = variables["params"]
    # 8192 numbers tell a deviation to 0.8 %: four of these.
    np.testing.assert_allclose(params["deconv1"]["kernel"].std(), 0.001, rtol=0.032)
    np.testing.assert_array_equal(params["maps"]["bias"], 0)
    assert 0 < np.abs(maps).max() < 0.02
    # The trunk starts so that activations keep their size.
    assert params["trunk"]["stem_conv"]["kernel"].std() > 0.05


def test_bfloat16_is_the_trunks_field(started):
    full, variables = started
    trunk = dataclasses.replace(SMALL.trunk, dtype="bfloat16")
    model = SMALL.clone(trunk=trunk)
    half = jax.jit(functools.partial(model.apply, train=False))(variables, PHOTOGRAPH)
    assert half.dtype == jnp.float32
    np.testing.assert_allclose(half, full, atol=0.05 * float(jnp.abs(full).max()))
    assert not np.array_equal(half, full)
