"""Arrays and interfaces that cross module boundaries."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree, Shaped

from jaxpose.skeletons import Skeleton

Metrics = dict[str, Float[Array, ""]]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Batch:
    """Examples of fixed shape: b images with p people of k keypoints each.

    Attributes:
        image: RGB; uint8 in 0..255 from the host, float in 0..1 after augmentation.
        keypoints: (x, y) in pixels of `image`, whose top-left pixel centre is (0, 0).
        visibility: 0 unlabeled, 1 labeled but hidden, 2 visible.
        scale: the length that sizes things for a person, in pixels of `image`.
        weight: loss weight of the example; 1 unless rarity weighting is on.
        mask: 1 where the loss may look, 0 elsewhere (crowds, outside the photograph); of
            scenes that are evaluated, 1 on the whole photograph.
        to_source: affine map from pixels of `image` to pixels of the photograph.
        index: record number in the concatenated data sets; -1 marks padding.
    """

    image: Shaped[Array, "b h w 3"]
    keypoints: Float[Array, "b p k 2"]
    visibility: Int[Array, "b p k"]
    scale: Float[Array, "b p"]
    weight: Float[Array, "b"]
    mask: Shaped[Array, "b h w"]
    to_source: Float[Array, "b 2 3"]
    index: Int[Array, "b"]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Poses:
    """Predicted people: keypoints (x, y) in pixels, and their scores.

    On the device in pixels of the network's input, as numpy arrays in source pixels
    once the poses of a whole split are gathered. A keypoint without a place is nan, and
    nobody, who fills a row, has nan everywhere and the scores 0.
    """

    keypoints: Float[Array | np.ndarray, "b p k 2"]
    scores: Float[Array | np.ndarray, "b p k"]
    person_scores: Float[Array | np.ndarray, "b p"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Regions:
    """Where metrics of several people do not look: r boxes over a whole split.

    Attributes:
        image_id: the photographs, numbered as in `Annotations`.
        box: (x0, y0, x1, y1) in source pixels, 0-based.
        area: square pixels of what is seen there; nan where unknown.
        crowd: several people, who may be predicted any number of times; without it, one
            person with too few labeled keypoints.
    """

    image_id: Int[np.ndarray, "r"]
    box: Float[np.ndarray, "r 4"]
    area: Float[np.ndarray, "r"]
    crowd: Bool[np.ndarray, "r"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Annotations:
    """The ground truth of a whole split, read without decoding an image.

    Every row holds p people; one without labeled keypoints and with a box of nan is
    nobody, and fills the row. What a source does not tell is None or empty.

    Attributes:
        keypoints: (x, y) in source pixels, 0-based.
        visibility: 0 unlabeled, 1 labeled but hidden, 2 visible.
        size: (height, width) of the photographs.
        names: file names of the photographs.
        image_id: numbers of the photographs: rows of one number show the same one.
            None: every row shows its own, numbered from 0.
        head_box: (x0, y0, x1, y1) around the head, in source pixels, 0-based.
        box: the same, around what is seen of the person; nan where unknown.
        area: square pixels of what is seen of the person; nan where unknown.
        ignored: people who are not annotated one by one, or by too few keypoints.
    """

    keypoints: Float[np.ndarray, "n p k 2"]
    visibility: Int[np.ndarray, "n p k"]
    size: Int[np.ndarray, "n 2"] | None = None
    names: tuple[str, ...] = ()
    image_id: Int[np.ndarray, "n"] | None = None
    head_box: Float[np.ndarray, "n p 4"] | None = None
    box: Float[np.ndarray, "n p 4"] | None = None
    area: Float[np.ndarray, "n p"] | None = None
    ignored: Regions | None = None

    @property
    def labeled(self) -> Bool[np.ndarray, "n p k"]:
        return self.visibility > 0

    @property
    def photographs(self) -> Int[np.ndarray, "n"]:
        """The number of each row's, also where the source tells none."""
        if self.image_id is None:
            return np.arange(len(self.keypoints))
        return self.image_id

    def take(self, rows: slice) -> "Annotations":
        """Some rows; the ignored regions, which belong to photographs, all stay."""
        return dataclasses.replace(
            self,
            **{
                field.name: value[rows]
                for field in dataclasses.fields(self)
                if field.name != "ignored"
                and (value := getattr(self, field.name)) is not None
            },
        )


