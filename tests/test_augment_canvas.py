"""Augmentation that keeps the middle of a larger canvas."""

import batches
import jax
import numpy as np
import pytest

from jaxpose import augment, geometry


def test_a_smaller_canvas_is_the_middle_of_the_larger():
    """As if it were cut out of the moved one."""
    batch = batches.random_batch(8, dtype=np.float32)
    height, width = batch.image.shape[1:3]
    small = height - 8, width - 4
    key = jax.random.key(1)
    draws = {"flip": 0.5, "scale": 0.3, "rotation": 40.0}
    whole = augment.Augment(skeleton=batches.TRIO, **draws)(key, batch)
    way = augment.Augment(skeleton=batches.TRIO, size=small, **draws)
    middle = way(key, batch)
    assert middle.image.shape == (8, *small, 3) and middle.mask.shape == (8, *small)
    np.testing.assert_allclose(middle.image, whole.image[:, 4:-4, 2:-2], atol=2e-5)
    np.testing.assert_allclose(middle.mask, whole.mask[:, 4:-4, 2:-2], atol=2e-5)
    corner = np.array([2, 4])
    np.testing.assert_allclose(middle.keypoints, whole.keypoints - corner, atol=1e-4)
    np.testing.assert_allclose(
        geometry.apply(middle.to_source[:, None], middle.keypoints),
        geometry.apply(whole.to_source[:, None], whole.keypoints),
        atol=1e-3,
    )
    still = augment.Augment(skeleton=batches.TRIO, size=small)(key, batch)
    np.testing.assert_allclose(still.image, batch.image[:, 4:-4, 2:-2] / 255, atol=1e-6)


def test_shifts_are_shares_of_the_new_canvas():
    batch = batches.random_batch(8, dtype=np.float32)
    height, width = batch.image.shape[1:3]
    small = height - 8, width - 4
    corner = np.array([2, 4])
    moved = []
    for size, start in (((), 0), (small, corner)):
        way = augment.Augment(skeleton=batches.TRIO, shift=0.2, size=size)
        keypoints = way(jax.random.key(2), batch).keypoints
        side = np.array((size or (height, width))[::-1])
        moved.append((keypoints - (batch.keypoints - start)) / side)
    assert np.abs(moved[0]).max() > 0.05
    np.testing.assert_allclose(moved[1], moved[0], atol=1e-5)


def test_a_larger_canvas_is_refused():
    batch = batches.random_batch()
    height, width = batch.image.shape[1:3]
    way = augment.Augment(skeleton=batches.TRIO, size=(height + 1, width))
    with pytest.raises(ValueError, match="give their size, or less"):
        way(jax.random.key(0), batch)
