"""Can targets, loss and decode agree at all? Asked without a network.

The outputs themselves are descended on: what they cannot be made to say, no network
that gives such outputs can be taught.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, PyTree

from jaxpose.types import Batch, Objective

# Adam moves a number by up to RATE in each of STEPS, whatever the loss is scaled by: far
# enough for coordinates, maps and logits alike.
STEPS = 400
RATE = 0.1
SPREAD = 0.1


def misfit(objective: Objective, shapes: PyTree, batch: Batch) -> str:
    """Why outputs of these shapes are none that the objective can read; empty if not.

    Raises: ValueError if the objective refuses the batch.
    """
    targets = jax.eval_shape(lambda b: _targets(objective, b), batch)
    try:
        jax.eval_shape(objective.loss, shapes, targets)
        jax.eval_shape(objective.decode, shapes)
    # What a wrong shape raises is up to the objective; all of it means the same here.
    except Exception as error:  # noqa: BLE001
        said = str(error).strip().partition("\n")[0]
        return f"outputs {describe(shapes)} do not fit the objective: {said}"
    return ""


def describe(shapes: PyTree) -> str:
    """Shapes and dtypes in one line, such as float32[4, 14, 2]."""
    return str(jax.tree.map(lambda x: f"{x.dtype}{list(x.shape)}", shapes)).strip("'")


def start(shapes: PyTree, seed: int) -> PyTree:
    """Small random numbers: what repels, such as tags, stands still on equal ones."""
    leaves, structure = jax.tree.flatten(shapes)
    keys = jax.random.split(jax.random.key(seed), len(leaves))
    numbers = [SPREAD * jax.random.normal(k, x.shape) for k, x in zip(keys, leaves)]
    return jax.tree.unflatten(structure, numbers)


def descend(objective: Objective, outputs: PyTree, batch: Batch) -> PyTree:
    """The outputs after a descent on the loss, as far down as it comes."""
    # A scaled loss may have gradients far below Adam's usual epsilon.
    optimizer = optax.adam(optax.cosine_decay_schedule(RATE, STEPS), eps=1e-16)

    @jax.jit
    def run(outputs: PyTree, batch: Batch) -> PyTree:
        targets = _targets(objective, batch)

        def step(_: int, carry: tuple[PyTree, Any]) -> tuple[PyTree, Any]:
            outputs, state = carry
            grads = jax.grad(lambda o: objective.loss(o, targets)[0])(outputs)
            updates, state = optimizer.update(grads, state)
            return optax.apply_updates(outputs, updates), state

        return jax.lax.fori_loop(0, STEPS, step, (outputs, optimizer.init(outputs)))[0]

    return run(outputs, batch)


def not_asked(
    objective: Objective,
    outputs: PyTree,
    batch: Batch,
    which: Bool[np.ndarray, "b p k"],
) -> Bool[np.ndarray, "b p k"]:
    """Of some keypoints those whose label makes no difference to the loss.

    An objective may leave out hidden keypoints, or those outside the canvas.
    """

    @jax.jit
    def loss(batch: Batch, kept: Bool[Array, "b p k"]) -> Float[Array, ""]:
        seen = jnp.where(kept, batch.visibility, 0)
        targets = _targets(objective, dataclasses.replace(batch, visibility=seen))
        return objective.loss(outputs, targets)[0]

    everything = loss(batch, np.ones_like(which))
    found = np.zeros_like(which)
    for index in map(tuple, np.argwhere(which)):
        kept = np.ones_like(which)
        kept[index] = False
        found[index] = loss(batch, kept) == everything
    return found


def _targets(objective: Objective, batch: Batch) -> PyTree:
    return objective.targets(batch, jnp.zeros((), jnp.int32))
