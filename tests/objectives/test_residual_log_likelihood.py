"""Residual log-likelihood: closed forms, masks, scores, mirrors."""

import dataclasses

import batches
import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
import random_flows

from jaxpose import flows
from jaxpose.objectives import coordinates, residual_log_likelihood

SIZE = (16, 20)
ZERO = jnp.array(0)
IDENTITY = jax.tree.map(jnp.zeros_like, random_flows.random_flow())


def objective(assumed="laplace", **fields):
    return residual_log_likelihood.ResidualLogLikelihood(
        encoding=coordinates.Coordinates(size=SIZE, extent=0.5, **fields),
        assumed=assumed,
    )


def estimate(n=8, k=3, seed=3, flow=IDENTITY):
    random = np.random.default_rng(seed)
    found, scale = (jnp.array(random.normal(size=(n, k, 2)), jnp.float32) for _ in "cs")
    return flows.Estimate(coordinates=0.3 * found, scale=scale, flow=flow)


def laplace(error, size):
    return abs(error) / size + np.log(2 * size)


def gauss(error, deviation):
    return (error / deviation) ** 2 / 2 + np.log(2 * np.pi) / 2 + np.log(deviation)


@pytest.mark.parametrize(
    ("name", "assumed"), [("laplace", laplace), ("gaussian", gauss)]
)
def test_with_an_identity_flow_the_loss_has_a_closed_form(name, assumed):
    """The flow's standard normal density, and the assumed one; weights are uneven."""
    batch, outputs = batches.random_batch(), estimate()
    made = objective(name, weighted=True)
    total, count, squares, sizes = 0.0, 0, 0.0, 0.0
    for i, j, axis in np.ndindex(8, 3, 2):
        if batch.visibility[i, 0, j] > 0:
            span = (20, 16)[axis]
            truth = (float(batch.keypoints[i, 0, j, axis]) + 0.5) / span - 0.5
            error = truth - float(outputs.coordinates[i, j, axis])
            sigma = 1 / (1 + np.exp(-float(outputs.scale[i, j, axis]))) + 1e-6
            cost = assumed(error, sigma) + gauss(error, sigma)
            total += float(batch.weight[i]) * cost
            squares += error**2
            sizes += sigma
            count += 1
    loss, metrics = jax.jit(made.loss)(outputs, made.targets(batch, ZERO))
    np.testing.assert_allclose(loss, total / (count / 2), rtol=1e-5)
    np.testing.assert_allclose(metrics["mse"], squares / count, rtol=1e-5)
    np.testing.assert_allclose(metrics["sigma"], sizes / count, rtol=1e-5)
    assert metrics["loss"] == loss


def test_both_densities_pull_coordinates_and_scales():
    """The closed form's derivatives; d log sigma / d scale is 1 - sigma."""
    made, outputs = objective(), estimate()
    targets = made.targets(batches.random_batch(), ZERO)
    slope = jax.jit(jax.grad(lambda o: made.loss(o, targets)[0]))(outputs)
    sigma = 1 / (1 + np.exp(-np.asarray(outputs.scale, np.float64)))
    share = np.asarray(targets.coordinates - outputs.coordinates) / sigma
    there = np.asarray(targets.labeled)[..., None] / targets.labeled.sum()
    pull = -(np.sign(share) + share) / sigma
    np.testing.assert_allclose(slope.coordinates, pull * there, rtol=1e-4)
    pull = (2 - np.abs(share) - share**2) * (1 - sigma)
    np.testing.assert_allclose(slope.scale, pull * there, rtol=1e-4, atol=1e-6)


def test_a_flow_changes_the_loss_by_its_density():
    """Against the identity: the log-density of a flow less the standard normal one."""
    batch, made = batches.random_batch(), objective()
    flow = random_flows.random_flow(seed=5)
    targets = made.targets(batch, ZERO)
    loss = jax.jit(made.loss)
    plain, bent = (loss(estimate(flow=f), targets)[0] for f in (IDENTITY, flow))
    outputs = estimate()
    share = (targets.coordinates - outputs.coordinates) / jax.nn.sigmoid(outputs.scale)
    gain = flows.log_density(flow, share) - flows.log_density(IDENTITY, share)
    expected = np.mean(np.asarray(gain)[np.array(targets.labeled)])
    np.testing.assert_allclose(plain - bent, expected, rtol=1e-4)
    assert abs(expected) > 1


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_unlabeled_keypoints_may_be_anything(value):
    batch, outputs = batches.random_batch(), estimate(flow=random_flows.random_flow())
    hidden = batch.visibility == 0
    wild = jnp.where(hidden[..., None], value, batch.keypoints)
    made = objective()
    slopes = []
    for keypoints in (batch.keypoints, wild):
        batch = dataclasses.replace(batch, keypoints=keypoints)
        targets = made.targets(batch, ZERO)
        slopes.append(
            jax.jit(jax.grad(lambda o, t: made.loss(o, t)[0]))(outputs, targets)
        )
    jax.tree.map(np.testing.assert_array_equal, *slopes)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes))
    for slope in (slopes[1].coordinates, slopes[1].scale):
        pulled = (np.asarray(slope) != 0).all(axis=-1)
        np.testing.assert_array_equal(pulled, ~np.asarray(hidden[:, 0]))


