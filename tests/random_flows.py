"""Flows that bend the plane, as training makes them from the identity."""

import functools

import jax
import numpy as np

from jaxpose import flows


def random_flow(seed: int = 0, *, couplings: int = 6, hidden: int = 16):
    """Weights that move points by about their distance from the origin."""
    random = np.random.default_rng(seed)

    def normal(*shape):
        return jax.numpy.array(random.normal(size=shape) * shape[-2] ** -0.5)

    widths = ((1, hidden), (hidden, hidden), (hidden, 1))

    def perceptrons():
        return flows.Perceptrons(
            kernels=tuple(normal(couplings, i, o) for i, o in widths),
            biases=tuple(normal(couplings, 1, o)[:, 0] for _, o in widths),
        )

    return flows.RealNVP(scale=perceptrons(), shift=perceptrons())


@functools.cache
def plane(half: float, step: float) -> np.ndarray:
    """Points of a square grid around the origin, "n 2"."""
    axis = np.arange(-half, half + step / 2, step)
    return np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
