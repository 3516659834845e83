"""AlexNet: its input, its layers, its sizes, on minute networks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import watching

from jaxpose.models import alexnet

SIZE = (227, 227)
MINUTE = alexnet.AlexNet(features=(8, 16, 12, 12, 8), hidden=32)


def photographs():
    """Levels of 0..255 as shares."""
    whole = np.random.default_rng(0).integers(0, 256, (2, 67, 71, 3))
    return jnp.array(whole / 255, jnp.float32)


def fresh(model):
    return model.lazy_init(jax.random.key(0), photographs(), train=False)


@pytest.fixture(scope="module")
def minute():
    return fresh(MINUTE)


def first_input(variables, scaling):
    model = MINUTE.clone(scaling=scaling)
    _, seen = watching.watched(model, variables, photographs(), train=False)
    return seen["conv1"][0]


def levels():
    """Blue, green, red in 0..255."""
    return 255 * np.asarray(photographs(), np.float64)[..., ::-1]


def test_contrast_is_normalized_by_image_and_channel(minute):
    assert MINUTE.scaling == "contrast"
    deviation = levels().std((1, 2), keepdims=True)
    expected = (levels() - levels().mean((1, 2), keepdims=True)) / (deviation + 1e-5)
    # Levels of at most 255 with 24 bits, at deviations of 74: 2e-7.
    np.testing.assert_allclose(first_input(minute, "contrast"), expected, atol=1e-6)


def test_other_scalings(minute):
    raw = first_input(minute, "none")
    np.testing.assert_allclose(raw, levels(), rtol=1e-6)
    centered = first_input(minute, "mean")
    # Levels of 255 in float32, and their difference.
    mean = np.broadcast_to([104, 117, 123], raw.shape)
    np.testing.assert_allclose(raw - centered, mean, atol=5e-5)
    with pytest.raises(ValueError, match="scaling='caffe' must be contrast, mean"):
        first_input(minute, "caffe")


@pytest.mark.parametrize("level", [0.0, 100 / 255, 0.3337, 1.0])
def test_a_flat_channel_becomes_zero(level):
    image = jnp.full((1, *SIZE, 3), 255 * np.float32(level))
    flat = jax.jit(alexnet.contrast_normalize)(image)
    np.testing.assert_allclose(flat, 0, atol=1e-6)


def shapes_of(model, size):
    image = jax.ShapeDtypeStruct((2, *size, 3), jnp.float32)
    return jax.eval_shape(
        lambda x: model.init_with_output(jax.random.key(0), x, train=False), image
    )


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_full_size_shapes(padding):
    features, variables = shapes_of(alexnet.AlexNet(first_padding=padding), SIZE)
    assert features.shape == (2, 4096)
    params = variables["params"]
    assert params["fc6"]["kernel"].shape == (6 * 6 * 256, 4096)
    # Caffe's bvlc_alexnet has 60,965,224 parameters, 4,097,000 of them in its fc8.
    count = sum(leaf.size for leaf in jax.tree.leaves(params))
    assert count == 60_965_224 - 4_097_000


def test_other_canvases_work_or_say_what_they_need():
    for padding, smallest in (("SAME", 57), ("VALID", 67)):
        model = MINUTE.clone(first_padding=padding)
        features, _ = shapes_of(model, (smallest, 300))
        assert features.shape == (2, 32)
        with pytest.raises(ValueError, match=r"14 x 75 cells.*15 cells.*larger"):
            shapes_of(model, (smallest - 1, 299 if padding == "SAME" else 307))
    with pytest.raises(ValueError, match="first_padding='same' must be SAME"):
        shapes_of(MINUTE.clone(first_padding="same"), SIZE)


def test_bfloat16_computes_and_float32_remembers(minute):
    exact, _ = watching.watched(MINUTE, minute, photographs(), train=False)
    half = MINUTE.clone(dtype="bfloat16")
    rough, seen = watching.watched(half, minute, photographs(), train=False)
    assert {str(x.dtype) for pair in seen.values() for x in pair} == {"bfloat16"}
    assert {str(x.dtype) for x in jax.tree.leaves(fresh(half))} == {"float32"}
    # Features of 0.1, of which a layer's rounding is 2^-9.
    np.testing.assert_allclose(np.asarray(rough, np.float32), exact, atol=2e-3)


def test_dropout_keeps_four_in_ten_in_training():
    model = MINUTE.clone(hidden=4096)
    variables = fresh(model)

    def dropped(**kwargs):
        _, seen = watching.watched(model, variables, photographs(), **kwargs)
        return [map(np.asarray, seen[name]) for name in ("Dropout_0", "Dropout_1")]

    for before, after in dropped(train=False):
        np.testing.assert_array_equal(before, after)
    for before, after in dropped(train=True, rngs={"dropout": jax.random.key(1)}):
        kept = after[before > 0] > 0
        # At least 2000 draws: four deviations of 0.011.
        assert kept.size > 2000 and abs(kept.mean() - 0.4) < 0.045
        np.testing.assert_allclose(after[after > 0], before[after > 0] / 0.4, rtol=1e-6)
