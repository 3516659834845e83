"""A cascade of fakes that know the answer, and of minute networks."""

import dataclasses
import functools

import batches
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

from jaxpose import devices
from jaxpose.learners import cascade, moments, network, optimizers, supervised
from jaxpose.models import batch_norm
from jaxpose.objectives import coordinates, stages

SIZE, SEEN = (40, 48), (12, 16)
KEY = jax.random.key(3)
TORSO = ("left", "right")


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Seen:
    """The state of a fake: its steps, and what it was trained on last."""

    step: jax.Array
    keypoints: jax.Array
    visibility: jax.Array


class Fake:
    """Says of images what a function of them is, and remembers what it was given."""

    def __init__(self, size, say, given=0):
        self.objective = coordinates.Coordinates(size=size)
        self._say, self._given = say, given

    def init(self, key, batch):
        return Seen(
            jnp.zeros((), jnp.int32),
            jnp.zeros((self._given, 1, 3, 2)),
            jnp.zeros((self._given, 1, 3), jnp.int32),
        )

    def train_step(self, state, batch, key):
        seen = Seen(state.step + 1, batch.keypoints, batch.visibility)
        return seen, {"loss": jnp.zeros(())}

    def outputs(self, state, image):
        end = jnp.array(self.objective.size[::-1])
        return 2 * (self._say(image) + 0.5) / end - 1


def written(image):
    """The pose that stands in the first pixels, as shares of a hundred pixels."""
    return image[:, 0, :3, :2] * 100


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


def of(*learners, steps, **fields):
    """Their cascade; the last stage of a run needs no length."""
    return cascade.Cascade(
        objective=stages.Stages(size=SIZE),
        skeleton=batches.TRIO,
        stages=tuple(
            cascade.Stage(learner=learner, steps=n)
            for learner, n in zip(learners, steps, strict=True)
        ),
        torso=TORSO,
        **{"crops": 2, "measured_steps": 1} | fields,
    )


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


MEAN = np.array([(0.3, -0.1), (0.0, 0.2), (-0.2, 0.0)])
SPREAD = np.array([(0.2, 0.1), (0.05, 0.3), (0.1, 0.1)])


def wrong_batch(n, seed):
    """Random poses, and canvases that say them with errors of MEAN and SPREAD.

    Returns: the batch, its estimates, and its body sizes; unlabeled is nan.
    """
    generator = np.random.default_rng(seed)
    batch = batches.random_batch(n, SIZE, seed=seed, dtype=np.float32)
    truth = np.array(batch.keypoints)[:, 0]
    labeled = np.asarray(batch.visibility)[:, 0] > 0
    # Torsos of known length; all of the torso is labeled.
    labeled[:, :2] = True
    size = generator.uniform(8, 14, n).astype(np.float32)
    angle = generator.uniform(0, 7, n)
    arm = np.stack([np.cos(angle), np.sin(angle)], -1)
    truth[:, 0] = (24, 20) + generator.uniform(-3, 3, (n, 2))
    truth[:, 1] = truth[:, 0] + size[:, None] * arm
    truth[:, 2] = truth[:, 0] + generator.uniform(-4, 4, (n, 2))
    noise = generator.normal(MEAN, SPREAD, (n, 3, 2))
    found = truth + size[:, None, None] * noise
    image = np.zeros((n, *SIZE, 3), np.float32)
    image[:, 0, :3, :2] = found / 100
    batch = dataclasses.replace(
        batch,
        image=jnp.array(image),
        keypoints=jnp.array(np.where(labeled[..., None], truth, np.nan))[:, None],
        visibility=jnp.array(np.where(labeled, 2, 0))[:, None],
    )
    return batch, found, size


def torso(pose):
    return np.linalg.norm(pose[:, 0] - pose[:, 1], axis=-1)


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
    errors = (cascade.Errors(shift, ratio),)
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
