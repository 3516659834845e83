"""Densities over the plane that are learned: RealNVP, as a function of its weights.

Source: Dinh et al., "Density estimation using Real NVP", 2017, in the form that Li et
al. 2021 (residual log-likelihood estimation) use. Their networks take both axes, one of
them set to 0, and give both, one of them unused; these take and give the one that counts.
"""

import dataclasses
import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Perceptrons:
    """One small network a coupling layer, number to number, leaky ReLU between layers.

    Attributes:
        kernels, biases: of the dense layers, each for all couplings.
    """

    kernels: tuple[Float[Array, "couplings i o"], ...]
    biases: tuple[Float[Array, "couplings o"], ...]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class RealNVP:
    """An invertible map of the plane in coupling layers.

    Each keeps one axis, in turn x and y, and moves the other by a factor
    exp(tanh(scale)) and an offset that both depend on the kept one.
    """

    scale: Perceptrons
    shift: Perceptrons


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Estimate:
    """Where keypoints are, how far off that may be, and how errors are distributed.

    Attributes:
        coordinates: (x, y) of each keypoint.
        scale: of the errors of each coordinate, before the objective bounds it.
        flow: one for all images and keypoints.
    """

    coordinates: Float[Array, "b k 2"]
    scale: Float[Array, "b k 2"]
    flow: RealNVP


def log_density(flow: RealNVP, points: Float[Array, "*n 2"]) -> Float[Array, "*n"]:
    """Log of the density that becomes a standard normal one under the map."""
    base, log_determinant = to_base(flow, points)
    normal = -jnp.square(base).sum(axis=-1) / 2 - math.log(2 * math.pi)
    return normal + log_determinant


def to_base(
    flow: RealNVP, points: Float[Array, "*n 2"]
) -> tuple[Float[Array, "*n 2"], Float[Array, "*n"]]:
    """Where the map takes points, and the log-determinant of its Jacobian there."""
    axes = [points[..., 0], points[..., 1]]
    log_determinant = jnp.zeros_like(axes[0])
    for i in range(len(flow.scale.kernels[0])):
        kept, moved = i % 2, (i + 1) % 2
        scale = jnp.tanh(_apply(flow.scale, i, axes[kept]))
        axes[moved] = axes[moved] * jnp.exp(scale) + _apply(flow.shift, i, axes[kept])
        log_determinant += scale
    return jnp.stack(axes, axis=-1), log_determinant


def _apply(networks: Perceptrons, i: int, x: Float[Array, "*n"]) -> Float[Array, "*n"]:
    h = x[..., None]
    for layer, (kernel, bias) in enumerate(zip(networks.kernels, networks.biases)):
        h = jax.nn.leaky_relu(h) if layer else h
        h = jnp.matmul(h, kernel[i], precision=jax.lax.Precision.HIGHEST) + bias[i]
    return h[..., 0]
