"""Published checkpoints into networks of full size; their values: tests/models."""

import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import published_networks
import pytest
import torch_bytes

from jaxpose import config as configs
from jaxpose.models import group_norm, hourglass, pose_resnet, resnet
from jaxpose.weights import pytorch_pose
from jaxpose.weights import resnet as resnet_weights

CONFIGS = pathlib.Path(__file__).parents[2] / "configs"
IMAGE = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)


def shapes_of(model):
    return jax.eval_shape(
        lambda x: model.init(jax.random.key(0), x, train=False), IMAGE
    )


def zeros(shapes):
    return jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes)


def hourglass_of(k=16, **fields):
    return hourglass.StackedHourglass(num_keypoints=k, **fields)


def pose_resnet50(k=16):
    trunk = resnet.resnet(layers=50)
    return pose_resnet.PoseResNet(num_keypoints=k, trunk=trunk)


def ones(shapes):
    return {name: np.ones(shape, np.float32) for name, shape in shapes.items()}


@pytest.mark.parametrize(
    ("stacks", "blocks", "running"), [(1, 1, True), (3, 2, True), (2, 1, False)]
)
def test_every_variable_of_an_hourglass_has_its_entry(stacks, blocks, running):
    norm = hourglass.batch_norm.BatchNorm if running else group_norm.GroupNorm
    fresh = shapes_of(hourglass_of(stacks=stacks, blocks=blocks, norm=norm))
    state = ones(
        published_networks.hourglass(stacks=stacks, blocks=blocks, running=running)
    )
    found = pytorch_pose.hourglass(lambda: state, fresh)
    assert jax.tree.structure(found) == jax.tree.structure(fresh)
    assert all(np.all(leaf == 1) for leaf in jax.tree.leaves(found))


def test_an_hourglass_of_other_keypoints_keeps_its_own_heads():
    state = ones(published_networks.hourglass(stacks=2))
    fresh = zeros(shapes_of(hourglass_of(k=17)))
    found = pytorch_pose.hourglass(lambda: state, fresh, heads=False)
    for path, leaf in jax.tree_util.tree_leaves_with_path(found):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        heads = "/maps/" in name or "/merge_maps/" in name
        np.testing.assert_array_equal(leaf, 0 if heads else 1, err_msg=name)
    with pytest.raises(ValueError, match=r"score.0.* has shape \(16,\) .*has \(17,\)"):
        pytorch_pose.hourglass(lambda: state, fresh)


def test_an_hourglass_of_other_stacks_is_refused():
    state = ones(published_networks.hourglass(stacks=2))
    with pytest.raises(ValueError, match=r"no entry res.2.0.* among 588, of"):
        pytorch_pose.hourglass(lambda: state, shapes_of(hourglass_of(stacks=3)))
    with pytest.raises(ValueError, match="no place in the model; change its fields"):
        pytorch_pose.hourglass(lambda: state, shapes_of(hourglass_of(stacks=1)))


def simple_baselines(name):
    """The same entry in a checkpoint of Simple Baselines itself."""
    final = "head.features.9"
    name = name.replace(final, "final_layer").removeprefix("backbone.")
    return name.replace("head.features", "deconv_layers")


@pytest.mark.parametrize("rename", [lambda name: name, simple_baselines])
def test_every_variable_of_a_pose_resnet_has_its_entry(rename):
    fresh = shapes_of(pose_resnet50())
    entries = published_networks.pose_resnet50()
    state = ones({rename(name): shape for name, shape in entries.items()})
    found = pytorch_pose.pose_resnet(lambda: state, fresh)
    assert jax.tree.structure(found) == jax.tree.structure(fresh)
    assert all(np.all(leaf == 1) for leaf in jax.tree.leaves(found))
    other = zeros(shapes_of(pose_resnet50(k=17)))
    found = pytorch_pose.pose_resnet(lambda: state, other, heads=False)
    assert not np.any(found["params"]["maps"]["kernel"])
    assert np.all(found["params"]["deconv3"]["kernel"] == 1)


@pytest.fixture
def write(tmp_path):
    def write(state):
        entries = {
            f"module.{n}": torch_bytes.tensor(n, value) for n, value in state.items()
        }
        path = tmp_path / "model_best.pth.tar"
        content = {"epoch": 90, "arch": "hg", "state_dict": entries}
        path.write_bytes(torch_bytes.zipped(content, state))
        return str(path)

    return write


def test_an_hourglass_from_a_file(write):
    state = published_networks.filled(published_networks.hourglass(stacks=1))
    fresh = shapes_of(hourglass_of(stacks=1))
    found = pytorch_pose.Hourglass(path=write(state))(fresh)
    expected = pytorch_pose.hourglass(lambda: state, fresh)
    jax.tree.map(np.testing.assert_array_equal, found, expected)
    assert pytorch_pose.Hourglass()(fresh) is fresh


@pytest.mark.parametrize("name", ["hourglass_mpii", "hourglass_lsp_mpii"])
def test_a_config_takes_the_file_of_an_hourglass(write, name):
    config = configs.load(str(CONFIGS / f"{name}.py"))
    config.learner.pretrained.path = write(ones(published_networks.hourglass(stacks=2)))
    learner = configs.build(config.learner)
    found = jax.tree.leaves(learner.pretrained(shapes_of(learner.model)))
    assert len(found) == len(jax.tree.leaves(shapes_of(learner.model)))
    assert all(np.all(leaf == 1) for leaf in found)


def test_a_pose_resnet_and_a_trunk_from_files(write):
    state = published_networks.filled(published_networks.pose_resnet50())
    fresh = zeros(shapes_of(pose_resnet50()))
    found = pytorch_pose.PoseResNet(path=write(state))(fresh)
    expected = pytorch_pose.pose_resnet(lambda: state, fresh)
    jax.tree.map(np.testing.assert_array_equal, found, expected)
    imagenet = {
        name.removeprefix("backbone."): value
        for name, value in state.items()
        if name.startswith("backbone.")
    }
    imagenet |= {"fc.weight": np.ones((9, 2048)), "fc.bias": np.ones(9)}
    imagenet = {name: np.float32(value) for name, value in imagenet.items()}
    begun = resnet_weights.Trunk(path=write(imagenet))(fresh)
    for collection, layers in begun.items():
        for layer, entries in layers.items():
            source = expected if layer == "trunk" else fresh
            jax.tree.map(
                np.testing.assert_array_equal, entries, source[collection][layer]
            )
    for empty in (pytorch_pose.PoseResNet(), resnet_weights.Trunk()):
        assert empty(fresh) is fresh


def test_a_trunk_of_another_depth_is_refused(write):
    state = {"conv1.weight": np.zeros((64, 3, 7, 7), np.float32)}
    state |= {"layer1.0.conv1.weight": np.zeros((64, 64, 3, 3), np.float32)}
    with pytest.raises(ValueError, match=r"no entry \S+ among 2, of which"):
        resnet_weights.Trunk(path=write(state))(shapes_of(pose_resnet50()))
