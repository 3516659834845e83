"""A cascade of fakes that know the answer, and of minute networks."""

import dataclasses
import functools

import batches
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from cascades import KEY, SEEN, SIZE, TORSO, Fake, of, torso, written, wrong_batch
from flax import linen as nn

from jaxpose import devices
from jaxpose.learners import network, optimizers, supervised
from jaxpose.models import batch_norm, integral
from jaxpose.objectives import coordinates


def guided(share, image):
    """Goes that share of the way to TRUTH, by a canvas whose colours are its own x, y."""
    height, width = image.shape[1:3]
    middle = (jnp.array([width, height]) - 1) / 2
    near = image[:, height // 2 - 1 : height // 2 + 1, width // 2 - 1 : width // 2 + 1]
    here = near[..., :2].mean((1, 2)) * 100
    across = (near[:, 0, 1, 0] - near[:, 0, 0, 0]) * 100
    down = (near[:, 1, 0, 1] - near[:, 0, 0, 1]) * 100
    pixel = jnp.stack([across, down], axis=-1)
    away = (TRUTH - here[:, None]) / pixel[:, None]
    return middle + share * away


TRUTH = jnp.array([(20.0, 18.0), (26.0, 24.0), (22.0, 15.0)])


def ramps(n):
    """Canvases whose red is x / 100 and whose green is y / 100."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] / 100
    image = np.stack([x, y, np.zeros_like(x)], -1)
    return jnp.array(np.tile(image, (n, 1, 1, 1)), jnp.float32)


def test_each_stage_goes_its_share_of_the_way():
    start = TRUTH + jnp.array([(4.0, -2.0), (-3.0, 1.0), (2.0, 5.0)])
    first = Fake(SIZE, lambda image: jnp.broadcast_to(start, (len(image), 3, 2)))
    parts = [Fake(SEEN, functools.partial(guided, share)) for share in (0.5, 0.75, 1.0)]
    subject = of(first, *parts, steps=(1, 1, 1, 1))
    state = subject.init(KEY, batches.random_batch(2, SIZE))
    found = jax.jit(subject.outputs)(state, ramps(2))
    for stage, left in enumerate((1, 0.5, 0.125, 0)):
        expected = TRUTH + left * (start - TRUTH)
        # Colours of 0.3 in float32 tell positions to some 1e-5 pixels, and slopes of a
        # pixel's hundredth to 1e-4 of a box of 10 pixels.
        np.testing.assert_allclose(found[stage, 0], expected, atol=5e-3)
        np.testing.assert_array_equal(found[stage, 0], found[stage, 1])


def test_the_mirrored_canvas_goes_through_the_whole_cascade():
    """A refiner that looks for what is bright, on a canvas and on its mirror image."""

    def brightest(image):
        light = image[..., 2] / image[..., 2].sum((1, 2), keepdims=True)
        y, x = jnp.mgrid[: image.shape[1], : image.shape[2]]
        at = jnp.stack([(light * x).sum((1, 2)), (light * y).sum((1, 2))], -1)
        return jnp.broadcast_to(at[:, None], (len(image), 3, 2))

    def around(image):
        return brightest(image) + jnp.array([(-3.0, 2.0), (3.0, 2.0), (0.0, -4.0)])

    subject = of(Fake(SIZE, around), Fake(SEEN, brightest), steps=(1, 1))
    batch = batches.random_batch(2, SIZE, dtype=np.float32)
    state = subject.init(KEY, batch)
    plain = subject.outputs(state, batch.image)
    mirrored = subject.outputs(state, batch.image[:, :, ::-1])
    assert np.abs(plain[1] - plain[0]).min(axis=(0, 1)).max() > 0.01
    back = subject.objective.flip(mirrored, batches.TRIO)
    np.testing.assert_allclose(back, plain, atol=1e-3)


def test_real_estimates_are_those_of_the_stage_before():
    """Boxes are where it says, and as large as the body that it sees."""
    subject = of(
        Fake(SIZE, written, given=8),
        Fake(SEEN, written, given=24),
        steps=(1, 1),
        crops=3,
        box=1.5,
        estimates="real",
    )
    batch, found, _ = wrong_batch(8, 4)
    state = subject.init(KEY, batch)
    assert state.errors == () and [subject.phase(n) for n in range(4)] == [0, 1, 1, 1]
    state = dataclasses.replace(state, step=jnp.array(1))
    after, metrics = jax.jit(subject.train_step)(state, batch, KEY)
    assert after.stages[0].step == 0 and metrics["stage"] == 2
    seen = after.stages[1]
    which = np.asarray(seen.visibility)[:, 0].argmax(1)
    rows = np.repeat(np.arange(8), 3)
    assert (np.asarray(batch.visibility)[rows, 0, which] > 0).all()
    extent = np.linalg.norm(found.max(1) - found.min(1), axis=-1)
    side = 1.5 * np.maximum(torso(found), extent / 3)[rows, None]
    away = (np.asarray(batch.keypoints)[:, 0] - found)[rows, which]
    pixels = np.array(SEEN[::-1])
    expected = (pixels - 1) / 2 + away / side * pixels
    own = np.asarray(seen.keypoints)[np.arange(24), 0, which]
    # Estimates are written in colours, exact to some 1e-5 pixels; a box has 16 pixels
    # for 8 and more of the canvas.
    np.testing.assert_allclose(own, expected, atol=1e-3)


class Minute(nn.Module):
    """A convolution, batch normalization over the whole batch, a linear layer."""

    @nn.compact
    def __call__(self, image, *, train):
        x = nn.Conv(4, (3, 3), strides=(4, 4))(image)
        x = nn.relu(batch_norm.BatchNorm()(x, train=train))
        return nn.Dense(6)(x.reshape(x.shape[0], -1)).reshape(-1, 3, 2)


def minute(size):
    # Plain SGD: Adam would hide a gradient that is off by a factor.
    return supervised.Supervised(
        model=Minute(),
        objective=coordinates.Coordinates(size=size),
        optimizer=optimizers.sgd(learning_rate=0.002, momentum=0.9, weight_decay=1e-3),
    )


def networks(**fields):
    return of(minute((20, 24)), minute(SEEN), minute(SEEN), steps=(2, 2, 2), **fields)


# Training, measuring and so on, by step.
PHASES = ((0, None),) * 2 + ((None, 0),) + ((1, None),) * 2 + ((None, 1),)
PHASES += ((2, None),) * 3


def batch_of(number):
    noise = batches.random_batch(16, SIZE, seed=number, dtype=np.float32).image
    return dataclasses.replace(wrong_batch(16, number)[0], image=noise)


def run(count, start=None):
    """States after each step on this many devices."""
    subject, mesh = networks(), devices.mesh(jax.devices()[:count])

    def step(state, batch):
        return subject.train_step(state, batch, jax.random.fold_in(KEY, state.step))

    compiled = devices.data_parallel(step, mesh)
    state = start or subject.init(KEY, batch_of(0))
    state = jax.device_put(state, devices.replicated(mesh))
    states, losses = [jax.tree.map(np.asarray, state)], []
    for number in range(int(state.step), len(PHASES)):
        batch = devices.put_batch(batch_of(number), mesh)
        state, metrics = compiled(state, batch)
        states.append(jax.tree.map(np.asarray, state))
        losses.append(float(metrics["loss"]))
    return states, losses


@pytest.fixture(scope="module")
def eight():
    return run(8)


def same(a, b):
    return all(jax.tree.leaves(jax.tree.map(np.array_equal, a, b)))


def test_only_what_has_its_turn_moves(eight):
    """Parameters, statistics and optimizer states of all others stay bit for bit."""
    states, losses = eight
    assert len(losses) == len(PHASES) and np.isfinite(losses).all()
    for before, after, (trained, measured) in zip(
        states[:-1], states[1:], PHASES, strict=True
    ):
        for number in range(3):
            moved = not same(before.stages[number], after.stages[number])
            assert moved == (number == trained), (int(before.step), number)
        for number in range(2):
            moved = not same(before.errors[number], after.errors[number])
            assert moved == (number == measured), (int(before.step), number)
        assert after.step == before.step + 1


def test_a_program_of_one_phase_is_the_whole_program(eight):
    """What the loop compiles for each phase, against the branches of one program."""
    states, losses = eight
    subject = networks()
    assert [subject.phase(n) for n in range(12)] == [0, 0, 1, 2, 2, 3, *[4] * 6]
    for step in (1, 2, 4, 5, 8):
        alone = jax.jit(subject.only(subject.phase(step)).train_step)
        key = jax.random.fold_in(KEY, step)
        found, metrics = alone(states[step], batch_of(step), key)
        np.testing.assert_allclose(metrics["loss"], losses[step], rtol=1e-4)
        assert metrics["stage"] == (1, 1, 2, 2, 2, 3, 3, 3, 3)[step]
        jax.tree.map(
            lambda x, y: np.testing.assert_allclose(x, y, atol=2e-5, rtol=1e-5),
            found,
            states[step + 1],
        )


def test_with_real_estimates_only_what_has_its_turn_moves():
    subject = networks(estimates="real")
    assert [subject.phase(n) for n in range(7)] == [0, 0, 1, 1, 2, 2, 2]
    state = subject.init(KEY, batch_of(0))
    for step, trained in ((0, 0), (2, 1), (4, 2)):
        before = dataclasses.replace(state, step=jnp.array(step))
        alone = subject.only(subject.phase(step))
        state, metrics = jax.jit(alone.train_step)(before, batch_of(step), KEY)
        assert state.step == step + 1 and metrics["stage"] == trained + 1
        moved = [not same(*pair) for pair in zip(before.stages, state.stages)]
        assert moved == [number == trained for number in range(3)]


def dots(number):
    """Canvases with a dot at each keypoint, which lies up to 3 pixels from START."""
    generator = np.random.default_rng(number)
    batch = batches.random_batch(16, SIZE, seed=number, dtype=np.float32)
    truth = np.asarray(START) + generator.uniform(-3, 3, (16, 3, 2))
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    away = np.stack([x, y], -1)[None, :, :, None] - truth[:, None, None]
    light = np.exp(-np.square(away).sum(-1) / 4)
    return dataclasses.replace(
        batch,
        image=0.3 * batch.image + 0.7 * jnp.array(light, jnp.float32),
        keypoints=jnp.array(truth, jnp.float32)[:, None],
        visibility=jnp.full((16, 1, 3), 2),
    )


START = jnp.array([(18.0, 20.0), (28.0, 20.0), (23.0, 12.0)])


@pytest.mark.parametrize("estimates", ["real", "simulated"])
def test_a_refiner_gains(estimates):
    """A network that has to look, behind a stage that always says the same pose."""
    first = Fake(SIZE, lambda image: jnp.broadcast_to(START, (len(image), 3, 2)))
    second = supervised.Supervised(
        model=integral.IntegralRegressor(
            num_keypoints=3, features=(8, 8), blocks=(0, 1)
        ),
        objective=coordinates.Coordinates(size=(16, 16)),
        optimizer=optimizers.adamw(learning_rate=0.01, weight_decay=1e-4),
    )
    subject = of(
        first,
        second,
        steps=(1, 1),
        crops=3,
        box=1.5,
        measured_steps=10,
        estimates=estimates,
    )
    state = subject.init(KEY, dots(0))
    phases = [1] * 10 + [2] * 150 if estimates == "simulated" else [1] * 150
    steps = {n: jax.jit(subject.only(n).train_step) for n in set(phases)}
    for number, phase in enumerate(phases):
        key = jax.random.fold_in(KEY, number)
        state, _ = steps[phase](state, dots(number), key)
    found = subject.outputs(state, dots(999).image)
    truth = dots(999).keypoints[:, 0]
    before, after = np.linalg.norm(found - truth, axis=-1).mean((1, 2))
    # Of numbers within 3 along both axes, 2.3 on average.
    assert 2.0 < before < 2.6 and after < 0.6, (before, after)


def test_one_device_is_eight(eight):
    one = run(1)
    np.testing.assert_allclose(one[1], eight[1], rtol=1e-4)
    # Sums of float32 in another order, through nine steps.
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, atol=2e-5, rtol=1e-5),
        one[0][-1],
        eight[0][-1],
    )


def test_a_run_that_stopped_in_the_second_stage_goes_on(eight):
    states, losses = eight
    again, rest = run(8, start=jax.tree.map(jnp.array, states[4]))
    assert rest == losses[4:] and same(again[-1], states[-1])


def test_the_first_stage_is_the_learner_alone():
    batch = batches.random_batch(4, SIZE, dtype=np.float32)
    alone = minute(SIZE)
    subject = of(alone, minute(SEEN), steps=(2, 1))
    state, expected = subject.init(KEY, batch), alone.init(KEY, batch)
    assert same(state.stages[0], expected)
    state, metrics = jax.jit(subject.train_step)(state, batch, KEY)
    expected, loss = jax.jit(alone.train_step)(expected, batch, KEY)
    np.testing.assert_allclose(metrics["loss"], loss["loss"], rtol=1e-6)
    np.testing.assert_allclose(metrics["learning_rate"], 0.002)
    # Two programs of the same sums.
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, atol=1e-6),
        state.stages[0],
        expected,
    )
    # Both see the canvas itself; outputs are pixels of it.
    pose = alone.objective.decode(alone.outputs(state.stages[0], batch.image))
    found = subject.outputs(state, batch.image)
    assert found.shape == (2, 4, 3, 2)
    np.testing.assert_allclose(found[0], pose.keypoints[:, 0], atol=1e-4)


def test_every_network_of_a_cascade_is_found():
    state = networks().init(KEY, batches.random_batch(2, SIZE, dtype=np.float32))
    found = network.parameters(state)
    assert list(found) == [f"stages_{number}_pose" for number in (1, 2, 3)]
    assert same(found["stages_2_pose"], state.stages[1].pose.params)


def test_a_rate_is_logged_if_every_stage_has_one():
    plain = dataclasses.replace(minute(SEEN), optimizer=optax.sgd(0.1))
    subject = of(minute(SIZE), plain, steps=(1, 1))
    batch = batches.random_batch(2, SIZE, dtype=np.float32)
    step = jax.eval_shape(subject.train_step, subject.init(KEY, batch), batch, KEY)
    assert step[1].keys() == {"loss", "stage"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"crops": 0}, "crops=0"),
        ({"measured_steps": 0}, "measured_steps=0"),
        ({"box": 0.0}, "box=0.0"),
        ({"estimates": "guessed"}, "'guessed' must be one of simulated, real"),
        ({"steps": (1, 0)}, r"steps=\(1, 0\)"),
        ({"torso": ("left", "tail")}, "'tail'"),
    ],
)
def test_numbers_that_cannot_work_are_refused(fields, message):
    fields = {"steps": (1, 1)} | fields
    with pytest.raises(ValueError, match=message):
        _refused(**fields)


def _refused(*, torso=TORSO, steps, **fields):
    built = of(minute(SIZE), minute(SEEN), steps=steps, **fields)
    return dataclasses.replace(built, torso=torso)


def test_a_cascade_of_nothing_is_refused():
    with pytest.raises(ValueError, match="one stage at least"):
        of(steps=())
