import batches
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpose import geometry, sub_images
from jaxpose.objectives import coordinates

SIZE = (40, 50)
TORSO = (0, 1)


def box_of(center, side, size):
    """One box for one example."""
    center, side = jnp.array([[center]], jnp.float32), jnp.array([[side]], jnp.float32)
    return sub_images.to_canvas(center, jnp.stack([side, side], -1), size)


def size_of(pose, labeled):
    return sub_images.body_size(jnp.array(pose), jnp.array(labeled), TORSO)


def test_a_body_is_measured_by_its_torso_or_by_its_extent():
    pose = np.array([[(0, 0), (6, 8), (0, 9), (12, 8)]], np.float32)
    all_four = np.ones((1, 4), bool)
    assert size_of(pose, all_four) == pytest.approx(10)
    # The box around the three is 12 x 1.
    without = np.array([[False, True, True, True]])
    assert size_of(pose, without) == pytest.approx(145**0.5 / 3)
    # A torso of no length in a pose of 12 x 9.
    pose[0, 1] = 0
    assert size_of(pose, all_four) == pytest.approx(15 / 3)


@pytest.mark.parametrize("labels", [(), (1,)])
def test_one_keypoint_has_no_size(labels):
    pose = np.full((1, 4, 2), np.nan, np.float32)
    labeled = np.isin(np.arange(4), labels)[None]
    pose[labeled] = (7, 8)
    assert size_of(pose, labeled) == 0


def test_a_box_shows_its_keypoint_in_the_middle():
    image = jnp.zeros((1, *SIZE, 1)).at[0, 17, 31].set(1)
    (seen,) = sub_images.look(image, box_of((31, 17), 9, (9, 9)), (9, 9))
    assert seen[4, 4, 0] == 1 and seen.sum() == 1
    # Three pixels of the small image for each of the canvas: the bilinear weights are
    # 1/3, 2/3, 1, 2/3, 1/3 along each axis. Positions near 32 are known to 4e-6.
    (seen,) = sub_images.look(image, box_of((31, 17), 5, (15, 15)), (15, 15))
    line = np.array([0] * 5 + [1, 2, 3, 2, 1] + [0] * 5) / 3
    np.testing.assert_allclose(seen[..., 0], np.outer(line, line), atol=1e-5)


def test_outside_the_canvas_it_is_black():
    image = jnp.ones((1, *SIZE, 1))
    (seen,) = sub_images.look(image, box_of((-0.5, 10), 8, (8, 8)), (8, 8))
    np.testing.assert_allclose(seen[:, :4], 0)
    np.testing.assert_allclose(seen[:, 4:], 1)


def test_images_of_an_example_stand_side_by_side():
    batch = batches.random_batch(2, SIZE, dtype=np.float32)
    centers = jnp.array(
        np.random.default_rng(1).uniform(10, 30, (2, 3, 2)), jnp.float32
    )
    sides = jnp.full((2, 3, 2), 8.0)
    boxes = sub_images.to_canvas(centers, sides, (4, 6))
    seen = sub_images.look(batch.image, boxes, (4, 6))
    assert seen.shape == (6, 4, 6, 3)
    for n in range(6):
        alone = geometry.warp(batch.image[n // 3], boxes[n // 3, n % 3], size=(4, 6))
        np.testing.assert_allclose(seen[n], alone, atol=1e-6)


def test_what_a_network_says_of_a_box_is_where_the_keypoint_is():
    """Targets, read again by decode, go back to the truth through the box."""
    batch = batches.random_batch(5, SIZE, seed=2, dtype=np.float32)
    random = np.random.default_rng(3)
    which = jnp.array(random.integers(0, 3, (5, 4)))
    centers = jnp.array(random.uniform(0, 40, (5, 4, 2)), jnp.float32)
    sides = jnp.array(random.uniform(5, 60, (5, 4, 1)), jnp.float32)
    boxes = sub_images.to_canvas(centers, jnp.tile(sides, (1, 1, 2)), (16, 24))
    seen = sub_images.examples(batch, boxes, which, (16, 24))
    assert seen.image.shape == (20, 16, 24, 3)

    objective = coordinates.Coordinates(size=(16, 24), extent=0.5)
    targets = objective.targets(seen, jnp.array(0))
    # In units of the box, as in the paper: displacement from its centre.
    own = np.arange(20), np.asarray(which).ravel()
    truth = np.asarray(batch.keypoints)[own[0] // 4, 0, own[1]]
    away = (truth - np.asarray(centers).reshape(20, 2)) / np.asarray(sides).reshape(
        20, 1
    )
    # Pixels under 100 of float32, over sides of 5 and more.
    np.testing.assert_allclose(targets.coordinates[own], away, atol=1e-5)
    found = objective.decode(targets.coordinates).keypoints[:, 0][own]
    back = geometry.apply(boxes.reshape(20, 2, 3), found[:, None])[:, 0]
    np.testing.assert_allclose(back, truth, atol=1e-4)


def test_the_keypoint_of_the_box_alone_is_labeled():
    batch = batches.random_batch(6, SIZE, dtype=np.float32)
    which = jnp.array([[0, 2]] * 6)
    boxes = sub_images.to_canvas(
        jnp.full((6, 2, 2), 20.0), jnp.full((6, 2, 2), 9.0), (8, 8)
    )
    seen = sub_images.examples(batch, boxes, which, (8, 8))
    expected = np.zeros((6, 2, 3), int)
    for m, k in enumerate((0, 2)):
        expected[:, m, k] = batch.visibility[:, 0, k]
    np.testing.assert_array_equal(seen.visibility[:, 0], expected.reshape(12, 3))
    np.testing.assert_array_equal(seen.index, np.repeat(np.arange(6), 2))
    np.testing.assert_array_equal(seen.weight, np.repeat(batch.weight, 2))
    # A box of 9 pixels on 8.
    np.testing.assert_allclose(seen.scale, 8 / 9, rtol=1e-6)


@pytest.mark.parametrize("size", [(20, 25), (24, 24)])
def test_whole_canvases_shrink_with_all_they_say(size):
    batch = batches.random_batch(3, SIZE, dtype=np.float32)
    seen = sub_images.whole(batch, size)
    assert seen.image.shape == (3, *size, 3) and seen.mask.shape == (3, *size)
    # The same point of the photograph.
    for one in (batch, seen):
        found = geometry.apply(one.to_source[:, None], one.keypoints)
        expected = geometry.apply(batch.to_source[:, None], batch.keypoints)
        np.testing.assert_allclose(found, expected, atol=1e-4)
    # The share of the canvas is kept.
    share = (seen.keypoints + 0.5) / np.array(size[::-1])
    np.testing.assert_allclose(
        share, (batch.keypoints + 0.5) / np.array(SIZE[::-1]), atol=1e-6
    )


def test_halves_are_nearly_means_of_four():
    """A ramp stays a ramp: the pixels in between lie half way."""
    ramp = jnp.broadcast_to(jnp.arange(50.0)[None, None, :, None], (1, *SIZE, 1))
    half = sub_images.stretch(ramp, (20, 25))
    inner = np.arange(1, 24) * 2 + 0.5
    np.testing.assert_allclose(half[0, 5, 1:24, 0], inner, atol=1e-4)


def test_canvases_of_the_size_are_left_alone():
    batch = batches.random_batch(3, SIZE, dtype=np.float32)
    assert sub_images.whole(batch, SIZE) is batch
