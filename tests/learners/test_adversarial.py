"""One adversarial step written out, on one device and on eight, for both objectives."""

import dataclasses

import batches
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from jaxpose import devices
from jaxpose.learners import adversarial, network, optimizers, supervised
from jaxpose.models import batch_norm
from jaxpose.objectives import associative, coordinates, heatmap_grid, heatmaps

SIZE, CELLS = (16, 24), (4, 6)
KEY = jax.random.key(7)


class Pose(nn.Module):
    """Cells of 4 x 4 pixels to two stacks of channels."""

    channels: int = 3

    @nn.compact
    def __call__(self, image, *, train):
        x = nn.Conv(8, (4, 4), 4, padding="VALID")(image)
        x = nn.relu(batch_norm.BatchNorm()(x, train=train))
        return jnp.stack([nn.Conv(self.channels, (3, 3))(x) for _ in range(2)])


class Judge(nn.Module):
    """A convolution, batch normalization over the whole batch, and one more."""

    @nn.compact
    def __call__(self, image, maps, *, train):
        x = nn.Conv(6, (3, 3))(jnp.concatenate([image, maps], axis=-1))
        x = nn.relu(batch_norm.BatchNorm()(x, train=train))
        return nn.Conv(3, (3, 3))(x)


def sgd():
    # Adam would hide a gradient that is off by a factor.
    return optimizers.sgd(learning_rate=0.05, momentum=0.9, weight_decay=0.0)


def single(**fields):
    return learner(Pose(), heatmaps.Heatmaps(size=SIZE), **fields)


def several(**fields):
    objective = associative.Associative(size=SIZE, num_keypoints=3, sigma=1.0)
    return learner(Pose(channels=6), objective, **fields)


def learner(model, objective, **fields):
    """Its adversarial part is large enough to be seen."""
    chosen = {"weight": 0.5, "rate": 0.1, "start": 0.3} | fields
    return adversarial.Adversarial(
        model=model,
        objective=objective,
        optimizer=sgd(),
        discriminator=Judge(),
        discriminator_optimizer=sgd(),
        **chosen,
    )


def batch_of(seed=0, n=16):
    """Examples of which the last have few labels, and a third of a canvas is masked."""
    batch = batches.random_batch(n, SIZE, seed=seed, dtype=np.float32)
    return dataclasses.replace(
        batch,
        visibility=batch.visibility.at[9:].set(0).at[9, 0, 1].set(2),
        mask=batch.mask.at[: n // 2, :, :10].set(0),
    )


def by_hand(subject, state, batch):
    """The same step: every loss by a forward pass of its own from the parameters."""
    objective, targets = subject.objective, subject.objective.targets(batch, state.step)
    truth = objective.true_heatmaps(targets)
    small = batch.image.reshape(-1, 4, 4, 6, 4, 3).mean((2, 4))
    seen = batch.mask.reshape(-1, 4, 4, 6, 4).mean((2, 4)) >= 0.5

    def posed(params):
        return network.apply(
            subject.model, params, state.pose.batch_stats, KEY, batch.image
        )

    def judged(params, stats, maps, target):
        said, stats = network.apply(Judge(), params, stats, KEY, small, maps)
        errors = jnp.square(said - target) * seen[..., None]
        return errors.sum() / errors.size, stats

    predicted = objective.heatmaps(posed(state.pose.params)[0])
    before = state.discriminator

    def of_discriminator(params):
        real, stats = judged(params, before.batch_stats, truth, truth)
        fake, stats = judged(params, stats, predicted, predicted)
        return real - state.k * fake, (real, fake, stats)

    grads, (real, fake, stats) = jax.grad(of_discriminator, has_aux=True)(before.params)
    learned = network.update(before, sgd(), grads, stats)

    def of_pose(params):
        outputs, batch_stats = posed(params)
        maps = objective.heatmaps(outputs)
        target = predicted if subject.through == "input" else maps
        found, stats = judged(learned.params, learned.batch_stats, maps, target)
        content, _ = objective.loss(outputs, targets)
        return content + 0.5 * found, (batch_stats, stats, found)

    (loss, (batch_stats, stats, found)), grads = jax.value_and_grad(
        of_pose, has_aux=True
    )(state.pose.params)
    pose = network.update(state.pose, sgd(), grads, batch_stats)
    k = jnp.clip(state.k + 0.1 * (0.5 * real - fake), 0, 1)
    learned = dataclasses.replace(learned, batch_stats=stats)
    after = adversarial.State(state.step + 1, pose, learned, k)
    return after, {"loss": loss, "real": real, "fake": fake, "adversarial": found}


def assert_close(a, b, atol=5e-6):
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=atol), a, b)


@pytest.mark.parametrize(
    ("make", "through"), [(single, "input"), (several, "target and input")]
)
def test_a_step_is_the_one_written_out(make, through):
    subject = make(through=through)
    state, step = subject.init(KEY, batch_of()), jax.jit(subject.train_step)
    written = jax.jit(lambda state, batch: by_hand(subject, state, batch))
    for number in range(2):
        expected, losses = written(state, batch_of(number))
        state, metrics = step(state, batch_of(number), KEY)
        # Sums of float32 in another order.
        assert_close(state, expected)
        for name, value in losses.items():
            np.testing.assert_allclose(metrics[name], value, rtol=1e-5)
    assert metrics["k"] == state.k
    np.testing.assert_allclose(metrics["discriminator/learning_rate"], 0.05)
    outputs = subject.outputs(state, batch_of().image)
    pose = network.predict(subject.model, state.pose, batch_of().image)
    np.testing.assert_array_equal(outputs, pose)


