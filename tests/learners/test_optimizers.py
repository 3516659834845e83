"""Optimizers against PyTorch's documented rules, written in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxpose.learners import optimizers

START = {"kernel": jnp.array([1.0, -2.0, 3.0]), "bias": jnp.array([0.5])}


def gradients(step):
    random = np.random.default_rng(step)
    return {name: random.normal(size=value.shape) for name, value in START.items()}


def run(optimizer, steps=3):
    """Parameters and logged learning rate after each step."""
    update = jax.jit(optimizer.update)
    params, state, seen = START, optimizer.init(START), []
    for step in range(steps):
        grads = jax.tree.map(lambda g: jnp.array(g, jnp.float32), gradients(step))
        updates, state = update(grads, state, params)
        params = optax.apply_updates(params, updates)
        seen.append((params, float(optax.tree.get(state, "learning_rate"))))
    return seen


def halved(step):
    return 0.1 * 0.5**step


@pytest.mark.parametrize("schedule", [lambda step: 0.1, halved])
def test_sgd_is_pytorchs(schedule):
    """v <- 0.9 v + (g + 0.01 p), p <- p - lr v: decay of every entry, no dampening."""
    learning_rate = schedule if schedule is halved else 0.1
    optimizer = optimizers.sgd(
        learning_rate=learning_rate, momentum=0.9, weight_decay=0.01
    )
    params = {name: np.asarray(value, np.float64) for name, value in START.items()}
    velocity = {name: np.zeros_like(value) for name, value in params.items()}
    for step, (computed, rate) in enumerate(run(optimizer)):
        for name, gradient in gradients(step).items():
            velocity[name] = 0.9 * velocity[name] + gradient + 0.01 * params[name]
            params[name] = params[name] - schedule(step) * velocity[name]
            # Three steps of float32.
            np.testing.assert_allclose(computed[name], params[name], rtol=1e-6)
        np.testing.assert_allclose(rate, schedule(step), rtol=1e-7)


def test_adamw_decays_apart_from_the_gradient():
    optimizer = optimizers.adamw(learning_rate=halved, weight_decay=0.01)
    params = {name: np.asarray(value, np.float64) for name, value in START.items()}
    first = {name: np.zeros_like(value) for name, value in params.items()}
    second = {name: np.zeros_like(value) for name, value in params.items()}
    for step, (computed, rate) in enumerate(run(optimizer)):
        for name, g in gradients(step).items():
            first[name] = 0.9 * first[name] + 0.1 * g
            second[name] = 0.999 * second[name] + 0.001 * g**2
            mean = first[name] / (1 - 0.9 ** (step + 1))
            square = second[name] / (1 - 0.999 ** (step + 1))
            move = mean / (np.sqrt(square) + 1e-8) + 0.01 * params[name]
            params[name] = params[name] - halved(step) * move
            # 1 - 0.999^n in float32 keeps four to five digits of the first step.
            np.testing.assert_allclose(computed[name], params[name], rtol=2e-5)
        np.testing.assert_allclose(rate, halved(step), rtol=1e-7)


@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_rmsprop_is_pytorchs(momentum):
    optimizer = optimizers.rmsprop(
        learning_rate=halved, momentum=momentum, weight_decay=0.01
    )
    params = {name: np.asarray(value, np.float64) for name, value in START.items()}
    square = {name: np.zeros_like(value) for name, value in params.items()}
    buffer = {name: np.zeros_like(value) for name, value in params.items()}
    for step, (computed, rate) in enumerate(run(optimizer)):
        for name, g in gradients(step).items():
            g = g + 0.01 * params[name]
            square[name] = 0.99 * square[name] + 0.01 * g**2
            scaled = g / (np.sqrt(square[name]) + 1e-8)
            buffer[name] = momentum * buffer[name] + scaled
            params[name] = params[name] - halved(step) * buffer[name]
            # 1 - 0.99 in float32 keeps five to six digits, and the first step of 1
            # takes a parameter to 0.
            np.testing.assert_allclose(
                computed[name], params[name], rtol=2e-5, atol=1e-6
            )
        np.testing.assert_allclose(rate, halved(step), rtol=1e-7)


def test_adagrad_is_tensorflows():
    """s <- s + g^2 from 1e-4, p <- p - lr g / sqrt(s), where g has the decay in it."""
    optimizer = optimizers.adagrad(learning_rate=halved, weight_decay=0.01)
    params = {name: np.asarray(value, np.float64) for name, value in START.items()}
    squares = {name: np.full_like(value, 1e-4) for name, value in params.items()}
    for step, (computed, rate) in enumerate(run(optimizer)):
        for name, g in gradients(step).items():
            g = g + 0.01 * params[name]
            squares[name] = squares[name] + g**2
            params[name] = params[name] - halved(step) * g / np.sqrt(squares[name])
            # Three steps of float32.
            np.testing.assert_allclose(computed[name], params[name], rtol=1e-6)
        np.testing.assert_allclose(rate, halved(step), rtol=1e-7)


def test_adagrad_without_a_gradient_or_decay_stands_still():
    optimizer = optimizers.adagrad(learning_rate=0.1, initial_accumulator=0.0)
    zeros = jax.tree.map(jnp.zeros_like, START)
    updates, _ = optimizer.update(zeros, optimizer.init(START), START)
    jax.tree.map(lambda u: np.testing.assert_array_equal(u, 0), updates)


def test_learning_rates_for_the_log():
    def state(learning_rate):
        return optimizers.adagrad(learning_rate=learning_rate).init(START)

    assert optimizers.learning_rates(optax.adam(0.1).init(START)) == {}
    one = optimizers.learning_rates(state(0.1))
    assert one.keys() == {"learning_rate"} and one["learning_rate"] == np.float32(0.1)
    several = optimizers.learning_rates({"conv": state(0.1), "dense": state(0.2)})
    assert {name: float(rate) for name, rate in several.items()} == {
        "learning_rate": np.float32(0.2),
        "learning_rate/conv": np.float32(0.1),
        "learning_rate/dense": np.float32(0.2),
    }


def test_drops_multiply_from_their_step_on():
    rate = optimizers.drops(start=1.0, at=(3, 5), factor=0.1)
    rates = [float(rate(step)) for step in range(7)]
    np.testing.assert_allclose(rates, [1, 1, 1, 0.1, 0.1, 0.01, 0.01], rtol=1e-6)


def test_a_fresh_state_shows_the_first_learning_rate():
    state = optimizers.sgd(learning_rate=halved, momentum=0.9, weight_decay=0.0).init(
        START
    )
    np.testing.assert_allclose(optax.tree.get(state, "learning_rate"), 0.1)


@pytest.mark.parametrize("num_steps", [1, 3, 20, 800, 5600])
def test_a_run_of_any_length_rises_and_falls(num_steps):
    rate = optimizers.warmup_cosine(peak=0.5, warmup_steps=200, num_steps=num_steps)
    rates = [float(rate(step)) for step in range(num_steps + 1)]
    top = min(200, max(num_steps // 4, 1))
    assert rates[0] == 0 and max(rates) == pytest.approx(0.5)
    assert int(np.argmax(rates)) == top
    if num_steps > top:
        # Half way down the cosine is half of the peak.
        middle = (top + num_steps) / 2
        assert float(rate(middle)) == pytest.approx(0.25, rel=1e-5)
        assert rates[-1] == pytest.approx(0, abs=1e-7)
