"""One heatmap a keypoint for one person a canvas: stacked hourglasses and the like."""

import dataclasses
import math
from typing import Literal

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int

from jaxpose import geometry
from jaxpose.objectives import (
    heatmap_accuracy,
    heatmap_decoding,
    heatmap_drawing,
    heatmap_grid,
)
from jaxpose.skeletons import Skeleton
from jaxpose.types import Batch, Metrics, Poses

WEIGHTINGS = ("visible", "annotated", "none")
MEANS = ("all", "counted")
# Cells. A peak of no width is 0 / 0 at its own centre; this one is a single cell.
_NARROWEST = 1e-3


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Targets:
    """What a batch asks of the network, on the grid of cells.

    Attributes:
        maps: a peak for each keypoint that is drawn, 0 elsewhere.
        drawn: keypoints that are known and near enough to the grid.
        counted: keypoints whose maps the loss looks at.
        cells: where it looks.
        weight: of the example.
    """

    maps: Float[Array, "b h w k"]
    drawn: Bool[Array, "b k"]
    counted: Bool[Array, "b k"]
    cells: Bool[Array, "b h w"]
    weight: Float[Array, "b"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Heatmaps:
    """Squared error of heatmaps, summed over the stacks of a network.

    Outputs are "s b h w k": one set of maps from each of s stacks, of which the last is
    read; a network without stacks has s = 1. A cell is a square of stride x stride
    pixels, so that cell c is centred on pixel (c + 0.5) x stride - 0.5.

    Attributes:
        size: (height, width) of the canvas in pixels; multiples of the stride.
        stride: pixels of the canvas in a cell, along each axis.
        sigma: width of the peaks in cells, or a schedule of it over steps, which may end
            at 0: nothing narrower than 0.001 is drawn.
        kernel: shape of the peaks: `heatmap_drawing.gaussian` or `cauchy`, or
            `cauchy_density` for PyTorch-Pose's Cauchy, whose height is 1 / sigma^2.
        window: where peaks are cut off: `heatmap_drawing.smooth` nowhere, `patch` as in
            PyTorch-Pose, `short_patch` as in hgpose.
        quantize_targets: put peaks on the middle of the cell that holds the keypoint,
            as the originals do, instead of between cells.
        above_is_missing: draw nothing for keypoints in row 0 of the photograph, counted
            from 1, or above. PyTorch-Pose takes those of MPII for missing, but goes on
            counting the visible ones.
        weighting: which maps count: those of `visible` keypoints, as in PyTorch-Pose;
            of `annotated` ones, hidden or not; or with `none` every map, so that missing
            keypoints teach empty ones, as in hgpose. The first two leave out keypoints
            too far from the grid to be drawn.
        mean: what a stack's sum is divided by. `all`: cells of all maps, counted or
            not, so that a keypoint weighs the same in every batch, as in PyTorch-Pose.
            `counted`: each keypoint has its mean over the cells that count, and the
            loss is the mean of these.
        factor: of the loss, positive; 1/2 in PyTorch-Pose, 1 in hgpose.
        weighted: multiply the squared error of an example by its weight.
        masked: leave out cells of which more than half lies where the batch's mask is 0.
            Off, because for one person the truth is known in crowds and outside the
            photograph as well (40 keypoints of MPII's validation people are annotated
            above it), and because decoding looks everywhere.
        hardest: count only so many maps of each example and stack, those of the
            largest error; 0 for all. The mean is then over as many.
        decoder: reads points off the maps.
        accuracy: what to log beside the loss, of the last stack.

    Raises: ValueError if a field is out of range.

    Source: Newell et al. 2016; mining of hard keypoints: Chen et al. 2018.
    """

    size: tuple[int, int]
    stride: int = 4
    sigma: float | optax.Schedule = 1.0
    kernel: heatmap_drawing.Kernel = heatmap_drawing.gaussian
    window: heatmap_drawing.Window = heatmap_drawing.smooth
    quantize_targets: bool = False
    above_is_missing: bool = False
    weighting: Literal["visible", "annotated", "none"] = "annotated"
    mean: Literal["all", "counted"] = "all"
    factor: float = 0.5
    weighted: bool = False
    masked: bool = False
    hardest: int = 0
    decoder: heatmap_decoding.Decoder = dataclasses.field(
        default_factory=heatmap_decoding.Dark
    )
    accuracy: heatmap_accuracy.PeakAccuracy = dataclasses.field(
        default_factory=heatmap_accuracy.PeakAccuracy
    )

    def __post_init__(self) -> None:
        heatmap_grid.check_canvas(self.size, self.stride)
        if not callable(self.sigma):
            heatmap_grid.check_sigma(self.sigma)
        if self.weighting not in WEIGHTINGS:
            raise ValueError(f"weighting={self.weighting!r} is not one of {WEIGHTINGS}")
        if self.mean not in MEANS:
            raise ValueError(f"mean={self.mean!r} is not one of {MEANS}")
        if self.hardest < 0:
            raise ValueError(f"hardest={self.hardest} must be 0 for all, or more")
        if not 0 < self.factor < math.inf:
            raise ValueError(f"factor={self.factor} must be positive, such as 0.5")

    @property
    def grid(self) -> tuple[int, int]:
        """(height, width) in cells."""
        return heatmap_grid.cells(self.size, self.stride)

    def targets(self, batch: Batch, step: Int[Array, ""]) -> Targets:
        """Raises: ValueError for canvases of another size, or with several people."""
        heatmap_grid.check_batch(batch, self.size)
        there = (batch.visibility[:, 0] > 0) & ~self._left_out(batch)
        # Unlabeled coordinates may be anything, even infinite.
        keypoints = jnp.where(there[..., None], batch.keypoints[:, 0], 0)
        sigma = self.sigma(step) if callable(self.sigma) else self.sigma
        maps, reached = heatmap_drawing.draw(
            self._centers(keypoints),
            jnp.maximum(jnp.asarray(sigma, keypoints.dtype), _NARROWEST),
            size=self.grid,
            kernel=self.kernel,
            window=self.window,
        )
        weight = batch.weight if self.weighted else jnp.ones_like(batch.weight)
        return Targets(
            maps=jnp.where(there[:, None, None], maps, 0),
            drawn=there & reached,
            counted=self._counted(batch.visibility[:, 0], reached | ~there),
            cells=self._cells(batch.mask),
            weight=weight,
        )

    def loss(
        self, outputs: Float[Array, "s b h w k"], targets: Targets
    ) -> tuple[Float[Array, ""], Metrics]:
        """Sum over stacks of factor x mean of weight x squared error.

        The mean counts cells and does not sum weights. Without any map that counts the
        loss is 0.

        Raises: ValueError if outputs and targets differ in shape, or if there are fewer
            keypoints than are to be mined.
        """
        self._check(outputs, targets)
        outputs = heatmap_grid.at_least_float32(outputs)
        # What does not count is left out before it is squared, so that not even infinite
        # outputs reach the gradient from there.
        looked = targets.cells[..., None] & targets.counted[:, None, None]
        error = jnp.where(looked, outputs - targets.maps, 0)
        error = jnp.square(error).sum(axis=(2, 3))
        counted = jnp.broadcast_to(targets.counted, error.shape)
        if self.hardest:
            counted &= _largest(error, self.hardest)
        error = jnp.where(counted, error, 0) * targets.weight[:, None]
        loss = self.factor * self._mean(error, counted, targets.cells).sum()
        log = self.accuracy.metrics(outputs[-1], targets.maps, targets.drawn)
        return loss, {"loss": loss, **log}

    def decode(self, outputs: Float[Array, "s b h w k"]) -> Poses:
        """Pixels of the canvas; the score of a keypoint is its map's highest value.

        Points are not cut to whole numbers. The score of a person is the mean.
        """
        return heatmap_grid.poses(self.heatmaps(outputs), self.decoder, self.stride)

    def heatmaps(self, outputs: Float[Array, "s b h w k"]) -> Float[Array, "b h w k"]:
        """Those of the last stack."""
        return heatmap_grid.at_least_float32(outputs[-1])

    def true_heatmaps(self, targets: Targets) -> Float[Array, "b h w k"]:
        return targets.maps

    def flip(
        self, outputs: Float[Array, "s b h w k"], skeleton: Skeleton
    ) -> Float[Array, "s b h w k"]:
        """Exact, without a shift: the canvas and its grid of cells mirror alike.

        Raises: ValueError if the skeleton has another number of keypoints.
        """
        return heatmap_grid.flip(outputs, skeleton)

    def _centers(self, keypoints: Float[Array, "b k 2"]) -> Float[Array, "b k 2"]:
        """Pixels to cells."""
        if self.quantize_targets:
            return jnp.trunc((keypoints + 0.5) / self.stride)
        return heatmap_grid.to_cells(keypoints, self.stride)

    def _left_out(self, batch: Batch) -> Bool[Array, "b k"]:
        if not self.above_is_missing:
            return jnp.zeros(batch.visibility[:, 0].shape, bool)
        row = geometry.apply(batch.to_source[:, None], batch.keypoints)[:, 0, :, 1]
        # Row 0 counted from 1 is -1 in our pixels; annotations have three decimals, and
        # the way to the canvas and back rounds less than the last of them.
        return row < -0.9995

    def _counted(
        self, visibility: Int[Array, "b k"], reached: Bool[Array, "b k"]
    ) -> Bool[Array, "b k"]:
        if self.weighting == "none":
            return jnp.ones_like(reached)
        return reached & (visibility >= (2 if self.weighting == "visible" else 1))

    def _cells(self, mask: Array) -> Bool[Array, "b h w"]:
        if not self.masked:
            return jnp.ones((len(mask), *self.grid), bool)
        return heatmap_grid.shown(mask, self.stride) >= 0.5

    def _check(self, outputs: Float[Array, "s b h w k"], targets: Targets) -> None:
        heatmap_grid.check_outputs(outputs, targets.maps)
        if self.hardest > outputs.shape[-1]:
            raise ValueError(
                f"hardest={self.hardest} of {outputs.shape[-1]} keypoints; take fewer, "
                "or 0 for all"
            )

    def _mean(
        self,
        error: Float[Array, "s b k"],
        counted: Bool[Array, "s b k"],
        cells: Bool[Array, "b h w"],
    ) -> Float[Array, "s"]:
        _, b, k = error.shape
        if self.mean == "all":
            return error.sum(axis=(1, 2)) / (b * (self.hardest or k) * cells[0].size)
        area = (counted * cells.sum(axis=(1, 2))[:, None]).sum(axis=1)
        means = error.sum(axis=1) / jnp.maximum(area, 1)
        return means.sum(axis=1) / jnp.maximum((area > 0).sum(axis=1), 1)


def _largest(error: Float[Array, "s b k"], count: int) -> Bool[Array, "s b k"]:
    """The keypoints of each example and stack with the largest errors."""
    _, chosen = jax.lax.top_k(error, count)
    return jax.nn.one_hot(chosen, error.shape[-1], dtype=bool).any(axis=-2)
