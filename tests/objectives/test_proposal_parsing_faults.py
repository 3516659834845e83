"""Parsing of proposals by hand: the original's faults, and what each field changes."""

import jax
import numpy as np
import pytest

from jaxpose.objectives import proposal_maps, proposal_parsing
from jaxpose.objectives.proposal_parts import MPII

STRIDE, GRID, WINDOW = 32, (6, 7), (5, 3)
PERSON, HEAD_TOP, NECK, SHOULDER = 0, 1, 2, 3


def parse(maps, **fields):
    """Points "p k 2", scores "p k" and scores of people of the first image."""
    poses = jax.jit(proposal_parsing.Parsing(**fields))(maps)
    found = poses.keypoints, poses.scores, poses.person_scores
    return [np.array(x)[0] for x in found]


def drawn(proposals, joined, *, moved=None, low=None, side=20.0):
    """Maps of one image.

    Args:
        proposals: {(part, row, column): response}, in the middle of the cell.
        joined: {(limb, start (part, row, column), end): affinity}; a limb by its start.
        moved: {(part, row, column): (x, y)} added to the centre, in pixels.
        low: {(part, row, column): predicted IoU} instead of 0.8.
    """
    k = len(MPII)
    response = np.zeros((1, *GRID, k), np.float32)
    iou = np.full_like(response, 0.8)
    box = np.full((1, *GRID, k, 4), side, np.float32)
    y, x = np.mgrid[: GRID[0], : GRID[1]]
    box[..., 0], box[..., 1] = (STRIDE * (c[..., None] + 0.5) for c in (x, y))
    limbs = np.zeros((1, *GRID, *WINDOW, len(MPII.limbs)), np.float32)
    for (part, i, j), value in proposals.items():
        response[0, i, j, part] = value
    for (part, i, j), by in (moved or {}).items():
        box[0, i, j, part, :2] += by
    for (part, i, j), value in (low or {}).items():
        iou[0, i, j, part] = value
    for (start, end), value in joined.items():
        part, i, j = start
        di, dj = end[1] - i + WINDOW[0] // 2, end[2] - j + WINDOW[1] // 2
        assert (part, end[0]) in MPII.limbs
        limbs[0, i, j, di, dj, MPII.limbs.index((part, end[0]))] = value
    return proposal_maps.ProposalMaps(response, iou, box, limbs)


A = (PERSON, 1, 1)
TOP, NECK_A, SHOULDER_A = (HEAD_TOP, 0, 1), (NECK, 2, 1), (SHOULDER, 2, 0)
WHOLE = {A: 0.9, TOP: 0.8, NECK_A: 0.7, SHOULDER_A: 0.6}
JOINED = {(TOP, A): 0.9, (NECK_A, A): 0.9, (SHOULDER_A, NECK_A): 0.9}
NAMES = ("head_top", "neck", "right_shoulder")
KEYPOINTS = [MPII.skeleton.index(name) for name in NAMES]


def there(found, person=0):
    """Which of head top, neck and right shoulder a person has."""
    return np.isfinite(found[0][person, KEYPOINTS, 0]).tolist()


def test_a_person():
    points, scores, person_scores = parse(drawn(WHOLE, JOINED))
    np.testing.assert_array_equal(points[0, KEYPOINTS], [[48, 16], [48, 80], [16, 80]])
    np.testing.assert_allclose(scores[0, KEYPOINTS], [0.8, 0.7, 0.6])
    # Of 16 parts, the instance is one.
    np.testing.assert_allclose(person_scores[0], (0.9 + 0.8 + 0.7 + 0.6) / 16)
    rest = np.setdiff1d(np.arange(16), KEYPOINTS)
    assert np.isnan(points[0, rest]).all() and not scores[0, rest].any()
    assert np.isnan(points[1:]).all() and not person_scores[1:].any()


@pytest.mark.parametrize("part, by", [(NECK_A, (0, 17)), (TOP, (0, -17))])
def test_a_center_in_the_next_cell_keeps_its_limbs(part, by):
    """The original looks for them there: the neck's, or a head top's off the grid."""
    maps = drawn(WHOLE, JOINED, moved={part: by})
    assert there(parse(maps)) == [True, True, True]
    lost = [part != TOP, part == TOP, part == TOP]
    assert there(parse(maps, regressed_stride=STRIDE)) == lost


