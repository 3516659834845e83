"""What opened scenes show: whole photographs, or parts of them around one person."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxpose import geometry, groups, prepared, records
from jaxpose.types import Annotations, Regions

Size = tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Views:
    """One view a row.

    Attributes:
        record: number of the photograph.
        person: row, among all people, of the one in the middle; -1 of a whole
            photograph, and of all rows or none.
        box: what a canvas must show, in source pixels.
    """

    record: Int[np.ndarray, "n"]
    person: Int[np.ndarray, "n"]
    box: Float[np.ndarray, "n 4"]

    def __len__(self) -> int:
        return len(self.record)

    def take(self, rows: Int[np.ndarray, "r"]) -> "Views":
        """Some rows, in the order given."""
        return Views(self.record[rows], self.person[rows], self.box[rows])

    def factor(
        self, rows: Int[np.ndarray, "*r"], size: Size
    ) -> Float[np.ndarray, "*r"]:
        """Canvas pixels for a source pixel, on canvases of this (height, width)."""
        return (np.array(size) / sides(self.box[rows])).min(axis=-1)

    def shown(self, row: int, canvas: Size, size: Size) -> Float[np.ndarray, "4"]:
        """All that a canvas shows, in source pixels, at the scale of `size`."""
        half = np.array(canvas) / self.factor(np.array(row), size) / 2
        middle = (self.box[row, :2] + self.box[row, 2:]) / 2
        return np.concatenate([middle - half[::-1], middle + half[::-1]])

    def there(self, people: records.People, row: int) -> Int[np.ndarray, "p"]:
        """Rows of `people` who are on the photograph."""
        record = self.record[row]
        return np.arange(*np.searchsorted(people.record, [record, record + 1]))

    def seen(
        self, people: records.People, row: int, canvas: Size, size: Size
    ) -> tuple[Int[np.ndarray, "p"], Int[np.ndarray, "p k"]]:
        """Rows of `people` who are in the view, and the visibility of their keypoints.

        The person in the middle comes first. Keypoints outside the canvas, at the scale
        of `size`, are unlabeled there, and so nobody else has only such.
        """
        there = self.there(people, row)
        visibility = people.visibility[there]
        own = there == self.person[row]
        if not own.any():
            return there, visibility
        inside = _inside(people.keypoints[there], self.shown(row, canvas, size))
        visibility = np.where(inside, visibility, 0)
        counts = np.flatnonzero(own | (visibility > 0).any(axis=1))
        counts = counts[np.argsort(~own[counts], kind="stable")]
        return there[counts], visibility[counts]

    def kept(
        self,
        people: records.People,
        row: int,
        canvas: Size,
        size: Size,
        length: Float[np.ndarray, "m"],
        room: int,
    ) -> tuple[Int[np.ndarray, "kept"], Int[np.ndarray, "kept k"]]:
        """As `seen`, but at most `room` people, in the order of `people`.

        The person in the middle stays, then those with the most labels, then the longest.
        """
        who, visibility = self.seen(people, row, canvas, size)
        labels = (visibility > 0).sum(axis=1)
        order = np.lexsort((-length[who], -labels, who != self.person[row]))
        kept = np.sort(order[:room])
        return who[kept], visibility[kept]

    def buckets(
        self, size: Size, sizes: Sequence[Size]
    ) -> list[tuple[Size, Int[np.ndarray, "r"]]]:
        """The smallest of `sizes` for each view at the scale of `size`, with its rows.

        Sizes are (height, width), and `size` is one of them.
        """
        smallest_first = sorted(set(sizes), key=np.prod)
        factor = self.factor(np.arange(len(self)), size)
        needed = sides(self.box) * factor[:, None]
        # A canvas of `size` holds every view, but for rounding.
        holds = [(needed <= np.array(s) + 1e-6).all(axis=1) for s in smallest_first]
        bucket = np.argmax(holds, axis=0)
        rows = (np.flatnonzero(bucket == n) for n in range(len(smallest_first)))
        return [(s, own) for s, own in zip(smallest_first, rows) if len(own)]

    def annotations(
        self, people: records.People, listing: prepared.Listing, size: Size
    ) -> Annotations:
        """Of views around a person: who is on each canvas, which is a picture of its own.

        Args:
            listing: every photograph.
            size: (height, width) of the canvases.
        """
        seen = [self.seen(people, row, size, size) for row in range(len(self))]
        rows = np.concatenate([who for who, _ in seen])
        number = np.repeat(np.arange(len(self)), [len(who) for who, _ in seen])
        alone = dataclasses.replace(
            people.take(rows),
            visibility=np.concatenate([visibility for _, visibility in seen]),
            record=number,
            ignored=people.ignored and _repeated(people.ignored, self.record),
        )
        pictures = prepared.Listing(
            image_id=np.arange(len(self)),
            size=listing.size[self.record],
            names=tuple(listing.names[number] for number in self.record),
        )
        return groups.annotations(alone, pictures, np.arange(len(self)))


def whole(listing: prepared.Listing) -> Views:
    """Every photograph, as it is."""
    n = len(listing.size)
    return Views(np.arange(n), np.full(n, -1), geometry.whole_image(listing.size))


def around(people: records.People) -> Views:
    """The region of everybody who belongs to the split."""
    listed = np.flatnonzero(people.more["listed"])
    return Views(people.record[listed], listed, people.box[listed])


def sides(box: Float[np.ndarray, "*r 4"]) -> Float[np.ndarray, "*r 2"]:
    """(height, width)."""
    return (box[..., 2:] - box[..., :2])[..., ::-1]


def _inside(
    keypoints: Float[np.ndarray, "p k 2"], box: Float[np.ndarray, "4"]
) -> Bool[np.ndarray, "p k"]:
    return np.all((keypoints >= box[:2]) & (keypoints < box[2:]), axis=-1)


def _repeated(regions: Regions, record: Int[np.ndarray, "n"]) -> Regions:
    """The regions of the photograph of each view, under the number of the view."""
    order = np.argsort(regions.image_id, kind="stable")
    numbers = regions.image_id[order]
    start = np.searchsorted(numbers, record, "left")
    end = np.searchsorted(numbers, record, "right")
    count = end - start
    first = np.repeat(start - np.cumsum(count) + count, count)
    which = order[first + np.arange(count.sum())]
    return Regions(
        image_id=np.repeat(np.arange(len(record)), count),
        box=regions.box[which],
        area=regions.area[which],
        crowd=regions.crowd[which],
    )
