"""Caffe's AlexNet in the files that people have becomes a trunk of ours; a minute one."""

import collections

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch_bytes

from jaxpose.models import alexnet, regressor
from jaxpose.weights import alexnet as alexnet_weights

FEATURES, HIDDEN = (4, 6, 4, 8, 6), 5
MODEL = regressor.Regressor(
    num_keypoints=2, trunk=alexnet.AlexNet(features=FEATURES, hidden=HIDDEN)
)
# Its grid after the poolings has 1 row and 2 columns.
SIZE = (67, 91)
LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7")


def caffe(cells=2):
    """In Caffe's order of axes: (output, input, row, column)."""
    shapes = {
        "conv1": (4, 3, 11, 11),
        "conv2": (6, 2, 5, 5),
        "conv3": (4, 6, 3, 3),
        "conv4": (8, 2, 3, 3),
        "conv5": (6, 4, 3, 3),
        "fc6": (HIDDEN, 6 * cells),
        "fc7": (HIDDEN, HIDDEN),
        "fc8": (1000, HIDDEN),
    }
    random = np.random.default_rng(0)
    state = {}
    for layer, shape in shapes.items():
        state[f"{layer}.weight"] = random.normal(size=shape).astype(np.float32)
        state[f"{layer}.bias"] = random.normal(size=shape[0]).astype(np.float32)
    return state


def tensorflow():
    """The same in (row, column, input, output), number by number."""
    state = {}
    for name, value in caffe().items():
        if value.ndim == 4:
            o, i, h, w = value.shape
            moved = np.empty((h, w, i, o), np.float32)
            for index in np.ndindex(o, i, h, w):
                moved[index[2], index[3], index[1], index[0]] = value[index]
        elif name == "fc6.weight":
            moved = np.empty((2 * 6, HIDDEN), np.float32)
            for o, channel, column in np.ndindex(HIDDEN, 6, 2):
                moved[column * 6 + channel, o] = value[o, channel * 2 + column]
        else:
            moved = value.T
        state[name.replace(".", "/")] = moved
    # As in the checkpoints of DeepPose in TensorFlow.
    state["fc_regression/weight"] = np.ones((HIDDEN, 4), np.float32)
    state["global_iter_counter"] = np.array(7)
    return state


def npz(path, state):
    np.savez(path / "alexnet.npz", **state)
    return str(path / "alexnet.npz")


def pth(path, state):
    entries = collections.OrderedDict(
        (name, torch_bytes.tensor(name, value)) for name, value in state.items()
    )
    (path / "alexnet.pth").write_bytes(torch_bytes.zipped(entries, state))
    return str(path / "alexnet.pth")


@pytest.fixture(scope="module")
def fresh():
    image = jax.ShapeDtypeStruct((1, *SIZE, 3), jnp.float32)
    return MODEL.lazy_init(jax.random.key(0), image, train=False)


@pytest.mark.parametrize(
    ("write", "state"),
    [
        (npz, tensorflow()),
        (npz, {name.replace(".", "/"): value for name, value in caffe().items()}),
        (pth, caffe()),
    ],
)
def test_every_layout_fills_the_trunk(fresh, tmp_path, write, state):
    begun = alexnet_weights.Trunk(path=write(tmp_path, state))(fresh)
    begun = jax.tree.map(jnp.asarray, begun)
    expected = tensorflow()
    for layer in LAYERS:
        found = begun["params"]["trunk"][layer]
        np.testing.assert_array_equal(found["kernel"], expected[f"{layer}/weight"])
        np.testing.assert_array_equal(found["bias"], expected[f"{layer}/bias"])
    head = begun["params"]["coordinates"]
    jax.tree.map(np.testing.assert_array_equal, head, fresh["params"]["coordinates"])
    assert jax.tree.structure(begun) == jax.tree.structure(fresh)
    image = jnp.array(np.random.default_rng(1).uniform(size=(1, *SIZE, 3)), jnp.float32)
    assert np.isfinite(MODEL.apply(begun, image, train=False)).all()


def test_without_a_path_everything_stays_fresh(fresh):
    assert alexnet_weights.Trunk()(fresh) is fresh


def test_shapes_need_no_file():
    shapes = jax.eval_shape(
        lambda image: alexnet_weights.Trunk(path="nowhere.npz")(
            MODEL.init(jax.random.key(0), image, train=False)
        ),
        jnp.zeros((1, *SIZE, 3)),
    )
    assert shapes["params"]["trunk"]["fc6"]["kernel"].shape == (12, HIDDEN)


def refusal(fresh, path):
    with pytest.raises(ValueError) as caught:
        alexnet_weights.Trunk(path=path)(fresh)
    return "\n".join((str(caught.value), *caught.value.__notes__))


def test_what_does_not_fit_is_refused(fresh, tmp_path):
    text = refusal(fresh, pth(tmp_path, caffe(cells=3)))
    assert "fc6.weight has shape (18, 5)" in text and "the model has (12, 5)" in text
    assert "on a canvas of 227 x 227" in text
    without = {name: value for name, value in caffe().items() if name != "fc7.bias"}
    text = refusal(fresh, pth(tmp_path, without))
    assert "no entry fc7.bias among conv1.weight" in text
    odd = caffe() | {"conv1.weight": np.zeros((4, 11, 11, 3), np.float32)}
    text = refusal(fresh, pth(tmp_path, odd))
    assert "conv1.weight has shape (4, 11, 11, 3), and must be (row, column, 3" in text
    more = caffe() | {"conv6.bias": np.zeros(3, np.float32)}
    text = refusal(fresh, pth(tmp_path, more))
    assert "1 entries such as conv6.bias have no place" in text


def test_files_of_other_kinds_are_refused(fresh, tmp_path):
    pickled = npz(tmp_path, {"conv1": np.array([{"weight": 0}], dtype=object)})
    text = refusal(fresh, pickled)
    assert "alexnet.npz is no npz of plain arrays" in text
    (tmp_path / "alexnet.npz").write_text("not an archive")
    assert "is no npz of plain arrays" in refusal(fresh, pickled)
    # As bvlc_alexnet.npy is: a pickled dictionary.
    np.save(tmp_path / "alexnet.npy", np.array({"conv1": 0}, dtype=object))
    assert "neither a zip archive nor" in refusal(fresh, str(tmp_path / "alexnet.npy"))
