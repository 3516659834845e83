"""Checkpoints of pytorch_pose_proposal_networks; their values: tests/models."""

import jax
import jax.numpy as jnp
import numpy as np
import published_networks
import pytest
import torch_bytes

from jaxpose.models import proposal, resnet
from jaxpose.weights import proposal as published
from jaxpose.weights import resnet as resnet_weights

FEATURES = (8, 16)
CHANNELS = 6 * 4 + 3 * 3 * 3


def model_of(*, num_parts=4, features=FEATURES):
    return proposal.Proposal(
        num_parts=num_parts,
        num_limbs=3,
        trunk=resnet.ResNet(blocks=(1, 1), bottleneck=False, features=features),
        window=(3, 3),
        features=12,
    )


def shapes_of(model):
    image = jax.ShapeDtypeStruct((1, 32, 32, 3), jnp.float32)
    return jax.eval_shape(
        lambda x: model.init(jax.random.key(0), x, train=False), image
    )


def filled(shapes, value):
    return jax.tree.map(lambda x: np.full(x.shape, value, x.dtype), shapes)


def state_of():
    """Every entry full of its place in the order of the network's own layers."""

    def entries():
        norm, convolution = published_networks.norm, published_networks.convolution
        yield "conv1.weight", (8, 3, 7, 7)
        yield from norm("bn1", 8)
        i = 8
        for stage, f in enumerate(FEATURES, start=1):
            for n, inputs in ((1, i), (2, f)):
                yield f"layer{stage}.0.conv{n}.weight", (f, inputs, 3, 3)
                yield from norm(f"layer{stage}.0.bn{n}", f)
            if i != f:
                yield f"layer{stage}.0.downsample.0.weight", (f, i, 1, 1)
                yield from norm(f"layer{stage}.0.downsample.1", f)
            i = f
        yield from convolution("fc.0", i, 12, 3)
        yield from norm("fc.1", 12)
        yield from convolution("fc.3", 12, 12, 3)
        yield from convolution("fc.5", 12, CHANNELS)

    return {
        name: np.full(shape, n, np.float32) for n, (name, shape) in enumerate(entries())
    }


def test_every_variable_has_its_entry():
    state, fresh = state_of(), shapes_of(model_of())
    found = published.proposal(lambda: state, fresh)
    assert jax.tree.structure(found) == jax.tree.structure(fresh)
    numbers = [int(leaf.flat[0]) for leaf in jax.tree.leaves(found)]
    assert sorted(numbers) == list(range(len(state)))


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (("trunk", "stem_conv"), "conv1"),
        (("trunk", "stage2_0", "skip_conv"), "layer2.0.downsample.0"),
        (("hidden1",), "fc.0"),
        (("hidden2",), "fc.3"),
        (("proposals",), "fc.5"),
    ],
)
def test_layers_are_the_originals(layer, name):
    state = state_of()
    place = published.proposal(lambda: state, shapes_of(model_of()))["params"]
    for part in layer:
        place = place[part]
    assert place["kernel"].flat[0] == state[f"{name}.weight"].flat[0]


def test_without_its_outputs_a_file_fits_other_parts():
    state, fresh = state_of(), filled(shapes_of(model_of(num_parts=5)), -1)
    found = published.proposal(lambda: state, fresh, outputs=False)
    stay = found["params"].pop("proposals")
    assert all(np.all(leaf == -1) for leaf in jax.tree.leaves(stay))
    assert all(np.all(leaf != -1) for leaf in jax.tree.leaves(found))
    with pytest.raises(ValueError, match=r"fc.5.* has shape \(51,\) .*has \(57,\)"):
        published.proposal(lambda: state, fresh)


def test_a_network_of_other_width_is_refused():
    fresh = shapes_of(model_of(features=(8, 8)))
    with pytest.raises(ValueError, match=r"entry layer2.0.*\(16,\) .* has \(8,\)"):
        published.proposal(state_of, fresh)


@pytest.mark.parametrize("parallel", ["", "module."])
@pytest.mark.parametrize("checkpoint", [True, False])
def test_a_checkpoint_of_the_original(tmp_path, checkpoint, parallel):
    state = state_of()
    entries = {
        f"{parallel}{name}": torch_bytes.tensor(name, value)
        for name, value in state.items()
    }
    content = {
        "epoch": 3,
        "step": 7,
        "net_state_dict": entries,
        "optimizer_state_dict": {"state": {}, "param_groups": [{"lr": 1e-3}]},
    }
    path = tmp_path / "checkpoint_resnet18.pth"
    path.write_bytes(torch_bytes.zipped(content if checkpoint else entries, state))
    fresh = shapes_of(model_of())
    found = published.Proposal(path=str(path))(fresh)
    expected = published.proposal(lambda: state, fresh)
    jax.tree.map(np.testing.assert_array_equal, found, expected)
    assert published.Proposal()(fresh) is fresh


def test_a_file_without_weights_is_refused(tmp_path):
    path = tmp_path / "checkpoint.pth"
    path.write_bytes(torch_bytes.zipped({"epoch": 3}, {}))
    with pytest.raises(
        ValueError, match="checkpoint.pth holds no state dict; save one"
    ):
        published.Proposal(path=str(path))(shapes_of(model_of()))


def test_the_trunk_takes_torchvisions_weights(tmp_path):
    state = {name: x for name, x in state_of().items() if not name.startswith("fc.")}
    state |= {"fc.weight": np.ones((9, 16), np.float32)}
    entries = {name: torch_bytes.tensor(name, value) for name, value in state.items()}
    path = tmp_path / "resnet18.pth"
    path.write_bytes(torch_bytes.zipped(entries, state))
    fresh = filled(shapes_of(model_of()), -1)
    found = resnet_weights.Trunk(path=str(path))(fresh)
    trunk, head = found["params"].pop("trunk"), found["params"]
    assert all(np.all(leaf != -1) for leaf in jax.tree.leaves(trunk))
    assert all(np.all(leaf == -1) for leaf in jax.tree.leaves(head))
