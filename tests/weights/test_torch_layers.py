"""Entries of a state dict find their places; what has none is refused."""

import collections

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch_bytes

from jaxpose.weights import torch_layers

NAMES = ((r"layer(\d+)", r"features.\1"), ("deconv", "up"), ("norm", "bn"))
RANDOM = np.random.default_rng(0)
STATE = {
    "features.3.bn.weight": RANDOM.normal(size=2),
    "features.3.bn.bias": RANDOM.normal(size=2),
    "features.3.bn.running_mean": RANDOM.normal(size=2),
    "features.3.bn.running_var": RANDOM.normal(size=2),
    "features.3.bn.num_batches_tracked": np.array(7),
    "features.3.conv.weight": RANDOM.normal(size=(5, 2, 3, 3)),
    "up.weight": RANDOM.normal(size=(5, 6, 4, 4)),
}
STATE = {name: np.asarray(value, np.float32) for name, value in STATE.items()}


def fresh():
    zeros = jnp.zeros
    norm = {"scale": zeros(2), "bias": zeros(2)}
    layer = {"norm": norm, "conv": {"kernel": zeros((3, 3, 2, 5))}}
    return {
        "params": {"layer3": layer, "deconv": {"kernel": zeros((4, 4, 5, 6))}},
        "batch_stats": {"layer3": {"norm": {"mean": zeros(2), "var": zeros(2)}}},
    }


def load(state=None, **kwargs):
    given = STATE if state is None else state
    return torch_layers.load(fresh(), lambda: given, NAMES, **kwargs)


def test_names_and_orders_of_axes():
    found = load()
    layer, stats = found["params"]["layer3"], found["batch_stats"]["layer3"]["norm"]
    np.testing.assert_array_equal(layer["norm"]["scale"], STATE["features.3.bn.weight"])
    np.testing.assert_array_equal(layer["norm"]["bias"], STATE["features.3.bn.bias"])
    np.testing.assert_array_equal(stats["mean"], STATE["features.3.bn.running_mean"])
    np.testing.assert_array_equal(stats["var"], STATE["features.3.bn.running_var"])
    conv, up = layer["conv"]["kernel"], found["params"]["deconv"]["kernel"]
    for row, column in np.ndindex(3, 3):
        theirs = STATE["features.3.conv.weight"][:, :, row, column]
        np.testing.assert_array_equal(conv[row, column], theirs.T)
    for row, column in np.ndindex(4, 4):
        # Of transposed convolutions PyTorch has the input channels first.
        theirs = STATE["up.weight"][:, :, row, column]
        np.testing.assert_array_equal(up[row, column], theirs)
    assert {leaf.dtype for leaf in jax.tree.leaves(found)} == {np.dtype("float32")}


def test_half_precision_becomes_float32():
    found = load({name: value.astype(np.float16) for name, value in STATE.items()})
    assert {leaf.dtype for leaf in jax.tree.leaves(found)} == {np.dtype("float32")}


def test_layers_that_are_not_wanted_stay():
    found = load(wanted=lambda layer: layer == "layer3/conv", spare="up|.*bn")
    assert np.any(found["params"]["layer3"]["conv"]["kernel"])
    for leaf in (
        found["params"]["deconv"]["kernel"],
        *jax.tree.leaves(found["params"]["layer3"]["norm"]),
        *jax.tree.leaves(found["batch_stats"]),
    ):
        np.testing.assert_array_equal(leaf, 0)


def test_what_does_not_fit_is_refused():
    without = {name: value for name, value in STATE.items() if name != "up.weight"}
    with pytest.raises(ValueError, match="no entry up.weight among 6, of which"):
        load(without)
    other = STATE | {"up.weight": np.zeros((5, 7, 4, 4), np.float32)}
    with pytest.raises(
        ValueError, match=r"up.weight has shape \(4, 4, 5, 7\).*\(4, 4, 5, 6\); change"
    ):
        load(other)
    more = STATE | {
        "features.4.conv.weight": np.zeros(3),
        "features.4.bias": np.ones(2),
    }
    with pytest.raises(ValueError, match="2 entries such as features.4.bias have no"):
        load(more)


def test_shapes_need_no_entries():
    def never():
        raise AssertionError("a file was read for its shapes")

    found = jax.eval_shape(lambda v: torch_layers.load(v, never, NAMES), fresh())
    assert jax.tree.map(jnp.shape, found) == jax.tree.map(jnp.shape, fresh())


def test_compiled_it_does_the_same():
    compiled = jax.jit(lambda v: torch_layers.load(v, lambda: STATE, NAMES))(fresh())
    jax.tree.map(np.testing.assert_array_equal, compiled, load())


@pytest.fixture
def write(tmp_path):
    def write(content, arrays):
        path = tmp_path / "checkpoint.pth.tar"
        path.write_bytes(torch_bytes.legacy(content, arrays))
        return str(path)

    return write


@pytest.mark.parametrize("wrapped", [True, False])
@pytest.mark.parametrize("prefix", ["module.", ""])
def test_a_checkpoint_or_a_state_dict(write, wrapped, prefix):
    entries = collections.OrderedDict(
        (prefix + name, torch_bytes.tensor(name, value))
        for name, value in STATE.items()
        if value.ndim
    )
    content = {"epoch": 3, "state_dict": entries, "optimizer": {"lr": 1e-3}}
    arrays = {name: value for name, value in STATE.items() if value.ndim}
    found = torch_layers.state_dict(write(content if wrapped else entries, arrays))
    assert found.keys() == arrays.keys()
    for name, value in arrays.items():
        np.testing.assert_array_equal(found[name], value)


@pytest.mark.parametrize("content", [{"epoch": 3}, [1, 2], {"state_dict": 5}])
def test_a_file_without_a_state_dict_is_refused(write, content):
    with pytest.raises(
        ValueError, match="checkpoint.pth.tar holds no state dict; save"
    ):
        torch_layers.state_dict(write(content, {}))
