"""Random colours, by the draws that the original was recorded with."""

import batches
import jax
import jax.numpy as jnp
import numpy as np

from jaxpose import augment, photometric

FULL = photometric.Photometric()
PARTS = ("hue", "saturation", "brightness", "contrast")


def test_colours_of_the_original(reference):
    """It draws in 0..1 and computes in float32: 4.6e-7 away, of values up to 1.3."""
    record = reference("ae_targets")
    with jax.enable_x64(True):
        found = FULL.recolored(
            jnp.array(record["photo_in"], jnp.float64),
            jnp.array(2 * record["photo_rand"] - 1),
        )
    np.testing.assert_allclose(found, record["photo_out"], atol=1e-6)


def test_nothing_is_changed_in_the_middle_of_the_ranges():
    image = batches.random_batch(n=1, dtype=np.float32).image[0]
    same = FULL.recolored(image, jnp.zeros(4))
    np.testing.assert_allclose(same, image, atol=1e-6)


def test_each_change_alone():
    orange = jnp.array([[[0.8, 0.4, 0.0]]])

    def change(draw, **ranges):
        ranges = dict.fromkeys(PARTS, 0.0) | ranges
        return photometric.Photometric(**ranges).recolored(orange, jnp.full(4, draw))

    # A third of the circle turns red to green; half as saturated is nearer to 0.8.
    found = change(1.0, hue=1 / 3)[0, 0]
    np.testing.assert_allclose(found, [0.0, 0.8, 0.4], atol=1e-6)
    found = change(-1.0, saturation=0.5)[0, 0]
    np.testing.assert_allclose(found, [0.8, 0.6, 0.4], atol=1e-6)
    found = change(1.0, brightness=0.3)[0, 0]
    np.testing.assert_allclose(found, [1.0, 0.7, 0.3], atol=1e-6)
    found = change(-1.0, contrast=0.5)[0, 0]
    np.testing.assert_allclose(found, [0.6, 0.4, 0.2], atol=1e-6)


def test_every_image_has_draws_of_its_own_by_its_key():
    image = jnp.full((3, 4, 5, 3), 0.4) * jnp.array([1.0, 0.8, 0.5])
    once, again = FULL(jax.random.key(0), image), FULL(jax.random.key(0), image)
    np.testing.assert_array_equal(once, again)
    assert len(np.unique(np.array(once[:, 0, 0, 0]))) == 3
    assert not np.array_equal(FULL(jax.random.key(1), image), once)


def test_augmentation_recolours_and_leaves_its_other_draws_alone():
    batch = batches.random_batch(n=4)
    fields = {"skeleton": batches.TRIO, "flip": 0.5, "rotation": 20.0, "hue": 0.1}
    plain = augment.Augment(**fields)(jax.random.key(2), batch)
    coloured = augment.Augment(**fields, color=FULL)(jax.random.key(2), batch)
    np.testing.assert_array_equal(coloured.keypoints, plain.keypoints)
    assert np.abs(coloured.image - plain.image).max() > 0.1
    assert 0 <= coloured.image.min() and coloured.image.max() <= 1
    nothing = photometric.Photometric(**dict.fromkeys(PARTS, 0.0))
    same = augment.Augment(**fields, color=nothing)(jax.random.key(2), batch)
    np.testing.assert_allclose(same.image, plain.image, atol=1e-6)