def test_a_low_predicted_iou_is_no_suppression():
    """In the original it is, and what it suppressed before stays away."""
    weaker = (NECK, 2, 2)
    maps = drawn(
        WHOLE | {weaker: 0.5},
        JOINED | {(weaker, A): 0.5, (SHOULDER_A, NECK_A): 0.9},
        low={NECK_A: -0.01},
        side=60.0,
        moved={weaker: (-20, 0)},
    )
    assert there(parse(maps)) == [True, True, True]
    assert there(parse(maps, drop_low_iou=True)) == [True, False, False]
    # Exactly 0 suppresses nobody.
    maps.iou[0, 2, 1, NECK] = 0
    points = parse(maps, drop_low_iou=True)[0]
    np.testing.assert_array_equal(points[0, KEYPOINTS[1]], [60, 80])


def test_a_person_without_head_top():
    proposals = {part: score for part, score in WHOLE.items() if part != TOP}
    maps = drawn(proposals, JOINED)
    assert there(parse(maps)) == [False, True, True]
    assert there(parse(maps, roots_at_first_limb=True)) == [False] * 3


def test_people_come_by_their_roots():
    """By the instance's confidence; in the original by the limb of the head top."""
    b, top_b = (PERSON, 4, 5), (HEAD_TOP, 3, 5)
    maps = drawn(
        {A: 0.9, TOP: 0.5, b: 0.8, top_b: 0.9}, {(TOP, A): 0.9, (top_b, b): 0.9}
    )
    x = {False: [48, 176], True: [176, 48]}
    for first, expected in x.items():
        points = parse(maps, roots_at_first_limb=first)[0]
        np.testing.assert_array_equal(points[:2, KEYPOINTS[0], 0], expected)


def test_of_too_many_the_surest_stay():
    """People, and head tops too."""
    b, c = (PERSON, 4, 5), (PERSON, 1, 4)
    tops = {TOP: A, (HEAD_TOP, 3, 5): b, (HEAD_TOP, 0, 4): c}
    scores = {A: 0.7, b: 0.9, c: 0.8}
    proposals = scores | {top: scores[person] for top, person in tops.items()}
    maps = drawn(proposals, {limb: 0.9 for limb in tops.items()})
    for people, expected in ((1, [176]), (2, [176, 144]), (4, [176, 144, 48, np.nan])):
        points = parse(maps, people=people)[0]
        np.testing.assert_array_equal(points[:, KEYPOINTS[0], 0], expected)


def test_a_chain_from_nobody_takes_nothing_by_sed():
    """The surer of two necks has no instance, and would have the shoulder."""
    other = (NECK, 4, 1)
    maps = drawn(WHOLE | {other: 0.95}, JOINED | {(SHOULDER_A, other): 0.9})
    assert there(parse(maps)) == [True, True, False]
    assert there(parse(maps, score="sed")) == [True, True, True]


def test_confidence_with_iou():
    """The surer of two overlapping instances has the worse box."""
    better = (PERSON, 1, 2)
    fields = {"moved": {better: (-20, 0)}, "low": {A: 0.3}}
    maps = drawn(
        WHOLE | {better: 0.7}, JOINED | {(TOP, better): 0.9}, side=60.0, **fields
    )
    assert there(parse(maps)) == [True, True, True]
    found = parse(maps, confidence="response x iou")
    assert there(found) == [True, False, False]
    np.testing.assert_allclose(found[1][0, KEYPOINTS[0]], 0.8 * 0.8)


def test_thresholds():
    """A proposal's own value is enough, a limb's is not."""
    maps = drawn(WHOLE, JOINED | {(SHOULDER_A, NECK_A): 0.5})
    for fields, expected in (
        ({"threshold": float(np.float32(0.6))}, [True, True, True]),
        ({"threshold": 0.65}, [True, True, False]),
        ({"limb_threshold": 0.5}, [True, True, False]),
        ({"limb_threshold": 0.49}, [True, True, True]),
    ):
        assert there(parse(maps, **fields)) == expected


def test_nobody():
    """An instance alone is nobody; and what is not a number proposes nothing."""
    for maps in (
        drawn({}, {}),
        drawn({A: 0.9}, {}),
        jax.tree.map(lambda x: np.full_like(x, np.nan), drawn({}, {})),
    ):
        points, scores, person_scores = parse(maps)
        assert np.isnan(points).all() and not scores.any() and not person_scores.any()
