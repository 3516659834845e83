"""How wrong a stage's estimates are, and simulated ones that are as wrong.

Source: DeepPose (Toshev and Szegedy 2014, section 3.2).
"""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxpose.learners import moments


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Errors:
    """Of one stage, as measured on training canvases once it was trained.

    Attributes:
        shift: estimate - truth, in body sizes of the truth.
        size: logarithm of the estimated body size over the true one.
    """

    shift: moments.Moments
    size: moments.Moments


@dataclasses.dataclass(frozen=True, kw_only=True)
class Truth:
    """True poses of a batch, in pixels of the canvas.

    Attributes:
        labeled: keypoints that count; nobody's of whom no body size is known.
        size: of the bodies; 1 where unknown.
    """

    keypoints: Float[Array, "b k 2"]
    labeled: Bool[Array, "b k"]
    size: Float[Array, "b"]


def nothing(keypoints: int) -> Errors:
    """Before the first batch."""
    return Errors(moments.nothing(keypoints, 2), moments.nothing())


def add(
    errors: Errors,
    found: Float[Array, "b k 2"],
    found_size: Float[Array, "b"],
    truth: Truth,
) -> tuple[Errors, Float[Array, ""]]:
    """Those of a batch of estimates too, and the batch's mean square, in body sizes."""
    labeled = truth.labeled[..., None]
    shift = (found - truth.keypoints) / truth.size[:, None, None]
    known = truth.labeled.any(axis=1) & (found_size > 0)
    after = Errors(
        moments.add(errors.shift, shift, labeled),
        moments.add(errors.size, jnp.log(found_size / truth.size), known),
    )
    total = jnp.where(labeled, jnp.square(shift), 0.0).sum()
    return after, total / jnp.maximum(2 * labeled.sum(), 1)


def simulate(
    errors: Errors, truth: Truth, which: Int[Array, "b m"], key: Array
) -> tuple[Float[Array, "b m 2"], Float[Array, "b m"]]:
    """Normal estimates of some keypoints, and body sizes that come with them.

    Unlike in the paper the body sizes are as wrong as estimated ones.
    """
    shift_key, size_key = jax.random.split(key)
    at = jnp.take_along_axis(truth.keypoints, which[..., None], axis=1)
    noise = jax.random.normal(shift_key, at.shape)
    mean, spread = moments.mean(errors.shift), moments.spread(errors.shift)
    shift = mean[which] + spread[which] * noise
    noise = jax.random.normal(size_key, which.shape)
    wrong = moments.mean(errors.size) + moments.spread(errors.size) * noise
    size = truth.size[:, None]
    return at + size[..., None] * shift, size * jnp.exp(wrong)