def test_a_batch_without_labels_costs_nothing():
    batch = dataclasses.replace(
        batches.random_batch(), visibility=jnp.zeros((8, 1, 3), jnp.int32)
    )
    made, outputs = objective(), estimate(flow=random_flows.random_flow())
    targets = made.targets(batch, ZERO)
    slope, metrics = jax.jit(jax.grad(made.loss, has_aux=True))(outputs, targets)
    assert metrics == {"loss": 0, "mse": 0, "sigma": 0}
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(slope))


@pytest.mark.parametrize("scale", [-200.0, 200.0])
def test_learned_by_heart_or_hopeless_the_loss_is_finite(scale):
    """No error and a sigma that has underflowed, or a share of a million sigmas."""
    made = objective()
    value_and_slope = jax.jit(jax.value_and_grad(made.loss, has_aux=True))
    for off in (0.0, 1.0):
        batch = batches.random_batch()
        targets = made.targets(batch, ZERO)
        outputs = flows.Estimate(
            coordinates=targets.coordinates + off,
            scale=jnp.full((8, 3, 2), scale),
            flow=random_flows.random_flow(),
        )
        (loss, _), slope = value_and_slope(outputs, targets)
        assert np.isfinite(loss)
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slope))


def test_decoded_targets_are_the_keypoints_and_scores_tell_the_scales():
    batch, made = batches.random_batch(), objective()
    logits = jnp.array([[[0.0, 0.0], [-jnp.inf, 0.0], [jnp.inf, jnp.inf]]]).repeat(8, 0)
    outputs = flows.Estimate(
        coordinates=made.targets(batch, ZERO).coordinates, scale=logits, flow=IDENTITY
    )
    poses = jax.jit(made.decode)(outputs)
    # Shares near 0.5 in float32, times 20 pixels.
    np.testing.assert_allclose(poses.keypoints, batch.keypoints, atol=4e-6)
    # 1 - (0.5 + 0.5) / 2, 1 - (0 + 0.5) / 2, 1 - (1 + 1) / 2.
    np.testing.assert_allclose(poses.scores[3, 0], [0.5, 0.75, 0.0], atol=2e-6)
    np.testing.assert_allclose(poses.person_scores, 1.25 / 3, atol=2e-6)
    assert poses.scores.min() >= 0
    assert poses.person_scores.shape == (8, 1)


def test_flip_is_the_encoding_of_the_mirrored_keypoints():
    batch, made = batches.random_batch(), objective()
    mirrored = dataclasses.replace(
        batch,
        keypoints=jnp.array([19.0, 0.0])
        + batch.keypoints[:, :, (1, 0, 2)] * jnp.array([-1.0, 1.0]),
    )
    there = dataclasses.replace(
        estimate(flow=random_flows.random_flow()),
        coordinates=made.targets(mirrored, ZERO).coordinates,
    )
    flipped = made.flip(there, batches.TRIO)
    expected = made.targets(batch, ZERO).coordinates
    np.testing.assert_allclose(flipped.coordinates, expected, atol=1e-6)
    np.testing.assert_array_equal(flipped.scale, there.scale[:, (1, 0, 2)])
    jax.tree.map(np.testing.assert_array_equal, flipped.flow, there.flow)
    twice = made.flip(made.flip(there, batches.TRIO), batches.TRIO)
    jax.tree.map(np.testing.assert_array_equal, twice, there)


def test_other_canvases_and_other_densities_are_refused(monkeypatch):
    assert objective().size == SIZE
    with pytest.raises(ValueError, match=r"\(16, 20\) with 1 people; .* \(16, 21\)"):
        wrong = coordinates.Coordinates(size=(16, 21))
        residual_log_likelihood.ResidualLogLikelihood(encoding=wrong).targets(
            batches.random_batch(), ZERO
        )
    # Outside the tests nobody checks the annotation.
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(ValueError, match="assumed='cauchy' is not one of"):
        objective("cauchy")
