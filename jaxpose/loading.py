"""Which examples make up a batch, and the threads that make it.

Batch n is a function of seed and n, so that a run that was stopped goes on as if it had
not been.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import grain
import numpy as np
from absl import flags
from jaxtyping import Float, Int, UInt8

from jaxpose import records
from jaxpose.skeletons import Skeleton
from jaxpose.types import Annotations, Batch


class Examples(Protocol):
    """Opened data: annotations in memory, photographs within reach.

    A row is what a network sees at once: one person, or a photograph of several.
    """

    @property
    def data(self) -> "Data": ...

    @property
    def record(self) -> Int[np.ndarray, "n"]:
        """Number of the photograph of each row; several rows may show the same one."""

    @property
    def box_scores(self) -> Float[np.ndarray, "n"] | None:
        """How sure a detector was of each row; None if the rows are annotated."""

    @property
    def category(self) -> Int[np.ndarray, "n"] | None:
        """The data set's number of what each row shows; None if it has none."""

    def __len__(self) -> int: ...

    def annotations(self) -> Annotations:
        """The truth, in the order of the rows."""

    def describe(self, row: int) -> str:
        """Names a row as one finds it: data set, record, file."""

    def photograph(self, row: int) -> UInt8[np.ndarray, "h w 3"]:
        """RGB, whole. Raises: ValueError naming the record if it cannot be read."""

    def shown(
        self, row: int
    ) -> tuple[Float[np.ndarray, "p k 2"], Int[np.ndarray, "p k"]]:
        """Keypoints, in source pixels, and visibility of the people of a row."""

    def take(self, rows: Int[np.ndarray, "r"]) -> "Examples":
        """Some rows, in the order given."""

    def train_batches(
        self, *, seed: int, batch_size: int, start: int, stop: int, part: slice
    ) -> Iterator[Batch]:
        """Shuffled batches number start..stop-1; epochs follow without a seam.

        Args:
            seed: of the order and of all that is random about an example.
            batch_size: of the global batch.
            part: the rows of each global batch that this process loads.
        """

    def eval_batches(self, *, batch_size: int, part: slice) -> Iterator[Batch]:
        """Every row once; `index` tells which, and is -1 where a batch is padded."""

    def load(self, rows: Int[np.ndarray, "b"]) -> Batch:
        """The examples of these rows as evaluation sees them; -1 gives an empty one.

        Raises: ValueError naming the record if a photograph cannot be decoded.
        """


class Data(Protocol):
    """What a network sees: a config field."""

    @property
    def sources(self) -> Sequence[records.Source]: ...

    @property
    def skeleton(self) -> Skeleton: ...

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the canvas."""

    @property
    def training_size(self) -> tuple[int, int]:
        """That of canvases as they are loaded to be augmented."""

    def open(self, data_dir: str, manual_dir: str) -> Examples:
        """Prepares what is missing and reads every annotation, but no photograph."""


def shuffled(count: int, seed: int, *, first: int = 0) -> grain.MapDataset:
    """The numbers first..first + count - 1 without end, each epoch in a new order."""
    # Grain's shuffle of epoch e uses seed + e; hashing keeps the runs of neighbouring
    # seeds from being the same epochs in another order.
    mixed = int(np.random.SeedSequence(seed).generate_state(1)[0])
    return grain.MapDataset.range(first, first + count).shuffle(seed=mixed).repeat()


def padded(start: int, count: int, end: int) -> Int[np.ndarray, "count"]:
    """start, start + 1, ... where that is less than `end`, and -1 from there on."""
    rows = np.arange(start, start + count)
    return np.where(rows < end, rows, -1)


def iterate(
    load: Callable[[int], Batch], start: int, stop: int, *, threads: int, workers: int
) -> Iterator[Batch]:
    """load(start) .. load(stop - 1) in order, several under way at once.

    Args:
        threads: that load; 0 takes one for each core.
        workers: processes that load, each with these threads; 0 for none.
    """
    threads = threads or os.cpu_count() or 1
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=threads + 2)
    batches = grain.MapDataset.range(start, stop).map(load)
    dataset = batches.to_iter_dataset(options)
    if workers:
        # Grain reads absl's flags, which a notebook or a test has not parsed.
        if not flags.FLAGS.is_parsed():
            flags.FLAGS.mark_as_parsed()
        dataset = dataset.mp_prefetch(grain.MultiprocessingOptions(num_workers=workers))
    return iter(dataset)


def batch(rows: Int[np.ndarray, "b"], examples: Sequence[Mapping[str, Any]]) -> Batch:
    """The fields of examples, one above the other."""
    fields: dict[str, Any] = {"index": rows.astype(np.int32)}
    fields |= {name: np.stack([e[name] for e in examples]) for name in examples[0]}
    return Batch(**fields)


def blank(size: tuple[int, int], people: int, keypoints: int) -> dict[str, Any]:
    """An example without a photograph, as evaluation pads its batches.

    Args:
        size: (height, width) of the canvas.
        people, keypoints: for how many there is room.
    """
    return {
        "image": np.zeros((*size, 3), np.uint8),
        "mask": np.zeros(size, np.uint8),
        "keypoints": np.zeros((people, keypoints, 2), np.float32),
        "visibility": np.zeros((people, keypoints), np.int32),
        "scale": np.ones(people, np.float32),
        "weight": np.float32(0),
        "to_source": np.eye(2, 3, dtype=np.float32),
    }


def filled(values: np.ndarray, people: int, rest: float) -> np.ndarray:
    """Values of some people, and `rest` for those who are missing."""
    more = np.full((people, *values.shape[1:]), rest)
    more[: len(values)] = values
    return more.astype(np.int32 if values.dtype.kind == "i" else np.float32)
