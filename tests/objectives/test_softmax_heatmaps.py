"""Heatmaps as probabilities: round trips, the slow obvious loss, mirrors, refusals."""

import dataclasses

import batches
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpose.objectives import heatmap_decoding, softmax_heatmaps

SIZE = (64, 80)
GRID = (16, 20)


@pytest.fixture(scope="module")
def batch():
    return batches.random_batch(24, SIZE)


def objective(**fields):
    return softmax_heatmaps.SoftmaxHeatmaps(size=SIZE, **fields)


def targets_of(objective, batch):
    return jax.jit(objective.targets)(batch, jnp.array(0))


def perfect(targets):
    """Logits whose softmax is the target."""
    return jnp.log(jnp.maximum(targets.chance, 1e-12))[None]


def test_chances_add_up_to_one_for_labeled_keypoints(batch):
    targets = targets_of(objective(), batch)
    labeled = np.array(batch.visibility[:, 0]) > 0
    np.testing.assert_array_equal(targets.counted, labeled)
    np.testing.assert_allclose(targets.chance.sum(axis=(1, 2)), labeled, atol=1e-6)


@pytest.mark.parametrize("sigma", [0.8, 1.0, 2.0])
def test_decoded_targets_are_the_keypoints(batch, sigma):
    made = objective(sigma=sigma, decoder=heatmap_decoding.Dark(blur=sigma))
    poses = jax.jit(made.decode)(perfect(targets_of(made, batch)))
    labeled = np.array(batch.visibility) > 0
    error = np.abs(poses.keypoints - batch.keypoints)[labeled]
    assert error.max() <= 2.0  # Half a cell, at the border.
    assert np.median(error) < 0.05


def test_loss_is_that_of_the_slow_obvious_loop(batch):
    made = objective(weighted=True)
    targets = targets_of(made, batch)
    logits = np.random.default_rng(1).normal(size=(2, 24, *GRID, 3))
    expected, counted = 0.0, 0
    for b in range(24):
        for k in range(3):
            if not targets.counted[b, k]:
                continue
            counted += 1
            chance = np.array(targets.chance[b, :, :, k], np.float64)
            for stack in range(2):
                power = np.exp(logits[stack, b, :, :, k])
                log = np.log(power / power.sum())
                some = chance > 0
                divergence = chance[some] * (np.log(chance[some]) - log[some])
                expected += float(batch.weight[b]) * divergence.sum()
    loss, log = jax.jit(made.loss)(jnp.array(logits, jnp.float32), targets)
    assert loss == pytest.approx(expected / counted, rel=1e-5)
    assert set(log) == {"loss", "accuracy"}


def test_perfect_outputs_have_no_loss_and_no_slope(batch):
    made = objective()
    targets = targets_of(made, batch)
    value, slope = jax.value_and_grad(lambda x: made.loss(x, targets)[0])(
        perfect(targets)
    )
    assert value == pytest.approx(0, abs=1e-5)
    assert np.abs(slope).max() < 1e-6


def test_unlabeled_keypoints_pull_nowhere_whatever_their_numbers(batch):
    wild = dataclasses.replace(
        batch,
        keypoints=jnp.where(
            batch.visibility[..., None] > 0, batch.keypoints, jnp.array(jnp.nan)
        ),
    )
    made = objective()
    targets = targets_of(made, wild)
    slope = jax.grad(lambda x: made.loss(x, targets)[0])(jnp.zeros((1, 24, *GRID, 3)))
    pulled = np.abs(np.array(slope[0])).max(axis=(1, 2)) > 0
    np.testing.assert_array_equal(pulled, np.array(batch.visibility[:, 0]) > 0)


def test_nothing_labeled_is_no_loss(batch):
    nobody = dataclasses.replace(batch, visibility=jnp.zeros_like(batch.visibility))
    made = objective()
    loss, log = made.loss(jnp.ones((1, 24, *GRID, 3)), targets_of(made, nobody))
    assert loss == 0
    assert log["accuracy"] == 0


def test_scores_are_chances_of_the_last_stack():
    logits = jnp.zeros((2, 1, *GRID, 3)).at[1, 0, 4, 5, 1].set(50.0)
    poses = objective().decode(logits)
    assert poses.scores[0, 0].tolist() == pytest.approx([1 / 320, 1, 1 / 320])
    np.testing.assert_allclose(poses.keypoints[0, 0, 1], [21.5, 17.5], atol=0.01)


def test_flip_is_the_encoding_of_the_mirrored_keypoints(batch):
    flip = jnp.array(batches.TRIO.flip)
    mirrored = dataclasses.replace(
        batch,
        keypoints=jnp.array([79.0, 0])
        + batch.keypoints[:, :, flip] * jnp.array([-1.0, 1]),
        visibility=batch.visibility[:, :, flip],
    )
    made = objective()
    there = targets_of(made, mirrored).chance[None]
    np.testing.assert_allclose(
        made.flip(there, batches.TRIO)[0], targets_of(made, batch).chance, atol=1e-6
    )


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"stride": 3}, "does not divide into cells of stride=3"),
        ({"sigma": 0.0}, "sigma=0.0 must be a positive number"),
        ({"sigma": np.inf}, "sigma=inf must be a positive number"),
    ],
)
def test_what_cannot_be_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        objective(**fields)


def test_a_canvas_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"takes one person on a canvas of \(64, 80\)"):
        objective().targets(batches.random_batch(2, (64, 64)), jnp.array(0))


def test_a_skeleton_of_another_network_is_refused():
    with pytest.raises(ValueError, match="4 maps, the skeleton trio has 3"):
        objective().flip(jnp.zeros((1, 2, *GRID, 4)), batches.TRIO)


def test_maps_of_another_shape_are_refused(batch):
    targets = targets_of(objective(), batch)
    with pytest.raises(ValueError, match="check the network's keypoints and stride"):
        objective().loss(jnp.zeros((1, 24, *GRID, 4)), targets)


def test_heatmaps_are_chances_of_the_last_stack(batch):
    logits = np.random.default_rng(3).normal(size=(2, 24, *GRID, 3))
    maps = objective().heatmaps(jnp.array(logits, jnp.float32))
    odds = np.exp(logits[-1])
    expected = odds / odds.sum(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(maps, expected, rtol=1e-4)
    targets = targets_of(objective(), batch)
    np.testing.assert_array_equal(objective().true_heatmaps(targets), targets.chance)
