"""Losses of tags: alike within a person, different between people.

Tags have d dimensions and are given as read at the keypoints of p people, from each of
s stacks. A person without a keypoint that counts is nobody: it enters no mean.
"""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


def pull(
    tags: Float[Array, "s b p k d"], counted: Bool[Array, "b p k"]
) -> Float[Array, "s b"]:
    """Mean over people of how far their tags scatter; 0 without people.

    A person's scatter is the mean over its keypoints and over dimensions of the squared
    difference from its mean tag.
    """
    means, people = person_tags(tags, counted)
    away = jnp.where(counted[..., None], tags - means[..., None, :], 0)
    scatter = jnp.square(away).mean(axis=-1).sum(axis=-1)
    scatter /= jnp.maximum(counted.sum(axis=-1), 1)
    return scatter.sum(axis=-1) / jnp.maximum(people.sum(axis=-1), 1)


def push(
    tags: Float[Array, "s b p k d"], counted: Bool[Array, "b p k"]
) -> Float[Array, "s b"]:
    """Half the mean over pairs of different people of exp(-distance^2); 0 for one person.

    The distance is that of the two mean tags, its square summed over dimensions.

    Source: the compiled code of Newell et al. 2017; `paper_push` is what they wrote.
    """
    means, people = person_tags(tags, counted)
    others = _pairs(people) & ~jnp.eye(people.shape[-1], dtype=bool)
    near = jnp.where(others, jnp.exp(-_squared_distances(means)), 0)
    return near.sum(axis=(-1, -2)) / jnp.maximum(2 * others.sum(axis=(-1, -2)), 1)


def paper_push(
    tags: Float[Array, "s b p k d"], counted: Bool[Array, "b p k"], sigma: float
) -> Float[Array, "s b"]:
    """Mean over pairs of exp(-distance^2 / 2 sigma^2), a person with itself included.

    It is at least 1 / people, and 0 without people.

    Source: Newell et al. 2017, which does not tell sigma.
    """
    means, people = person_tags(tags, counted)
    pairs = _pairs(people)
    near = jnp.exp(-_squared_distances(means) / (2 * sigma**2))
    total = jnp.where(pairs, near, 0).sum(axis=(-1, -2))
    return total / jnp.maximum(pairs.sum(axis=(-1, -2)), 1)


def person_tags(
    tags: Float[Array, "s b p k d"], counted: Bool[Array, "b p k"]
) -> tuple[Float[Array, "s b p d"], Bool[Array, "b p"]]:
    """The mean tag of each person, and who is one; the tag of nobody is 0."""
    keypoints = counted.sum(axis=-1)
    # Where nothing counts a tag was read anywhere, and may be infinite.
    total = jnp.where(counted[..., None], tags, 0).sum(axis=-2)
    return total / jnp.maximum(keypoints, 1)[..., None], keypoints > 0


def _pairs(people: Bool[Array, "b p"]) -> Bool[Array, "b p p"]:
    return people[:, :, None] & people[:, None]


def _squared_distances(means: Float[Array, "s b p d"]) -> Float[Array, "s b p p"]:
    return jnp.square(means[..., :, None, :] - means[..., None, :, :]).sum(axis=-1)
