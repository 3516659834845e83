"""Test-time prediction: from canvases to poses in the photographs."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from jaxpose import augment, geometry
from jaxpose.skeletons import Skeleton
from jaxpose.types import Batch, Learner, Poses


def predict(
    learner: Learner, state: PyTree, batch: Batch, *, mirror: Skeleton | None
) -> Poses:
    """Poses in source pixels.

    Args:
        mirror: average the outputs with those for the mirrored canvas; its skeleton
            tells left from right. None for one pass.
    """
    image = augment.to_float(batch.image)
    outputs = learner.outputs(state, image)
    if mirror is not None:
        mirrored = learner.outputs(state, image[:, :, ::-1])
        flipped = learner.objective.flip(mirrored, mirror)
        outputs = jax.tree.map(lambda a, b: (a + b) / 2, outputs, flipped)
    poses = learner.objective.decode(outputs)
    keypoints = geometry.apply(batch.to_source[:, None], jnp.asarray(poses.keypoints))
    return dataclasses.replace(poses, keypoints=keypoints)
