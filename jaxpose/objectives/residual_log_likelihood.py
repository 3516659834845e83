"""Residual log-likelihood: coordinates, their scales, and how errors are distributed.

A squared error is right for Gaussian errors of one size. Here the network says the size
of each error, and a flow learns the form that all of them have.
"""

import dataclasses
import math
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxpose import flows
from jaxpose.objectives import coordinates
from jaxpose.skeletons import Skeleton
from jaxpose.types import Batch, Metrics, Poses

# Least scale, in units of the coordinates: far below what labels tell. It keeps errors
# finite that are measured in scales, where examples are learned by heart.
LEAST = 1e-6
ASSUMED = ("laplace", "gaussian")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ResidualLogLikelihood:
    """Negative log-likelihood of keypoints under two densities; one person a canvas.

    Outputs are a `flows.Estimate`. With error = target - coordinates, and sigma the
    logistic function of the output `scale`, a keypoint costs

        - log (Q(error / sigma) / sigma) - log (G(error / sigma) / sigma)

    summed over both axes: Q is assumed, and pulls the coordinates to the middle of the
    errors and sigma to their size; G is learned by the flow. The paper writes the
    product Q G s with one log sigma, and s the constant that makes it a density. Without
    s nothing would hold sigma but the flow, which can shrink while sigma grows; hence a
    log sigma for each density here. Its authors' program has both too, but adds log G
    to the cost of each axis, so twice: there sigma grows, and scores say less.

    Attributes:
        encoding: keypoints as normalized coordinates, and back. sigma is below 1 of its
            unit; the paper's extent is 0.5.
        assumed: Q; Laplace's makes sigma a mean absolute error, Gauss's a deviation.

    Raises: ValueError for a density that is not one of `ASSUMED`.

    Source: Li et al., "Human Pose Regression with Residual Log-likelihood Estimation",
    2021.
    """

    encoding: coordinates.Coordinates
    assumed: Literal["laplace", "gaussian"] = "laplace"

    def __post_init__(self) -> None:
        if self.assumed not in ASSUMED:
            raise ValueError(f"assumed={self.assumed!r} is not one of {ASSUMED}")

    @property
    def size(self) -> tuple[int, int]:
        return self.encoding.size

    def targets(self, batch: Batch, step: Int[Array, ""]) -> coordinates.Targets:
        """Raises: ValueError for canvases of another size, or with several people."""
        return self.encoding.targets(batch, step)

    def loss(
        self, outputs: flows.Estimate, targets: coordinates.Targets
    ) -> tuple[Float[Array, ""], Metrics]:
        """Sum over labeled keypoints of weight x cost, divided by their number.

        It may be negative, and is 0 without a labeled keypoint. `mse` and `sigma` are
        means over labeled coordinates.
        """
        labeled = targets.labeled[..., None]
        # Unlabeled numbers are arbitrary; where() keeps them out of the gradient too.
        error = jnp.where(labeled, targets.coordinates - outputs.coordinates, 0.0)
        sigma = _sigma(outputs.scale)
        share = error / sigma
        cost = -flows.log_density(outputs.flow, share) - (
            self._assumed_log_density(share) - 2 * jnp.log(sigma)
        ).sum(axis=-1)
        cost = jnp.where(targets.labeled, cost, 0.0).sum(axis=1)
        count = jnp.maximum(targets.labeled.sum(), 1)
        loss = (cost * targets.weight).sum() / count
        return loss, {
            "loss": loss,
            "mse": jnp.square(error).sum() / (2 * count),
            "sigma": jnp.where(labeled, sigma, 0.0).sum() / (2 * count),
        }

    def decode(self, outputs: flows.Estimate) -> Poses:
        """Pixels of the canvas; a keypoint's score is 1 - the mean sigma of its axes.

        The score of a person is the mean.
        """
        scores = 1 - _sigma(outputs.scale).mean(axis=-1)
        return dataclasses.replace(
            self.encoding.decode(outputs.coordinates),
            scores=scores[:, None],
            person_scores=scores.mean(axis=1, keepdims=True),
        )

    def flip(self, outputs: flows.Estimate, skeleton: Skeleton) -> flows.Estimate:
        return dataclasses.replace(
            outputs,
            coordinates=self.encoding.flip(outputs.coordinates, skeleton),
            scale=outputs.scale[:, jnp.array(skeleton.flip)],
        )

    def _assumed_log_density(self, share: Float[Array, "b k 2"]) -> Array:
        """Of each axis, errors in sigmas."""
        if self.assumed == "laplace":
            return -jnp.abs(share) - math.log(2)
        return -jnp.square(share) / 2 - math.log(2 * math.pi) / 2


def _sigma(scale: Float[Array, "b k 2"]) -> Float[Array, "b k 2"]:
    return LEAST + (1 - LEAST) * jax.nn.sigmoid(scale)
