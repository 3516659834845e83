"""A learner's training as compiled programs over all devices, and its fresh state."""

import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jaxtyping import Array, PyTree

from jaxpose import augment as augments
from jaxpose import devices, loading
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


def check_canvas(augment: Augmentation, batch: Batch, data: loading.Data) -> None:
    """Whether augmented canvases have the size that the network is made for.

    Args:
        batch: of canvases of any size.

    Raises: ValueError if they have another.
    """
    n, size = len(batch.image), data.training_size

    def augmented(batch: Batch, image: Array, mask: Array) -> Array:
        loaded = dataclasses.replace(batch, image=image, mask=mask)
        return augment(jax.random.key(0), loaded).image

    loaded = (
        jax.ShapeDtypeStruct((n, *size, *old.shape[3:]), old.dtype)
        for old in (batch.image, batch.mask)
    )
    made = jax.eval_shape(augmented, batch, *loaded).shape[1:3]
    if made != tuple(data.size):
        raise ValueError(
            f"augment makes canvases of {made} from those of {size}, but the network is "
            f"made for data.size={data.size}; give augment.size that, or data.margin=1.0"
        )


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
