import dataclasses

import batches
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpose.objectives import coordinates, stages

SIZE = (16, 20)


@pytest.fixture
def poses():
    """Two stages of keypoints for random batches of 8."""
    generator = np.random.default_rng(5)
    return jnp.array(generator.uniform(0, 16, (2, 8, 3, 2)), jnp.float32)


@pytest.mark.parametrize(("stage", "index"), [(0, 1), (1, 0), (2, 1)])
def test_one_stage_is_read(poses, stage, index):
    found = stages.Stages(size=SIZE, stage=stage).decode(poses)
    np.testing.assert_array_equal(found.keypoints[:, 0], poses[index])
    assert found.scores.shape == (8, 1, 3) and found.person_scores.shape == (8, 1)
    assert (found.scores == 1).all()


@pytest.mark.parametrize("stage", [3, -1])
def test_a_stage_that_is_not_there_is_refused(poses, stage):
    with pytest.raises(ValueError, match=f"stage={stage} of a cascade of 2"):
        stages.Stages(size=SIZE, stage=stage).decode(poses)


def test_the_loss_is_that_of_coordinates(poses):
    """The same number as the regression of the share of the canvas."""
    batch = batches.random_batch(8, SIZE)
    plain = coordinates.Coordinates(size=SIZE)
    shares = (2 * (poses[1] + 0.5) / jnp.array(SIZE[::-1])) - 1
    expected, _ = plain.loss(shares, plain.targets(batch, jnp.array(0)))
    subject = stages.Stages(size=SIZE)
    loss, metrics = subject.loss(poses, subject.targets(batch, jnp.array(0)))
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    assert metrics["loss"] == loss


def test_unlabeled_keypoints_do_not_count(poses):
    batch = batches.random_batch(8, SIZE)
    subject = stages.Stages(size=SIZE)
    wild = jnp.where(batch.visibility[..., None] > 0, batch.keypoints, jnp.inf)
    targets = stages.Targets(keypoints=wild[:, 0], labeled=batch.visibility[:, 0] > 0)
    plain, _ = subject.loss(poses, subject.targets(batch, jnp.array(0)))
    loss, gradient = jax.value_and_grad(lambda x: subject.loss(x, targets)[0])(poses)
    assert loss == plain and jnp.isfinite(gradient).all()
    nothing = stages.Targets(
        keypoints=wild[:, 0], labeled=jnp.zeros_like(targets.labeled)
    )
    assert subject.loss(poses, nothing)[0] == 0


def test_a_mirrored_canvas_has_its_poses_mirrored():
    """Keypoints on the pixels of an image stay on the same pixels."""
    subject = stages.Stages(size=SIZE)
    generator = np.random.default_rng(6)
    image = generator.random(SIZE)
    there = np.stack([generator.integers(0, n, (2, 1, 3)) for n in SIZE[::-1]], -1)
    back = np.asarray(subject.flip(jnp.array(there, jnp.float32), batches.TRIO)).astype(
        int
    )
    mirrored = image[:, ::-1]
    for k, partner in enumerate(batches.TRIO.flip):
        x, y = np.moveaxis(there[:, 0, partner], -1, 0)
        u, v = np.moveaxis(back[:, 0, k], -1, 0)
        np.testing.assert_array_equal(image[v, u], mirrored[y, x])


def test_several_people_are_refused():
    batch = batches.random_batch(8, SIZE, k=6)
    pairs = dataclasses.replace(batch, keypoints=batch.keypoints.reshape(8, 2, 3, 2))
    with pytest.raises(ValueError, match="2 people a canvas"):
        stages.Stages(size=SIZE).targets(pairs, jnp.array(0))
