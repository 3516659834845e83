"""Checkpoints of pose-ae-train and hgpose-ae; their values: tests/models."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import published_networks
import pytest
import torch_bytes

from jaxpose.models import associative
from jaxpose.weights import associative as published

# The originals' but for their widths.
MODEL = functools.partial(
    associative.AssociativeHourglass,
    num_keypoints=17,
    stacks=2,
    features=8,
    increase=4,
    channels=68,
)
STATE = functools.partial(published_networks.associative, features=8, increase=4)


def shapes_of(model):
    image = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
    return jax.eval_shape(
        lambda x: model.init(jax.random.key(0), x, train=False), image
    )


def zeros(shapes):
    return jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes)


def numbered(shapes):
    """Every entry full of its place in the order of the network's own layers."""
    return {
        name: np.full(shape, n, np.float32)
        for n, (name, shape) in enumerate(shapes.items())
    }


@pytest.mark.parametrize("stacks", [1, 3])
@pytest.mark.parametrize("pose_net", [False, True])
def test_every_variable_has_its_entry(stacks, pose_net):
    fresh = shapes_of(MODEL(stacks=stacks))
    state = numbered(STATE(stacks=stacks, pose_net=pose_net))
    found = published.associative_hourglass(lambda: state, fresh)
    assert jax.tree.structure(found) == jax.tree.structure(fresh)
    numbers = [int(leaf.flat[0]) for leaf in jax.tree.leaves(found)]
    assert sorted(numbers) == list(range(len(state)))


def test_both_originals_name_the_same_layers():
    def loaded(**names):
        state = numbered(STATE(stacks=2, **names))
        return published.associative_hourglass(lambda: state, shapes_of(MODEL()))

    jax.tree.map(np.testing.assert_array_equal, loaded(), loaded(pose_net=True))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (("stem2",), "head.5"),
        (("stack1", "hourglass", "skip"), "features.1.0.up1.0.0"),
        (("stack1", "hourglass", "down"), "features.1.0.low1.0.0"),
        (("stack1", "hourglass", "inner", "up"), "features.1.0.low2.low3.0.0"),
        (
            ("stack0", "hourglass", *["inner"] * 4),
            "features.0.0.low2.low2.low2.low2.0.0",
        ),
        (("stack0", "after_1"), "features.0.3"),
        (("stack1", "maps"), "outs.1"),
        (("stack0", "merge_maps"), "merge_preds.0.conv"),
        (("stack0", "merge"), "merge_features.0.conv"),
    ],
)
def test_layers_of_equal_shapes_are_not_mistaken(path, name):
    state = numbered(STATE(stacks=2))
    layer = published.associative_hourglass(lambda: state, shapes_of(MODEL()))["params"]
    for part in path:
        layer = layer[part]
    assert layer["bias"][0] == state[f"{name}.bias"][0]


@pytest.mark.parametrize("pose_net", [False, True])
def test_a_network_of_other_keypoints_keeps_its_own_heads(pose_net):
    state = {
        name: np.ones(shape, np.float32)
        for name, shape in STATE(stacks=2, pose_net=pose_net).items()
    }
    fresh = zeros(shapes_of(MODEL(num_keypoints=16, channels=0)))
    found = published.associative_hourglass(lambda: state, fresh, heads=False)
    for path, leaf in jax.tree_util.tree_leaves_with_path(found):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        heads = "/maps/" in name or "/merge_maps/" in name
        np.testing.assert_array_equal(leaf, 0 if heads else 1, err_msg=name)
    with pytest.raises(ValueError, match=r"outs.0.* has shape \(68,\) .*has \(32,\)"):
        published.associative_hourglass(lambda: state, fresh)


def test_a_network_of_other_stacks_is_refused():
    state = numbered(STATE(stacks=2))
    with pytest.raises(ValueError, match=r"no entry merge_\S+ among 76, of"):
        published.associative_hourglass(lambda: state, shapes_of(MODEL(stacks=3)))
    with pytest.raises(ValueError, match="no place in the model; change its fields"):
        published.associative_hourglass(lambda: state, shapes_of(MODEL(stacks=1)))


@pytest.mark.parametrize(("pose_net", "key"), [(True, "state_dict"), (False, "netHg")])
@pytest.mark.parametrize("parallel", ["", "module."])
def test_a_checkpoint_of_either_original(tmp_path, pose_net, key, parallel):
    state = numbered(STATE(stacks=2, pose_net=pose_net))
    entries = {
        f"{parallel}{name}": torch_bytes.tensor(name, value)
        for name, value in state.items()
    }
    path = tmp_path / "model_ep150.pth"
    path.write_bytes(torch_bytes.zipped({"epoch": 150, key: entries}, state))
    fresh = shapes_of(MODEL())
    found = published.AssociativeHourglass(path=str(path))(fresh)
    expected = published.associative_hourglass(lambda: state, fresh)
    jax.tree.map(np.testing.assert_array_equal, found, expected)
    assert published.AssociativeHourglass()(fresh) is fresh
