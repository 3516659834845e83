"""Parsing of proposals: the original's people, slow loops, and its faults one by one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import slow_parsing

from benchmarks import original_parsing
from jaxpose.objectives import proposal_maps, proposal_matching, proposal_parsing
from jaxpose.objectives.proposal_parts import MPII

STRIDE, GRID, WINDOW = 32, (6, 7), (5, 3)
ORIGINAL = {
    "regressed_stride": STRIDE,
    "drop_low_iou": True,
    "roots_at_first_limb": True,
}


@pytest.mark.parametrize("case", [0, 1])
def test_recorded_people(reference, case):
    """Exactly, two people each; the original's fields, and what they cost in case 0."""
    record = reference("ppn_parse")
    raw, people = record[f"raw{case}"].astype(np.float32), record[f"persons{case}"]
    joints, _ = original_parsing.decode(raw[0])
    for k, rows in enumerate(joints):
        recorded = record[f"joints{case}_{k}"][:, :6]
        np.testing.assert_array_equal(original_parsing.survivors(rows), recorded)
    np.testing.assert_array_equal(original_parsing.parse(raw[0]), people)
    maps = proposal_maps.split(
        jnp.array(raw), MPII, window=(9, 9), size=(384, 384), stride=STRIDE, origin=0.0
    )
    points = parse(maps, **ORIGINAL)[0]
    part = np.array(MPII.part_of)
    expected = np.where(
        (part >= 0)[:, None] & (people[:, part] >= 0), people[:, part], 0
    )
    np.testing.assert_array_equal(np.nan_to_num(points[:2]), expected)
    assert np.isnan(points[2:]).all() and np.isnan(points[:, part < 0]).all()
    # Limbs read at the cells of the proposals: nobody loses anything.
    both = parse(maps)[0]
    assert np.isfinite(both).sum() > np.isfinite(points).sum()


def parse(maps, **fields):
    """Points "p k 2", scores "p k" and scores of people of the first image."""
    poses = jax.jit(proposal_parsing.Parsing(**fields))(maps)
    found = poses.keypoints, poses.scores, poses.person_scores
    return [np.array(x)[0] for x in found]


def crowds(count, seed=0):
    """Random maps: everywhere in reach a fifth of all cells, half of all limbs."""
    rng = np.random.default_rng(seed)
    shape, k = (count, *GRID), len(MPII)
    response = rng.uniform(-0.3, 1.0, (*shape, k)) * (
        rng.uniform(size=(*shape, k)) < 0.3
    )
    cells = np.stack(np.meshgrid(*map(np.arange, GRID[::-1])), axis=-1)[:, :, None]
    center = STRIDE * (cells + rng.uniform(-0.2, 1.2, (*shape, k, 2)))
    box = np.concatenate([center, rng.uniform(10, 80, center.shape)], axis=-1)
    limbs = rng.uniform(-0.8, 1.0, (*shape, *WINDOW, len(MPII.limbs)))
    maps = response, rng.uniform(-0.2, 1, response.shape), box, limbs
    return proposal_maps.ProposalMaps(*(x.astype(np.float32) for x in maps))


def one(maps, image):
    return proposal_maps.ProposalMaps(*(x[image] for x in maps))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"score": "sed", "confidence": "response x iou", "people": 5},
        {"people": 42, **ORIGINAL},
        {"threshold": 0.4, "overlap": 0.1, "limb_threshold": 0.5, "people": 12},
    ],
)
def test_two_hundred_crowds(fields):
    """As slow loops find them."""
    maps = crowds(200)
    found = jax.jit(proposal_parsing.Parsing(**fields))(maps)
    total = 0
    for image in range(200):
        people, _ = slow_parsing.parse(one(maps, image), parts=MPII, **fields)
        expected = slow_parsing.poses(people, MPII, found.scores.shape[1])
        total += np.isfinite(expected[0]).sum()
        np.testing.assert_array_equal(found.keypoints[image], expected[0])
        np.testing.assert_array_equal(found.scores[image], expected[1])
        # A mean of 16, in another order.
        np.testing.assert_allclose(
            found.person_scores[image], expected[2], rtol=16 * 2**-24
        )
    assert total > 1000


def test_keypoints_may_rank_by_their_person_too():
    maps = crowds(20)
    found, ranked = (
        jax.jit(proposal_parsing.Parsing(keypoint_score=score))(maps)
        for score in ("confidence", "confidence x person")
    )
    np.testing.assert_array_equal(ranked.keypoints, found.keypoints)
    np.testing.assert_array_equal(ranked.person_scores, found.person_scores)
    expected = np.array(found.scores) * np.array(found.person_scores)[..., None]
    np.testing.assert_allclose(ranked.scores, expected, rtol=1e-6)
    order, other = (np.argsort(np.array(x.scores).ravel()) for x in (ranked, found))
    assert (order != other).any()


def test_the_optimum_is_as_good_as_scipys():
    """And better than the greedy matching, if both are of the same limbs."""
    maps = crowds(50)
    fields = {"parts": MPII, "people": 12}

    def scipy_solver(table):
        rows, columns = scipy.optimize.linear_sum_assignment(-table)
        return [*zip(rows.tolist(), columns.tolist(), strict=True)]

    found = jax.jit(proposal_parsing.Parsing(matching="optimal", **fields))(maps)
    differ = 0
    for image in range(50):
        people, best = slow_parsing.parse(
            one(maps, image), solve=scipy_solver, **fields
        )
        points, _, _ = slow_parsing.poses(people, MPII, 12)
        np.testing.assert_array_equal(found.keypoints[image], points)
        _, made = slow_parsing.parse(one(maps, image), **fields)
        for part, scores in made.items():
            more = sum(best[part].values()) - sum(scores.values())
            assert more > -1e-5
            differ += more > 1e-5
    assert differ > 50


