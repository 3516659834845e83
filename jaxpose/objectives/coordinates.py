"""Keypoints as normalized coordinates: regression, plain or weighted by example."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxpose.skeletons import Skeleton
from jaxpose.types import Batch, Metrics, Poses


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Targets:
    """What a batch asks of the network: coordinates in -extent..extent, and weights."""

    coordinates: Float[Array, "b k 2"]
    labeled: Bool[Array, "b k"]
    weight: Float[Array, "b"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Coordinates:
    """Squared error of coordinates; one person a canvas.

    Attributes:
        size: (height, width) of the canvas in pixels.
        extent: targets run from -extent to extent over the canvas: 1 for the
            weighted-loss DeepPose on whole images, 0.5 for DeepPose in a person's box.
        weighted: multiply the squared error of an example by its weight.
        weight_start: first step at which the weights count; before it they are 1.
        inside_only: leave out keypoints that lie on or outside the canvas border, as
            the weighted-loss DeepPose does.
        quantize_targets: move keypoints onto the canvas and to its pixels' near
            corners, by half a pixel on average, as the TensorFlow DeepPose does. That
            it does so before the mirror makes no difference to it.
        per_person: a person's loss is the mean squared distance of its labeled
            keypoints, and all people count alike, as in the TensorFlow DeepPose: twice
            as much as coordinates that count alike, where everybody is fully labeled.
        clip: move predictions beyond the canvas to its border, as the TensorFlow
            DeepPose does.
    """

    size: tuple[int, int]
    extent: float = 1.0
    weighted: bool = False
    weight_start: int = 0
    inside_only: bool = False
    quantize_targets: bool = False
    per_person: bool = False
    clip: bool = False

    def targets(self, batch: Batch, step: Int[Array, ""]) -> Targets:
        """Raises: ValueError for canvases of another size, or with several people."""
        if batch.image.shape[1:3] != self.size or batch.keypoints.shape[1] != 1:
            raise ValueError(
                f"a canvas of {batch.image.shape[1:3]} with {batch.keypoints.shape[1]} "
                f"people; this objective takes one person on a canvas of {self.size}: "
                "give data and objective the same size"
            )
        share = self._share(batch.keypoints[:, 0])
        labeled = batch.visibility[:, 0] > 0
        if self.inside_only:
            labeled &= self._inside(batch.keypoints[:, 0])
        weight = jnp.where(step >= self.weight_start, batch.weight, 1.0)
        return Targets(
            coordinates=(2 * share - 1) * self.extent,
            labeled=labeled,
            weight=weight if self.weighted else jnp.ones_like(weight),
        )

    def loss(
        self, outputs: Float[Array, "b k 2"], targets: Targets
    ) -> tuple[Float[Array, ""], Metrics]:
        """Sum over labeled coordinates of weight x squared error, divided by their count.

        The divisor counts coordinates (`per_person`: keypoints, then people) and does
        not sum weights, as in the originals. A batch without any labeled keypoint has
        loss 0.
        """
        # Unlabeled coordinates are arbitrary numbers in the data sets; where() keeps
        # even infinite ones out of the sum and of its gradient.
        labeled = targets.labeled[..., None]
        error = jnp.where(labeled, outputs - targets.coordinates, 0.0) ** 2
        keypoints = targets.labeled.sum(axis=1)
        count = jnp.maximum(2 * keypoints.sum(), 1)
        squares = error.sum(axis=(1, 2)) * targets.weight
        loss = squares.sum() / count
        if self.per_person:
            people = jnp.maximum((keypoints > 0).sum(), 1)
            loss = (squares / jnp.maximum(keypoints, 1)).sum() / people
        return loss, {"loss": loss, "mse": error.sum() / count}

    def decode(self, outputs: Float[Array, "b k 2"]) -> Poses:
        """Pixels of the canvas; a regressor has no confidence, so every score is 1."""
        height, width = self.size
        if self.clip:
            outputs = jnp.clip(outputs, -self.extent, self.extent)
        share = (outputs / self.extent + 1) / 2
        keypoints = share * jnp.array([width, height], outputs.dtype) - 0.5
        ones = jnp.ones(outputs.shape[:2], outputs.dtype)
        return Poses(
            keypoints=keypoints[:, None],
            scores=ones[:, None],
            person_scores=ones[:, :1],
        )

    def flip(
        self, outputs: Float[Array, "b k 2"], skeleton: Skeleton
    ) -> Float[Array, "b k 2"]:
        sign = jnp.array([-1.0, 1.0], outputs.dtype)
        return outputs[:, jnp.array(skeleton.flip)] * sign

    def _share(self, keypoints: Float[Array, "b k 2"]) -> Float[Array, "b k 2"]:
        """Position as a share of the canvas, 0 and 1 at its borders."""
        end = jnp.array(self.size[::-1], keypoints.dtype)
        position = keypoints + 0.5
        if self.quantize_targets:
            position = jnp.floor(jnp.clip(position, 0, end - 1))
        return position / end

    def _inside(self, keypoints: Float[Array, "b k 2"]) -> Bool[Array, "b k"]:
        # In pixels: XLA divides by multiplying with a reciprocal, which takes the
        # border of some canvases to a share just under 1.
        height, width = self.size
        end = jnp.array([width, height], keypoints.dtype) - 0.5
        return ((keypoints > -0.5) & (keypoints < end)).all(axis=-1)
