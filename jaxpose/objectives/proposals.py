"""Several people a canvas: every cell proposes parts of people, and limbs between them."""

import dataclasses
import math
from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Shaped

from jaxpose.objectives import heatmap_grid, proposal_maps, proposal_targets
from jaxpose.objectives.proposal_maps import ProposalMaps
from jaxpose.objectives.proposal_parts import Parts
from jaxpose.skeletons import Skeleton
from jaxpose.types import Batch, Metrics, Poses


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Targets:
    """What a batch asks of the network, on the grid of cells.

    Attributes:
        there: cells in which a part is.
        seen: cells of which the response is asked.
        box: of the parts that are there: centre x and y, width and height, in pixels.
        limbs: pairs of cells with two parts of a person, as in `ProposalMaps`.
        limbs_seen: pairs of which that is asked: one of the two parts is there.
    """

    there: Bool[Array, "b i j k"]
    seen: Bool[Array, "b i j k"]
    box: Float[Array, "b i j k 4"]
    limbs: Bool[Array, "b i j wi wj l"]
    limbs_seen: Bool[Array, "b i j wi wj l"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Proposals:
    """Squared errors of parts' responses, IoUs and boxes, and of limbs.

    Outputs are "b i j c", as `proposal_maps` tells. A cell has room for one part of each
    type: of several people's it holds the one with the largest head, who is nearest to
    the camera. `Batch.scale` must hold sizes of heads. A keypoint that is not labeled is
    background, since nothing tells where it would be. Canvases may have other sizes than
    `size`, the network permitting, and any number of people.

    Attributes:
        size: (height, width) of the canvas in pixels; multiples of the stride. Boxes are
            measured in it.
        parts: what is looked for.
        decoder: finds people in the proposals.
        stride: pixels of the canvas in a cell, along each axis.
        window: (height, width), both odd, of the cells around the start of a limb in
            which it ends.
        response: factor of the loss of responses; 1 where a part is, 0 elsewhere.
        iou: the same of predicted IoUs.
        position: the same of places within cells.
        extent: the same of widths and heights, as roots of shares of `size`.
        limb: the same of limbs.
        position_error: of places, in cells: `squared` as in the paper, or `absolute`, by
            which hidden keypoints, that nobody can place, outweigh those in sight less.
        origin: x and y of the pixel where the first cell begins: -0.5 is the edge of the
            canvas. The original has 0, half a pixel off.
        head_keypoints: measure heads between these two keypoints, labeled or not, as the
            original does between head top and neck; () takes `Batch.scale`.
        one_end_labeled: a part between two keypoints is there if the first is labeled,
            and in their middle wherever the second is said to be, as in the original.
        last_person_wins: a cell holds the part of the last person of several, as in the
            original.
        look_everywhere: responses are asked of cells that the batch masks too, as in the
            original, so that people in crowds are background.

    Raises: ValueError if a field is out of range.

    Source: Sekii 2018, "Pose proposal networks".
    """

    size: tuple[int, int]
    parts: Parts
    decoder: Callable[[ProposalMaps], Poses]
    stride: int = 32
    window: tuple[int, int] = (9, 9)
    response: float = 0.25
    iou: float = 1.0
    position: float = 5.0
    extent: float = 5.0
    limb: float = 0.5
    position_error: Literal["squared", "absolute"] = "squared"
    origin: float = -0.5
    head_keypoints: tuple[int, int] | tuple[()] = ()
    one_end_labeled: bool = False
    last_person_wins: bool = False
    look_everywhere: bool = False

    def __post_init__(self) -> None:
        heatmap_grid.check_canvas(self.size, self.stride)
        if any(side < 1 or side % 2 == 0 for side in self.window):
            raise ValueError(
                f"window={self.window} has no middle; make both sides odd, such as 9"
            )
        for name in ("response", "iou", "position", "extent", "limb"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name}={getattr(self, name)} must be 0 or positive")
        if self.position_error not in _ERRORS:
            raise ValueError(
                f"position_error={self.position_error!r} is not one of {tuple(_ERRORS)}"
            )
        count = len(self.parts.skeleton.keypoints)
        if any(not 0 <= i < count for i in self.head_keypoints):
            raise ValueError(
                f"head_keypoints={self.head_keypoints} must be two of the {count} of "
                f"{self.parts.skeleton.name}, or ()"
            )

    def targets(self, batch: Batch, step: Int[Array, ""]) -> Targets:
        """Parts beyond the grid are nowhere.

        Raises: ValueError for canvases that do not divide into cells, or for keypoints
            of another skeleton.
        """
        canvas = (batch.image.shape[1], batch.image.shape[2])
        heatmap_grid.check_canvas(canvas, self.stride)
        self._check_keypoints(batch.keypoints)
        head = self._heads(batch)
        found = proposal_targets.find(
            batch.keypoints,
            batch.visibility > 0,
            head,
            self.parts,
            canvas=canvas,
            one_end_labeled=self.one_end_labeled,
        )
        if not self.last_person_wins:
            found = proposal_targets.largest_last(found, head)
        owner = proposal_targets.owners(
            found,
            grid=heatmap_grid.cells(canvas, self.stride),
            stride=self.stride,
            origin=self.origin,
        )
        limbs, limbs_seen = proposal_targets.limbs_of(owner, self.parts, self.window)
        there = owner >= 0
        # What is known to be there is asked for even where the mask hides the rest.
        shown = heatmap_grid.shown(batch.mask, self.stride)[..., None] > 0.5
        return Targets(
            there=there,
            seen=jnp.ones_like(there) if self.look_everywhere else shown | there,
            box=proposal_targets.boxes_of(found, owner),
            limbs=limbs,
            limbs_seen=limbs_seen,
        )

    def loss(
        self, outputs: Float[Array, "b i j c"], targets: Targets
    ) -> tuple[Float[Array, ""], Metrics]:
        """Sums of the errors, times their factors, over examples.

        The IoU that is asked for is that of the proposed box with the true one, and the
        box does not learn from it. Logged are the five with their factors, as in the
        original's curves.

        Raises: ValueError if outputs and targets differ in shape.
        """
        of_parts, limbs = proposal_maps.fields(outputs, self.parts, self.window)
        if limbs.shape != targets.limbs.shape:
            raise ValueError(
                f"outputs of {limbs.shape[:3]} and targets of {targets.limbs.shape[:3]} "
                "(batch, rows, columns); check the network's stride"
            )
        there = targets.there
        place = (targets.box[..., :2] - self.origin) / self.stride
        place -= proposal_maps.corners(there.shape[1:3])
        root = jnp.sqrt(targets.box[..., 2:] / jnp.array(self.size[::-1]))
        position_error = _ERRORS[self.position_error]
        errors = {
            "response": _squared(of_parts[..., 0] - there, targets.seen),
            "iou": _squared(of_parts[..., 1] - self._overlap(of_parts, targets), there),
            "position": position_error(of_parts[..., 2:4] - place, there[..., None]),
            "extent": _squared(of_parts[..., 4:] - root, there[..., None]),
            "limb": _squared(limbs - targets.limbs, targets.limbs_seen),
        }
        log = {
            name: getattr(self, name) * error / len(outputs)
            for name, error in errors.items()
        }
        loss = sum(log.values())
        return loss, {"loss": loss, **log}

    def decode(self, outputs: Float[Array, "b i j c"]) -> Poses:
        """Pixels of the canvas, as the decoder finds them."""
        return self.decoder(
            proposal_maps.split(
                outputs,
                self.parts,
                window=self.window,
                size=self.size,
                stride=self.stride,
                origin=self.origin,
            )
        )

    def within(
        self, outputs: Float[Array, "b i j c"], mask: Shaped[Array, "b y x"]
    ) -> Float[Array, "b i j c"]:
        """Responses are 0 there: no loss has looked beside photographs."""
        inside = heatmap_grid.touched(mask, (outputs.shape[1], outputs.shape[2]))
        number = jnp.arange(outputs.shape[-1])
        other = number >= proposal_maps.FIELDS * len(self.parts)
        other |= number % proposal_maps.FIELDS > 0
        return jnp.where(inside[..., None] | other, outputs, 0)

    def flip(
        self, outputs: Float[Array, "b i j c"], skeleton: Skeleton
    ) -> Float[Array, "b i j c"]:
        """Exact, without a shift; left and right change places.

        Raises: ValueError if the parts are of another skeleton.
        """
        if skeleton.flip != self.parts.skeleton.flip:
            raise ValueError(
                f"the skeleton {skeleton.name} has another mirror than that of the parts, "
                f"{self.parts.skeleton.name}; give the skeleton of the parts"
            )
        return proposal_maps.flip(
            outputs,
            self.parts,
            window=self.window,
            stride=self.stride,
            origin=self.origin,
        )

    def heatmaps(self, outputs: Float[Array, "b i j c"]) -> Float[Array, "b i j n"]:
        """Responses of the parts that keypoints are; 0 for those that are none.

        Unlike those that people are found by, also beside the photograph.
        """
        of_parts, _ = proposal_maps.fields(outputs, self.parts, self.window)
        return self._by_keypoint(of_parts[..., 0])

    def true_heatmaps(self, targets: Targets) -> Float[Array, "b i j n"]:
        return self._by_keypoint(targets.there.astype(jnp.float32))

    def _by_keypoint(self, maps: Float[Array, "b i j k"]) -> Float[Array, "b i j n"]:
        part = jnp.array(self.parts.part_of)
        return jnp.where(part >= 0, maps[..., part], 0)

    def _heads(self, batch: Batch) -> Float[Array, "b p"]:
        if not self.head_keypoints:
            return batch.scale
        ends = batch.keypoints[:, :, jnp.array(self.head_keypoints)]
        ends = jnp.where(jnp.isfinite(ends), ends, 0)
        return jnp.linalg.norm(ends[:, :, 0] - ends[:, :, 1], axis=-1)

    def _overlap(
        self, of_parts: Float[Array, "b i j k 6"], targets: Targets
    ) -> Float[Array, "b i j k"]:
        """Of proposed boxes with true ones; nothing is learned from it."""
        proposed = proposal_maps.boxes(
            jax.lax.stop_gradient(of_parts),
            size=self.size,
            stride=self.stride,
            origin=self.origin,
        )
        return proposal_maps.overlap(
            jnp.moveaxis(proposed, -1, 0), jnp.moveaxis(targets.box, -1, 0)
        )

    def _check_keypoints(self, keypoints: Float[Array, "b p n 2"]) -> None:
        count = len(self.parts.skeleton.keypoints)
        if keypoints.shape[2] != count:
            raise ValueError(
                f"{keypoints.shape[2]} keypoints a person, but the parts are made of the "
                f"{count} of {self.parts.skeleton.name}; give data of that skeleton"
            )


# Left out before anything is made of it: not even infinite outputs reach the gradient.
def _squared(error: Float[Array, "*n"], asked: Bool[Array, "*n"]) -> Float[Array, ""]:
    return jnp.square(jnp.where(asked, error, 0)).sum()


def _absolute(error: Float[Array, "*n"], asked: Bool[Array, "*n"]) -> Float[Array, ""]:
    return jnp.abs(jnp.where(asked, error, 0)).sum()


_ERRORS = {"squared": _squared, "absolute": _absolute}