def test_matchings():
    """The highest first leaves 0.9 and nothing; together 0.8 and 0.7 are more."""
    score = jnp.array([[0.9, 0.8, 0], [0.7, 0, 0], [0, 0, 0]])
    ties = jnp.ones((3, 3)).at[1, 1].set(2.0)
    both = jnp.stack([score, ties])[None]
    row = jax.jit(proposal_matching.greedy)(both)
    np.testing.assert_array_equal(row, [[[0, -1, -1], [0, 1, 2]]])
    row = jax.jit(proposal_matching.optimal)(both[:, :1])
    np.testing.assert_array_equal(row, [[[1, 0, -1]]])


def test_greedy_is_one_pair_after_another():
    """Scores of few values, so that there are ties; nan and less than 0 are no scores."""
    rng = np.random.default_rng(0)
    score = rng.integers(-2, 6, (2, 100, 7, 7)).astype(np.float32)
    score[score == 5] = np.inf
    score[rng.uniform(size=score.shape) < 0.1] = np.nan
    row = np.asarray(proposal_matching.greedy(jnp.asarray(score)))
    for example, limb in np.ndindex(2, 100):
        left = np.where(score[example, limb] > 0, score[example, limb], 0)
        expected = np.full(7, -1)
        while left.any():
            best, column = np.unravel_index(left.argmax(), left.shape)
            expected[column] = best
            left[best], left[:, column] = 0, 0
        np.testing.assert_array_equal(row[example, limb], expected)


@pytest.mark.parametrize("count", [1, 3, 40])
def test_suppression_is_one_after_another(count: int):
    """Of 36 proposals, many alike; only a few more than `count` are looked at at once."""
    rng = np.random.default_rng(1)
    score = rng.integers(0, 12, (5, 10, 36)).astype(np.float32)
    score[score < 2] = -np.inf
    box = rng.uniform([0, 0, 1, 1], [9, 9, 4, 4], (5, 10, 36, 4)).astype(np.float32)
    chosen = jax.jit(
        lambda *x: proposal_matching.suppress(*x, count=count, overlap=0.3)
    )(score, box.transpose(3, 0, 1, 2))
    for part in np.ndindex(5, 10):
        expected: list[int] = []
        for cell in np.argsort(-score[part], kind="stable"):
            alike = proposal_maps.overlap(
                jnp.asarray(box[part][cell])[:, None],
                jnp.asarray(box[part][expected].T),
            )
            if score[part][cell] > 0 and not (alike >= 0.3).any():
                expected.append(int(cell))
        found = np.asarray(chosen.there[part])
        np.testing.assert_array_equal(chosen.cell[part][found], expected[:count])
        np.testing.assert_array_equal(
            chosen.score[part], [*score[part][expected[:count]], *[0] * (~found).sum()]
        )


def test_every_other_of_a_long_chain_survives():
    """More links than rounds that are made in any case."""
    x = jnp.arange(12.0)
    box = jnp.stack([x, 0 * x, 0 * x + 2, 0 * x + 1])[:, None, None]
    chosen = proposal_matching.suppress(-x[None, None], box, count=9, overlap=0.3)
    np.testing.assert_array_equal(chosen.cell[0, 0], [0, 2, 4, 6, 8, 10, 0, 0, 0])
    np.testing.assert_array_equal(chosen.there[0, 0], [True] * 6 + [False] * 3)


def test_plain_is_jit_is_one_by_one():
    maps = one(crowds(3), slice(0, 3))
    way = proposal_parsing.Parsing(people=3)
    program = jax.jit(way)
    single = [program(one(maps, slice(i, i + 1))) for i in range(3)]
    alone = jax.tree.map(lambda *x: np.concatenate(x), *single)
    for found in (way(maps), alone):
        # Means over the 16 parts may be summed in another order.
        for mine, expected in zip(
            *map(jax.tree.leaves, (found, program(maps))), strict=True
        ):
            np.testing.assert_allclose(mine, expected, rtol=16 * 2**-24)


def test_fields_are_checked():
    for fields, message in (
        ({"people": 0}, "people=0"),
        ({"threshold": -0.1}, "threshold=-0.1"),
        ({"limb_threshold": float("nan")}, "limb_threshold=nan"),
        ({"overlap": 0.0}, "overlap=0.0"),
        ({"regressed_stride": -1}, "regressed_stride=-1"),
        ({"score": "def"}, r"score='def' is not one of \('ded', 'sed'\)"),
        ({"matching": "best"}, "matching='best'"),
        ({"confidence": "iou"}, "confidence='iou'"),
        ({"keypoint_score": "person"}, "keypoint_score='person'"),
    ):
        with pytest.raises(ValueError, match=message):
            proposal_parsing.Parsing(**fields)
    maps = crowds(1)
    with pytest.raises(ValueError, match="maps of 15 parts and 15 limbs, but MPII has"):
        proposal_parsing.Parsing()(maps._replace(response=maps.response[..., 1:]))
