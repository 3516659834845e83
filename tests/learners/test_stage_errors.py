"""Errors of a stage, measured and simulated, in cascades of fakes."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from cascades import (
    KEY,
    MEAN,
    SEEN,
    SIZE,
    SPREAD,
    Fake,
    of,
    torso,
    written,
    wrong_batch,
)

from jaxpose.learners import moments, stage_errors


def test_errors_of_the_stage_before_are_measured():
    subject = of(
        Fake(SIZE, written, given=256),
        Fake(SEEN, lambda image: jnp.zeros((len(image), 3, 2)), given=512),
        steps=(1, 1),
        measured_steps=8,
    )
    step = jax.jit(subject.train_step)
    state = subject.init(KEY, wrong_batch(256, 0)[0])
    state, _ = step(state, wrong_batch(256, 0)[0], KEY)
    shifts, ratios, labels = [], [], []
    for seed in range(8):
        batch, found, size = wrong_batch(256, seed)
        state, metrics = step(state, batch, KEY)
        truth = np.asarray(batch.keypoints)[:, 0]
        labeled = np.asarray(batch.visibility)[:, 0] > 0
        shift = (found - truth) / size[:, None, None]
        np.testing.assert_allclose(
            metrics["loss"], np.square(shift[labeled]).mean(), rtol=1e-3
        )
        assert metrics["stage"] == 2
        shifts.append(shift)
        labels.append(labeled)
        extent = np.linalg.norm(found.max(1) - found.min(1), axis=-1)
        ratios.append(np.log(np.maximum(torso(found), extent / 3) / size))
    shift, labeled = np.concatenate(shifts), np.concatenate(labels)
    ratio = np.concatenate(ratios)
    (errors,) = state.errors
    count = np.broadcast_to(labeled.sum(0)[:, None], (3, 2))
    np.testing.assert_array_equal(errors.shift.count, count)
    assert count[2, 0] < 0.9 * 2048
    for k in range(3):
        kept = shift[labeled[:, k], k]
        mean, spread = moments.mean(errors.shift)[k], moments.spread(errors.shift)[k]
        np.testing.assert_allclose(mean, kept.mean(0), atol=1e-4)
        np.testing.assert_allclose(spread, kept.std(0), atol=1e-4)
        # Of 1600 and more: four standard errors of a mean and of a deviation.
        assert (np.abs(mean - MEAN[k]) < 4 * SPREAD[k] / 40).all()
        assert (np.abs(spread - SPREAD[k]) < 4 * SPREAD[k] / 56).all()
    # Colours of 0.5 in float32 are positions known to some 1e-5 pixels of 8 and more.
    np.testing.assert_allclose(moments.mean(errors.size), ratio.mean(), atol=1e-4)
    np.testing.assert_allclose(moments.spread(errors.size), ratio.std(), atol=1e-4)


def test_simulated_estimates_are_as_wrong_as_measured_ones():
    subject = of(
        Fake(SIZE, written, given=512),
        Fake(SEEN, written, given=512 * 6),
        steps=(1, 1),
        crops=6,
        box=2.0,
    )
    batch, _, size = wrong_batch(512, 1)
    state = subject.init(KEY, batch)
    # Normal numbers of these moments.
    count = jnp.full((3, 2), 100.0)
    square = count * jnp.array(SPREAD**2 + MEAN**2)
    shift = moments.Moments(count, count * jnp.array(MEAN), square)
    ratio = moments.Moments(jnp.array(10.0), jnp.array(-1.0), jnp.array(0.5))
    errors = (stage_errors.Errors(shift, ratio),)
    state = dataclasses.replace(state, step=jnp.array(2), errors=errors)
    after, _ = jax.jit(subject.train_step)(state, batch, KEY)
    seen = after.stages[1]
    assert seen.step == 1 and after.stages[0].step == 0
    labeled = np.asarray(seen.visibility)[:, 0] > 0
    # Each sub-image is about one keypoint, and only about labeled ones.
    np.testing.assert_array_equal(labeled.sum(1), 1)
    which = labeled.argmax(1)
    asked = np.repeat(np.asarray(batch.visibility)[:, 0] > 0, 6, axis=0)
    assert asked[np.arange(len(which)), which].all()
    # Keypoints take turns: 6 boxes are 2 of each of 3, or 3 of each of 2.
    per_example = labeled.reshape(512, 6, 3).sum(1)
    turns = np.where(asked[::6], 6 // asked[::6].sum(1, keepdims=True), 0)
    np.testing.assert_array_equal(per_example, turns)

    own = np.asarray(seen.keypoints)[np.arange(len(which)), 0, which]
    # The scale of a box, from the two ends of the torso.
    pixel = np.repeat(size, 6) / torso(_square(np.asarray(seen.keypoints)[:, 0]))
    log_side = np.log(pixel * SEEN[1] / (2 * np.repeat(size, 6)))
    assert abs(log_side.mean() + 0.1) < 4 * 0.2 / 55
    assert abs(log_side.std() - 0.2) < 4 * 0.2 / 78
    # From the middle of a box to its keypoint, in body sizes: minus the error.
    middle = (np.array(SEEN[::-1]) - 1) / 2
    units = np.array([1.0, SEEN[1] / SEEN[0]])
    away = (middle - own) * units * (pixel / np.repeat(size, 6))[:, None]
    for k in range(3):
        mine = away[which == k]
        error = 4 * SPREAD[k] / np.sqrt(len(mine))
        assert (np.abs(mine.mean(0) - MEAN[k]) < error).all()
        assert (np.abs(mine.std(0) - SPREAD[k]) < error).all()


def _square(pose):
    """In pixels as wide as high: the sub-images are not."""
    return pose * np.array([1.0, SEEN[1] / SEEN[0]])


def test_who_has_no_size_contributes_nothing():
    subject = of(
        Fake(SIZE, written, given=4),
        Fake(SEEN, written, given=8),
        steps=(1, 1),
    )
    batch, _, _ = wrong_batch(4, 2)
    visibility = jnp.zeros_like(batch.visibility).at[0, 0, 2].set(2)
    wild = jnp.full_like(batch.keypoints, jnp.inf).at[0, 0, 2].set(5)
    batch = dataclasses.replace(batch, visibility=visibility, keypoints=wild)
    state, step = subject.init(KEY, batch), jax.jit(subject.train_step)
    for _ in range(3):
        state, metrics = step(state, batch, KEY)
        assert jnp.isfinite(metrics["loss"])
    assert not state.errors[0].shift.count.any() and not state.errors[0].size.count
    assert not state.stages[1].visibility.any()
    assert state.stages[1].step == 1
