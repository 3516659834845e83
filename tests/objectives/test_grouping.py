"""Grouping by tags: the original's numbers, a slow loop with SciPy, and edge cases."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import slow_grouping

from benchmarks import original_grouping
from jaxpose import devices
from jaxpose.objectives import assignment, grouping

COCO_ORDER = (0, 1, 2, 3, 4, 5, 6, 11, 12, 7, 8, 9, 10, 13, 14, 15, 16)
ORIGINAL = grouping.Grouping(order=COCO_ORDER, distance_weight=0.0, score_weight=1.0)


def ours(record):
    """Maps "1 h w k" and tags "1 h w k d" of a recorded image, at least float32."""
    maps = record["det"].astype(np.float32).transpose(1, 2, 0)[None]
    return maps, record["tag"].astype(np.float32).transpose(1, 2, 0, 3)[None]


@pytest.mark.parametrize("way", [ORIGINAL, grouping.Grouping(order=COCO_ORDER)])
def test_recorded_people(reference, way):
    """Four people without ties, by the original and by our cost, exactly.

    The original adds half a cell. Its refinement took min(row + 1, 16) for the row below,
    whatever the height: undone here for the keypoints it filled in.
    """
    record = reference("ae_grouping")
    maps, tags = ours(record)
    points, scores, person_scores = (np.array(x)[0] for x in jax.jit(way)(maps, tags))
    joined = record["matched"][..., 2] > 0
    assert 0 < joined.sum() < joined.size
    np.testing.assert_array_equal(
        points[:4][joined], record["parsed"][joined][:, :2] - 0.5
    )
    np.testing.assert_array_equal(scores[:4][joined], record["parsed"][joined][:, 2])
    # A sum of 17 heights below 1, in another order.
    np.testing.assert_allclose(person_scores[:4], record["scores"], atol=17 * 2**-24)
    for person, k in np.argwhere(~joined):
        x, y = np.rint(points[person, k]).astype(int)
        plane = maps[0, :, :, k]
        below = plane[min(y + 1, 16), x] > plane[max(y - 1, 0), x]
        expected = points[person, k, 0], y + (0.25 if below else -0.25)
        np.testing.assert_array_equal(record["refined"][person, k, :2] - 0.5, expected)
        assert scores[person, k] == plane[y, x]
    assert np.isnan(points[4:]).all()
    assert not scores[4:].any() and not person_scores[4:].any()


def test_stress_costs_the_optimum(reference):
    """Step by step: 17 crowded matchings of maps whose ties no solver breaks alike."""
    maps, tags = ours(reference("ae_grouping_stress"))
    n, matchings = 30, []

    def solve(cost):
        square = np.zeros((n, n), np.float32)
        square[: cost.shape[0], : cost.shape[1]] = cost
        there = (np.arange(n) < length for length in cost.shape)
        pairs = np.nonzero(np.array(jax.jit(assignment.assign)(square, *there)))
        best = scipy.optimize.linear_sum_assignment(cost)
        assert len(pairs[0]) == min(cost.shape)
        matchings.append((cost[pairs].sum(), cost[best].sum()))
        return pairs

    weights = {"distance_weight": 0.0, "score_weight": 1.0}
    for fields in (weights, {}):
        slow_grouping.group(
            maps[0].astype(float),
            tags[0].astype(float),
            order=COCO_ORDER,
            solve=solve,
            **fields,
        )
    found, best = np.array(matchings).T
    assert len(found) == 2 * 16 and best.max() > 100
    # 30 costs below 1000 in float32.
    np.testing.assert_allclose(found, best, atol=30 * 1000 * 2**-24)


def test_the_benchmark_groups_as_the_original(reference):
    """The baseline of `benchmarks/grouping.py`: recorded people, exactly."""
    record = reference("ae_grouping")
    for solve in (original_grouping.munkres, original_grouping.scipy_solver):
        people, scores = original_grouping.group(
            record["det"], record["tag"], COCO_ORDER, solve
        )
        np.testing.assert_array_equal(people[..., :3], record["refined"][..., :3])
        np.testing.assert_array_equal(scores, record["scores"])
    cost = np.random.default_rng(0).uniform(0, 5, (20, 30))
    for solve in (original_grouping.munkres, original_grouping.scipy_solver):
        assert len(solve(cost)) == 20
    totals = [
        sum(cost[pair] for pair in solve(cost))
        for solve in (original_grouping.munkres, original_grouping.scipy_solver)
    ]
    np.testing.assert_allclose(*totals, rtol=1e-12)


def crowds(count, size=(20, 22), k=5, d=2, seed=0):
    """Random maps and tags of 0 to 60 people, in float64: many, near and overlapping."""
    rng = np.random.default_rng(seed)
    (h, w), number = size, np.linspace(0, 60, count).round().astype(int)
    maps = rng.uniform(-0.05, 0.09, (count, h, w, k))
    tags = rng.normal(0, 2, (count, h, w, k, d))
    for image, people in enumerate(number):
        where = rng.integers(0, [h, w], (people, k, 2))
        shown = rng.uniform(size=(people, k)) < 0.7
        mine = rng.normal(0, 4, (people, 1, d)) + rng.normal(0, 0.25, (people, k, d))
        person, keypoint = np.nonzero(shown)
        y, x = where[person, keypoint].T
        maps[image, y, x, keypoint] = rng.uniform(0.05, 1, len(person))
        tags[image, y, x, keypoint] = mine[person, keypoint]
    return maps, tags, number


def compare(points, scores, expected, expected_scores):
    """Whether one image agrees with the slow loops."""
    n = len(expected)
    same = np.array_equal(points[:n], np.reshape(expected, points[:n].shape), True)
    return (
        same
        and np.isnan(points[n:]).all()
        and not scores[n:].any()
        and np.allclose(scores[:n], expected_scores, atol=1e-6)
    )


def test_a_thousand_crowds():
    """As slow loops with SciPy find them: all in float64, nearly all in float32.

    In float32 a distance of tags may round to the other side of a half, or of 1.
    """
    maps, tags, number = crowds(1000)
    order = (3, 0, 4, 1, 2)
    slow = [
        slow_grouping.group(*image, order=order)
        for image in zip(maps, tags, strict=True)
    ]
    people = np.array([len(scores) for _, scores in slow])
    assert not people[number == 0].any() and (people == 30).sum() > 300
    for x64, least in ((True, 1000), (False, 990)):
        with jax.enable_x64(x64):
            program = jax.jit(grouping.Grouping(order=order))
            points, _, scores = (np.array(x) for x in program(maps, tags))
        agreed = sum(
            compare(*image, *expected)
            for *image, expected in zip(points, scores, slow, strict=True)
        )
        assert agreed >= least


def spots(*spots, k=2, size=(8, 9)):
    """Maps and one-dimensional tags "1 h w k d"; a spot is (keypoint, x, y, height, tag)."""
    maps, tags = np.zeros((1, *size, k)), np.full((1, *size, k, 1), 50.0)
    for keypoint, x, y, height, tag in spots:
        maps[0, y, x, keypoint] = height
        tags[0, y, x, keypoint] = tag
    return jnp.array(maps, jnp.float32), jnp.array(tags, jnp.float32)


PAIR = spots(
    (0, 1, 1, 0.9, 1), (0, 6, 5, 0.8, 4), (1, 3, 2, 0.7, 4.2), (1, 5, 6, 0.6, 1.1)
)


def group(arrays, **fields):
    """Points "p k 2", scores "p k" and scores of people of one image."""
    found = jax.jit(grouping.Grouping(**fields))(*arrays)
    return [np.array(x)[0] for x in found]


def test_two_people():
    points, scores, person_scores = group(PAIR, people=3)
    np.testing.assert_array_equal(points[:2], [[[1, 1], [5, 6]], [[6, 5], [3, 2]]])
    np.testing.assert_allclose(scores, [[0.9, 0.6], [0.8, 0.7], [0, 0]])
    np.testing.assert_allclose(person_scores, [0.75, 0.75, 0], rtol=1e-6)
    assert np.isnan(points[2]).all()


def test_order_decides_who_comes_first():
    points, _, _ = group(PAIR, people=3, order=(1, 0))
    np.testing.assert_array_equal(points[:2], [[[6, 5], [3, 2]], [[1, 1], [5, 6]]])


def test_no_room_for_more_people():
    """The original left a whole kind of keypoint out once it had found all people."""
    crowd = ((0, 1, 1, 0.9, 1), (0, 6, 5, 0.8, 4), (0, 6, 1, 0.7, 8))
    members = ((1, 3, 2, 0.7, 1.1), (1, 5, 6, 0.6, 4.2), (1, 1, 7, 0.5, 8.1))
    points, _, person_scores = group(spots(*crowd, *members), people=2, refine=False)
    np.testing.assert_array_equal(points, [[[1, 1], [3, 2]], [[6, 5], [5, 6]]])
    np.testing.assert_allclose(person_scores, [0.8, 0.7], rtol=1e-6)


def test_equal_tags_are_two_people_and_a_flat_top_is_one():
    """In the original the second replaced the first, and every cell of a top counted."""
    flat = [(0, x, y, 0.9, 1) for x, y in ((3, 4), (4, 4), (2, 5))]
    points, _, person_scores = group(spots(*flat, (0, 7, 1, 0.8, 1)), people=3)
    np.testing.assert_allclose(person_scores, [0.45, 0.4, 0])
    np.testing.assert_array_equal(points[:2, 0], [[3.25, 4], [7, 1]])


def test_refinement():
    """The nearest tag wins over the higher map, however low, if it is not 0."""
    spotted = (0, 1, 1, 0.9, 1), (1, 2, 5, 0.05, 1.3), (1, 7, 7, 0.09, 2.0)
    arrays = spots(*spotted, k=3)
    points, scores, person_scores = group(arrays, people=2)
    np.testing.assert_array_equal(points[0], [[1, 1], [2, 5], [np.nan, np.nan]])
    np.testing.assert_allclose(scores[0], [0.9, 0.05, 0])
    np.testing.assert_allclose(person_scores, [0.3, 0], rtol=1e-6)
    assert np.isnan(points[1]).all()
    points, scores, again = group(arrays, people=2, refine=False)
    np.testing.assert_array_equal(np.isnan(points[0, :, 0]), [0, 1, 1])
    np.testing.assert_array_equal(scores[0, 1:], 0)
    np.testing.assert_array_equal(again, person_scores)


@pytest.mark.parametrize(
    "window, threshold, heights",
    [
        (3, 0.1, [0.9, 0.5]),
        (5, 0.1, [0.9]),
        (1, 0.1, [0.9, 0.5, 0.2]),
        (3, 0.5, [0.9]),
        (3, 0.9, []),
    ],
)
def test_peaks(window, threshold, heights):
    near = (0, 2, 2, 0.9, 1), (0, 4, 2, 0.5, 4), (0, 4, 3, 0.2, 7)
    maps, tags = (x[0] for x in spots(*near, k=1))
    peaks = jax.jit(grouping.highest_peaks, static_argnums=(2, 3, 4))(
        maps.transpose(2, 0, 1), tags.transpose(2, 3, 0, 1), 6, threshold, window
    )
    n = len(heights)
    np.testing.assert_array_equal(peaks.there[0], np.arange(6) < n)
    np.testing.assert_allclose(peaks.score[0], heights + [0] * (6 - n))
    np.testing.assert_array_equal(peaks.cell[0, :n], [20, 22, 31][:n])
    np.testing.assert_array_equal(peaks.tag[0, :n, 0], [1, 4, 7][:n])


@pytest.mark.parametrize("tag_threshold, people", [(0.61, 1), (0.59, 2)])
def test_distant_tags_are_two_people(tag_threshold, people):
    pair = spots((0, 1, 1, 0.9, 1), (1, 5, 6, 0.6, 1.6))
    _, _, found = group(pair, people=3, tag_threshold=tag_threshold)
    assert (found > 0).sum() == people


def test_a_network_that_diverges_comes_to_an_end():
    """Tags whose squares are infinite or that are no numbers; infinite heights."""
    maps, tags = (np.repeat(np.array(array), 4, axis=0) for array in PAIR)
    tags[1] *= 1e30
    tags[2] = np.nan
    maps[3][maps[3] > 0] = np.inf
    program = jax.jit(grouping.Grouping(people=3))
    points, scores, person_scores = (np.array(x) for x in program(maps, tags))
    plain = group(PAIR, people=3)
    for found, expected in zip((points, scores, person_scores), plain, strict=True):
        np.testing.assert_array_equal(found[0], expected)
    # No tag is like another: the first three peaks are three people.
    np.testing.assert_allclose(person_scores[1:3], [[0.45, 0.4, 0.35]] * 2, rtol=1e-6)
    assert np.isinf(person_scores[3, :2]).all()


def test_eight_devices_are_one():
    maps, tags, _ = crowds(8)
    way = grouping.Grouping(people=10)
    rows = devices.sharded(devices.mesh())
    many = jax.jit(way, in_shardings=rows, out_shardings=rows)
    arrays = jnp.array(maps, jnp.float32), jnp.array(tags, jnp.float32)
    for found, expected in zip(many(*arrays), jax.jit(way)(*arrays), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_fields_are_checked():
    for fields, message in (
        ({"people": 0}, "people=0"),
        ({"window": 2}, "window=2"),
        ({"threshold": -0.1}, "threshold=-0.1"),
        ({"tag_threshold": 0.0}, "tag_threshold=0.0"),
        ({"order": (0, 2)}, r"order=\(0, 2\)"),
    ):
        with pytest.raises(ValueError, match=message):
            grouping.Grouping(**fields)
    shapes = jnp.zeros((1, 5, 5, 3)), jnp.zeros((1, 5, 5, 3, 1))
    with pytest.raises(ValueError, match=r"\(5, 5\) cells have no room"):
        grouping.Grouping()(*shapes)
    with pytest.raises(ValueError, match="names 2 keypoints, the maps have 3"):
        grouping.Grouping(people=5, order=(1, 0))(*shapes)
