"""Residual log-likelihood: closed forms, what it learns of errors, masks, mirrors."""

import dataclasses

import batches
import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import optax
import pytest
import random_flows

from jaxpose import flows
from jaxpose.models import density_regressor
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
    total, count, squares = 0.0, 0, 0.0
    for i, j, axis in np.ndindex(8, 3, 2):
        if batch.visibility[i, 0, j] > 0:
            span = (20, 16)[axis]
            truth = (float(batch.keypoints[i, 0, j, axis]) + 0.5) / span - 0.5
            error = truth - float(outputs.coordinates[i, j, axis])
            sigma = 1 / (1 + np.exp(-float(outputs.scale[i, j, axis]))) + 1e-6
            cost = assumed(error, sigma) + gauss(error, sigma)
            total += float(batch.weight[i]) * cost
            squares += error**2
            count += 1
    loss, metrics = jax.jit(made.loss)(outputs, made.targets(batch, ZERO))
    np.testing.assert_allclose(loss, total / (count / 2), rtol=1e-5)
    np.testing.assert_allclose(metrics["mse"], squares / count, rtol=1e-5)
    assert metrics["loss"] == loss


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


def skewed_errors(seed, n=2000):
    """Of two keypoints alike in form: x is skewed, y depends on it; one is 3 x larger."""
    random = np.random.default_rng(seed)
    x = 0.06 * random.gamma(1.2, size=(n, 2)) - 0.04
    y = 0.02 * random.normal(size=(n, 2)) + 8 * x**2
    return np.stack([x, y], axis=-1) * np.array([1.0, 3.0])[:, None]


def targets_at(errors):
    return coordinates.Targets(
        coordinates=jnp.array(errors, jnp.float32),
        labeled=jnp.ones(errors.shape[:2], bool),
        weight=jnp.ones(len(errors)),
    )


@pytest.fixture(scope="module")
def learned():
    """Position, scale and flow that explain many errors, by 300 steps of Adam."""
    made, targets = objective(), targets_at(skewed_errors(seed=0))
    flow = density_regressor.Flow(couplings=6, hidden=(24, 24))
    start = flows.Estimate(
        coordinates=jnp.zeros((1, 2, 2)),
        scale=jnp.full((1, 2, 2), -2.0),
        flow=flow.init_with_output(jax.random.key(0))[0],
    )
    optimizer = optax.adam(optax.cosine_decay_schedule(3e-2, 300))

    @jax.jit
    def run(outputs):
        def step(_, carry):
            outputs, state = carry
            slope = jax.grad(lambda o: made.loss(o, targets)[0])(outputs)
            updates, state = optimizer.update(slope, state)
            return optax.apply_updates(outputs, updates), state

        return jax.lax.fori_loop(0, 300, step, (outputs, optimizer.init(outputs)))[0]

    return run(start)


def test_it_learns_the_form_of_errors_that_laplace_does_not_have(learned):
    """Nats a keypoint on errors that were not learned from."""
    seen, unseen = skewed_errors(seed=0), skewed_errors(seed=1)
    middle = np.median(seen, axis=0)
    size = np.abs(seen - middle).mean(axis=0)
    best_laplace = laplace(unseen - middle, size).sum(axis=-1).mean()
    sigma = jax.nn.sigmoid(learned.scale)
    share = jnp.array(unseen, jnp.float32) - learned.coordinates
    density = flows.log_density(learned.flow, share / sigma)
    found = (jnp.log(sigma).sum(axis=-1) - density).mean()
    # -3.01 against -1.63.
    assert found < best_laplace - 1


def test_coordinates_and_sigma_are_the_middle_and_the_size_of_errors(learned):
    """The flow does not take over what Laplace's density is there for."""
    errors = skewed_errors(seed=0)
    middle = np.median(errors, axis=0)
    size = np.abs(errors - middle).mean(axis=0)
    away = (learned.coordinates[0] - middle) / size
    # Off by 0.04 and by 4 % after these few steps.
    np.testing.assert_allclose(away, 0, atol=0.1)
    np.testing.assert_allclose(jax.nn.sigmoid(learned.scale[0]), size, rtol=0.1)


def test_scores_order_errors(learned):
    poses = objective().decode(learned)
    errors = np.abs(skewed_errors(seed=0)).mean(axis=(0, 2))
    assert errors[1] > 2.5 * errors[0]
    assert 0.95 > poses.scores[0, 0, 0] > poses.scores[0, 0, 1] > 0


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
