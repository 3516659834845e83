"""A VGG of torchvision's names becomes ours; a minute one, in NumPy."""

import collections

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch_bytes

from jaxpose.models import imagenet, vgg
from jaxpose.weights import torchvision

STAGES = ((2, 3), (4,))
SIZE = (8, 12)
MODEL = vgg.VGG16BN(num_keypoints=2, hidden=5, dropout=0.0, stages=STAGES)
# Number of each convolution in torchvision's list, and its channels.
CONVOLUTIONS = {0: (3, 2), 3: (2, 3), 7: (3, 4)}
DENSE = {0: (4 * 2 * 3, 5), 3: (5, 5), 6: (5, 4)}
IMAGE = np.random.default_rng(9).uniform(size=(2, *SIZE, 3)).astype(np.float32)


def state_dict(prefix=""):
    random = np.random.default_rng(0)
    state = {}
    for number, (inputs, outputs) in CONVOLUTIONS.items():
        conv, norm = f"features.{number}", f"features.{number + 1}"
        state[f"{conv}.weight"] = random.normal(size=(outputs, inputs, 3, 3))
        state[f"{conv}.bias"] = random.normal(size=outputs)
        state[f"{norm}.weight"] = random.uniform(0.5, 2, outputs)
        state[f"{norm}.bias"] = random.normal(size=outputs)
        state[f"{norm}.running_mean"] = random.normal(size=outputs)
        state[f"{norm}.running_var"] = random.uniform(0.5, 2, outputs)
        state[f"{norm}.num_batches_tracked"] = np.array(3)
    for number, (inputs, outputs) in DENSE.items():
        state[f"classifier.{number}.weight"] = random.normal(size=(outputs, inputs))
        state[f"classifier.{number}.bias"] = random.normal(size=outputs)
    return {f"{prefix}{name}": np.float32(value) for name, value in state.items()}


def slow_network(state, image):
    """PyTorch's layers in float64, channels first: b c h w."""
    x = imagenet_normalized(image).transpose(0, 3, 1, 2)
    for number in CONVOLUTIONS:
        weight = state[f"features.{number}.weight"].astype(np.float64)
        padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        h, w = x.shape[2:]
        x = sum(
            np.einsum(
                "bchw,oc->bohw", padded[:, :, i : i + h, j : j + w], weight[:, :, i, j]
            )
            for i, j in np.ndindex(3, 3)
        )
        x += column(state, f"features.{number}.bias")
        x -= column(state, f"features.{number + 1}.running_mean")
        x /= np.sqrt(column(state, f"features.{number + 1}.running_var") + 1e-5)
        x *= column(state, f"features.{number + 1}.weight")
        x = np.maximum(x + column(state, f"features.{number + 1}.bias"), 0)
        if number in (3, 7):
            b, c, h, w = x.shape
            x = x.reshape(b, c, h // 2, 2, w // 2, 2).max((3, 5))
    x = x.reshape(len(x), -1)
    for number in DENSE:
        x = x @ state[f"classifier.{number}.weight"].T
        x += state[f"classifier.{number}.bias"]
        x = x if number == 6 else np.maximum(x, 0)
    return x.reshape(-1, 2, 2).swapaxes(1, 2)


def column(state, name):
    return state[name].astype(np.float64)[None, :, None, None]


def imagenet_normalized(image):
    return (image.astype(np.float64) - imagenet.MEAN) / imagenet.STD


@pytest.mark.parametrize("prefix", ["", "model."])
def test_the_network_computes_what_pytorchs_does(prefix):
    variables = torchvision.vgg16_bn(state_dict(prefix), size=SIZE)
    outputs = MODEL.apply(variables, jnp.array(IMAGE), train=False)
    expected = slow_network(state_dict(), IMAGE)
    # Outputs of some hundreds, in float32.
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-3)


def test_variables_are_those_of_a_fresh_network():
    fresh = MODEL.init(jax.random.key(0), jnp.array(IMAGE), train=False)
    variables = torchvision.vgg16_bn(state_dict(), size=SIZE)
    shapes = jax.tree.map(lambda x: (x.shape, str(x.dtype)), fresh)
    assert jax.tree.map(lambda x: (x.shape, str(x.dtype)), variables) == shapes


def test_what_does_not_fit_is_refused():
    state = state_dict()
    with pytest.raises(
        ValueError, match="24 numbers, which is no multiple of the 5 x 5"
    ):
        torchvision.vgg16_bn(state, size=(20, 20))
    with pytest.raises(ValueError, match="no convolution.*classifier.0.weight"):
        torchvision.features({n: v for n, v in state.items() if "classifier" in n})
    del state["features.4.running_var"]
    with pytest.raises(ValueError, match="no entry features.4.running_var"):
        torchvision.features(state)


@pytest.fixture(params=["zip", "legacy"])
def path(tmp_path, request):
    """A file like torchvision's, whose classifier is for ImageNet's classes."""
    state = state_dict()
    state["classifier.6.weight"] = np.zeros((1000, 5), np.float32)
    entries = collections.OrderedDict(
        (name, torch_bytes.tensor(name, value)) for name, value in state.items()
    )
    write = torch_bytes.zipped if request.param == "zip" else torch_bytes.legacy
    file = tmp_path / "vgg16_bn.pth"
    file.write_bytes(write(entries, state))
    return str(file)


def test_pretrained_features_leave_the_dense_layers_fresh(path):
    fresh = MODEL.init(jax.random.key(0), jnp.array(IMAGE), train=False)
    begun = torchvision.VGGFeatures(path=path)(fresh)
    whole = torchvision.vgg16_bn(state_dict(), size=SIZE)
    for name in fresh["params"]:
        source = fresh if name.startswith("fc") else whole
        jax.tree.map(
            np.testing.assert_array_equal, begun["params"][name], source["params"][name]
        )
    jax.tree.map(
        np.testing.assert_array_equal, begun["batch_stats"], whole["batch_stats"]
    )
    assert jax.tree.structure(begun) == jax.tree.structure(fresh)


def test_pretrained_features_under_jit_are_the_same(path):
    def start(image):
        fresh = MODEL.init(jax.random.key(0), image, train=False)
        return torchvision.VGGFeatures(path=path)(fresh)

    image = jnp.array(IMAGE)
    compiled = jax.block_until_ready(jax.jit(start)(image))
    jax.tree.map(np.testing.assert_array_equal, compiled, start(image))


def test_shapes_need_no_file():
    fresh = jax.eval_shape(
        lambda image: torchvision.VGGFeatures(path="nowhere.pth")(
            MODEL.init(jax.random.key(0), image, train=False)
        ),
        IMAGE,
    )
    assert fresh["params"]["conv1_1"]["kernel"].shape == (3, 3, 3, 2)


def test_features_of_another_network_are_refused(path):
    wider = vgg.VGG16BN(num_keypoints=2, hidden=5, stages=((2, 3), (6,)))
    fresh = wider.init(jax.random.key(0), jnp.array(IMAGE), train=False)
    with pytest.raises(ValueError, match=r"other features.*\(4,\), must be \(6,\)"):
        torchvision.VGGFeatures(path=path)(fresh)
