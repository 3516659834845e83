"""One supervised learner: it learns, and alike on one device, on eight, and by pmap."""

import dataclasses

import batches
import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from jaxpose import devices
from jaxpose.learners import network, optimizers, supervised
from jaxpose.models import batch_norm
from jaxpose.objectives import coordinates

SIZE = (6, 8)
KEY = jax.random.key(7)


class Minute(nn.Module):
    """A convolution, batch normalization over the whole batch, perhaps dropout."""

    dropout: float = 0.0

    @nn.compact
    def __call__(self, image, *, train):
        x = nn.Conv(4, (3, 3), strides=(2, 2))(image)
        x = nn.relu(batch_norm.BatchNorm()(x, train=train))
        x = x.reshape(x.shape[0], -1)
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return nn.Dense(6)(x).reshape(-1, 3, 2)


def learner(*, dropout=0.0, learning_rate=0.05):
    # Plain SGD: Adam would hide a gradient that is off by a factor.
    return supervised.Supervised(
        model=Minute(dropout),
        objective=coordinates.Coordinates(size=SIZE, weighted=True),
        optimizer=optimizers.sgd(
            learning_rate=learning_rate, momentum=0.9, weight_decay=1e-3
        ),
    )


def uneven_batch(seed=0):
    """16 examples; the first half has most of the labels and the small weights."""
    batch = batches.random_batch(16, SIZE, seed=seed, dtype=np.float32)
    visibility = batch.visibility.at[9:].set(0).at[9, 0, 1].set(2)
    return dataclasses.replace(
        batch, visibility=visibility, weight=batch.weight.at[9:].multiply(3.0)
    )


def run(count, steps=5):
    """State and losses after some steps on this many devices."""
    subject, mesh = learner(), devices.mesh(jax.devices()[:count])

    def step(state, batch):
        return subject.train_step(state, batch, KEY)

    compiled = devices.data_parallel(step, mesh)
    state = jax.device_put(subject.init(KEY, uneven_batch()), devices.replicated(mesh))
    losses = []
    for number in range(steps):
        batch = devices.put_batch(uneven_batch(number), mesh)
        state, metrics = compiled(state, batch)
        losses.append(float(metrics["loss"]))
    return jax.tree.map(np.asarray, state), losses


def assert_close(a, b):
    # Sums of float32 in another order, through five steps.
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=5e-6), a, b)


def test_it_learns_a_batch_by_heart():
    subject = learner(learning_rate=0.02)
    batch = batches.random_batch(4, SIZE, dtype=np.float32)
    step = jax.jit(subject.train_step)
    state, losses = subject.init(KEY, batch), []
    for _ in range(150):
        state, metrics = step(state, batch, KEY)
        losses.append(float(metrics["loss"]))
    assert losses[-1] < 1e-3 * losses[0]
    assert state.step == 150
    np.testing.assert_allclose(metrics["learning_rate"], 0.02)


def test_one_device_is_eight():
    (one, losses_of_one), (eight, losses_of_eight) = run(1), run(8)
    np.testing.assert_allclose(losses_of_one, losses_of_eight, rtol=1e-5)
    assert_close(one, eight)


def pmapped_step(subject):
    """The same step by hand: shards see their own examples and sum what is shared."""

    def shard_loss(params, batch_stats, batch, targets):
        outputs, batch_stats = network.apply(
            HandMinute(), params, batch_stats, KEY, batch.image
        )
        labeled = targets.labeled[..., None]
        error = jnp.where(labeled, outputs - targets.coordinates, 0.0) ** 2
        numerator = (error.sum((1, 2)) * targets.weight).sum()
        # A mean of the shards' means would be wrong: labels are uneven.
        count = jax.lax.psum(2 * targets.labeled.sum(), "data")
        return numerator / count, batch_stats

    def step(state, batch):
        targets = subject.objective.targets(batch, state.step)
        (loss, batch_stats), grads = jax.value_and_grad(shard_loss, has_aux=True)(
            state.pose.params, state.pose.batch_stats, batch, targets
        )
        loss, grads = jax.lax.psum((loss, grads), "data")
        pose = network.update(state.pose, subject.optimizer, grads, batch_stats)
        return supervised.State(state.step + 1, pose), loss

    return jax.pmap(step, axis_name="data")


