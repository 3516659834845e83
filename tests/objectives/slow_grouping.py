"""Grouping by tags in loops over people and keypoints, one image, SciPy's assignment."""

from collections.abc import Callable

import numpy as np
import scipy.ndimage
import scipy.optimize

Solver = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
PEOPLE, THRESHOLD, TAG_THRESHOLD = 30, 0.1, 1.0


class Person:
    def __init__(self):
        self.cells, self.tags = {}, []

    def take(self, k, cell, tag):
        self.cells[k] = cell
        self.tags.append(tag)

    @property
    def tag(self):
        return np.mean(self.tags, axis=0)


def group(
    maps: np.ndarray,
    tags: np.ndarray,
    *,
    order: tuple[int, ...],
    distance_weight: float = 1.0,
    score_weight: float = 1e-3,
    solve: Solver = scipy.optimize.linear_sum_assignment,
) -> tuple[list[np.ndarray], list[float]]:
    """Keypoints "k 2" in cells and score of every person; maps "h w k", tags "h w k d"."""
    people: list[Person] = []
    for k in order:
        cells = peaks(maps[..., k])
        owner = {}
        if cells and people:
            theirs = np.array([tags[y, x, k] for y, x in cells])
            ours = np.array([person.tag for person in people])
            distance = np.sqrt(np.mean((theirs[:, None] - ours) ** 2, axis=-1))
            heights = np.array([[maps[y, x, k]] for y, x in cells])
            cost = 100 * np.round(distance) + distance_weight * distance
            for i, j in zip(*solve(cost - score_weight * heights), strict=True):
                if distance[i, j] < TAG_THRESHOLD:
                    owner[i] = people[j]
        for i, (y, x) in enumerate(cells):
            if i not in owner and len(people) < PEOPLE:
                owner[i] = Person()
                people.append(owner[i])
            if i in owner:
                owner[i].take(k, (y, x), tags[y, x, k])
    scores = [
        sum(maps[y, x, k] for k, (y, x) in person.cells.items()) / maps.shape[-1]
        for person in people
    ]
    return [keypoints(person, maps, tags) for person in people], scores


def peaks(plane: np.ndarray) -> list[tuple[int, int]]:
    """(y, x) of the cells that are highest around them, the highest first."""
    highest = scipy.ndimage.maximum_filter(plane, 3, mode="nearest")
    cells = np.argwhere((plane == highest) & (plane > THRESHOLD))
    cells = sorted(map(tuple, cells.tolist()), key=lambda cell: -plane[cell])
    return cells[:PEOPLE]


def keypoints(person: Person, maps: np.ndarray, tags: np.ndarray) -> np.ndarray:
    """Those that were joined, and the best of the others."""
    points = np.full((maps.shape[-1], 2), np.nan)
    for k in range(len(points)):
        plane = maps[..., k]
        if k in person.cells:
            points[k] = between(plane, *person.cells[k])
            continue
        distance = np.sqrt(((tags[:, :, k] - person.tag) ** 2).sum(axis=-1))
        best = np.argmax(plane - np.round(distance))
        y, x = np.unravel_index(best, plane.shape)
        if plane[y, x] > 0:
            points[k] = between(plane, y, x)
    return points


def between(plane: np.ndarray, y: int, x: int) -> tuple[float, float]:
    h, w = plane.shape
    right = plane[y, min(x + 1, w - 1)] - plane[y, max(x - 1, 0)]
    below = plane[min(y + 1, h - 1), x] - plane[max(y - 1, 0), x]
    return x + 0.25 * np.sign(right), y + 0.25 * np.sign(below)
