"""Keypoints by every stage of a cascade, of which one is read."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxpose.skeletons import Skeleton
from jaxpose.types import Batch, Metrics, Poses


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Targets:
    """Keypoints, in pixels of the canvas."""

    keypoints: Float[Array, "b k 2"]
    labeled: Bool[Array, "b k"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stages:
    """The poses of one stage, in pixels of the canvas; one person a canvas.

    Each stage is trained by an objective of its own: this one only tells how well the
    cascade does.

    Attributes:
        size: (height, width) of the canvas in pixels.
        stage: the one that is read: 1 is the first, 0 the last.
    """

    size: tuple[int, int]
    stage: int = 0

    def targets(self, batch: Batch, step: Int[Array, ""]) -> Targets:
        """Raises: ValueError for canvases with several people."""
        if batch.keypoints.shape[1] != 1:
            raise ValueError(
                f"{batch.keypoints.shape[1]} people a canvas; a cascade takes one"
            )
        return Targets(
            keypoints=batch.keypoints[:, 0], labeled=batch.visibility[:, 0] > 0
        )

    def loss(
        self, outputs: Float[Array, "s b k 2"], targets: Targets
    ) -> tuple[Float[Array, ""], Metrics]:
        """Mean squared error of labeled coordinates, with the canvas as -1..1."""
        unit = jnp.array(self.size[::-1], outputs.dtype) / 2
        labeled = targets.labeled[..., None]
        error = jnp.where(labeled, self._read(outputs) - targets.keypoints, 0.0) / unit
        loss = jnp.square(error).sum() / jnp.maximum(2 * targets.labeled.sum(), 1)
        return loss, {"loss": loss}

    def decode(self, outputs: Float[Array, "s b k 2"]) -> Poses:
        """Pixels of the canvas; every score is 1."""
        keypoints = self._read(outputs)
        ones = jnp.ones(keypoints.shape[:2], keypoints.dtype)
        return Poses(
            keypoints=keypoints[:, None],
            scores=ones[:, None],
            person_scores=ones[:, :1],
        )

    def flip(
        self, outputs: Float[Array, "s b k 2"], skeleton: Skeleton
    ) -> Float[Array, "s b k 2"]:
        partners = outputs[:, :, jnp.array(skeleton.flip)]
        return partners.at[..., 0].set(self.size[1] - 1 - partners[..., 0])

    def _read(self, outputs: Float[Array, "s b k 2"]) -> Float[Array, "b k 2"]:
        """Raises: ValueError if there are fewer stages."""
        if not 0 <= self.stage <= len(outputs):
            raise ValueError(
                f"stage={self.stage} of a cascade of {len(outputs)}; number them from "
                "1, or give 0 for the last"
            )
        return outputs[self.stage - 1]
