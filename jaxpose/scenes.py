"""From prepared photographs to batches of whole scenes, with everybody on them."""

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int, UInt8

from jaxpose import (
    canvases,
    geometry,
    groups,
    lengths,
    loading,
    prepared,
    records,
    regions,
    supervision,
    views,
)
from jaxpose.prepared import Listing
from jaxpose.skeletons import Skeleton
from jaxpose.types import Annotations, Batch

Size = tuple[int, int]
_CHOICES = ("around", "photograph", "person"), ("unlabeled", "shown", "masked")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scenes:
    """What a network of several people sees, proportions kept.

    A whole photograph is scaled to fill the canvas along one axis, and centred along
    the other. Training draws the photographs on which somebody is labeled; evaluation
    has them all, since false alarms count.

    Around a person, it is the person's region that fills the canvas, with all that is
    beside it on the photograph. The person comes first. Keypoints outside the canvas
    are unlabeled, of everybody, and for metrics each canvas is a picture of its own.

    Attributes:
        sources: data sets, one after the other; their `region` is the whole image, or
            around a person that of the person.
        skeleton: keypoints are looked up by name; those a data set lacks are unlabeled.
        size: (height, width) of the canvas.
        around: what an example is: a whole photograph, or the surroundings of one
            person of the split, also with people who are not of the split.
        length: what `Batch.scale` tells of people.
        people: most people of a canvas. Of more, those with the most labeled keypoints
            stay, and of these the largest. Annotations for metrics have everybody.
        unlabeled: people without enough labeled keypoints are `shown` to the loss as
            background, as Newell et al. 2017 did, or `masked`, as HigherHRNet does.
        margin: how many times as large as `size` training canvases are, at its scale:
            an `Augment` of this `size` then turns in what is beside.
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
    around: Literal["photograph", "person"] = "photograph"
    length: lengths.Length = dataclasses.field(default_factory=lengths.Extent)
    people: int = 30
    unlabeled: Literal["shown", "masked"] = "masked"
    margin: float = 1.0
    buckets: tuple[Size, ...] = ()
    border: Literal["edge", "zero"] = "edge"
    antialias: bool = True
    threads: int = 0
    workers: int = 0

    def __post_init__(self) -> None:
        if self.people < 1:
            raise ValueError(f"people={self.people} on a canvas; it must be 1 or more")
        if not 1 <= self.margin < math.inf:
            raise ValueError(f"margin={self.margin} must be 1 or more, such as 1.5")
        for name, *choices in _CHOICES:
            if (value := getattr(self, name)) not in choices:
                raise ValueError(f"{name}={value!r} must be one of {choices}")
        for source in self.sources:
            whole = source.region == regions.WholeImage()
            if not whole and self.around == "photograph":
                raise ValueError(
                    f"{source.split} is cut by {source.region}, but scenes are whole "
                    "photographs; give region=regions.WholeImage(), or around='person'"
                )
        if self.buckets and self.around == "person":
            raise ValueError(f"buckets={self.buckets} are for whole photographs alone")

    def open(self, data_dir: str, manual_dir: str) -> "Examples":
        """Prepares what is missing and reads every annotation, but no photograph."""
        own = self.around == "person"
        where = data_dir, manual_dir, self.skeleton
        parts = [source.open(*where, everybody=own) for source in self.sources]
        people = records.concatenate(parts)
        listing = prepared.join([p.listing for p in parts if p.listing is not None])
        shown = views.around(people) if own else views.whole(listing)
        return Examples(
            self, people, listing, self.length(people, self.skeleton), shown
        )

    @property
    def training_size(self) -> Size:
        return self.enlarged(self.margin).size

    def enlarged(self, factor: float) -> "Scenes":
        """The same photographs on larger or smaller canvases, to whole pixels."""
        size, *buckets = (
            (round(height * factor), round(width * factor))
            for height, width in (self.size, *self.buckets)
        )
        return dataclasses.replace(self, size=size, buckets=tuple(buckets))


@dataclasses.dataclass(frozen=True)
class Examples:
    """Opened scenes, one view a row.

    Attributes:
        people: of all photographs, by photograph.
        listing: of all photographs.
        length: of each person, source pixels; see `Batch.scale`.
        rows: what each shows.
    """

    data: Scenes
    people: records.People
    listing: Listing
    length: Float[np.ndarray, "m"]
    rows: views.Views

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def record(self) -> Int[np.ndarray, "n"]:
        return self.rows.record

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
        if self.data.around == "person":
            return self.rows.annotations(self.people, self.listing, self.data.size)
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
        """Keypoints, in source pixels, and visibility of everybody in a view."""
        size = self.data.size
        who, visibility = self.rows.seen(self.people, row, size, size)
        return self.people.keypoints[who], visibility

    def take(self, rows: Int[np.ndarray, "r"]) -> "Examples":
        """Some rows, in the order given."""
        return dataclasses.replace(self, rows=self.rows.take(rows))

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
            chosen = rows[[order[place] for place in places]]
            return self.load(chosen, size=self.data.training_size)

        return self._iterate(load, start, stop)

    def eval_batches(self, *, batch_size: int, part: slice) -> Iterator[Batch]:
        """Every row once, bucket by bucket; each bucket is padded with index -1."""
        sizes = (self.data.size, *self.data.buckets)
        batches = [
            (size, np.append(rows, -1)[loading.padded(first, batch_size, len(rows))])
            for size, rows in self.rows.buckets(self.data.size, sizes)
            for first in range(0, len(rows), batch_size)
        ]

        def load(step: int) -> Batch:
            size, rows = batches[step]
            return self.load(rows[part], size=size, asked=False)

        return self._iterate(load, 0, len(batches))

    def _iterate(
        self, load: Callable[[int], Batch], start: int, stop: int
    ) -> Iterator[Batch]:
        threads, workers = self.data.threads, self.data.workers
        return loading.iterate(load, start, stop, threads=threads, workers=workers)

    def load(
        self,
        rows: Int[np.ndarray, "b"],
        *,
        size: Size | None = None,
        asked: bool = True,
    ) -> Batch:
        """Decodes these photographs; row -1 gives an empty canvas.

        Args:
            size: (height, width) of the canvases; None for `data.size`, at whose scale
                they are in any case.
            asked: by a loss, which must not look everywhere on a photograph.

        Raises: ValueError naming the record if a photograph cannot be decoded.
        """
        size = size or self.data.size
        empty = loading.blank(size, self.data.people, self.people.keypoints.shape[1])
        found = [
            self._example(int(row), size, asked) if row >= 0 else empty for row in rows
        ]
        return loading.batch(rows, found)

    def _example(self, row: int, canvas: Size, asked: bool) -> dict[str, Any]:
        record, people = int(self.record[row]), self.people
        who, visibility = self.rows.kept(
            people, row, canvas, self.data.size, self.length, self.data.people
        )
        try:
            example = people.photographs.read(record)
            image, inside, to_canvas = canvases.cut(
                example["image"],
                self.rows.shown(row, canvas, self.data.size),
                size=self.listing.size[record],
                canvas_size=canvas,
                border=self.data.border,
                antialias=self.data.antialias,
            )
            if asked:
                there = self.rows.there(people, row)
                hidden = self._hidden(len(example["visibility"]), there, who)
                mask = supervision.canvas_mask(example, hidden, to_canvas, canvas)
                inside = inside * mask
        except ValueError as error:
            raise ValueError(f"{self.describe(row)}: {error}") from None
        keypoints = geometry.apply(to_canvas, people.keypoints[who].astype(np.float64))
        factor = self.rows.factor(np.array(row), self.data.size)
        room = self.data.people
        return loading.blank(canvas, room, people.keypoints.shape[1]) | {
            "image": image,
            "mask": inside,
            "weight": np.float32(1),
            "to_source": geometry.invert(to_canvas).astype(np.float32),
            "keypoints": loading.filled(keypoints, room, 0.0),
            "visibility": loading.filled(visibility, room, 0),
            "scale": loading.filled(self.length[who] * factor, room, 1.0),
        }

    def _hidden(
        self, count: int, there: Int[np.ndarray, "p"], kept: Int[np.ndarray, "kept"]
    ) -> Int[np.ndarray, "hidden"]:
        """Which of the `count` people of a record the loss must not look at."""
        # Who is labeled and finds no room is no background either.
        place = self.people.more["place"]
        among = np.arange(count) if self.data.unlabeled == "masked" else place[there]
        return np.setdiff1d(among, place[kept])
