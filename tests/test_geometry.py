"""Affine maps, boxes and the warp, against scikit-image 0.13 and by hand."""

import batches
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpose import geometry

TURN = np.array([[0.6, -0.8, 3.0], [0.8, 0.6, -2.0]])
LEAN = np.array([[2.0, 0.5, -1.0], [0.0, 3.0, 4.0]])
POINTS = np.array([[0.0, 0.0], [1.5, -2.0], [7.0, 9.0]])


@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-4), ("float32", 5e-3)])
@pytest.mark.parametrize("number", range(4))
def test_warp_is_the_resize_of_scikit_image_0_13(reference, number, dtype, tolerance):
    """Recorded from the weighted-loss DeepPose, every third row and column in float32.

    float64: the record's own rounding is 8e-6. float32: a coordinate up to 330 is
    rounded by up to 1.5e-5 pixels, which 255 grey levels a pixel turn into 4e-3.
    """
    record = reference("deeppose_wl_transforms")
    with jax.enable_x64(True):
        image = jnp.array(record[f"img{number}"], dtype)
        scaled = np.array(batches.stretched(image))
    assert scaled.dtype == dtype
    np.testing.assert_allclose(
        scaled[::3, ::3], record[f"scaled{number}"], atol=tolerance
    )
    np.testing.assert_allclose(
        scaled.mean((0, 1)), record[f"scaled{number}_mean"], atol=tolerance
    )


def test_identity_warp_is_exact():
    image = jax.random.uniform(jax.random.key(0), (5, 7, 3))
    for border in ("zero", "edge"):
        same = geometry.warp(image, jnp.eye(2, 3), size=(5, 7), border=border)
        np.testing.assert_array_equal(same, image)


def test_warp_is_a_slow_loop():
    image = np.random.default_rng(0).uniform(size=(4, 5, 2)).astype(np.float32)
    to_input = np.array([[0.7, 0.2, -0.9], [-0.3, 1.1, 0.4]], np.float32)
    expected = np.zeros((6, 7, 2))
    for row, column in np.ndindex(6, 7):
        x, y = geometry.apply(to_input, np.array([[column, row]], np.float32))[0]
        for v, u in np.ndindex(4, 5):
            weight = max(0, 1 - abs(x - u)) * max(0, 1 - abs(y - v))
            expected[row, column] += weight * image[v, u]
    result = geometry.warp(jnp.array(image), jnp.array(to_input), size=(6, 7))
    # Coordinates of a few pixels in float32.
    np.testing.assert_allclose(result, expected, atol=2e-6)


def test_zero_border_fades_and_edge_border_repeats():
    image = jnp.ones((4, 4, 1))
    half_a_pixel_left = jnp.array([[1.0, 0.0, -0.5], [0.0, 1.0, 0.0]])
    far = jnp.array([[1.0, 0.0, -50.0], [0.0, 1.0, 0.0]])
    for border, half, outside in (("zero", 0.5, 0.0), ("edge", 1.0, 1.0)):
        faded = geometry.warp(image, half_a_pixel_left, size=(4, 4), border=border)
        np.testing.assert_array_equal(faded[:, 0], half)
        np.testing.assert_array_equal(faded[:, 1:], 1.0)
        away = geometry.warp(image, far, size=(4, 4), border=border)
        np.testing.assert_array_equal(away, outside)


def test_a_lit_pixel_and_its_keypoint_stay_together():
    image = np.zeros((40, 30, 1), np.float32)
    image[22, 11] = 1.0
    to_canvas = geometry.compose(TURN, np.array([[1.2, 0.0, 30.0], [0.0, 1.2, 0.0]]))
    to_input = jnp.array(geometry.invert(to_canvas), jnp.float32)
    warped = np.asarray(geometry.warp(jnp.array(image), to_input, size=(60, 50)))
    rows, columns = np.mgrid[:60, :50]
    middle = np.array([(columns * warped[..., 0]).sum(), (rows * warped[..., 0]).sum()])
    keypoint = geometry.apply(to_canvas, np.array([[11.0, 22.0]]))[0]
    # The centre of mass of four bilinear weights is off by well under half a pixel.
    np.testing.assert_allclose(middle / warped.sum(), keypoint, atol=0.25)