def single_person(
    poses: Poses, annotations: Annotations, skeleton: Skeleton
) -> tuple[
    Float[np.ndarray, "n k 2"], Float[np.ndarray, "n k 2"], Bool[np.ndarray, "n k"]
]:
    """Predicted keypoints, true keypoints and which are labeled, one person an image.

    Raises: ValueError if an image has several people, or if predictions, truth and
        skeleton disagree on the number of images or keypoints.
    """
    predicted = np.asarray(poses.keypoints)
    truth = annotations.keypoints
    expected = (len(truth), 1, len(skeleton.keypoints), 2)
    for name, shape in (("predicted", predicted.shape), ("true", truth.shape)):
        if shape != expected:
            raise ValueError(
                f"{name} keypoints have shape {shape}, must be {expected}: as many "
                f"images as the truth, one person each, keypoints of {skeleton.name}; "
                "use a multi-person metric for several people"
            )
    return predicted[:, 0], truth[:, 0], annotations.labeled[:, 0]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table:
    """Named numbers of one metric over one split.

    Attributes:
        name: what is measured, with its threshold, such as `PCK@0.2`.
        convention: everything that must be known to reproduce the numbers.
        values: one number a keypoint, limb or part; nan where nothing is labeled.
        mean: the headline number.
        extra: further summaries, such as an area under the curve.
        row: of a metric in percent, what the source of its convention prints side by
            side, under its names.
    """

    name: str
    convention: str
    values: Mapping[str, float]
    mean: float
    extra: Mapping[str, float] = dataclasses.field(default_factory=dict)
    row: Mapping[str, float] = dataclasses.field(default_factory=dict)


class Metric(Protocol):
    """Scores the predictions of a whole split against its annotations."""

    def __call__(
        self, poses: Poses, annotations: Annotations, skeleton: Skeleton
    ) -> Table: ...


class Objective(Protocol):
    """What the outputs of a network mean, for canvases of `size` (height, width)."""

    @property
    def size(self) -> tuple[int, int]: ...

    def targets(self, batch: Batch, step: Int[Array, ""]) -> PyTree:
        """Encodes the keypoints of a batch as what the outputs should be."""

    def loss(
        self, outputs: PyTree, targets: PyTree
    ) -> tuple[Float[Array, ""], Metrics]:
        """Scalar to descend, and scalars to log."""

    def decode(self, outputs: PyTree) -> Poses:
        """Reads poses, in pixels of the input image, out of the outputs."""

    def flip(self, outputs: PyTree, skeleton: Skeleton) -> PyTree:
        """Turns the outputs for a mirrored image into those for the image."""


@runtime_checkable
class HeatmapObjective(Objective, Protocol):
    """An objective of networks that say where keypoints are by maps over the canvas.

    Its maps are shown beside the true ones; other objectives leave both methods out.
    """

    def heatmaps(self, outputs: PyTree) -> Float[Array, "b h w k"]:
        """What the outputs say, one map a keypoint."""

    def true_heatmaps(self, targets: PyTree) -> Float[Array, "b h w k"]:
        """What they should say, in the same unit; 0 for unlabeled keypoints."""


@runtime_checkable
class ViewsObjective(Objective, Protocol):
    """An objective whose outputs for several views of a canvas are not just averaged.

    A view is the canvas at one scale, plain or mirrored.
    """

    def merge(self, views: Sequence[PyTree], scales: Sequence[float]) -> PyTree:
        """One set of outputs, that `decode` reads in pixels of the first view.

        Args:
            views: outputs of the network; those for mirrored canvases already flipped.
            scales: of each view, in sizes of the objective's canvas.
        """


@runtime_checkable
class FramedObjective(Objective, Protocol):
    """An objective that finds people anywhere on a canvas, also beside the photograph."""

    def within(self, outputs: PyTree, mask: Shaped[Array, "b y x"]) -> PyTree:
        """Outputs with nobody where the mask is 0, on canvases of any scale."""


class Learner(Protocol):
    """How the parameters of one or several networks move."""

    objective: Objective

    def init(self, key: Any, batch: Batch) -> PyTree:
        """Fresh state; arrays only, with the step number as field `step`."""

    def train_step(
        self, state: PyTree, batch: Batch, key: Any
    ) -> tuple[PyTree, Metrics]:
        """One update from one global batch; pure."""

    def outputs(self, state: PyTree, image: Shaped[Array, "b h w 3"]) -> PyTree:
        """What the trained network says about images."""


@runtime_checkable
class AdvisingLearner(Learner, Protocol):
    """A learner that can tell from the log when its training goes astray."""

    def advice(self, lines: Sequence[Mapping[str, float]]) -> tuple[str, ...]:
        """What a person should be told now; each text is said once while it stays.

        Args:
            lines: the log of this session, oldest first; means over each line's steps.
        """


@runtime_checkable
class ReconstructingLearner(Learner, Protocol):
    """A learner whose discriminator reconstructs heatmaps, which are shown as well."""

    def reconstruct(
        self,
        state: PyTree,
        image: Float[Array, "b y x 3"],
        maps: Float[Array, "b h w k"],
    ) -> Float[Array, "b h w k"]:
        """What the discriminator makes of heatmaps of its objective, for images."""


@runtime_checkable
class PhasedLearner(Learner, Protocol):
    """A learner whose steps ask for different work, such as one stage after another.

    Its `train_step` finds out by the number of the step, in one program that can do
    everything. XLA on CPU computes the gradient of a convolution inside a branch 35
    times slower than outside of one, so that the loop compiles each phase by itself.
    """

    def phase(self, step: int) -> int:
        """Which work a step asks for."""

    def only(self, phase: int) -> Learner:
        """The same learner for steps of one phase."""
