"""Test-time prediction: from canvases to poses in the photographs."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from jaxpose import augment, geometry
from jaxpose.skeletons import Skeleton
from jaxpose.types import Batch, Learner, Objective, Poses


def predict(
    learner: Learner, state: PyTree, batch: Batch, *, mirror: Skeleton | None
) -> Poses:
    """Poses in source pixels.

    Args:
        mirror: average the outputs with those for the mirrored canvas; its skeleton
            tells left from right. None for one pass.
    """
    found = outputs(learner, state, batch, mirror=mirror)
    return decode(learner.objective, found, batch)


def outputs(
    learner: Learner, state: PyTree, batch: Batch, *, mirror: Skeleton | None
) -> PyTree:
    """What the network says about the canvases; arguments as of `predict`."""
    image = augment.to_float(batch.image)
    found = learner.outputs(state, image)
    if mirror is None:
        return found
    mirrored = learner.outputs(state, image[:, :, ::-1])
    flipped = learner.objective.flip(mirrored, mirror)
    return jax.tree.map(lambda a, b: (a + b) / 2, found, flipped)


def decode(objective: Objective, outputs: PyTree, batch: Batch) -> Poses:
    """Poses in source pixels, from outputs for the batch's canvases."""
    poses = objective.decode(outputs)
    keypoints = geometry.apply(batch.to_source[:, None], jnp.asarray(poses.keypoints))
    return dataclasses.replace(poses, keypoints=keypoints)