class HandBatchNorm(nn.Module):
    """`BatchNorm` over shards: the sums are gathered by hand."""

    @nn.compact
    def __call__(self, x):
        scale = self.param("scale", nn.initializers.ones, x.shape[-1:])
        bias = self.param("bias", nn.initializers.zeros, x.shape[-1:])
        mean = self.variable("batch_stats", "mean", jnp.zeros, x.shape[-1:])
        var = self.variable("batch_stats", "var", jnp.ones, x.shape[-1:])
        n = jax.lax.psum(x[..., 0].size, "data")
        middle = jax.lax.psum(x.sum((0, 1, 2)), "data") / n
        spread = jax.lax.psum(((x - middle) ** 2).sum((0, 1, 2)), "data")
        mean.value = 0.9 * mean.value + 0.1 * middle
        var.value = 0.9 * var.value + 0.1 * spread / (n - 1)
        return scale * (x - middle) / jnp.sqrt(spread / n + 1e-5) + bias


class HandMinute(nn.Module):
    """`Minute` in training, with `HandBatchNorm` in its place and under its name."""

    @nn.compact
    def __call__(self, image, *, train):
        x = nn.Conv(4, (3, 3), strides=(2, 2))(image)
        x = nn.relu(HandBatchNorm(name="BatchNorm_0")(x))
        return nn.Dense(6)(x.reshape(x.shape[0], -1)).reshape(-1, 3, 2)


def test_a_hand_written_pmap_step_does_the_same():
    expected, expected_losses = run(8)
    subject = learner()
    step, losses = pmapped_step(subject), []
    copies = jax.tree.map(
        lambda x: jnp.stack([x] * 8), subject.init(KEY, uneven_batch())
    )
    for number in range(5):
        shards = jax.tree.map(
            lambda x: x.reshape(8, -1, *x.shape[1:]), uneven_batch(number)
        )
        copies, loss = step(copies, shards)
        losses.append(float(loss[0]))
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-5)
    assert_close(jax.tree.map(lambda x: np.asarray(x[0]), copies), expected)


def test_running_statistics_move_in_training_and_rest_in_prediction():
    subject, batch = learner(), uneven_batch()
    state = subject.init(KEY, batch)
    after, _ = jax.jit(subject.train_step)(state, batch, KEY)
    before = state.pose.batch_stats["BatchNorm_0"]["mean"]
    assert not np.allclose(before, after.pose.batch_stats["BatchNorm_0"]["mean"])
    together = subject.outputs(after, batch.image)
    alone = subject.outputs(after, batch.image[3:4])
    np.testing.assert_allclose(together[3:4], alone, atol=1e-6)


def test_the_key_is_the_randomness_of_dropout():
    subject, batch = learner(dropout=0.5), uneven_batch()
    state = subject.init(KEY, batch)
    step = jax.jit(subject.train_step)
    losses = [
        float(step(state, batch, jax.random.key(seed))[1]["loss"]) for seed in (0, 0, 1)
    ]
    assert losses[0] == losses[1] != losses[2]


def test_the_key_is_the_randomness_of_the_start():
    subject, batch = learner(), uneven_batch()
    kernels = [
        subject.init(jax.random.key(seed), batch).pose.params["Dense_0"]["kernel"]
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert not np.allclose(kernels[0], kernels[2])


def test_targets_see_the_step():
    """Weights that start at step 1 leave the first loss unweighted."""
    subject = dataclasses.replace(
        learner(),
        objective=coordinates.Coordinates(size=SIZE, weighted=True, weight_start=1),
    )
    batch = uneven_batch()
    step = jax.jit(subject.train_step)
    state, first = step(subject.init(KEY, batch), batch, KEY)
    _, second = step(state, batch, KEY)
    # Two sums in two orders: an ulp between them.
    np.testing.assert_allclose(first["loss"], first["mse"], rtol=1e-6)
    assert abs(second["loss"] - second["mse"]) > 1e-3 * second["mse"]
