"""Random views: recorded colours, image and keypoints together, batches and devices."""

import dataclasses
import functools
import math

import batches
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpose import augment, colors, devices, geometry
from jaxpose.models import imagenet

FULL = augment.Augment(
    skeleton=batches.TRIO,
    flip=0.5,
    scale=0.3,
    rotation=40.0,
    shift=0.1,
    hue=0.2,
    saturation=0.2,
    value=0.1,
)


def jittered(image, draws):
    """The original's jitter of an image in 0..255, with value on that scale too."""
    hue, saturation, value = draws
    return augment.hsv_jitter(
        image / 255, jnp.array(hue), jnp.array(saturation), jnp.array(value / 255)
    )


@pytest.mark.parametrize("draw", range(3))
@pytest.mark.parametrize("number", [0, 1, 3])
def test_colours_of_the_original(reference, number, draw):
    """Recorded with its draws, every fourth row and column, on a scale of 0..255.

    The original computed in float64 and stored float32. Image 2 is left out: it has
    black bands whose saturation was rounding noise, as have all pixels with V < 1.
    """
    record = reference("deeppose_wl_transforms")
    with jax.enable_x64(True):
        scaled = batches.stretched(jnp.array(record[f"img{number}"], jnp.float64))
        jitter = jittered(scaled, record[f"hsv{number}_s{draw}_draws"])
        image, dark = 255 * np.array(jitter), np.array(scaled.max(-1)) < 1
    difference = np.abs(image[::4, ::4] - record[f"hsv{number}_s{draw}"])
    assert difference[~dark[::4, ::4]].max() < 1e-3
    np.testing.assert_allclose(
        image.mean((0, 1)), record[f"hsv{number}_s{draw}_mean"], atol=0.05
    )


@pytest.mark.parametrize("number", range(4))
def test_whole_test_pipeline_of_the_original(reference, number):
    """Every fifth row and column; 1e-6 is float32's rounding of values up to 2.6."""
    record = reference("deeppose_wl_transforms")
    with jax.enable_x64(True):
        scaled = batches.stretched(jnp.array(record[f"img{number}"], jnp.float64))
        image = np.array(imagenet.normalize(scaled[None] / 255)[0]).transpose(2, 0, 1)
    np.testing.assert_allclose(
        image[:, ::5, ::5], record[f"test_full{number}"], atol=1e-6
    )
    if number == 0:
        np.testing.assert_allclose(image, record["test_full0_all"], atol=1e-6)


@pytest.mark.parametrize("number", [0, 1, 3])
def test_whole_training_pipeline_of_the_original(reference, number):
    """As above; these draws were not recorded but are those of NumPy's seed 3."""
    record = reference("deeppose_wl_transforms")
    random = np.random.RandomState(3)
    draws = [random.uniform(*range_) for range_ in ((0.8, 1.2), (0.8, 1.2), (-25, 25))]
    with jax.enable_x64(True):
        scaled = batches.stretched(jnp.array(record[f"img{number}"], jnp.float64))
        image = np.array(imagenet.normalize(jittered(scaled, draws)[None])[0])
        dark = np.array(scaled.max(-1)) < 1
    expected = record[f"train_full{number}"].transpose(1, 2, 0)
    bright = ~dark[::5, ::5]
    # The jitter's 1e-3 of 255 grey levels, over the smallest deviation, 0.224.
    np.testing.assert_allclose(
        image[::5, ::5][bright], expected[bright], atol=1e-3 / 255 / 0.224
    )


def test_colours_of_a_saturated_palette():
    """Hand-checked: red stays red though hue is scaled; greys and black stay grey."""
    palette = jnp.array(
        [[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0], [0.5, 0.5, 0.5], [0, 0, 0], [0.2, 0, 1]]
    )
    hue, saturation, value = colors.rgb_to_hsv(palette)
    np.testing.assert_allclose(hue, [0, 1 / 3, 2 / 3, 0, 0, 0.7], atol=1e-6)
    np.testing.assert_array_equal(saturation, [1, 1, 1, 0, 0, 1])
    np.testing.assert_array_equal(value, [1, 1, 1, 0.5, 0, 1])
    back = colors.hsv_to_rgb(hue, saturation, value)
    np.testing.assert_allclose(back, palette, atol=1e-6)
    one, half = jnp.array(1.0), jnp.array(0.5)
    pale = augment.hsv_jitter(palette, one * 1.2, half, jnp.array(0.0))
    np.testing.assert_allclose(pale[0], [1, 0.5, 0.5], atol=1e-6)
    np.testing.assert_allclose(pale[3], [0.5, 0.5, 0.5], atol=1e-6)
    # Hue 2/3 x 2 is clipped at 1, which is red, and not wrapped to 1/3, green.
    doubled = augment.hsv_jitter(palette[2], 2 * one, one, jnp.array(0.0))
    np.testing.assert_allclose(doubled, [1, 0, 0], atol=1e-6)


