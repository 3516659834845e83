"""Three steps of advpose, as PyTorch took them."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import published_networks
import pytest

from jaxpose.learners import adversarial, network, optimizers
from jaxpose.models import discriminator, hourglass
from jaxpose.objectives import heatmaps
from jaxpose.weights import pytorch_pose

# Numbers of the record's log, and what we call them.
COLUMNS = {
    "content": "content",
    "d_real": "real",
    "d_fake": "fake",
    "loss_g_after_D_step": "adversarial",
    "loss_hg": "loss",
    "balance": "balance",
    "kt_after": "k",
    "measure": "measure",
}
ARRAYS = ("_conv1", "_after1", "_after3")
TWINS = 2


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Batch:
    """What of a batch was recorded: targets, and no keypoints to draw them of."""

    image: jax.Array
    maps: jax.Array


class Recorded(heatmaps.Heatmaps):
    """The sum over stacks of the mean squared error."""

    def targets(self, batch, step):
        everything = jnp.ones(batch.maps.shape[:3], bool)
        return heatmaps.Targets(
            maps=batch.maps,
            drawn=batch.maps.any(axis=(1, 2)),
            counted=jnp.ones((len(batch.maps), batch.maps.shape[-1]), bool),
            cells=everything,
            weight=jnp.ones(len(batch.maps)),
        )


def traced(optimizer):
    """Keeps the gradients in its state."""
    return optax.chain(optax.trace(decay=0.0), optimizer)


def nhwc(maps):
    return jnp.array(np.moveaxis(maps, 1, -1), jnp.float64)


def oihw(kernel):
    return np.asarray(kernel).transpose(3, 2, 0, 1)


def learner(record):
    small = nhwc(record["image_s"])
    return adversarial.Adversarial(
        model=hourglass.StackedHourglass(
            num_keypoints=16,
            features=32,
            stem=(64, 128, 128),
            mean=(0.0, 0.0, 0.0),
            dtype="float64",
        ),
        objective=Recorded(size=(64, 64), weighting="none", factor=1.0),
        optimizer=traced(optimizers.rmsprop(learning_rate=2.5e-4)),
        discriminator=discriminator.Discriminator(
            num_keypoints=16, stacks=2, blocks=1, features=32, dtype="float64"
        ),
        discriminator_optimizer=traced(optimizers.adam(learning_rate=8e-5)),
        weight=float(record["lambda_G"]),
        gamma=float(record["gamma"]),
        rate=float(record["lambda_kt"]),
        # The small image was made by other means, and recorded.
        shrink=lambda image, grid: small,
        masked=False,
    )


def filled(keys, model, optimizer, *inputs):
    shapes = jax.eval_shape(
        lambda *x: model.init(jax.random.key(0), *x, train=False), *inputs
    )
    state = published_networks.hgpose(keys)
    variables = pytorch_pose.hourglass(lambda: state, shapes)
    params, stats = (
        jax.tree.map(lambda x: jnp.array(x, jnp.float64), variables[kind])
        for kind in ("params", "batch_stats")
    )
    return network.Network(params, stats, optimizer.init(params))


def rounded(network_, seed):
    """The network with parameters moved by about as much as float32 rounds."""
    random = np.random.default_rng(seed)
    params = jax.tree.map(
        lambda x: x * (1 + 1e-7 * random.standard_normal(x.shape)), network_.params
    )
    return dataclasses.replace(network_, params=params)


def numbers(states, logs):
    """What the record holds, by its names."""
    one, three = states[0], states[2]
    found = {
        f"{name} {step}": log[ours]
        for step, log in enumerate(logs, start=1)
        for name, ours in COLUMNS.items()
    }
    for letter, field in (("G", "pose"), ("D", "discriminator")):
        first, last = getattr(one, field), getattr(three, field)
        gradient = first.opt_state[0].trace["stem_conv"]["kernel"]
        found[f"grad_{letter}_conv1"] = oihw(gradient)
        found[f"{letter}_conv1_after1"] = oihw(first.params["stem_conv"]["kernel"])
        for kind in ("mean", "var"):
            name = f"{letter}_bn1_{kind}_after3"
            found[name] = last.batch_stats["stem_norm"][kind]
    found["G_conv1_after3"] = oihw(three.pose.params["stem_conv"]["kernel"])
    return found


def of_record(record):
    columns = [str(name) for name in record["log_cols"]]
    found = {
        f"{name} {step}": row[columns.index(name)]
        for step, row in enumerate(record["log"], start=1)
        for name in COLUMNS
    }
    return found | {name: record[name] for name in record if name.endswith(ARRAYS)}


@pytest.fixture(scope="module")
def runs(reference):
    """What was recorded, what we compute, and what we compute of rounded weights."""
    record = reference("adv_train_steps")
    with jax.enable_x64(True):
        subject = learner(record)
        batch = Batch(nhwc(record["image"]), nhwc(record["label"]))
        small = nhwc(record["image_s"])
        pose = filled(record["keysG"], subject.model, subject.optimizer, batch.image)
        judge = filled(
            record["keysD"],
            subject.discriminator,
            subject.discriminator_optimizer,
            small,
            batch.maps,
        )
        step = jax.jit(subject.train_step)

        def three_steps(pose, judge):
            k = jnp.array(float(record["kt0"]))
            state, states, logs = (
                adversarial.State(jnp.array(0), pose, judge, k),
                [],
                [],
            )
            for _ in range(3):
                state, log = step(state, batch, jax.random.key(0))
                states.append(state)
                logs.append(log)
            return numbers(jax.device_get(states), jax.device_get(logs))

        ours = three_steps(pose, judge)
        twins = [
            three_steps(rounded(pose, seed), rounded(judge, seed + TWINS))
            for seed in range(TWINS)
        ]
    return of_record(record), ours, twins


def apart(a, b):
    return float(np.sqrt(np.mean(np.square(np.asarray(a) - b))))


def test_three_steps_are_the_recorded_ones(runs):
    """As nearly as float32 tells: the innermost normalizations see two numbers each.

    A pass rounds some hundred times by 6e-8, and such errors add to about 6e-7: six times
    as far as the twins are moved. Arrays are compared by their root mean square.
    """
    record, ours, twins = runs
    assert record.keys() == ours.keys() and len(ours) == 3 * len(COLUMNS) + 9
    for name, value in ours.items():
        rounding = max(apart(value, twin[name]) for twin in twins)
        allowed = 6 * rounding + 1e-6 * apart(value, 0)
        assert apart(value, record[name]) < allowed, name


def test_the_first_step_is_recorded_well(runs):
    """What no chaos reaches yet; the fake error sees outputs of two stacks."""
    record, ours, _ = runs
    for name, rtol in (("content 1", 5e-6), ("d_real 1", 1e-6), ("d_fake 1", 5e-4)):
        np.testing.assert_allclose(ours[name], record[name], rtol=rtol, err_msg=name)
    np.testing.assert_allclose(ours["kt_after 1"], record["kt_after 1"], rtol=1e-6)
    gradient = ours["grad_G_conv1"]
    assert apart(gradient, record["grad_G_conv1"]) < 0.01 * apart(gradient, 0)
    # RMSprop's first step has one length everywhere; where the gradient is next to
    # nothing its sign is rounding.
    moved = np.abs(ours["G_conv1_after1"] - record["G_conv1_after1"])
    assert (moved < 1e-6).mean() > 0.99
