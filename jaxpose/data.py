"""From prepared people to batches of canvases; batch n is a function of seed and n."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import grain
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from jaxpose import canvases, crops, geometry, loading, records
from jaxpose.skeletons import Skeleton
from jaxpose.types import Annotations, Batch

# (keypoints, visibility, size) of the training set -> a weight for each person.
Weighting = Callable[
    [
        Float[np.ndarray, "m k 2"],
        Int[np.ndarray, "m k"],
        Int[np.ndarray, "m 2"],
    ],
    Float[np.ndarray, "m"],
]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Data:
    """What a network sees: which people, and how a canvas is cut.

    Attributes:
        sources: data sets, one after the other.
        skeleton: keypoints are looked up by name; those a data set lacks are unlabeled.
        size: (height, width) of the canvas.
        mixture: chance of each source in a training batch; empty: by its number of
            people.
        weighting: gives every person a loss weight; () for weight 1.
        crop: extends and shifts the people's boxes; the default shows them as they are.
        border: `edge` repeats the photograph's outermost pixels when interpolating at
            its border; `zero` blends with black, as scikit-image 0.13 did; `box`
            repeats those of the box, as the TensorFlow DeepPose did, which cut it out
            before it resized it.
        antialias: decode photographs that shrink to half or less at reduced size.
        threads: that decode; 0 takes one for each core.
        workers: processes that decode, each with these threads; 0 for none.
    """

    sources: tuple[records.Source, ...]
    skeleton: Skeleton
    size: tuple[int, int]
    mixture: tuple[float, ...] = ()
    weighting: Weighting | tuple[()] = ()
    crop: crops.Crop = dataclasses.field(default_factory=crops.Crop)
    border: canvases.Border = "edge"
    antialias: bool = True
    threads: int = 0
    workers: int = 0

    def __post_init__(self) -> None:
        if self.mixture and len(self.mixture) != len(self.sources):
            raise ValueError(
                f"mixture={self.mixture} names {len(self.mixture)} chances for "
                f"{len(self.sources)} sources; give one each, or none"
            )

    @property
    def training_size(self) -> tuple[int, int]:
        return self.size

    def open(self, data_dir: str, manual_dir: str) -> "Examples":
        """Prepares what is missing and reads every annotation, but no photograph."""
        parts = [s.open(data_dir, manual_dir, self.skeleton) for s in self.sources]
        people = records.concatenate(parts)
        weight = np.ones(len(people), np.float32)
        if self.weighting:
            weight = self.weighting(people.keypoints, people.visibility, people.size)
        return Examples(self, people, weight, tuple(map(len, parts)))


@dataclasses.dataclass(frozen=True)
class Examples:
    """Opened data: annotations in memory, photographs within reach.

    Attributes:
        weight: loss weight of each person.
        lengths: people in each source.
    """

    data: Data
    people: records.People
    weight: Float[np.ndarray, "m"]
    lengths: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.people)

    @property
    def record(self) -> Int[np.ndarray, "m"]:
        return self.people.record

    @property
    def box_scores(self) -> Float[np.ndarray, "m"] | None:
        return self.people.more.get("score")

    @property
    def category(self) -> Int[np.ndarray, "m"] | None:
        return self.people.more.get("category_id")

    def annotations(self) -> Annotations:
        return self.people.annotations()

    def describe(self, row: int) -> str:
        return self.people.describe(row)

    def photograph(self, row: int) -> UInt8[np.ndarray, "h w 3"]:
        """RGB, whole. Raises: ValueError naming the record if it cannot be read."""
        return self.people.photographs.image(int(self.people.record[row]))

    def shown(
        self, row: int
    ) -> tuple[Float[np.ndarray, "1 k 2"], Int[np.ndarray, "1 k"]]:
        """Keypoints, in source pixels, and visibility of the person of a row."""
        return self.people.keypoints[[row]], self.people.visibility[[row]]

    def take(self, rows: Int[np.ndarray, "r"]) -> "Examples":
        """Some rows, in the order given, as one source.

        Raises: ValueError of people who were found, whose truth cannot be divided.
        """
        data = dataclasses.replace(self.data, mixture=())
        people = self.people.take(rows)
        return Examples(data, people, self.weight[rows], (len(rows),))

    def train_batches(
        self, *, seed: int, batch_size: int, start: int, stop: int, part: slice
    ) -> Iterator[Batch]:
        """Shuffled batches number start..stop-1; epochs follow without a seam.

        Args:
            seed: of the order and of the crops.
            batch_size: of the global batch.
            part: the rows of each global batch that this process loads.
        """
        order = self._order(seed)

        def load(step: int) -> Batch:
            first = step * batch_size
            places = range(first, first + batch_size)[part]
            draws = crops.draws(seed, first, batch_size)[part]
            return self.load(np.array([order[place] for place in places]), draws)

        return self._iterate(load, start, stop)

    def eval_batches(self, *, batch_size: int, part: slice) -> Iterator[Batch]:
        """Everybody once, in order; the last batch is padded with index -1."""

        def load(step: int) -> Batch:
            rows = loading.padded(step * batch_size, batch_size, len(self))
            return self.load(rows[part])

        return self._iterate(load, 0, -(-len(self) // batch_size))

    def _order(self, seed: int) -> grain.MapDataset:
        """Endless record numbers, each epoch shuffled anew."""
        if not self.data.mixture:
            return loading.shuffled(len(self), seed)
        ends = np.cumsum(self.lengths).tolist()
        parts = [
            loading.shuffled(n, seed, first=end - n)
            for end, n in zip(ends, self.lengths, strict=True)
        ]
        return grain.MapDataset.mix(parts, weights=self.data.mixture)

    def _iterate(
        self, load: Callable[[int], Batch], start: int, stop: int
    ) -> Iterator[Batch]:
        threads, workers = self.data.threads, self.data.workers
        return loading.iterate(load, start, stop, threads=threads, workers=workers)

    def load(
        self,
        rows: Int[np.ndarray, "b"],
        draws: Float[np.ndarray, "b 4"] | None = None,
    ) -> Batch:
        """Decodes and cuts these people's canvases; row -1 gives an empty one.

        Args:
            draws: of the crops; None, as for evaluation, is the middle of each range.

        Raises: ValueError naming the record if a photograph cannot be decoded.
        """
        people = self.people
        empty = loading.blank(self.data.size, 1, len(self.data.skeleton.keypoints))
        if draws is None:
            draws = np.full((len(rows), 4), 0.5)
        boxes = self.data.crop(people.box[rows], people.size[rows], draws)
        examples = [
            self._example(int(row), box) if row >= 0 else empty
            for row, box in zip(rows, boxes, strict=True)
        ]
        return loading.batch(rows, examples)

    def _example(self, row: int, box: Float[np.ndarray, "4"]) -> dict[str, Any]:
        people, data = self.people, self.data
        size, keypoints = people.size[row], people.keypoints[row].astype(np.float64)
        try:
            image, mask, to_canvas = canvases.cut(
                people.photographs.jpeg(int(people.record[row])),
                box,
                size=size,
                canvas_size=data.size,
                border=data.border,
                antialias=data.antialias,
                pixel=float(data.crop.pixel(size)),
            )
        except ValueError as error:
            raise ValueError(f"{people.describe(row)}: {error}") from None
        keypoints = geometry.apply(to_canvas, data.crop.keypoints(keypoints, box, size))
        return {
            "image": image,
            "mask": mask,
            "keypoints": keypoints[None].astype(np.float32),
            "visibility": people.visibility[row][None],
            "scale": np.array([_diagonal(keypoints, people.visibility[row] > 0)]),
            "weight": self.weight[row],
            "to_source": geometry.invert(to_canvas).astype(np.float32),
        }


def _diagonal(
    keypoints: Float[np.ndarray, "k 2"], labeled: Bool[np.ndarray, "k"]
) -> np.float32:
    """Of the tight box, in canvas pixels; 1 where nothing is labeled."""
    if not labeled.any():
        return np.float32(1)
    box = geometry.tight_box(keypoints, labeled)
    return np.float32(max(np.hypot(*(box[2:] - box[:2])), 1.0))