def run(subject, count, steps=5):
    """State and metrics after some steps on this many devices."""
    mesh = devices.mesh(jax.devices()[:count])

    def step(state, batch):
        return subject.train_step(state, batch, KEY)

    compiled = devices.data_parallel(step, mesh)
    state = jax.device_put(subject.init(KEY, batch_of()), devices.replicated(mesh))
    logged = []
    for number in range(steps):
        state, metrics = compiled(state, devices.put_batch(batch_of(number), mesh))
        logged.append(jax.device_get(metrics))
    return jax.device_get(state), logged


@pytest.mark.parametrize(
    ("make", "through"), [(single, "target and input"), (several, "input")]
)
def test_one_device_is_eight(make, through):
    (one, logged_of_one), (eight, logged_of_eight) = (
        run(make(through=through), count) for count in (1, 8)
    )
    # Sums of float32 in another order, through five steps.
    assert_close(one, eight)
    for a, b in zip(logged_of_one, logged_of_eight, strict=True):
        assert_close(a, b)
    assert 0 < one.k < 1 and one.k != np.float32(0.3)


def test_without_weight_the_pose_network_trains_as_if_alone():
    subject = single(weight=0.0)
    alone = supervised.Supervised(
        model=subject.model, objective=subject.objective, optimizer=sgd()
    )
    state, expected = (x.init(KEY, batch_of()) for x in (subject, alone))
    steps = [jax.jit(x.train_step) for x in (subject, alone)]
    for number in range(3):
        state, metrics = steps[0](state, batch_of(number), KEY)
        expected, log = steps[1](expected, batch_of(number), KEY)
        np.testing.assert_allclose(metrics["content"], log["loss"], rtol=1e-5)
        np.testing.assert_allclose(metrics["loss"], log["loss"], rtol=1e-5)
    # Programs that the compiler ordered each in its own way.
    assert_close(state.pose, expected.pose)


def test_it_learns_a_batch_by_heart():
    subject = single(weight=1e-2, rate=1e-3, start=0.0)
    batch = batches.random_batch(4, SIZE, dtype=np.float32)
    step = jax.jit(subject.train_step)
    state, logged = subject.init(KEY, batch), []
    for _ in range(300):
        state, metrics = step(state, batch, KEY)
        logged.append(jax.device_get(metrics))
    assert logged[-1]["content"] < 0.2 * logged[0]["content"]
    assert logged[-1]["real"] < 0.2 * logged[-1]["blank"]


def test_what_is_masked_reaches_no_error():
    """Heatmaps under the mask may be anything, the mean divides by all cells."""
    seen = jnp.zeros((2, *CELLS), bool).at[:, :, 3:].set(True)
    truth = jnp.ones((2, *CELLS, 3))
    scene = adversarial.Scene(jnp.zeros((2, *CELLS, 3)), truth, seen)
    said = truth.at[:, :, 3:].add(2.0).at[:, :, 0].set(jnp.inf)
    # 3 of 6 columns, with an error of 2^2.
    assert scene.error(said, truth) == 2.0
    slope = jax.grad(lambda maps: scene.error(said, maps))(truth)
    assert np.isfinite(slope).all()


@pytest.mark.parametrize("masked", [True, False])
def test_the_mask_is_a_choice(masked):
    subject = single(masked=masked)
    state, step = subject.init(KEY, batch_of()), jax.jit(subject.train_step)
    metrics = [
        step(state, batch, KEY)[1]
        for batch in (
            batch_of(),
            dataclasses.replace(batch_of(), mask=jnp.ones((16, *SIZE), jnp.uint8)),
        )
    ]
    assert (metrics[0]["real"] == metrics[1]["real"]) == (not masked)


def test_images_shrink_to_means_of_cells():
    image = batch_of(n=2).image
    small = adversarial.mean_of_cells(image, CELLS)
    np.testing.assert_allclose(
        small[1, 2, 3], image[1, 8:12, 12:16].mean((0, 1)), rtol=1e-6
    )
    # Half way between the middle pixels: the original's, which looks at 4 of 16.
    near = heatmap_grid.resize(image, CELLS)
    np.testing.assert_allclose(
        near[1, 2, 3], image[1, 9:11, 13:15].mean((0, 1)), rtol=1e-6
    )
    with pytest.raises(ValueError, match="16 x 24 pixels does not divide into 5 x 6"):
        adversarial.mean_of_cells(image, (5, 6))


def test_reconstructions_for_people_to_look_at():
    subject, batch = single(), batch_of()
    state = subject.init(KEY, batch)
    maps = jnp.ones((16, *CELLS, 3))
    found = subject.reconstruct(state, batch.image, maps)
    small = adversarial.mean_of_cells(batch.image, CELLS)
    judge = state.discriminator
    expected, _ = network.apply(
        Judge(), judge.params, judge.batch_stats, KEY, small, maps
    )
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"weight": -1.0}, "weight=-1.0 must be 0 or positive"),
        ({"gamma": float("nan")}, "gamma=nan must be"),
        ({"rate": float("inf")}, "rate=inf must be"),
        ({"start": 1.5}, r"start=1.5 must be in 0\.\.1"),
        ({"through": "target"}, "through='target' must be one of 'input', 'target and"),
    ],
)
def test_fields_that_cannot_be_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        single(**fields)


def test_an_objective_without_heatmaps_is_refused():
    with pytest.raises(TypeError, match="objective=Coordinates has no heatmaps"):
        learner(Pose(), coordinates.Coordinates(size=SIZE))
