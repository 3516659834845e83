"""From prepared photographs to batches of whole scenes, with everybody on them."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int, UInt8

from jaxpose import (
    canvases,
    geometry,
    groups,
    loading,
    prepared,
    records,
    regions,
    supervision,
)
from jaxpose.prepared import Listing
from jaxpose.skeletons import Skeleton
from jaxpose.types import Annotations, Batch

Size = tuple[int, int]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scenes:
    """What a network of several people sees: whole photographs, their proportions kept.

    A photograph is scaled to fill the canvas along one axis, and centred along the
    other. Training draws the photographs on which somebody is labeled; evaluation has
    them all, since false alarms count.

    Attributes:
        sources: data sets, one after the other; their `region` is the whole image.
        skeleton: keypoints are looked up by name; those a data set lacks are unlabeled.
        size: (height, width) of the canvas.
        people: most people of a canvas. Of more, those with the most labeled keypoints
            stay, and of these the largest. Annotations for metrics have everybody.
        unlabeled: people without enough labeled keypoints are `shown` to the loss as
            background, as Newell et al. 2017 did, or `masked`, as HigherHRNet does.
        buckets: canvases that evaluation uses for photographs that need no more at the
            scale of `size`, such as (512, 384) beside (512, 512). Every batch is of one
            of these sizes.
        border: `edge` repeats the photograph's outermost pixels when interpolating at
            its border; `zero` blends with black.
        antialias: decode photographs that shrink to half or less at reduced size.
        threads: that decode; 0 takes one for each core.
        workers: processes that decode, each with these threads; 0 for none.
    """

    sources: tuple[records.Split, ...]
    skeleton: Skeleton
    size: Size
    people: int = 30
    unlabeled: Literal["shown", "masked"] = "masked"
    buckets: tuple[Size, ...] = ()
    border: Literal["edge", "zero"] = "edge"
    antialias: bool = True
    threads: int = 0
    workers: int = 0

    def __post_init__(self) -> None:
        if self.people < 1:
            raise ValueError(f"people={self.people} on a canvas; it must be 1 or more")
        for source in self.sources:
            if source.region != regions.WholeImage():
                raise ValueError(
                    f"{source.split} is cut by {source.region}, but scenes are whole "
                    "photographs; give region=regions.WholeImage()"
                )

    def open(self, data_dir: str, manual_dir: str) -> "Examples":
        """Prepares what is missing and reads every annotation, but no photograph."""
        parts = [s.open(data_dir, manual_dir, self.skeleton) for s in self.sources]
        people = records.concatenate(parts)
        listings = [part.listing for part in parts if part.listing is not None]
        record = np.arange(len(people.photographs))
        return Examples(
            self, people, prepared.join(listings), groups.extents(people), record
        )

    def enlarged(self, factor: float) -> "Scenes":
        """The same photographs on larger or smaller canvases, to whole pixels."""
        size, *buckets = (
            (round(height * factor), round(width * factor))
            for height, width in (self.size, *self.buckets)
        )
        return dataclasses.replace(self, size=size, buckets=tuple(buckets))


@dataclasses.dataclass(frozen=True)
class Examples:
    """Opened scenes, one photograph a row.

    Attributes:
        people: of all photographs, by photograph.
        listing: of all photographs.
        extent: length of each person, source pixels; see `Batch.scale`.
        record: number of the photograph of each row.
    """

    data: Scenes
    people: records.People
    listing: Listing
    extent: Float[np.ndarray, "m"]
    record: Int[np.ndarray, "n"]

    def __len__(self) -> int:
        return len(self.record)

    @property
    def box_scores(self) -> None:
        return None

    @property
    def category(self) -> Int[np.ndarray, "n"] | None:
        """Of a data set that has one kind of people or animals; None of others."""
        kinds = np.unique(self.people.more.get("category_id", np.zeros(0, int)))
        return np.full(len(self), kinds[0]) if len(kinds) == 1 else None

    def annotations(self) -> Annotations:
        """Everybody, also those for whom a canvas has no room."""
        there = np.flatnonzero(np.isin(self.people.record, self.record))
        return groups.annotations(self.people.take(there), self.listing, self.record)

    def describe(self, row: int) -> str:
        """Names a row as one finds it: data set, record, file."""
        record = int(self.record[row])
        return self.people.photographs.describe(record, self.listing.names[record])

    def photograph(self, row: int) -> UInt8[np.ndarray, "h w 3"]:
        """RGB, whole. Raises: ValueError naming the record if it cannot be read."""
        return self.people.photographs.image(int(self.record[row]))

    def shown(
        self, row: int
    ) -> tuple[Float[np.ndarray, "p k 2"], Int[np.ndarray, "p k"]]:
        """Keypoints, in source pixels, and visibility of everybody on a photograph."""
        there = self._there(row)
        return self.people.keypoints[there], self.people.visibility[there]

    def take(self, rows: Int[np.ndarray, "r"]) -> "Examples":
        """Some rows, in the order given."""
        return dataclasses.replace(self, record=self.record[rows])

    def train_batches(
        self, *, seed: int, batch_size: int, start: int, stop: int, part: slice
    ) -> Iterator[Batch]:
        """Shuffled batches number start..stop-1; epochs follow without a seam.

        Args:
            seed: of the order.
            batch_size: of the global batch.
            part: the rows of each global batch that this process loads.

        Raises: ValueError if nobody is labeled.
        """
        labeled = self.people.record[(self.people.visibility > 0).any(axis=1)]
        rows = np.flatnonzero(np.isin(self.record, labeled))
        if not len(rows):
            raise ValueError(
                f"nobody has a labeled keypoint on {len(self)} photographs of "
                f"{', '.join(self.people.photographs.names)}; train on another split"
            )
        order = loading.shuffled(len(rows), seed)

        def load(step: int) -> Batch:
            places = range(step * batch_size, (step + 1) * batch_size)[part]
            return self.load(rows[[order[place] for place in places]])

        return self._iterate(load, start, stop)

    def eval_batches(self, *, batch_size: int, part: slice) -> Iterator[Batch]:
        """Every row once, bucket by bucket; each bucket is padded with index -1."""
        batches = [
            (size, np.append(rows, -1)[loading.padded(first, batch_size, len(rows))])
            for size, rows in self._buckets()
            for first in range(0, len(rows), batch_size)
        ]

        def load(step: int) -> Batch:
            size, rows = batches[step]
            return self.load(rows[part], size=size)

        return self._iterate(load, 0, len(batches))

    def _buckets(self) -> list[tuple[Size, Int[np.ndarray, "r"]]]:
        """(height, width) of canvases, smallest first, each with its rows."""
        sizes = sorted({self.data.size, *self.data.buckets}, key=np.prod)
        photograph = self.listing.size[self.record]
        needed = photograph * self._factor(photograph)[:, None]
        # A canvas of `size` holds every photograph, but for rounding.
        holds = [(needed <= np.array(size) + 1e-6).all(axis=1) for size in sizes]
        bucket = np.argmax(holds, axis=0)
        rows = (np.flatnonzero(bucket == number) for number in range(len(sizes)))
        return [(size, own) for size, own in zip(sizes, rows, strict=True) if len(own)]

    def _factor(self, size: Int[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n"]:
        """Canvas pixels for a pixel of photographs of this (height, width)."""
        return (np.array(self.data.size) / size).min(axis=-1)

    def _iterate(
        self, load: Callable[[int], Batch], start: int, stop: int
    ) -> Iterator[Batch]:
        threads, workers = self.data.threads, self.data.workers
        return loading.iterate(load, start, stop, threads=threads, workers=workers)

    def load(self, rows: Int[np.ndarray, "b"], *, size: Size | None = None) -> Batch:
        """Decodes these photographs; row -1 gives an empty canvas.

        Args:
            size: (height, width) of the canvases; None for `data.size`, at whose scale
                they are in any case.

        Raises: ValueError naming the record if a photograph cannot be decoded.
        """
        size = size or self.data.size
        empty = self._empty(size)
        found = [self._example(int(row), size) if row >= 0 else empty for row in rows]
        return loading.batch(rows, found)

    def _example(self, row: int, canvas: Size) -> dict[str, Any]:
        record, people = int(self.record[row]), self.people
        size = self.listing.size[record]
        factor = float(self._factor(size))
        there = self._there(row)
        kept = self._kept(there)
        try:
            example = people.photographs.read(record)
            image, inside, to_canvas = canvases.cut(
                example["image"],
                _centered(size, np.array(canvas) / factor),
                size=size,
                canvas_size=canvas,
                border=self.data.border,
                antialias=self.data.antialias,
            )
            hidden = self._hidden(len(example["visibility"]), there, kept)
            mask = supervision.canvas_mask(example, hidden, to_canvas, canvas)
        except ValueError as error:
            raise ValueError(f"{self.describe(row)}: {error}") from None
        keypoints = people.keypoints[kept].astype(np.float64)
        return self._empty(canvas) | {
            "image": image,
            "mask": mask * inside,
            "weight": np.float32(1),
            "to_source": geometry.invert(to_canvas).astype(np.float32),
            "keypoints": self._filled(geometry.apply(to_canvas, keypoints), 0.0),
            "visibility": self._filled(people.visibility[kept], 0),
            "scale": self._filled(self.extent[kept] * factor, 1.0),
        }

    def _there(self, row: int) -> Int[np.ndarray, "p"]:
        """Rows of `people` who are on a photograph."""
        record = self.record[row]
        return np.arange(*np.searchsorted(self.people.record, [record, record + 1]))

    def _kept(self, there: Int[np.ndarray, "p"]) -> Int[np.ndarray, "kept"]:
        """Those for whom a canvas has room."""
        labels = (self.people.visibility[there] > 0).sum(axis=1)
        order = np.lexsort((-self.extent[there], -labels))
        return there[np.sort(order[: self.data.people])]

    def _hidden(
        self, count: int, there: Int[np.ndarray, "p"], kept: Int[np.ndarray, "kept"]
    ) -> Int[np.ndarray, "hidden"]:
        """Which of the `count` people of a record the loss must not look at."""
        # Who is labeled and finds no room is no background either.
        place = self.people.more["place"]
        among = np.arange(count) if self.data.unlabeled == "masked" else place[there]
        return np.setdiff1d(among, place[kept])

    def _filled(self, values: np.ndarray, rest: float) -> np.ndarray:
        """Values of people, up to the number that every canvas has."""
        filled = np.full((self.data.people, *values.shape[1:]), rest)
        filled[: len(values)] = values
        return filled.astype(np.int32 if values.dtype.kind == "i" else np.float32)

    def _empty(self, canvas: Size) -> dict[str, Any]:
        p, k = self.data.people, len(self.data.skeleton.keypoints)
        return {
            "image": np.zeros((*canvas, 3), np.uint8),
            "mask": np.zeros(canvas, np.uint8),
            "keypoints": np.zeros((p, k, 2), np.float32),
            "visibility": np.zeros((p, k), np.int32),
            "scale": np.ones(p, np.float32),
            "weight": np.float32(0),
            "to_source": np.eye(2, 3, dtype=np.float32),
        }


def _centered(
    size: Int[np.ndarray, "2"], sides: Float[np.ndarray, "2"]
) -> Float[np.ndarray, "4"]:
    """The box of (height, width) `sides` about the middle of a photograph."""
    middle = (size[::-1] - 1) / 2
    return np.concatenate([middle - sides[::-1] / 2, middle + sides[::-1] / 2])
