"""A learner's training as compiled programs over all devices, and its fresh state."""

import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jaxtyping import Array, PyTree

from jaxpose import augment as augments
from jaxpose import devices
from jaxpose.types import Batch, Learner, Metrics, PhasedLearner

Augmentation = Callable[[Array, Batch], Batch]
TrainStep = Callable[[PyTree, Batch], tuple[PyTree, Metrics]]


def train_step(
    learner: Learner, augment: Augmentation, seed: int, mesh: Mesh
) -> TrainStep:
    """Augmentation, targets, loss and update as one compiled program."""

    def step(state: PyTree, batch: Batch) -> tuple[PyTree, Metrics]:
        key = jax.random.fold_in(jax.random.key(seed), state.step)
        augment_key, learner_key = jax.random.split(key)
        return learner.train_step(state, augment(augment_key, batch), learner_key)

    return devices.data_parallel(step, mesh, donate=True)


def by_step(
    learner: Learner, augment: Augmentation, seed: int, mesh: Mesh
) -> Callable[[int], TrainStep]:
    """Number of a step, from 0, -> its program: one for all, or one for each phase."""
    if not isinstance(learner, PhasedLearner):
        program = train_step(learner, augment, seed, mesh)
        return lambda number: program

    @functools.cache
    def of_phase(phase: int) -> TrainStep:
        return train_step(learner.only(phase), augment, seed, mesh)

    return lambda number: of_phase(learner.phase(number))


def init_state(learner: Learner, batch: Batch, seed: int) -> PyTree:
    """Fresh parameters, from shapes of a batch and a seed."""
    image = augments.to_float(jnp.asarray(batch.image))
    batch = dataclasses.replace(batch, image=image)
    # No step folds this number in, so that no step repeats the randomness of the start.
    return learner.init(jax.random.fold_in(jax.random.key(seed), 2**32 - 1), batch)


def abstract_state(learner: Learner, batch: Batch, mesh: Mesh) -> PyTree:
    """Shapes, dtypes and shardings of the state, without computing it."""
    shapes = jax.eval_shape(lambda batch: init_state(learner, batch, 0), batch)
    where = devices.replicated(mesh)
    return jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=where), shapes
    )