def test_apply_is_a_matrix_product_for_one_and_for_many():
    columns = np.concatenate([POINTS, np.ones((3, 1))], axis=1)
    both = geometry.apply(np.stack([TURN, LEAN]), np.stack([POINTS, POINTS]))
    np.testing.assert_allclose(both[0], columns @ TURN.T, rtol=1e-14)
    np.testing.assert_allclose(both[1], columns @ LEAN.T, rtol=1e-14)
    np.testing.assert_array_equal(geometry.apply(LEAN, POINTS), both[1])


def test_compose_applies_the_inner_map_first_and_invert_undoes():
    chained = geometry.apply(TURN, geometry.apply(LEAN, POINTS))
    composed = geometry.apply(geometry.compose(TURN, LEAN), POINTS)
    np.testing.assert_allclose(composed, chained, rtol=1e-13)
    back = geometry.apply(geometry.invert(LEAN), geometry.apply(LEAN, POINTS))
    np.testing.assert_allclose(back, POINTS, atol=1e-13)
    with pytest.raises(np.linalg.LinAlgError):
        geometry.invert(np.zeros((2, 3)))


def test_stretch_takes_a_box_to_the_borders_of_the_canvas():
    box = np.array([3.0, -2.0, 13.0, 2.0])
    to_canvas = geometry.stretch(box, (40, 20))
    corners = geometry.apply(to_canvas, box.reshape(2, 2))
    np.testing.assert_allclose(
        corners.ravel(), geometry.whole_image(np.array([40, 20]))
    )
    whole = geometry.stretch(geometry.whole_image(np.array([40, 20])), (40, 20))
    np.testing.assert_array_equal(whole, np.eye(2, 3))
    with pytest.raises(ValueError, match="no area"):
        geometry.stretch(np.array([3.0, 0.0, 3.0, 2.0]), (40, 20))


def test_whole_image_of_one_and_of_many():
    sizes = np.array([[4, 6], [1, 2]])
    expected = [[-0.5, -0.5, 5.5, 3.5], [-0.5, -0.5, 1.5, 0.5]]
    np.testing.assert_array_equal(geometry.whole_image(sizes), expected)
    np.testing.assert_array_equal(geometry.whole_image(sizes[0]), expected[0])


def test_tight_box_looks_at_labeled_keypoints_only():
    keypoints = np.stack([POINTS, POINTS])
    labeled = np.array([[True, True, False], [True, True, True]])
    box = geometry.tight_box(keypoints, labeled)
    np.testing.assert_array_equal(box, [[0, -2, 1.5, 0], [0, -2, 7, 9]])
    labeled[1] = False
    with pytest.raises(ValueError, match="1 people, the first number 1"):
        geometry.tight_box(keypoints, labeled)


def test_pad_box_keeps_the_centre():
    box = np.array([2.0, 4.0, 6.0, 14.0])
    np.testing.assert_array_equal(
        geometry.pad_box(box, padding=1.5), [1.0, 1.5, 7.0, 16.5]
    )
    np.testing.assert_array_equal(
        geometry.pad_box(box, padding=1.0, aspect=1.0), [-1.0, 4.0, 9.0, 14.0]
    )
    np.testing.assert_array_equal(
        geometry.pad_box(box, padding=1.0, aspect=0.2), [2.0, -1.0, 6.0, 19.0]
    )
    point = np.array([3.0, 3.0, 3.0, 3.0])
    np.testing.assert_array_equal(
        geometry.pad_box(point, padding=2.0), [2.5, 2.5, 3.5, 3.5]
    )


def test_intersect_is_what_both_cover():
    box = np.array([[0.0, 0.0, 4.0, 4.0], [0.0, 0.0, 1.0, 1.0]])
    other = np.array([[2.0, -1.0, 9.0, 3.0], [5.0, 5.0, 6.0, 6.0]])
    shared, nothing = geometry.intersect(box, other)
    np.testing.assert_array_equal(shared, [2.0, 0.0, 4.0, 3.0])
    assert nothing[2] <= nothing[0]
