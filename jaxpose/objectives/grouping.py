"""From heatmaps and tags to people, on the device, at the same cost for few and many.

Keypoints of one person have tags that are alike, those of different people have not: the
network chooses the values. The centre of the top-left cell is (0, 0).
"""

import dataclasses
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxpose.objectives import assignment

Found = tuple[Float[Array, "b p k 2"], Float[Array, "b p k"], Float[Array, "b p"]]


class Peaks(NamedTuple):
    """The highest peaks of every map, the highest first, and room for more."""

    cell: Int[Array, "k p"]  # counted in reading order
    score: Float[Array, "k p"]
    tag: Float[Array, "k p d"]
    there: Bool[Array, "k p"]


class People(NamedTuple):
    """The people known so far, those known first in front, and room for more."""

    total: Float[Array, "p d"]  # of their tags
    members: Int[Array, "p"]  # how many keypoints

    @property
    def tag(self) -> Float[Array, "p d"]:
        """Their mean, 0 for nobody."""
        return self.total / jnp.maximum(self.members, 1)[:, None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Grouping:
    """Peaks of every map, joined to people one kind of keypoint after the other.

    Peaks of one kind are matched to the people known so far by the optimal assignment,
    whose cost is 100 x the rounded distance of tags + `distance_weight` x the distance -
    `score_weight` x the height of the peak. What is left over starts new people, the
    highest first, as long as there is room.

    Attributes:
        people: at most as many are found, and as many peaks of a map considered.
        threshold: peaks are higher.
        tag_threshold: a peak belongs to a person when their tags are closer: root mean
            square over the dimensions of tags.
        window: side of the square, in cells, in which a peak is the highest.
        refine: people get the keypoints they lack, where their tag and the map agree
            best; without it those are nan.
        order: numbers of keypoints, from the first to be grouped; () as they come.
        distance_weight: 0 is the original's, which leaves the choice between distances
            that round alike to the solver.
        score_weight: 1 is the original's. It decides which of more peaks than people are
            matched.

    Source: Newell et al., "Associative embedding", 2017, as princeton-vl/pose-ae-train
    groups. There a kind of keypoint was left out once all people were found, people whose
    first tags were equal replaced each other, and refinement compared rows below the
    number of keypoints with the wrong one.
    """

    people: int = 30
    threshold: float = 0.1
    tag_threshold: float = 1.0
    window: int = 3
    refine: bool = True
    order: tuple[int, ...] = ()
    distance_weight: float = 1.0
    score_weight: float = 1e-3

    def __post_init__(self) -> None:
        if self.people < 1:
            raise ValueError(f"people={self.people} must be 1 or more, such as 30")
        if self.window < 1 or self.window % 2 == 0:
            raise ValueError(
                f"window={self.window} must be an odd number of cells, such as 3"
            )
        if not (math.isfinite(self.threshold) and self.threshold >= 0):
            raise ValueError(
                f"threshold={self.threshold} must be 0 or a positive height, such as 0.1"
            )
        if not self.tag_threshold > 0:
            raise ValueError(
                f"tag_threshold={self.tag_threshold} must be positive, such as 1.0"
            )
        if sorted(self.order) != [*range(len(self.order))]:
            raise ValueError(
                f"order={self.order} must name every keypoint once, from 0; () for all "
                "as they come"
            )

    def __call__(
        self, maps: Float[Array, "b h w k"], tags: Float[Array, "b h w k d"]
    ) -> Found:
        """Keypoints (x, y) in cells, heights of their maps there, scores of people.

        A keypoint is the middle of its cell, moved by a quarter of a cell on each axis
        toward the higher neighbour. The score of a person is the mean height over all
        keypoints, 0 for those that were filled in by refinement. Keypoints without a
        place are nan and have the score 0, and so has nobody, who fills the row.

        Raises: ValueError if there are fewer cells than people, or `order` is that of
            another number of keypoints.
        """
        h, w, k = maps.shape[1:]
        if h * w < self.people:
            raise ValueError(
                f"maps of {(h, w)} cells have no room for people={self.people}; take "
                f"{h * w} or fewer"
            )
        if len(self.order) not in (0, k):
            raise ValueError(
                f"order={self.order} names {len(self.order)} keypoints, the maps have "
                f"{k}; give the order of the network's keypoints"
            )
        # bfloat16 would lose what means of tags add, and differences of large costs.
        dtype = jnp.promote_types(
            jnp.promote_types(maps.dtype, tags.dtype), jnp.float32
        )
        return jax.vmap(self._group)(
            maps.astype(dtype).transpose(0, 3, 1, 2),
            tags.astype(dtype).transpose(0, 3, 4, 1, 2),
        )

    def _group(
        self, maps: Float[Array, "k h w"], tags: Float[Array, "k d h w"]
    ) -> tuple[Float[Array, "p k 2"], Float[Array, "p k"], Float[Array, "p"]]:
        """One image."""
        peaks = highest_peaks(maps, tags, self.people, self.threshold, self.window)
        people, peak = self._joined(peaks)
        each = jnp.arange(len(maps))
        there, somebody = peak >= 0, people.members > 0
        cell = peaks.cell[each, peak]
        person_scores = jnp.where(there, peaks.score[each, peak], 0).mean(axis=1)
        if self.refine:
            cell = jnp.where(there, cell, best_cells(maps, tags, people.tag))
        x, y = cell % maps.shape[2], cell // maps.shape[2]
        scores = maps[each, y, x]
        if self.refine:
            there |= (scores > 0) & somebody[:, None]
        points = jnp.stack([x, y], axis=-1) + quarters(maps, x, y)
        points = jnp.where(there[..., None], points, jnp.nan)
        return points, jnp.where(there, scores, 0), person_scores

    def _joined(self, peaks: Peaks) -> tuple[People, Int[Array, "p k"]]:
        """The people, and the number of the peak that is each keypoint; -1 for none."""
        k, p, d = peaks.tag.shape
        order = jnp.array(self.order or range(k))
        people, peak = jax.lax.scan(
            self._join,
            People(jnp.zeros((p, d), peaks.tag.dtype), jnp.zeros(p, int)),
            jax.tree.map(lambda rows: rows[order], peaks),
        )
        return people, peak[order.argsort()].T

    def _join(self, people: People, peaks: Peaks) -> tuple[People, Int[Array, "p"]]:
        """Peaks of one kind of keypoint: who gets which, and who is new."""
        known = people.members > 0
        apart = jnp.square(peaks.tag[:, None] - people.tag)
        distance = jnp.sqrt(apart.mean(axis=-1))
        cost = 100 * jnp.round(distance) + self.distance_weight * distance
        cost -= self.score_weight * peaks.score[:, None]
        pairs = assignment.assign(cost, peaks.there, known)
        pairs &= distance < self.tag_threshold
        new = peaks.there & ~pairs.any(axis=1)
        seat = known.sum() + new.cumsum() - 1
        pairs |= new[:, None] & (seat[:, None] == jnp.arange(self.people))
        # A matrix product would round the tags on a GPU.
        gained = jnp.where(pairs[..., None], peaks.tag[:, None], 0).sum(axis=0)
        people = People(people.total + gained, people.members + pairs.sum(axis=0))
        return people, jnp.where(pairs.any(axis=0), pairs.argmax(axis=0), -1)


def highest_peaks(
    maps: Float[Array, "k h w"],
    tags: Float[Array, "k d h w"],
    count: int,
    threshold: float,
    window: int,
) -> Peaks:
    """Cells above the threshold that are the highest within a square around them.

    Of several that are equally high there, the first in reading order is a peak, so that
    a flat top is one person.
    """
    k, d = tags.shape[:2]
    is_peak = (maps > threshold) & _is_highest(maps, window // 2)
    heights = jnp.where(is_peak, maps, -jnp.inf).reshape(k, -1)
    score, cell = jax.lax.top_k(heights, count)
    tag = jnp.take_along_axis(tags.reshape(k, d, -1), cell[:, None], axis=2)
    there = score > threshold
    # Of places that are not there nothing infinite may reach the costs.
    return Peaks(cell, jnp.where(there, score, 0), tag.transpose(0, 2, 1), there)


def _is_highest(maps: Float[Array, "k h w"], reach: int) -> Bool[Array, "k h w"]:
    h, w = maps.shape[1:]
    around = ((0, 0), (reach, reach), (reach, reach))
    wide = jnp.pad(maps, around, constant_values=-jnp.inf)

    def moved(y: int, x: int) -> Float[Array, "k h w"]:
        return wide[:, reach + y : reach + y + h, reach + x : reach + x + w]

    highest = jnp.ones(maps.shape, bool)
    for y in range(-reach, reach + 1):
        for x in range(-reach, reach + 1):
            if (y, x) < (0, 0):
                highest &= maps > moved(y, x)
            elif (y, x) > (0, 0):
                highest &= maps >= moved(y, x)
    return highest


def best_cells(
    maps: Float[Array, "k h w"],
    tags: Float[Array, "k d h w"],
    tag: Float[Array, "p d"],
) -> Int[Array, "p k"]:
    """Where height - rounded distance of tags is largest, for every person and map.

    Cells are counted in reading order; of several the first. The distance is the norm,
    not the mean over dimensions that decides whom a peak belongs to.
    """
    k, _, _, w = tags.shape
    # Whole rows first, because the place of a maximum costs ten times the maximum.
    rows = _agreement(maps[:, None], tags[:, None], tag[:, :, None, None])
    y = rows.max(axis=-1).argmax(axis=-1)
    each = jnp.arange(k)[:, None]
    row = maps[each, y], tags.transpose(0, 2, 1, 3)[each, y]
    x = _agreement(*row, tag[:, :, None]).argmax(axis=-1)
    return (y * w + x).T


def _agreement(
    maps: Float[Array, "k #p *cells"],
    tags: Float[Array, "k #p d *cells"],
    tag: Float[Array, "p d *ones"],
) -> Float[Array, "k p *cells"]:
    # Dimensions one by one: a sum over their axis would be written to memory first.
    squares = (jnp.square(tags[:, :, i] - tag[:, i]) for i in range(tag.shape[1]))
    return maps - jnp.round(jnp.sqrt(sum(squares)))


def quarters(
    maps: Float[Array, "k h w"], x: Int[Array, "p k"], y: Int[Array, "p k"]
) -> Float[Array, "p k 2"]:
    """A quarter of a cell toward the higher neighbour on each axis, 0 between equals.

    At the border the cell itself stands for the neighbour it has not.
    """
    h, w = maps.shape[1:]
    each = jnp.arange(len(maps))
    right = maps[each, y, jnp.minimum(x + 1, w - 1)]
    left = maps[each, y, jnp.maximum(x - 1, 0)]
    below = maps[each, jnp.minimum(y + 1, h - 1), x]
    above = maps[each, jnp.maximum(y - 1, 0), x]
    return 0.25 * jnp.sign(jnp.stack([right - left, below - above], axis=-1))
