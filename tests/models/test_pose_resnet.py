"""Simple Baselines as PyTorch-Pose computes it, and how it starts."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import published_networks
import pytest
import recorded

from jaxpose.models import imagenet, pose_resnet, resnet
from jaxpose.weights import pytorch_pose

IMAGE = jax.ShapeDtypeStruct((2, 64, 64, 3), jnp.float32)


def model_of(layers=50, dtype="float32"):
    trunk = resnet.resnet(layers=layers, dtype=dtype)
    return pose_resnet.PoseResNet(num_keypoints=16, trunk=trunk)


def shapes_of(model):
    return jax.eval_shape(
        lambda x: model.init(jax.random.key(0), x, train=False), IMAGE
    )


def adam(gradient):
    """The first step."""
    return -1e-3 * gradient / (np.abs(gradient) + 1e-8)


@pytest.fixture(scope="module")
def case(reference):
    record = reference("hg_model_pose_resnet50")
    shapes = published_networks.pose_resnet50()
    state = published_networks.filled(shapes)
    variables = pytorch_pose.pose_resnet(lambda: state, shapes_of(model_of()))
    run = recorded.run(
        record,
        lambda dtype: model_of(dtype=dtype),
        variables,
        adam,
        # The record's input is normalized; this network normalizes its input itself.
        to_image=lambda x: x.astype(np.float64) * imagenet.STD + imagenet.MEAN,
    )
    return record, shapes, run


def test_forward_and_loss_are_the_recorded_ones(case):
    record, _, run = case
    recorded.assert_as_recorded(run, record)


def test_gradients_and_running_statistics_are_the_recorded_ones(case):
    record, shapes, run = case
    tree = {"params": run.gradients, "batch_stats": run.batch_stats}
    found = recorded.by_published_name(pytorch_pose.pose_resnet, shapes, tree)
    stats = {name: found.pop(name) for name in list(found) if ".running" in name}
    recorded.assert_norms(found, record["param_names"], record["grad_l2"], 1e-7)
    recorded.assert_norms(stats, record["bn_names"], record["bn_l2_after"], 1e-9)


def test_the_loss_after_a_step_is_the_recorded_one(case):
    record, _, run = case
    np.testing.assert_allclose(run.loss_after, record["train_loss_2nd_forward"], 1e-6)


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
