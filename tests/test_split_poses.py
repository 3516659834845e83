"""Batches of two sizes, in another order than the rows, padded; eight devices."""

import jax.numpy as jnp
import lights
import numpy as np
import pytest

from jaxpose import devices, split_poses


def find(batch_size, mirror=None, scales=(1.0,), rows=11):
    finder = split_poses.Finder(
        lights.LEARNER,
        devices.mesh(),
        objective=lights.Lights(),
        mirror=mirror,
        scales=scales,
    )
    examples = lights.Photographs(lights.data(), rows)
    state = lights.State(jnp.zeros((), jnp.int32))
    found = finder.find(state, examples, batch_size=batch_size, name="lights")
    return *found, examples


@pytest.mark.parametrize("batch_size", [8, 16])  # one device or two rows a device
def test_everybody_of_every_row_whatever_its_batch(batch_size):
    poses, _, examples = find(batch_size)
    assert poses.keypoints.shape == (11, lights.SLOTS, 3, 2)
    for row in range(11):
        people = row % 4
        found = poses.keypoints[row]
        np.testing.assert_array_equal(found[:people], examples.keypoints(row)[:people])
        assert np.isnan(found[people:]).all()
        scores = np.zeros(lights.SLOTS)
        scores[:people] = lights.BRIGHTNESS[:people] / 255
        np.testing.assert_allclose(poses.person_scores[row], scores, rtol=1e-6)


def test_views_are_merged_and_read_in_source_pixels():
    """The two brightest stay so: half the canvas spreads light over neighbours, by 3/8
    along each axis, so that at most 0.14 x 250 = 35 of 255 gets there."""
    poses, _, examples = find(8, mirror=lights.SKELETON, scales=(1.0, 0.5))
    for row in range(11):
        people = min(row % 4, 2)
        np.testing.assert_array_equal(
            poses.keypoints[row, :people], examples.keypoints(row)[:people]
        )
    plain, *_ = find(8)
    assert (poses.person_scores[1::4, 0] < 0.7 * plain.person_scores[1::4, 0]).all()


@pytest.mark.parametrize("batch_size", [8, 16])
def test_heatmaps_are_of_the_first_rows_that_were_seen(batch_size):
    """Those of the bucket: rows 1, 3, 5, 7."""
    _, maps, examples = find(batch_size)
    assert maps.canvas.shape == (4, 12, 16, 3) and maps.canvas.dtype == np.uint8
    for n, row in enumerate((1, 3, 5, 7)):
        photograph = examples.photograph(row)
        np.testing.assert_array_equal(maps.canvas[n], photograph)
        np.testing.assert_allclose(maps.prediction[n], photograph / 255, rtol=1e-6)
        np.testing.assert_array_equal(maps.truth[n], photograph > 0)
    assert maps.labeled.shape == (4, 3) and maps.labeled.all()


def test_padding_has_no_heatmaps():
    poses, maps, _ = find(8, rows=5)  # rows 1 and 3 in the bucket
    assert len(maps.canvas) == len(maps.truth) == 2 and len(poses.keypoints) == 5