def lit(point, size=(33, 41)):
    """Black canvases with one lit pixel, which is the keypoint `right`."""
    batch = batches.random_batch(1, size, dtype=np.float32)
    image = np.zeros((1, *size, 3), np.float32)
    image[0, point[1], point[0]] = 1.0
    keypoints = batch.keypoints.at[0, 0, 0].set(jnp.array(point, jnp.float32))
    visibility = jnp.array([[[2, 1, 0]]])
    return dataclasses.replace(
        batch, image=jnp.array(image), keypoints=keypoints, visibility=visibility
    )


MOVE = jax.jit(augment.move, static_argnums=5)


def moved(batch, *, flip=False, scale=1.0, degrees=0.0, shift=(0.0, 0.0)):
    n = len(batch.image)
    return MOVE(
        batch,
        jnp.full(n, flip),
        jnp.full(n, scale, jnp.float32),
        jnp.full(n, math.radians(degrees), jnp.float32),
        jnp.tile(jnp.array(shift, jnp.float32), (n, 1)),
        batches.TRIO,
    )


DRAWS = {
    "flip": {"flip": True},
    "larger": {"scale": 1.4},
    "smaller": {"scale": 0.8},
    "turn": {"degrees": 25.0},
    "shift": {"shift": (3.0, -2.25)},
    "all": {"flip": True, "scale": 1.2, "degrees": -30.0, "shift": (2.5, 4.0)},
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_a_lit_pixel_and_its_keypoint_move_together(draw):
    before = lit((14, 21))
    after = moved(before, **draw)
    light = np.array(after.image[0, :, :, 0])
    rows, columns = np.mgrid[: light.shape[0], : light.shape[1]]
    middle = [(columns * light).sum() / light.sum(), (rows * light).sum() / light.sum()]
    # A mirror makes the lit right keypoint the mirrored person's left one.
    named = 1 if draw.get("flip") else 0
    np.testing.assert_allclose(middle, after.keypoints[0, 0, named], atol=0.5)
    in_source = geometry.apply(after.to_source[:, None], after.keypoints)
    source = geometry.apply(before.to_source[:, None], before.keypoints)
    np.testing.assert_allclose(in_source[0, 0, named], source[0, 0, 0], atol=1e-4)
    np.testing.assert_allclose(in_source[0, 0, 2], source[0, 0, 2], atol=1e-4)


def test_the_mirror_is_exact_and_exchanges_left_and_right():
    before = batches.random_batch(dtype=np.float32)
    after = moved(before, flip=True)
    width = before.image.shape[2]
    # The centre of the canvas is a half-integer; its map is exact in float32.
    np.testing.assert_array_equal(after.image, before.image[:, :, ::-1])
    mirrored = before.keypoints[:, :, (1, 0, 2)] * jnp.array([-1, 1])
    np.testing.assert_allclose(
        after.keypoints, mirrored + jnp.array([width - 1, 0]), atol=1e-5
    )
    np.testing.assert_array_equal(after.visibility, before.visibility[..., (1, 0, 2)])
    np.testing.assert_array_equal(after.mask, 1)


def test_scale_turn_and_shift_by_hand():
    """A quarter turn clockwise takes what is right of the centre below it."""
    batch = lit((30, 16))  # ten right of the centre, (20, 16)
    turned = moved(batch, degrees=90.0, scale=0.5)
    np.testing.assert_allclose(turned.keypoints[0, 0, 0], [20, 21], atol=1e-5)
    shifted = moved(batch, shift=(-4.0, 1.5), scale=1.5)
    np.testing.assert_allclose(shifted.keypoints[0, 0, 0], [31, 17.5], atol=1e-5)
    np.testing.assert_allclose(shifted.scale, 1.5)


def test_identity_draws_change_nothing():
    batch = batches.random_batch(dtype=np.float32)
    for before, after in zip(
        jax.tree.leaves(batch), jax.tree.leaves(moved(batch)), strict=True
    ):
        np.testing.assert_array_equal(before, after)


def test_without_ranges_only_the_number_format_changes():
    batch = batches.random_batch()
    still = augment.Augment(skeleton=batches.TRIO)(jax.random.key(0), batch)
    np.testing.assert_array_equal(still.image, augment.to_float(batch.image))
    assert still.keypoints is batch.keypoints


def test_what_comes_in_from_outside_is_black_and_masked():
    batch = batches.random_batch(2, (10, 12), dtype=np.float32)
    masked = dataclasses.replace(batch, mask=batch.mask.at[:, :, 6:].set(0))
    after = moved(masked, shift=(3.0, 0.0))
    np.testing.assert_array_equal(after.mask[:, :, :3], 0)
    np.testing.assert_array_equal(after.image[:, :, :3], 0)
    np.testing.assert_array_equal(after.mask[:, :, 3:9], 1)
    np.testing.assert_array_equal(after.mask[:, :, 9:], 0)
    np.testing.assert_array_equal(after.image[:, :, 3:], batch.image[:, :, :9])


def test_keypoints_that_leave_keep_their_visibility():
    after = moved(lit((30, 16)), shift=(100.0, 0.0))
    np.testing.assert_array_equal(after.keypoints[0, 0, 0], [130, 16])
    np.testing.assert_array_equal(after.visibility, [[[2, 1, 0]]])


def test_draws_stay_in_range_and_differ():
    batch = batches.random_batch(64, (21, 21))
    at_centre = dataclasses.replace(
        batch, keypoints=jnp.full_like(batch.keypoints, 10.0)
    )
    shifting = augment.Augment(skeleton=batches.TRIO, shift=0.1)
    first, second = (
        shifting(jax.random.key(seed), at_centre).keypoints[:, 0, 0] - 10
        for seed in (0, 1)
    )
    assert jnp.abs(first).max() <= 2.1 and jnp.abs(first).max() > 1.9
    assert len(np.unique(first, axis=0)) == 64
    assert not np.isclose(first, second).any(axis=1).all()
    scaling = augment.Augment(skeleton=batches.TRIO, scale=0.25, flip=0.5)
    after = scaling(jax.random.key(0), at_centre)
    assert 0.8 <= after.scale.min() < 0.85 and 1.2 < after.scale.max() <= 1.25
    flips = np.array(after.to_source[:, 0, 0] < 0)
    # 64 fair coins: 16 to 48 is four standard deviations.
    assert 16 < flips.sum() < 48


def test_each_colour_range_moves_its_own_channel_only():
    batch = batches.random_batch(4, (6, 6))
    before = colors.rgb_to_hsv(augment.to_float(batch.image))
    for channel, name in enumerate(("hue", "saturation", "value")):
        jitter = augment.Augment(skeleton=batches.TRIO, **{name: 0.1})
        after = colors.rgb_to_hsv(jitter(jax.random.key(3), batch).image)
        changed = [
            not np.allclose(a, b, atol=1e-4) for a, b in zip(before, after, strict=True)
        ]
        assert changed == [i == channel for i in range(3)]


def test_plain_is_jit():
    batch, key = batches.random_batch(), jax.random.key(5)
    plain, jitted = FULL(key, batch), jax.jit(FULL)(key, batch)
    # Fused multiply-adds round coordinates of 20 pixels at the sixth digit.
    for a, b in zip(jax.tree.leaves(plain), jax.tree.leaves(jitted), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5)


def test_move_is_vmap_over_single_examples():
    batch = batches.random_batch(dtype=np.float32)
    n = len(batch.image)
    random = np.random.default_rng(1)
    draws = (
        jnp.array(random.integers(0, 2, n).astype(bool)),
        jnp.array(random.uniform(0.8, 1.3, n), jnp.float32),
        jnp.array(random.uniform(-0.5, 0.5, n), jnp.float32),
        jnp.array(random.uniform(-3, 3, (n, 2)), jnp.float32),
    )
    whole = augment.move(batch, *draws, batches.TRIO)

    def single(*example):
        batch, *draw = jax.tree.map(lambda x: x[None], example)
        return jax.tree.map(lambda x: x[0], augment.move(batch, *draw, batches.TRIO))

    # Batches of one example each, so that the shapes in signatures hold.
    for a, b in zip(
        jax.tree.leaves(whole),
        jax.tree.leaves(jax.vmap(single)(batch, *draws)),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, atol=2e-5)


def test_one_device_is_eight():
    batch = batches.random_batch(16)

    def step(key, batch):
        return FULL(key, batch)

    results = []
    for count in (1, 8):
        mesh = devices.mesh(jax.devices()[:count])
        run = devices.data_parallel(step, mesh)
        results.append(run(jax.random.key(2), devices.put_batch(batch, mesh)))
    compare = functools.partial(np.testing.assert_allclose, atol=2e-5)
    jax.tree.map(compare, *jax.tree.map(np.asarray, results))
