"""The original's grouping by tags: NumPy, Python loops, and Munkres' assignment.

What princeton-vl/pose-ae-train does to one image, with its oddities, written anew so that
it runs today: a kind of keypoint is left out once all people were found, people whose
first tags are equal replace each other, and refinement takes the number of keypoints for
the height of the map. A person is "k 3+d": x, y, height of the map, tag.
"""

from collections.abc import Callable

import numpy as np
import scipy.ndimage
import scipy.optimize
from jaxtyping import Float

Solver = Callable[[np.ndarray], list[tuple[int, int]]]
PEOPLE, THRESHOLD, TAG_THRESHOLD = 30, 0.1, 1.0


def group(
    maps: Float[np.ndarray, "k h w"],
    tags: Float[np.ndarray, "k h w d"],
    order: tuple[int, ...],
    solve: Solver,
) -> tuple[Float[np.ndarray, "p k c"], Float[np.ndarray, "p"]]:
    """Refined people and their scores."""
    people = matched(maps, tags, order, solve)
    scores = people[..., 2].mean(axis=1) if len(people) else np.zeros(0)
    people = adjusted(people, maps)
    for person in people:
        refine(person, maps, tags)
    return people, scores


def matched(
    maps: Float[np.ndarray, "k h w"],
    tags: Float[np.ndarray, "k h w d"],
    order: tuple[int, ...],
    solve: Solver,
) -> Float[np.ndarray, "p k c"]:
    """People in whole cells."""
    found = peaks(maps, tags)
    default = np.zeros((len(maps), 3 + tags.shape[-1]), np.float32)
    keypoints: dict[float, np.ndarray] = {}
    members: dict[float, list[np.ndarray]] = {}
    for k in order:
        rows = found[k]
        if not len(rows):
            continue
        pairs: dict[int, float] = {}
        if members:
            keys = [*members][:PEOPLE]
            if len(keys) == PEOPLE:
                continue
            means = np.stack([np.mean(members[key], axis=0) for key in keys])
            apart = (rows[:, None, 3:] - means[None]) ** 2
            distance = apart.mean(axis=2) ** 0.5
            cost = np.round(distance) * 100 - rows[:, 2:3]
            missing = max(len(rows) - len(keys), 0)
            cost = np.pad(cost, ((0, 0), (0, missing)), constant_values=1e10)
            pairs = {
                i: keys[j]
                for i, j in solve(cost)
                if i < len(rows) and j < len(keys) and distance[i, j] < TAG_THRESHOLD
            }
        for i, row in enumerate(rows):
            if i in pairs:
                keypoints[pairs[i]][k] = row
                members[pairs[i]].append(row[3:])
            else:
                key = float(row[3])
                keypoints.setdefault(key, default.copy())[k] = row
                members[key] = [row[3:]]
    return np.array([*keypoints.values()]).reshape(-1, *default.shape)


def peaks(
    maps: Float[np.ndarray, "k h w"], tags: Float[np.ndarray, "k h w d"]
) -> list[Float[np.ndarray, "n c"]]:
    """Of each map, the highest first: x, y, height, tag."""
    highest = scipy.ndimage.maximum_filter(maps, (1, 3, 3), mode="nearest")
    found = []
    for plane, tag, is_peak in zip(maps, tags, maps == highest, strict=True):
        y, x = np.nonzero(is_peak & (plane > THRESHOLD))
        first = np.argsort(-plane[y, x], kind="stable")[:PEOPLE]
        y, x = y[first], x[first]
        rows = np.column_stack([x, y, plane[y, x], tag[y, x]])
        # As the original's: NumPy makes float64 of whole cells beside float32.
        found.append(rows.astype(np.float64))
    return found


