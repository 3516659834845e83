"""From prepared people to batches of canvases; batch n is a function of seed and n."""

import dataclasses
import os
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import grain
import numpy as np
from absl import flags
from jaxtyping import Bool, Float, Int, UInt8

from jaxpose import geometry, prepared, records
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
        border: `edge` repeats the photograph's outermost pixels when interpolating at
            its border; `zero` blends with black, as scikit-image 0.13 did.
        antialias: decode photographs that shrink to half or less at reduced size.
        threads: that decode; 0 takes one for each core.
        workers: processes that decode, each with these threads; 0 for none.
    """

    sources: tuple[records.Source, ...]
    skeleton: Skeleton
    size: tuple[int, int]
    mixture: tuple[float, ...] = ()
    weighting: Weighting | tuple[()] = ()
    border: geometry.Border = "edge"
    antialias: bool = True
    threads: int = 0
    workers: int = 0

    def __post_init__(self) -> None:
        if self.mixture and len(self.mixture) != len(self.sources):
            raise ValueError(
                f"mixture={self.mixture} names {len(self.mixture)} chances for "
                f"{len(self.sources)} sources; give one each, or none"
            )

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

    def annotations(self) -> Annotations:
        return self.people.annotations()

    def train_batches(
        self, *, seed: int, batch_size: int, start: int, stop: int, part: slice
    ) -> Iterator[Batch]:
        """Shuffled batches number start..stop-1; epochs follow without a seam.

        Args:
            batch_size: of the global batch.
            part: the rows of each global batch that this process loads.
        """
        order = self._order(seed)

        def load(step: int) -> Batch:
            rows = range(step * batch_size, (step + 1) * batch_size)[part]
            return self.load(np.array([order[row] for row in rows]))

        return self._iterate(grain.MapDataset.range(start, stop).map(load))

    def eval_batches(self, *, batch_size: int, part: slice) -> Iterator[Batch]:
        """Everybody once, in order; the last batch is padded with index -1."""
        count = -(-len(self) // batch_size)

        def load(step: int) -> Batch:
            rows = np.arange(step * batch_size, (step + 1) * batch_size)[part]
            return self.load(np.where(rows < len(self), rows, -1))

        return self._iterate(grain.MapDataset.range(count).map(load))

    def _order(self, seed: int) -> grain.MapDataset:
        """Endless record numbers, each epoch shuffled anew."""
        # Grain's shuffle of epoch e uses seed + e; hashing keeps the runs of
        # neighbouring seeds from being the same epochs in another order.
        mixed = int(np.random.SeedSequence(seed).generate_state(1)[0])
        if not self.data.mixture:
            return grain.MapDataset.range(len(self)).shuffle(seed=mixed).repeat()
        ends = np.cumsum(self.lengths).tolist()
        parts = [
            grain.MapDataset.range(end - n, end).shuffle(seed=mixed).repeat()
            for end, n in zip(ends, self.lengths, strict=True)
        ]
        return grain.MapDataset.mix(parts, weights=self.data.mixture)

    def _iterate(self, batches: grain.MapDataset) -> Iterator[Batch]:
        threads = self.data.threads or os.cpu_count() or 1
        options = grain.ReadOptions(
            num_threads=threads, prefetch_buffer_size=threads + 2
        )
        dataset = batches.to_iter_dataset(options)
        if self.data.workers:
            # Grain reads absl's flags, which a notebook or a test has not parsed.
            if not flags.FLAGS.is_parsed():
                flags.FLAGS.mark_as_parsed()
            dataset = dataset.mp_prefetch(
                grain.MultiprocessingOptions(num_workers=self.data.workers)
            )
        return iter(dataset)

    def load(self, rows: Int[np.ndarray, "b"]) -> Batch:
        """Decodes and cuts these people's canvases; row -1 gives an empty one.

        Raises: ValueError naming the record if a photograph cannot be decoded.
        """
        empty = self._empty()
        examples = [self._example(int(row)) if row >= 0 else empty for row in rows]
        fields: dict[str, Any] = {"index": rows.astype(np.int32)}
        for name in empty:
            fields[name] = np.stack([example[name] for example in examples])
        return Batch(**fields)

    def _example(self, row: int) -> dict[str, Any]:
        people, data = self.people, self.data
        jpeg = people.photographs.jpeg(int(people.record[row]))
        try:
            image, mask, to_canvas = canvas(
                jpeg,
                people.box[row],
                size=people.size[row],
                canvas_size=data.size,
                border=data.border,
                antialias=data.antialias,
            )
        except ValueError as error:
            raise ValueError(f"{people.describe(row)}: {error}") from None
        keypoints = geometry.apply(to_canvas, people.keypoints[row].astype(np.float64))
        return {
            "image": image,
            "mask": mask,
            "keypoints": keypoints[None].astype(np.float32),
            "visibility": people.visibility[row][None],
            "scale": np.array([_diagonal(keypoints, people.visibility[row] > 0)]),
            "weight": self.weight[row],
            "to_source": geometry.invert(to_canvas).astype(np.float32),
        }

    def _empty(self) -> dict[str, Any]:
        k = len(self.data.skeleton.keypoints)
        return {
            "image": np.zeros((*self.data.size, 3), np.uint8),
            "mask": np.zeros(self.data.size, np.uint8),
            "keypoints": np.zeros((1, k, 2), np.float32),
            "visibility": np.zeros((1, k), np.int32),
            "scale": np.ones(1, np.float32),
            "weight": np.float32(0),
            "to_source": np.eye(2, 3, dtype=np.float32),
        }


def _diagonal(
    keypoints: Float[np.ndarray, "k 2"], labeled: Bool[np.ndarray, "k"]
) -> np.float32:
    """Of the tight box, in canvas pixels; 1 where nothing is labeled."""
    if not labeled.any():
        return np.float32(1)
    box = geometry.tight_box(keypoints, labeled)
    return np.float32(max(np.hypot(*(box[2:] - box[:2])), 1.0))


def canvas(
    jpeg: bytes,
    box: Float[np.ndarray, "4"],
    *,
    size: Int[np.ndarray, "2"],
    canvas_size: tuple[int, int],
    border: geometry.Border,
    antialias: bool,
) -> tuple[
    UInt8[np.ndarray, "h w 3"], UInt8[np.ndarray, "h w"], Float[np.ndarray, "2 3"]
]:
    """Cuts a box out of a photograph and stretches it to a canvas.

    Args:
        size: (height, width) that the annotations state.

    Returns:
        RGB canvas, black where the photograph ends; mask, 1 inside the photograph; the
        map from source to canvas pixels.

    Raises: ValueError if the JPEG cannot be decoded or has another size.
    """
    to_canvas = geometry.stretch(box, canvas_size)
    shrink = 1 / max(to_canvas[0, 0], to_canvas[1, 1])
    factor = max((f for f in (2, 4, 8) if antialias and shrink >= f), default=1)
    image = prepared.decode(jpeg, factor)
    if image.shape[:2] != tuple(-(-int(side) // factor) for side in size):
        raise ValueError(
            f"decoded at 1/{factor} it is {image.shape[:2]}, the record says {tuple(size)}"
        )
    cut = cv2.warpAffine(
        image,
        geometry.compose(to_canvas, _enlarge(factor)),
        canvas_size[::-1],
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE if border == "edge" else cv2.BORDER_CONSTANT,
    )
    mask = _inside(to_canvas, size, canvas_size)
    return cut * mask[..., None], mask, to_canvas


def _enlarge(factor: int) -> Float[np.ndarray, "2 3"]:
    """Maps pixels of an image decoded at 1 / factor to pixels of the full one."""
    return np.array([[factor, 0, (factor - 1) / 2], [0, factor, (factor - 1) / 2]])


def _inside(
    to_canvas: Float[np.ndarray, "2 3"],
    size: Int[np.ndarray, "2"],
    canvas_size: tuple[int, int],
) -> UInt8[np.ndarray, "h w"]:
    """1 where a canvas pixel's centre lies in the photograph."""
    x0, y0, x1, y1 = geometry.apply(
        to_canvas, geometry.whole_image(size).reshape(2, 2)
    ).ravel()
    rows, columns = np.arange(canvas_size[0]), np.arange(canvas_size[1])
    inside = ((rows >= y0) & (rows <= y1))[:, None] & (
        (columns >= x0) & (columns <= x1)
    )
    return inside.astype(np.uint8)
