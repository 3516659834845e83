"""Boxes drawn about people."""

import numpy as np
import pytest

from jaxpose import crops, regions

SIZE = np.array([480, 640])
REGION = np.array([100.0, 50.0, 180.0, 250.0])


def many(crop, count=4000, region=REGION, size=SIZE):
    """Boxes of the same region by the first draws of a run."""
    draws = crops.draws(0, 0, count)
    return crop(np.tile(region, (count, 1)), np.tile(size, (count, 1)), draws)


def sides(boxes):
    return boxes[..., 2:] - boxes[..., :2]


def middles(boxes):
    return (boxes[..., 2:] + boxes[..., :2]) / 2


def test_nothing_is_drawn_unless_asked():
    np.testing.assert_allclose(many(crops.Crop()), [REGION] * 4000, atol=1e-12)


@pytest.mark.parametrize("shift", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("whole_pixels", [False, True])
def test_a_box_holds_its_region(shift, whole_pixels):
    crop = crops.Crop(extension=(1, 2), shift=shift, whole_pixels=whole_pixels)
    boxes = many(crop)
    assert (boxes[:, :2] <= REGION[:2] + 1e-9).all()
    assert (boxes[:, 2:] >= REGION[2:] - 1e-9).all()


def test_sides_are_uniform_between_the_extensions():
    factor = sides(many(crops.Crop(extension=(1.5, 2.0), shift=0.1))) / [80, 200]
    assert factor.min() >= 1.5 and factor.max() < 2.0
    # Five standard errors of the mean and of the second moment of 4000 numbers.
    np.testing.assert_allclose(factor.mean(0), 1.75, atol=5 * 0.5 / np.sqrt(12 * 4000))
    spread = ((factor - 1.75) / 0.5) ** 2
    np.testing.assert_allclose(
        spread.mean(0), 1 / 12, atol=5 / np.sqrt(180 * 4000), rtol=0
    )


def test_shifts_go_as_far_as_asked_but_not_farther_than_the_padding():
    """A quarter is padded on each side, in x by 20 pixels and in y by 50."""
    for shift, reach in ((0.1, (8, 20)), (0.25, (20, 50)), (1.0, (20, 50))):
        boxes = many(crops.Crop(extension=(1.5, 1.5), shift=shift))
        moved = middles(boxes) - middles(REGION)
        assert (np.abs(moved) <= np.array(reach) + 1e-9).all()
        # Of 4000 none comes closer than 1% with a chance of 1e-17.
        assert (moved.max(0) > 0.99 * np.array(reach)).all()
        assert (moved.min(0) < -0.99 * np.array(reach)).all()
        np.testing.assert_allclose(sides(boxes), [[120, 300]] * 4000)


def test_axes_and_positions_are_independent():
    boxes = many(crops.Crop(extension=(1.5, 2.0), shift=0.1))
    drawn = np.concatenate([sides(boxes), middles(boxes)], axis=1)
    table = np.concatenate([drawn[:-1], drawn[1:]], axis=1)
    correlation = np.corrcoef(table.T) - np.eye(8)
    assert np.abs(correlation).max() < 5 / np.sqrt(4000)


def test_a_position_has_its_draws_whoever_asks():
    whole = crops.draws(3, 0, 256)
    np.testing.assert_array_equal(crops.draws(3, 96, 32), whole[96:128])
    assert whole.shape == (256, 4) and 0 <= whole.min() and whole.max() < 1
    drawn = [*whole.flat, *crops.draws(4, 0, 256).flat, *crops.draws(3, 10**12, 9).flat]
    assert len(set(drawn)) == len(drawn)


def test_a_region_that_is_a_point_stays_where_it_is():
    """No share of a side without length is nan."""
    point = np.array([30.0, 40.0, 30.0, 40.0])
    crop = crops.Crop(extension=(1, 2), shift=0.5)
    np.testing.assert_array_equal(many(crop, 3, point), [point] * 3)


@pytest.mark.parametrize("whole_pixels", [False, True])
def test_a_person_of_one_labeled_keypoint_is_a_pixel_wide(whole_pixels):
    """And two with the extension: the canvas shows something of whom is hardly known."""
    keypoints = np.array([[[30.5, 40.5], [999.0, -7.0]]])
    labeled = np.array([[True, False]])
    region = regions.PersonBox(padding=1.0)(keypoints, labeled, SIZE[None], {})
    crop = crops.Crop(extension=(2, 2), whole_pixels=whole_pixels)
    found = crop(region, SIZE[None], np.full((1, 4), 0.5))
    np.testing.assert_allclose(found, [[29.5, 39.5, 31.5, 41.5]])


def test_a_box_may_be_moved_into_the_photograph():
    """Without getting shorter there, but for what is beyond the far borders."""
    boxes = np.array(
        [[-20.5, 5, 49.5, 60], [600, 400, 680, 500], [-9.5, -9.5, 999, 9], [700] * 4]
    )
    crop = crops.Crop(inside=True)
    found = crop(boxes, np.tile(SIZE, (4, 1)), np.full((4, 4), 0.5))
    expected = [[-0.5, 5, 69.5, 60], [600, 400, 639.5, 479.5], [-0.5, -0.5, 639.5, 18]]
    expected += [[638.5, 478.5, 639.5, 479.5]]  # A pixel at least.
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize(
    "extension, shift, says",
    [
        ((0.9, 1.2), 0.0, r"extension=\(0.9, 1.2\); it must be"),
        ((2.0, 1.5), 0.0, r"extension=\(2.0, 1.5\); it must be"),
        ((1.0, 1.5), 1.1, r"shift=1.1 .* 0..1"),
        ((1.0, 1.5), -0.1, r"shift=-0.1 .* 0..1"),
    ],
)
def test_what_would_lose_keypoints_is_refused(extension, shift, says):
    with pytest.raises(ValueError, match=says):
        crops.Crop(extension=extension, shift=shift)
