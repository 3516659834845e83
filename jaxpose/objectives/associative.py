"""Several people a canvas: heatmaps, and tags that tell whose keypoint is whose."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Shaped

from jaxpose.objectives import (
    grouping,
    heatmap_drawing,
    heatmap_grid,
    tag_losses,
)
from jaxpose.skeletons import Skeleton
from jaxpose.types import Batch, Metrics, Poses

FORMS = ("separate", "paper")


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Targets:
    """What a batch asks of the network, on the grid of cells.

    Attributes:
        maps: of each cell, the height of the nearest keypoint's peak.
        seen: cells that the detection loss looks at.
        cell: of each keypoint, counted in reading order; 0 for those not counted.
        counted: keypoints that are labeled and on the grid.
        weight: of the example.
    """

    maps: Float[Array, "b h w k"]
    seen: Bool[Array, "b h w"]
    cell: Int[Array, "b p k"]
    counted: Bool[Array, "b p k"]
    weight: Float[Array, "b"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Associative:
    """Squared error of heatmaps, with losses that pull and push tags.

    Outputs are "s b h w c" from s stacks, of which the last is read. Of the c = k (1 + d)
    channels the first k are heatmaps; blocks of k follow, each a dimension of the tags.
    A cell is a square of stride x stride pixels, so that cell c is centred on pixel
    (c + 0.5) x stride - 0.5. Canvases may have other sizes than `size`, the network
    permitting, and any number of people.

    Attributes:
        size: (height, width) of the canvas in pixels; multiples of the stride.
        num_keypoints: k.
        stride: pixels of the canvas in a cell, along each axis.
        sigma: of the Gaussian peaks, in cells.
        tags: d, dimensions of a tag.
        push: factor of the loss that keeps the tags of different people apart.
        pull: factor of the loss that keeps the tags of a person together.
        detection: factor of the heatmaps' loss.
        form: of the push. `separate` looks at pairs of different people, as the
            original's compiled code does; `paper` as it was written: a person counts as
            its own neighbour, and distances are measured in `tag_sigma`. The pull is
            the compiled code's in both.
        tag_sigma: of the `paper` form, which does not tell its own.
        window: where peaks are cut off: `heatmap_drawing.smooth` nowhere, `wide_patch`
            as in the original.
        quantize_targets: put keypoints on the whole cell int(pixel / stride), as the
            original does: half a pixel off, and with up to a cell left of the canvas
            and above it on the grid. Off, peaks are drawn between cells.
        weighted: multiply the losses of an example by its weight.
        decoder: finds keypoints in the maps and people by their tags.

    Raises: ValueError if a field is out of range.

    Source: Newell et al. 2017, "Associative embedding".
    """

    size: tuple[int, int]
    num_keypoints: int
    stride: int = 4
    sigma: float = 2.0
    tags: int = 1
    push: float = 1e-3
    pull: float = 1e-3
    detection: float = 1.0
    form: Literal["separate", "paper"] = "separate"
    tag_sigma: float = 1.0
    window: heatmap_drawing.Window = heatmap_drawing.smooth
    quantize_targets: bool = False
    weighted: bool = False
    decoder: grouping.Grouping = dataclasses.field(default_factory=grouping.Grouping)

    def __post_init__(self) -> None:
        heatmap_grid.check_canvas(self.size, self.stride)
        heatmap_grid.check_sigma(self.sigma)
        if self.form not in FORMS:
            raise ValueError(f"form={self.form!r} is not one of {FORMS}")
        for name in ("num_keypoints", "tags"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be 1 or more")
        for name in ("push", "pull", "detection"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name}={getattr(self, name)} must be 0 or positive")
        if not 0 < self.tag_sigma < math.inf:
            raise ValueError(f"tag_sigma={self.tag_sigma} must be positive, such as 1")

    def targets(self, batch: Batch, step: Int[Array, ""]) -> Targets:
        """Keypoints beyond the grid have neither a peak nor a tag.

        Raises: ValueError for canvases that do not divide into cells.
        """
        canvas = (batch.image.shape[1], batch.image.shape[2])
        heatmap_grid.check_canvas(canvas, self.stride)
        height, width = heatmap_grid.cells(canvas, self.stride)
        labeled = batch.visibility > 0
        # Unlabeled coordinates may be anything, even infinite.
        keypoints = jnp.where(labeled[..., None], batch.keypoints, 0)
        center, cell = self._place(keypoints)
        inside = (cell >= 0) & (cell < jnp.array([width, height]))
        counted = labeled & inside.all(axis=-1)
        number = jnp.where(counted, cell[..., 1] * width + cell[..., 0], 0)
        maps = heatmap_drawing.draw_people(
            center,
            counted,
            jnp.asarray(self.sigma, center.dtype),
            size=(height, width),
            window=self.window,
        )
        weight = batch.weight if self.weighted else jnp.ones_like(batch.weight)
        return Targets(
            maps=maps,
            seen=heatmap_grid.shown(batch.mask, self.stride) > 0.5,
            cell=number.astype(jnp.int32),
            counted=counted,
            weight=weight,
        )

    def loss(
        self, outputs: Float[Array, "s b h w c"], targets: Targets
    ) -> tuple[Float[Array, ""], Metrics]:
        """The three losses times their factors; each a mean over stacks and examples.

        The squared error is a mean over all cells, seen or not. Logged are the three
        before their factors.

        Raises: ValueError if outputs and targets differ in shape.
        """
        self._check(outputs, targets)
        # What is not seen is left out before it is squared, so that not even infinite
        # outputs reach the gradient from there.
        maps = heatmap_grid.at_least_float32(outputs[..., : self.num_keypoints])
        error = jnp.where(targets.seen[..., None], maps - targets.maps, 0)
        tags = self._tags_at(outputs, targets.cell)
        push = (
            tag_losses.push(tags, targets.counted)
            if self.form == "separate"
            else tag_losses.paper_push(tags, targets.counted, self.tag_sigma)
        )
        losses = {
            "push": push,
            "pull": tag_losses.pull(tags, targets.counted),
            "detection": jnp.square(error).mean(axis=(2, 3, 4)),
        }
        log = {name: (x * targets.weight).mean() for name, x in losses.items()}
        loss = sum(getattr(self, name) * x for name, x in log.items())
        return loss, {"loss": loss, **log}

    def decode(self, outputs: Float[Array, "s b h w c"]) -> Poses:
        """Pixels of the canvas; nan, with the score 0, for keypoints without a place.

        Nobody, who fills the row of an image, has no keypoint and the score 0. The tags
        may have any number of dimensions, as after `merge`.
        """
        cells, scores, person_scores = self.decoder(
            self.heatmaps(outputs), self.tag_maps(outputs)
        )
        return Poses(
            keypoints=heatmap_grid.to_pixels(cells, self.stride),
            scores=scores,
            person_scores=person_scores,
        )

    def flip(
        self, outputs: Float[Array, "s b h w c"], skeleton: Skeleton
    ) -> Float[Array, "s b h w c"]:
        """Exact, without a shift; left and right change places in maps and tags.

        Raises: ValueError if the skeleton has another number of keypoints.
        """
        blocks = outputs.shape[-1] // self.num_keypoints
        parts = jnp.split(outputs, blocks, axis=-1)
        return jnp.concatenate(
            [heatmap_grid.flip(part, skeleton) for part in parts], axis=-1
        )

    def merge(
        self, views: Sequence[Float[Array, "s b _ _ c"]], scales: Sequence[float]
    ) -> Float[Array, "1 b h w d"]:
        """Mean heatmaps on the grid of the first view, and all tags side by side.

        A network names people anew in every view, so that a mean of tags would say
        nothing: each view adds its dimensions. As in the original, tags of scales that
        differ from 1 by a half or more are left out. Unlike there, a view with heights
        above 10 counts too, so that a network that diverges does not go unseen, and
        heights are not cut at 1, where a cut peak would be flat.

        Raises: ValueError if scales and views differ in number, or if no scale is
            close to 1.
        """
        close = [abs(scale - 1) < 0.5 for scale in scales]
        if len(scales) != len(views) or not any(close):
            raise ValueError(
                f"scales {tuple(scales)} of {len(views)} views; give each view its "
                "scale, one of them 1.0, whose tags are read"
            )
        _, _, height, width, _ = views[0].shape
        grid, k = (height, width), self.num_keypoints
        last = [heatmap_grid.at_least_float32(view[-1]) for view in views]
        maps = [heatmap_grid.resize(view[..., :k], grid) for view in last]
        tags = [
            heatmap_grid.resize(view[..., k:], grid)
            for view, near in zip(last, close)
            if near
        ]
        mean = jnp.stack(maps).mean(axis=0)
        return jnp.concatenate([mean, *tags], axis=-1)[None]

    def within(
        self, outputs: Float[Array, "s b h w c"], mask: Shaped[Array, "b y x"]
    ) -> Float[Array, "s b h w c"]:
        """Heatmaps are 0 there: no loss has looked beside photographs."""
        inside = heatmap_grid.touched(mask, (outputs.shape[2], outputs.shape[3]))
        tags = jnp.arange(outputs.shape[-1]) >= self.num_keypoints
        return jnp.where(inside[..., None] | tags, outputs, 0)

    def heatmaps(self, outputs: Float[Array, "s b h w c"]) -> Float[Array, "b h w k"]:
        """Those of the last stack."""
        return heatmap_grid.at_least_float32(outputs[-1, ..., : self.num_keypoints])

    def true_heatmaps(self, targets: Targets) -> Float[Array, "b h w k"]:
        return targets.maps

    def tag_maps(self, outputs: Float[Array, "s b h w c"]) -> Float[Array, "b h w k d"]:
        """Those of the last stack, a vector for each cell and keypoint."""
        tags = heatmap_grid.at_least_float32(outputs[-1, ..., self.num_keypoints :])
        blocks = tags.reshape(*tags.shape[:-1], -1, self.num_keypoints)
        return jnp.moveaxis(blocks, -2, -1)

    def _place(
        self, keypoints: Float[Array, "b p k 2"]
    ) -> tuple[Float[Array, "b p k 2"], Float[Array, "b p k 2"]]:
        """Where on the grid keypoints are drawn, and in which cells they lie."""
        if self.quantize_targets:
            cell = jnp.trunc(keypoints / self.stride)
            return cell, cell
        cell = jnp.floor((keypoints + 0.5) / self.stride)
        return heatmap_grid.to_cells(keypoints, self.stride), cell

    def _tags_at(
        self, outputs: Float[Array, "s b h w c"], cell: Int[Array, "b p k"]
    ) -> Float[Array, "s b p k d"]:
        s, b, h, w, _ = outputs.shape
        tags = outputs[..., self.num_keypoints :]
        tags = tags.reshape(s, b, h * w, self.tags, self.num_keypoints)
        read = jnp.take_along_axis(tags, cell[None, :, :, None], axis=2, mode="clip")
        return heatmap_grid.at_least_float32(jnp.moveaxis(read, -2, -1))

    def _check(self, outputs: Float[Array, "s b h w c"], targets: Targets) -> None:
        channels = self.num_keypoints * (1 + self.tags)
        expected = (*targets.maps.shape[:3], channels)
        if outputs.ndim != 5 or outputs.shape[1:] != expected:
            raise ValueError(
                f"outputs of shape {outputs.shape}, must be (stacks, {expected}): "
                f"batch, height and width in cells, and {self.num_keypoints} keypoints x "
                f"(1 + {self.tags} tags); check the network's keypoints, tags and stride"
            )
