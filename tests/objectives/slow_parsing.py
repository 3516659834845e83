"""Parsing of proposals in loops over parts, proposals and pairs, one image."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Solver = Callable[[np.ndarray], list[tuple[int, int]]]


class Proposal(NamedTuple):
    """A cell's; confidence, predicted IoU and box."""

    cell: tuple[int, int]
    score: np.float32
    iou: np.float32
    box: np.ndarray


def parse(
    maps,
    *,
    parts,
    people=30,
    threshold=0.1,
    overlap=0.3,
    limb_threshold=0.1,
    confidence="response",
    score="ded",
    regressed_stride=0,
    drop_low_iou=False,
    roots_at_first_limb=False,
    solve=None,
):
    """People, each a proposal by the number of the part; and each limb's pairs' scores."""
    solve = solve or greedy
    trust = maps.response * (maps.iou if confidence != "response" else 1)
    found = [
        chosen(proposals(maps, trust, k, threshold), people, overlap, drop_low_iou)
        for k in range(len(parts))
    ]
    pairs, made = {}, {}
    for number in by_distance(parts):
        start, end = parts.limbs[number]
        table = np.zeros((len(found[end]), len(found[start])), np.float32)
        for b, last in enumerate(found[end]):
            strength = last.score
            if score == "sed" and end != parts.root:
                strength = made[end].get(b, np.float32(0))
            for a, first in enumerate(found[start]):
                e = affinity(maps.limbs[..., number], first, last, regressed_stride)
                if e > limb_threshold:
                    table[b, a] = strength * e * first.score
        pairs[number] = [(b, a) for b, a in solve(table) if table[b, a] > 0]
        made[start] = {a: table[b, a] for b, a in pairs[number]}
    return gathered(found, pairs, made, parts, roots_at_first_limb), made


def proposals(maps, trust, k, threshold):
    """Of one part, the surest first."""
    rows = [
        Proposal(cell, trust[*cell, k], maps.iou[*cell, k], maps.box[*cell, k])
        for cell in np.ndindex(trust.shape[:2])
        if trust[*cell, k] >= threshold
    ]
    return sorted(rows, key=lambda row: -row.score)


def chosen(rows, people, overlap, drop_low_iou):
    """Those that none of those chosen before overlaps."""
    kept = []
    for row in rows:
        if drop_low_iou and row.iou == 0:
            continue
        if len(kept) < people and all(
            intersection_over_union(row.box, other.box) < overlap for other in kept
        ):
            kept.append(row)
    return [row for row in kept if row.iou > 0] if drop_low_iou else kept


def intersection_over_union(one, other):
    low = np.maximum(one[:2] - one[2:] / 2, other[:2] - other[2:] / 2)
    high = np.minimum(one[:2] + one[2:] / 2, other[:2] + other[2:] / 2)
    common = np.prod(np.maximum(high - low, 0))
    return common / max(np.prod(one[2:]) + np.prod(other[2:]) - common, 1e-10)


def affinity(limb, first, last, regressed_stride):
    """Of one limb; 0 out of reach."""
    (i, j), (y, x) = first.cell, last.cell
    if regressed_stride:
        (j, i), (x, y) = (
            np.floor(row.box[:2] / regressed_stride).astype(int)
            for row in (first, last)
        )
    h, w, wi, wj = limb.shape
    di, dj = y - i + wi // 2, x - j + wj // 2
    inside = 0 <= i < h and 0 <= j < w and 0 <= di < wi and 0 <= dj < wj
    return limb[i, j, di, dj] if inside else 0


def by_distance(parts):
    """Numbers of limbs, those nearer to the root first."""
    end_of = dict(parts.limbs)

    def distance(part):
        return 0 if part == parts.root else 1 + distance(end_of[part])

    numbers = range(len(parts.limbs))
    return sorted(numbers, key=lambda number: distance(parts.limbs[number][0]))


def greedy(table):
    """(row, column), the highest first, each once."""
    pairs = []
    for place in np.argsort(-table.ravel(), kind="stable"):
        b, a = divmod(int(place), table.shape[1])
        if all(b != row and a != column for row, column in pairs):
            pairs.append((b, a))
    return pairs


def gathered(found, pairs, made, parts, roots_at_first_limb):
    roots = [*range(len(found[parts.root]))]
    if roots_at_first_limb:
        sure = {b: made[parts.limbs[0][0]][a] for b, a in pairs[0]}
        roots = sorted(sure, key=lambda b: (-sure[b], b))
    everybody = []
    for root in roots:
        member = {parts.root: root}
        for number in by_distance(parts):
            start, end = parts.limbs[number]
            for b, a in pairs[number]:
                if member.get(end) == b:
                    member[start] = a
        everybody.append({part: found[part][row] for part, row in member.items()})
    return everybody


def poses(everybody, parts, people):
    """Keypoints "p k 2", scores "p k" and those of people."""
    part_of = parts.part_of
    points = np.full((people, len(part_of), 2), np.nan, np.float32)
    scores = np.zeros((people, len(part_of)), np.float32)
    person_scores = np.zeros(people, np.float32)
    for p, member in enumerate(everybody):
        for k, part in enumerate(part_of):
            if part in member:
                points[p, k] = member[part].box[:2]
                scores[p, k] = member[part].score
        if np.isfinite(points[p]).any():
            total = sum(row.score for row in member.values())
            person_scores[p] = total / len(parts)
    return points, scores, person_scores
