"""Groups of layers: own rates, a frozen start, and patterns that must fit."""

import dataclasses
import math

import batches
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

from jaxpose import checkpoint, config, devices
from jaxpose.learners import layer_groups, optimizers, supervised
from jaxpose.objectives import coordinates

START = {
    "trunk": {
        "conv1": {"kernel": jnp.array([1.0, -2.0])},
        "fc6": {"bias": jnp.ones(1)},
    },
    "coordinates": {"kernel": jnp.array([[3.0]])},
}
CONV = ("trunk/conv*",)
DENSE = ("trunk/fc*", "coordinates/*")
SIZE = (6, 8)
KEY = jax.random.key(7)


def by_layer(conv, dense, **fields):
    return layer_groups.by_layer(
        groups={
            "conv": layer_groups.Group(layers=CONV, optimizer=conv, **fields),
            "dense": layer_groups.Group(layers=DENSE, optimizer=dense),
        }
    )


def adagrad(learning_rate, **fields):
    return optimizers.adagrad(learning_rate=learning_rate, **fields)


def momentum(learning_rate):
    return optimizers.sgd(learning_rate=learning_rate, momentum=0.9, weight_decay=1e-2)


def gradients(step):
    random = np.random.default_rng(step)
    return jax.tree.map(
        lambda x: jnp.array(random.normal(size=x.shape), x.dtype), START
    )


def run(optimizer, *, first=0, last=4):
    """Parameters before the first step and after each, and the last state."""
    update = jax.jit(optimizer.update)
    params, state = START, optimizer.init(START)
    seen = [params]
    for step in range(first, last):
        updates, state = update(gradients(step), state, params)
        params = optax.apply_updates(params, updates)
        seen.append(params)
    return seen, state


def conv_of(params):
    return params["trunk"]["conv1"]


def dense_of(params):
    return params["trunk"]["fc6"], params["coordinates"]


def assert_equal(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


@pytest.mark.parametrize("kind", [adagrad, momentum])
def test_each_group_moves_as_if_alone(kind):
    grouped, _ = run(by_layer(kind(0.1), kind(0.003)))
    fast, _ = run(kind(0.1))
    slow, _ = run(kind(0.003))
    for ours, one, other in zip(grouped, fast, slow, strict=True):
        assert_equal(conv_of(ours), conv_of(one))
        assert_equal(dense_of(ours), dense_of(other))


@pytest.mark.parametrize("kind", [adagrad, momentum])
def test_frozen_layers_begin_when_thawed(kind):
    """With decay: momentum's has some, and it does not move them either."""
    frozen, _ = run(by_layer(kind(0.1), kind(0.003), frozen_steps=2), last=5)
    for params in frozen[:3]:
        assert_equal(conv_of(params), conv_of(START))
    late, _ = run(kind(0.1), first=2, last=5)
    assert_equal([*map(conv_of, frozen[2:])], [*map(conv_of, late)])
    free, _ = run(kind(0.003), last=5)
    assert_equal([*map(dense_of, frozen)], [*map(dense_of, free)])


def sums(state, group):
    """Of squared gradients, by layer."""
    return state.inner_states[group].inner_state.optimizer[1].sum_of_squares


def test_accumulators_of_frozen_layers_stay():
    optimizer = by_layer(adagrad(0.1), adagrad(0.1), frozen_steps=2)
    begun, two, three = (run(optimizer, last=steps)[1] for steps in (0, 2, 3))
    assert_equal(sums(begun, "conv"), sums(two, "conv"))
    squares = [jax.tree.map(np.square, gradients(step)) for step in range(3)]
    found, expected = conv_of(sums(three, "conv")), conv_of(squares[2])
    np.testing.assert_allclose(found["kernel"], 1e-4 + expected["kernel"], rtol=1e-6)
    found = sums(two, "dense")["coordinates"]["kernel"]
    expected = sum(square["coordinates"]["kernel"] for square in squares[:2])
    np.testing.assert_allclose(found, 1e-4 + expected, rtol=1e-6)


def test_the_schedule_of_frozen_layers_goes_on():
    def halved(step):
        return 0.1 * 0.5**step

    optimizer = by_layer(momentum(halved), momentum(0.01), frozen_steps=3)
    params, state = run(optimizer, last=4)
    rates = optimizers.learning_rates(state)
    np.testing.assert_allclose(rates["learning_rate/conv"], 0.1 / 8)
    move = conv_of(params[4])["kernel"] - conv_of(START)["kernel"]
    kernel, gradient = conv_of(START)["kernel"], conv_of(gradients(3))["kernel"]
    np.testing.assert_allclose(move, -0.1 / 8 * (gradient + 1e-2 * kernel), rtol=1e-5)


def test_what_is_not_finite_does_not_reach_frozen_layers():
    optimizer = by_layer(adagrad(0.1), adagrad(0.1), frozen_steps=1)
    broken = jax.tree.map(lambda g: g * math.nan, gradients(0))
    state = optimizer.init(START)
    updates, after = optimizer.update(broken, state, START)
    assert_equal(conv_of(updates), {"kernel": np.zeros(2)})
    assert_equal(sums(after, "conv"), sums(state, "conv"))


class Minute(nn.Module):
    @nn.compact
    def __call__(self, image, *, train):
        x = nn.relu(nn.Conv(4, (3, 3), strides=(2, 2), name="conv1")(image))
        x = x.reshape(x.shape[0], -1)
        return nn.Dense(6, name="fc2")(x).reshape(-1, 3, 2)


def learner():
    groups = {
        "conv": layer_groups.Group(
            layers=("conv*",), optimizer=adagrad(0.01), frozen_steps=3
        ),
        "dense": layer_groups.Group(layers=("fc*",), optimizer=adagrad(0.02)),
    }
    return supervised.Supervised(
        model=Minute(),
        objective=coordinates.Coordinates(size=SIZE),
        optimizer=layer_groups.by_layer(groups=groups),
    )


def test_a_resumed_run_freezes_no_more(tmp_path):
    """Five steps, and two steps, a checkpoint, and three: the same, bit for bit."""
    subject, mesh = learner(), devices.mesh(jax.devices()[:1])
    spec = checkpoint.Checkpoints(every=1, best="test/PCK")
    step = jax.jit(subject.train_step)

    def train(state, stop):
        kernels = []
        while state.step < stop:
            batch = batches.random_batch(
                4, SIZE, seed=int(state.step), dtype=np.float32
            )
            state, metrics = step(state, batch, KEY)
            kernels.append(np.asarray(state.pose.params["conv1"]["kernel"]))
        return state, kernels, metrics

    batch = batches.random_batch(4, SIZE, dtype=np.float32)
    begun = jax.device_put(subject.init(KEY, batch), devices.replicated(mesh))
    whole, kernels, metrics = train(begun, 5)
    moved = [not np.array_equal(kernels[0], kernel) for kernel in kernels]
    assert moved == [False, False, False, True, True]
    store = checkpoint.Store(tmp_path, spec)
    store.save(train(begun, 2)[0], {})
    store.finish()
    store.close()
    abstract = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), begun
    )
    store = checkpoint.Store(tmp_path, spec)
    resumed, kernels, _ = train(store.resume(abstract), 5)
    store.close()
    assert_equal(resumed, whole)
    np.testing.assert_allclose(metrics["learning_rate"], 0.02)
    np.testing.assert_allclose(metrics["learning_rate/conv"], 0.01)
    np.testing.assert_allclose(metrics["learning_rate/dense"], 0.02)


