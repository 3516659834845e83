"""The linear head: what it takes, how it starts, published trunks, bfloat16."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import random_variables
from flax import linen as nn

from jaxpose.models import regressor, resnet

TRUNK = resnet.ResNet(blocks=(1, 1), bottleneck=False, features=(8, 16))
IMAGE = jnp.array(np.random.default_rng(0).uniform(size=(2, 32, 48, 3)), jnp.float32)
ORIGINAL = jax.nn.initializers.truncated_normal(0.01)


class Given(nn.Module):
    """A trunk whose features are the image's first numbers."""

    shape: tuple[int, ...]

    def __call__(self, image, *, train):
        numbers = image.reshape(image.shape[0], -1)[:, : np.prod(self.shape)]
        return numbers.reshape(-1, *self.shape)


def shapes_of(model, image=IMAGE):
    key = jax.random.key(0)
    return jax.eval_shape(lambda x: model.init_with_output(key, x, train=False), image)


@pytest.mark.parametrize("shape", [(20,), (2, 5, 2)])
def test_coordinates_are_linear_in_the_mean_features(shape):
    model = regressor.Regressor(
        num_keypoints=3, trunk=Given(shape), kernel_init=ORIGINAL
    )
    found, variables = model.init_with_output(jax.random.key(0), IMAGE, train=False)
    layer = variables["params"]["coordinates"]
    features = np.asarray(IMAGE, np.float64).reshape(2, -1)[:, :20].reshape(2, *shape)
    for axis in range(len(shape) - 1, 0, -1):
        features = features.mean(axis=axis)
    expected = features @ np.asarray(layer["kernel"], np.float64)
    # x0, y0, x1, y1, ... as in the TensorFlow DeepPose.
    np.testing.assert_allclose(found, expected.reshape(2, 3, 2), rtol=1e-5, atol=1e-7)


def test_features_of_no_known_form_are_refused():
    model = regressor.Regressor(num_keypoints=3, trunk=Given((4, 5)))
    with pytest.raises(ValueError, match=r"\(2, 4, 5\) are neither .* another trunk"):
        shapes_of(model)


@pytest.mark.parametrize("width", [512, 2048, 4096])
def test_a_fresh_one_says_about_the_centre(width):
    """Features are about 1 behind a batch normalization and a ReLU."""
    model = regressor.Regressor(num_keypoints=16, trunk=Given((width,)))
    image = jnp.ones((1, 64, 64, 3))
    found, variables = model.init_with_output(jax.random.key(0), image, train=False)
    # 32 numbers of deviation 0.01; the farthest of so many lies within 4.
    assert 0.01 < np.abs(found).max() < 0.04
    np.testing.assert_array_equal(variables["params"]["coordinates"]["bias"], 0)


def test_the_originals_start_is_a_field():
    model = regressor.Regressor(
        num_keypoints=16, trunk=Given((4096,)), kernel_init=ORIGINAL
    )
    image = jnp.ones((1, 64, 64, 3))
    kernel = model.init(jax.random.key(0), image, train=False)["params"]["coordinates"][
        "kernel"
    ]
    # specs/deeppose.md, 3.4: cut at two deviations of 0.01, 0.0088 are left.
    np.testing.assert_allclose(kernel.std(), 0.0088, rtol=0.01)
    assert np.abs(kernel).max() <= 0.02


def test_bfloat16_is_the_trunks_field_and_coordinates_keep_float32():
    model = regressor.Regressor(num_keypoints=3, trunk=TRUNK, kernel_init=ORIGINAL)
    half = model.clone(trunk=TRUNK.clone(dtype="bfloat16"))
    _, shapes = shapes_of(half)
    assert {leaf.dtype for leaf in jax.tree.leaves(shapes)} == {jnp.dtype("float32")}
    variables = random_variables.like(shapes)
    expected, found = (
        jax.jit(functools.partial(m.apply, train=False))(variables, IMAGE)
        for m in (model, half)
    )
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, expected, atol=0.03 * np.abs(expected).max())
    assert not np.array_equal(found, expected)
    # Rounded to bfloat16 a pixel of 256 at the border would be lost.
    assert not np.array_equal(found, found.astype(jnp.bfloat16))


def test_bfloat16_maps_are_averaged_in_float32():
    """A mean in 8 bits would be off by up to 4e-3 of itself."""
    maps = np.random.default_rng(2).uniform(size=(2, 3, 5, 4))
    features = jnp.array(maps, jnp.bfloat16)
    expected = np.asarray(features, np.float64).mean(axis=(1, 2))
    np.testing.assert_allclose(regressor.pooled(features), expected, rtol=1e-6)
