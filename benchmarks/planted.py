"""Poses that nobody has: true ones with limbs exchanged, or with keypoints moved."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxpose.learners import adversarial
from jaxpose.skeletons import Skeleton
from jaxpose.types import Batch

# Keypoints out on the limbs, which may change sides while the trunk stays.
FAR = ("elbow", "wrist", "knee", "ankle")
# How far keypoints are moved, as a share of the canvas's shorter side.
SHIFT = 0.25


def swapped(batch: Batch, skeleton: Skeleton) -> Batch:
    """Arms and legs of the left on the right side, and the other way round.

    Shoulders and hips stay, so that the limbs cross.
    """
    far = [name.endswith(FAR) for name in skeleton.keypoints]
    order = np.where(far, skeleton.flip, np.arange(len(far)))
    return dataclasses.replace(
        batch,
        keypoints=batch.keypoints[:, :, order],
        visibility=batch.visibility[:, :, order],
    )


def shifted(batch: Batch, key: Array) -> Batch:
    """Every keypoint moved as far, in a direction of its own; none leaves the canvas."""
    height, width = batch.image.shape[1:3]
    angle = jax.random.uniform(key, batch.visibility.shape, maxval=2 * jnp.pi)
    move = SHIFT * min(height, width) * jnp.stack([jnp.cos(angle), jnp.sin(angle)], -1)
    last = jnp.array([width - 1, height - 1])
    return dataclasses.replace(
        batch, keypoints=jnp.clip(batch.keypoints + move, 0, last)
    )


def of_others(batch: Batch) -> Batch:
    """Each photograph with the pose of another one: true, but not there."""
    return dataclasses.replace(
        batch,
        keypoints=jnp.roll(batch.keypoints, 1, axis=0),
        visibility=jnp.roll(batch.visibility, 1, axis=0),
    )


def errors(
    learner: adversarial.Adversarial,
    state: adversarial.State,
    image: Float[Array, "b y x 3"],
    maps: Float[Array, "b h w k"],
) -> Float[Array, "b"]:
    """Mean squared error of each example's reconstruction."""
    said = learner.reconstruct(state, image, maps)
    return jnp.square(said - maps).mean(axis=(1, 2, 3))