def test_a_config_states_them_and_fields_of_it_change():
    recipe = config.spec(
        layer_groups.by_layer,
        groups={
            "conv": config.spec(
                layer_groups.Group,
                layers=CONV,
                optimizer=config.spec(optimizers.adagrad, learning_rate=5e-4),
            ),
            "dense": config.spec(
                layer_groups.Group,
                layers=DENSE,
                optimizer=config.spec(optimizers.adagrad, learning_rate=5e-4),
            ),
        },
    )
    recipe.groups.conv.frozen_steps = 2
    recipe.groups.conv.optimizer.learning_rate = 1e-3
    expected, _ = run(by_layer(adagrad(1e-3), adagrad(5e-4), frozen_steps=2))
    assert_equal(run(config.build(recipe))[0], expected)


def refusal(**layers):
    groups = {
        name: layer_groups.Group(layers=patterns, optimizer=adagrad(0.1))
        for name, patterns in layers.items()
    }
    with pytest.raises(ValueError) as caught:
        layer_groups.by_layer(groups=groups).init(START)
    return str(caught.value)


def test_patterns_must_fit():
    text = refusal(conv=("conv*",), rest=("*",))
    assert "matches 'conv*' of the group conv" in text
    assert "nearest are" in text and "trunk/conv1/kernel" in text
    text = refusal(conv=CONV, dense=("trunk/fc*",))
    assert "coordinates/kernel must belong to one group" in text
    assert "belongs to none of conv, dense" in text
    text = refusal(conv=CONV, rest=("*",))
    assert "trunk/conv1/kernel" in text and "conv and rest of conv, rest" in text
    # Twice in one group is no quarrel.
    both = layer_groups.Group(layers=("*", "trunk/*"), optimizer=adagrad(0.1))
    layer_groups.by_layer(groups={"all": both}).init(START)


def test_groups_must_make_sense():
    with pytest.raises(TypeError, match=r"layers='conv\*' must be a tuple.*'conv\*',"):
        layer_groups.Group(layers="conv*", optimizer=adagrad(0.1))
    group = layer_groups.Group(layers=CONV, optimizer=adagrad(0.1))
    with pytest.raises(ValueError, match="frozen_steps=-1 must be 0 or more"):
        dataclasses.replace(group, frozen_steps=-1)
