"""Heatmaps as probabilities: in which cell of the grid is each keypoint?

The cells of a map compete under a softmax, so that the loss has no empty maps to get
right first; a hidden keypoint may be likely in several places.
"""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxpose.objectives import (
    heatmap_accuracy,
    heatmap_decoding,
    heatmap_drawing,
    heatmap_grid,
)
from jaxpose.skeletons import Skeleton
from jaxpose.types import Batch, Metrics, Poses


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Targets:
    """What a batch asks of the network.

    Attributes:
        chance: of each cell to hold the keypoint; sums to 1, or 0 where not counted.
        counted: keypoints that are labeled and near enough to the grid.
        weight: of the example.
    """

    chance: Float[Array, "b h w k"]
    counted: Bool[Array, "b k"]
    weight: Float[Array, "b"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class SoftmaxHeatmaps:
    """Cross-entropy of a softmax over the cells of each map; one person a canvas.

    Outputs are "s b h w k", logits from each of s stacks, of which the last is read. A
    cell is a square of stride x stride pixels, and cell c is centred on pixel
    (c + 0.5) x stride - 0.5.

    Attributes:
        size: (height, width) of the canvas in pixels; multiples of the stride.
        stride: pixels of the canvas in a cell, along each axis.
        sigma: of the Gaussian that spreads a keypoint over cells, in cells.
        weighted: multiply the loss of an example by its weight.
        decoder: reads points off the maps of probabilities.
        accuracy: what to log beside the loss, of the last stack.

    Raises: ValueError if a field is out of range.

    Source: the keypoint head of Mask R-CNN (He et al. 2017), with a Gaussian for its
    one-hot target.
    """

    size: tuple[int, int]
    stride: int = 4
    sigma: float = 1.0
    weighted: bool = False
    decoder: heatmap_decoding.Decoder = dataclasses.field(
        default_factory=heatmap_decoding.Dark
    )
    accuracy: heatmap_accuracy.PeakAccuracy = dataclasses.field(
        default_factory=heatmap_accuracy.PeakAccuracy
    )

    def __post_init__(self) -> None:
        heatmap_grid.check_canvas(self.size, self.stride)
        heatmap_grid.check_sigma(self.sigma)

    def targets(self, batch: Batch, step: Int[Array, ""]) -> Targets:
        """Raises: ValueError for canvases of another size, or with several people."""
        heatmap_grid.check_batch(batch, self.size)
        labeled = batch.visibility[:, 0] > 0
        # Unlabeled coordinates may be anything, even infinite.
        keypoints = jnp.where(labeled[..., None], batch.keypoints[:, 0], 0)
        maps, reached = heatmap_drawing.draw(
            heatmap_grid.to_cells(keypoints, self.stride),
            jnp.asarray(self.sigma, keypoints.dtype),
            size=heatmap_grid.cells(self.size, self.stride),
            kernel=heatmap_drawing.gaussian,
            window=heatmap_drawing.smooth,
        )
        counted = labeled & reached
        total = jnp.where(counted, maps.sum(axis=(1, 2)), 1)
        chance = jnp.where(counted[:, None, None], maps, 0) / total[:, None, None]
        weight = batch.weight if self.weighted else jnp.ones_like(batch.weight)
        return Targets(chance=chance, counted=counted, weight=weight)

    def loss(
        self, outputs: Float[Array, "s b h w k"], targets: Targets
    ) -> tuple[Float[Array, ""], Metrics]:
        """Sum over stacks of the mean over counted keypoints of weight x divergence.

        The divergence is the cross-entropy less the entropy of the target, so that 0 is
        perfect. Without a keypoint that counts the loss is 0.

        Raises: ValueError if outputs and targets differ in shape.
        """
        heatmap_grid.check_outputs(outputs, targets.chance)
        wanted = jax.scipy.special.xlogy(targets.chance, targets.chance)
        missed = wanted - targets.chance * _log_softmax(outputs)
        divergence = missed.sum(axis=(2, 3)) * targets.weight[:, None]
        loss = divergence.sum() / jnp.maximum(targets.counted.sum(), 1)
        chance = self.heatmaps(outputs)
        log = self.accuracy.metrics(chance, targets.chance, targets.counted)
        return loss, {"loss": loss, **log}

    def decode(self, outputs: Float[Array, "s b h w k"]) -> Poses:
        """Pixels of the canvas; a keypoint's score is the chance of its likeliest cell.

        The score of a person is the mean.
        """
        return heatmap_grid.poses(self.heatmaps(outputs), self.decoder, self.stride)

    def heatmaps(self, outputs: Float[Array, "s b h w k"]) -> Float[Array, "b h w k"]:
        """The chance of each cell, of the last stack; every map sums to 1."""
        return jnp.exp(_log_softmax(outputs[-1]))

    def true_heatmaps(self, targets: Targets) -> Float[Array, "b h w k"]:
        return targets.chance

    def flip(
        self, outputs: Float[Array, "s b h w k"], skeleton: Skeleton
    ) -> Float[Array, "s b h w k"]:
        """Exact, without a shift: the canvas and its grid of cells mirror alike.

        Raises: ValueError if the skeleton has another number of keypoints.
        """
        return heatmap_grid.flip(outputs, skeleton)


def _log_softmax(outputs: Float[Array, "*s b h w k"]) -> Float[Array, "*s b h w k"]:
    return jax.nn.log_softmax(heatmap_grid.at_least_float32(outputs), axis=(-3, -2))
