"""Prediction: which image the network sees, the mirror average, the way to the source."""

import dataclasses
from typing import Any

import batches
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpose import augment, geometry, predict
from jaxpose.objectives import coordinates
from jaxpose.types import Poses

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


class Views(coordinates.Coordinates):
    """An objective that keeps its views: outputs are the position of light in each.

    Positions are shares of the canvas; the first view's are read, in its pixels.
    """

    def flip(self, outputs, skeleton):
        # Keypoints are colours here, which a mirror does not exchange.
        return outputs * jnp.array([-1.0, 1.0])

    def merge(self, views, scales):
        assert len(views) == len(scales)
        return {"views": jnp.stack(views), "scales": jnp.array(scales)}

    def decode(self, outputs):
        # Half the canvas of SIZE is one pixel less than half its width, and so on.
        width = jnp.array([SIZE[1], SIZE[0]]) * outputs["scales"][0]
        keypoints = ((outputs["views"][0] + 1) * width - 1) / 2
        return Poses(
            keypoints=keypoints[:, None],
            scores=jnp.ones((len(keypoints), 1, 3)),
            person_scores=jnp.ones((len(keypoints), 1)),
        )


class AnySize(Finder):
    """`Finder` for canvases of any size; remembers what it saw."""

    def __init__(self):
        super().__init__(objective=Views(size=SIZE))
        object.__setattr__(self, "seen", [])

    def outputs(self, state, image):
        self.seen.append(np.asarray(image))
        share = image / image.sum((1, 2), keepdims=True)
        _, h, w, _ = image.shape
        x = (share.sum(1) * ((2 * jnp.arange(w) + 1) / w - 1)[:, None]).sum(1)
        y = (share.sum(2) * ((2 * jnp.arange(h) + 1) / h - 1)[:, None]).sum(1)
        return jnp.stack([x, y], -1)


def large_batch(spots):
    """Lit pixels far from the border on canvases of twice SIZE."""
    image = np.zeros((2, 2 * SIZE[0], 2 * SIZE[1], 3), np.uint8)
    for channel, (x, y) in enumerate(spots):
        image[:, y, x, channel] = 255
    return dataclasses.replace(batches.random_batch(2), image=jnp.array(image))


LARGE = [(11, 13), (30, 17), (22, 9)]


def test_an_objective_gets_every_view_with_its_scale():
    learner, batch = AnySize(), large_batch(LARGE)
    scales = (2.0, 1.0, 0.5)
    views = predict.outputs(
        learner, jnp.zeros(()), batch, mirror=batches.TRIO, scales=scales
    )
    np.testing.assert_array_equal(views["scales"], [2, 2, 1, 1, 0.5, 0.5])
    shapes = [seen.shape[1:3] for seen in learner.seen]
    assert shapes == [(32, 40)] * 2 + [(16, 20)] * 2 + [(8, 10)] * 2
    for plain, mirrored in zip(learner.seen[::2], learner.seen[1::2]):
        np.testing.assert_array_equal(plain, mirrored[:, :, ::-1])
    # A mirror image that was flipped back says the same as the image. Antialiased
    # shrinking by a half or a quarter keeps the middle of the light: its weights, 1 3 3 1
    # and the like, add up alike on both sides of the pixels that a new one covers.
    expected = [(2 * np.array(s) + 1) / (40, 32) - 1 for s in LARGE]
    for view in views["views"]:
        np.testing.assert_allclose(view[0], expected, atol=1e-5)


def test_poses_of_any_first_scale_come_in_source_pixels():
    batch = large_batch(LARGE)
    for scales in ((2.0, 1.0), (1.0, 2.0), (0.5, 1.0, 2.0)):
        poses = predict.predict(
            AnySize(), jnp.zeros(()), batch, mirror=None, scales=scales
        )
        expected = in_source(batch, [[LARGE], [LARGE]])
        np.testing.assert_allclose(poses.keypoints, expected, atol=1e-3)


def test_another_objective_may_read_the_views():
    """The learner's flips, as its network was trained; the reader merges."""
    batch = lit_batch(SPOTS)
    found = predict.outputs(
        Finder(), jnp.zeros(()), batch, mirror=batches.TRIO, objective=Views(size=SIZE)
    )
    assert found["views"].shape == (2, 2, 3, 2)
    np.testing.assert_array_equal(found["scales"], [1, 1])


@pytest.mark.parametrize(
    "objective, scales, said",
    [
        (OBJECTIVE, (2.0, 1.0), "Coordinates cannot merge views of several sizes"),
        (OBJECTIVE, (2.0,), "Coordinates cannot merge"),
        (Views(size=SIZE), (), r"scales=\(\) must be positive"),
        (Views(size=SIZE), (1.0, 0.0), r"scales=\(1.0, 0.0\) must be positive"),
    ],
)
def test_scales_that_cannot_be_are_refused(objective, scales, said):
    with pytest.raises(ValueError, match=said):
        predict.check_scales(objective, scales)


def test_views_of_broken_pixels_are_refused():
    assert predict.view_sizes((48, 96), (1.5, 1.0)) == [(48, 96), (32, 64)]
    with pytest.raises(ValueError, match=r"\[8.0, 12.5\] pixels at the scale 0.5"):
        predict.view_sizes((32, 50), (2.0, 1.0, 0.5))