def adjusted(
    people: Float[np.ndarray, "p k c"], maps: Float[np.ndarray, "k h w"]
) -> Float[np.ndarray, "p k c"]:
    """Moved by a quarter of a cell toward the higher neighbour, and by half a cell."""
    people = people.copy()
    for person in people:
        for row, plane in zip(person, maps, strict=True):
            if row[2] > 0:
                row[:2] = between(plane, int(row[0]), int(row[1]), len(plane) - 1)
    return people


def between(plane: np.ndarray, x: int, y: int, last: int) -> tuple[float, float]:
    right = plane[y, min(x + 1, plane.shape[1] - 1)] > plane[y, max(x - 1, 0)]
    below = plane[min(y + 1, last), x] > plane[max(y - 1, 0), x]
    return x + (0.75 if right else 0.25), y + (0.75 if below else 0.25)


def refine(
    person: Float[np.ndarray, "k c"],
    maps: Float[np.ndarray, "k h w"],
    tags: Float[np.ndarray, "k h w d"],
) -> None:
    """Fills in what a person lacks."""
    members = [
        tags[k, int(row[1]), int(row[0])] for k, row in enumerate(person) if row[2] > 0
    ]
    mean = np.mean(members, axis=0)
    for k, (row, plane) in enumerate(zip(person, maps, strict=True)):
        distance = ((tags[k] - mean) ** 2).sum(axis=2) ** 0.5
        best = np.argmax(plane - np.round(distance))
        y, x = np.unravel_index(best, plane.shape)
        point = between(plane, int(x), int(y), len(maps) - 1)
        if row[2] == 0 and plane[y, x] > 0:
            row[:3] = (*point, 1)


def scipy_solver(cost: np.ndarray) -> list[tuple[int, int]]:
    rows, columns = scipy.optimize.linear_sum_assignment(cost)
    return [*zip(rows.tolist(), columns.tolist(), strict=True)]


def munkres(cost: np.ndarray) -> list[tuple[int, int]]:
    """Stars and primes on a square of lists; of several optima, not always the package's.

    Source: Munkres 1957, in the steps of the Python package that the original calls.
    """
    n = max(cost.shape)
    table = np.zeros((n, n))
    table[: cost.shape[0], : cost.shape[1]] = cost
    c = (table - table.min(axis=1, keepdims=True)).tolist()
    star, prime = [-1] * n, [-1] * n  # columns of a row's starred and primed zeros
    owner = [-1] * n  # row of a column's starred zero
    for i in range(n):
        for j in range(n):
            if c[i][j] == 0 and star[i] < 0 and owner[j] < 0:
                star[i], owner[j] = j, i
    while min(owner) < 0:
        covered_row = [False] * n
        covered_column = [i >= 0 for i in owner]
        prime = [-1] * n
        while True:
            i, j = _uncovered_zero(c, covered_row, covered_column)
            if i < 0:
                _make_zeros(c, covered_row, covered_column)
                continue
            prime[i] = j
            if star[i] < 0:
                break
            covered_row[i], covered_column[star[i]] = True, False
        while j >= 0:
            before = owner[j]
            star[i], owner[j] = j, i
            i, j = before, (prime[before] if before >= 0 else -1)
    return [(i, star[i]) for i in range(cost.shape[0]) if star[i] < cost.shape[1]]


def _uncovered_zero(
    c: list[list[float]], covered_row: list[bool], covered_column: list[bool]
) -> tuple[int, int]:
    for i, row in enumerate(c):
        if not covered_row[i]:
            for j, value in enumerate(row):
                if value == 0 and not covered_column[j]:
                    return i, j
    return -1, -1


def _make_zeros(
    c: list[list[float]], covered_row: list[bool], covered_column: list[bool]
) -> None:
    least = min(
        value
        for i, row in enumerate(c)
        if not covered_row[i]
        for j, value in enumerate(row)
        if not covered_column[j]
    )
    for i, row in enumerate(c):
        for j in range(len(row)):
            if covered_row[i]:
                row[j] += least
            if not covered_column[j]:
                row[j] -= least
