"""Prediction: which image the network sees, the mirror average, the way to the source."""

import dataclasses
from typing import Any

import batches
import jax
import jax.numpy as jnp
import numpy as np

from jaxpose import augment, geometry, predict
from jaxpose.objectives import coordinates

SIZE = (16, 20)
OBJECTIVE = coordinates.Coordinates(size=SIZE)
RIGHT, LEFT = 0, 1


@dataclasses.dataclass(frozen=True)
class Finder:
    """A learner that knows where light is: its state is what to add to the outputs.

    The brightest spot of the red channel is the right keypoint, that of the green
    channel the left one, that of the blue channel the third.
    """

    objective: Any = OBJECTIVE

    def outputs(self, state, image):
        h, w = SIZE
        share = image / image.sum((1, 2), keepdims=True)
        x = (share.sum(1) * ((2 * jnp.arange(w) + 1) / w - 1)[:, None]).sum(1)
        y = (share.sum(2) * ((2 * jnp.arange(h) + 1) / h - 1)[:, None]).sum(1)
        return jnp.stack([x, y], -1) + state


def lit_batch(spots):
    """Canvases with one lit pixel (x, y) a channel."""
    image = np.zeros((2, *SIZE, 3), np.uint8)
    for channel, (x, y) in enumerate(spots):
        image[:, y, x, channel] = 255
    return dataclasses.replace(batches.random_batch(2), image=jnp.array(image))


SPOTS = [(3, 5), (12, 7), (9, 14)]


def in_source(batch, points):
    return geometry.apply(batch.to_source[:, None], jnp.array(points, jnp.float32))


def test_poses_come_in_source_pixels():
    batch = lit_batch(SPOTS)
    poses = predict.predict(Finder(), jnp.zeros(()), batch, mirror=None)
    expected = in_source(batch, [[SPOTS], [SPOTS]])
    np.testing.assert_allclose(poses.keypoints, expected, atol=1e-4)
    # to_source of these batches is x' = 2 x + 5, y' = 3 y + 7.
    np.testing.assert_allclose(poses.keypoints[0, 0, RIGHT], [11, 22], atol=1e-4)


def test_the_mirror_average_is_the_mean_of_both_views():
    """In the mirror red light is to the person's left: colours change places too."""
    batch = lit_batch(SPOTS)
    mirrored = np.array(batch.image)[:, :, ::-1]
    states = jnp.zeros(())
    poses = predict.predict(Finder(), states, batch, mirror=batches.TRIO)
    ahead = np.array(SPOTS, float)
    # Seen in the mirror: red at 19 - 3 is called right, and becomes left at 3.
    behind = ahead[[LEFT, RIGHT, 2]]
    np.testing.assert_array_equal(mirrored[0, 5, 16], [255, 0, 0])
    expected = (ahead + behind) / 2
    np.testing.assert_allclose(
        poses.keypoints, in_source(batch, [[expected], [expected]]), atol=1e-4
    )


def test_the_average_takes_out_what_a_mirror_does_not_explain():
    """A network that sees everything too far right, by the same bias in both views."""
    spots = [(5, 8), (5, 8), (9, 3)]
    batch, bias = lit_batch(spots), jnp.array([0.2, 0.0])
    poses = predict.predict(Finder(), bias, batch, mirror=batches.TRIO)
    expected = in_source(batch, [[spots], [spots]])
    np.testing.assert_allclose(poses.keypoints, expected, atol=1e-4)


def test_canvases_are_given_as_augmentation_gives_them():
    seen = []

    class Spy(Finder):
        def outputs(self, state, image):
            seen.append(np.asarray(image))
            return super().outputs(state, image)

    batch = lit_batch(SPOTS)
    predict.predict(Spy(), jnp.zeros(()), batch, mirror=batches.TRIO)
    still = augment.Augment(skeleton=batches.TRIO)(jax.random.key(0), batch).image
    np.testing.assert_array_equal(seen[0], still)
    np.testing.assert_array_equal(seen[1], still[:, :, ::-1])


def test_plain_is_jit():
    batch = lit_batch(SPOTS)
    plain = predict.predict(Finder(), jnp.zeros(()), batch, mirror=batches.TRIO)
    jitted = jax.jit(
        lambda state, batch: predict.predict(
            Finder(), state, batch, mirror=batches.TRIO
        )
    )(jnp.zeros(()), batch)
    np.testing.assert_allclose(plain.keypoints, jitted.keypoints, atol=1e-4)
