"""Targets of proposals beside slow loops, and each fault of the original's."""

import dataclasses

import batches
import jax
import jax.numpy as jnp
import numpy as np
import proposing
import pytest
import tagged_people

from jaxpose.objectives import proposal_maps, proposal_parts, proposals


def targets_of(objective, batch):
    return jax.jit(objective.targets)(batch, jnp.array(0))


def crowd(n=6, p=9, seed=0, **fields):
    """Heads of 1 to 4 pixels, so that some are alike."""
    batch = tagged_people.random_crowd(n, proposing.SIZE, p=p, seed=seed, **fields)
    scale = np.random.default_rng(seed).integers(1, 5, (n, p))
    return dataclasses.replace(batch, scale=jnp.array(scale, jnp.float32))


def slow_box(part, keypoints, labeled, head):
    """(x, y, width, height), or None."""
    height, width = proposing.SIZE
    members = [i for i in part.keypoints if labeled[i]]
    if part.around:
        members = [
            i
            for i in members
            if -0.5 <= keypoints[i, 0] < width - 0.5
            and -0.5 <= keypoints[i, 1] < height - 0.5
        ]
    elif len(members) < len(part.keypoints):
        return None
    if not members:
        return None
    low, high = keypoints[members].min(axis=0), keypoints[members].max(axis=0)
    grown = high - low if part.around else np.zeros(2)
    return np.concatenate([(low + high) / 2, grown + part.size * head])


@pytest.mark.parametrize("last", [False, True])
def test_beside_a_loop(last):
    batch = crowd(21, p=20)
    targets = targets_of(proposing.objective_of(last_person_wins=last), batch)
    b, (h, w), k = len(batch.image), proposing.GRID, 4
    owner, box = np.full((b, h, w, k), -1), np.zeros((b, h, w, k, 4))
    head, clashes = np.array(batch.scale), 0
    for n, p, part in np.ndindex(b, batch.scale.shape[1], k):
        found = slow_box(
            proposing.TRIO.parts[part],
            np.array(batch.keypoints[n, p], np.float64),
            np.array(batch.visibility[n, p]) > 0,
            head[n, p],
        )
        if found is None:
            continue
        j, i = np.floor((found[:2] + 0.5) / 8).astype(int)
        if not (0 <= i < h and 0 <= j < w):
            continue
        before = owner[n, i, j, part]
        clashes += before >= 0
        if before < 0 or last or head[n, p] > head[n, before]:
            owner[n, i, j, part], box[n, i, j, part] = p, found
    np.testing.assert_array_equal(targets.there, owner >= 0)
    np.testing.assert_allclose(targets.box, box, atol=1e-4)
    limbs = np.zeros(targets.limbs.shape, bool)
    asked = np.zeros_like(limbs)
    for n, i, j, di, dj, limb in np.ndindex(*limbs.shape):
        start, end = proposing.TRIO.limbs[limb]
        y, x = i + di - 1, j + dj - 2
        inside = 0 <= y < h and 0 <= x < w
        first = owner[n, i, j, start]
        second = owner[n, y, x, end] if inside else -1
        limbs[n, i, j, di, dj, limb] = first >= 0 and first == second
        asked[n, i, j, di, dj, limb] = first >= 0 or second >= 0
    np.testing.assert_array_equal(targets.limbs, limbs)
    np.testing.assert_array_equal(targets.limbs_seen, asked)
    assert clashes > 10
    assert limbs.sum() > 30


@pytest.mark.parametrize("origin", [-0.5, 0.0])
def test_targets_of_the_mirrored_canvas_are_mirrored(origin):
    objective = proposing.objective_of(origin=origin)
    batch = crowd()
    partners = jnp.array(batches.TRIO.flip)
    keypoints = batch.keypoints[:, :, partners].at[..., 0].multiply(-1)
    mirrored = dataclasses.replace(
        batch,
        keypoints=keypoints.at[..., 0].add(proposing.SIZE[1] - 1),
        visibility=batch.visibility[:, :, partners],
    )
    expected, found = (
        proposing.ideal_outputs(objective, targets_of(objective, x))
        for x in (batch, mirrored)
    )
    flipped = objective.flip(found, batches.TRIO)
    if origin == -0.5:
        np.testing.assert_allclose(flipped, expected, atol=1e-5)
    else:
        # The original's cells begin half a pixel late: not all mirror into cells.
        assert np.abs(flipped - expected).max() > 0.5


def one(keypoints, visibility, *, scale=2.0, canvas=proposing.SIZE, **fields):
    """A batch of one example; keypoints of p people."""
    batch = batches.random_batch(1, canvas, k=len(visibility[0]))
    return dataclasses.replace(
        batch,
        keypoints=jnp.array([keypoints], jnp.float32),
        visibility=jnp.array([visibility], jnp.int32),
        scale=jnp.broadcast_to(jnp.array(scale, jnp.float32), (1, len(visibility))),
        **fields,
    )


def boxes(objective, batch, part):
    """Of one type, in reading order of cells."""
    targets = targets_of(objective, batch)
    return np.array(targets.box[..., part, :][targets.there[..., part]])


def person_without_a_neck():
    """Of MPII's, with a head top at (200, 100) and what is not labeled at (0, 0)."""
    keypoints, visibility = np.zeros((1, 16, 2)), np.zeros((1, 16), int)
    keypoints[0, 9], visibility[0, 9] = [200, 100], 2
    return one(keypoints, visibility, scale=20.0, canvas=(384, 384))


def mpii(**fields):
    return proposing.objective_of(
        size=(384, 384), parts=proposal_parts.MPII, stride=32, window=(9, 9), **fields
    )


def test_instances_need_both_ends_of_the_head():
    """The original's stand half way to the picture's corner."""
    batch = person_without_a_neck()
    assert len(boxes(mpii(), batch, 0)) == 0
    theirs = boxes(mpii(one_end_labeled=True), batch, 0)
    np.testing.assert_allclose(theirs, [[100, 50, 40, 40]])
    for objective in (mpii(), mpii(one_end_labeled=True)):
        np.testing.assert_allclose(boxes(objective, batch, 1), [[200, 100, 10, 10]])


def test_heads_are_as_large_as_the_data_says():
    """The original's reaches from the head top to the picture's corner."""
    batch = person_without_a_neck()
    np.testing.assert_allclose(boxes(mpii(), batch, 1)[0, 2:], [10, 10])
    theirs = boxes(mpii(head_keypoints=(9, 8)), batch, 1)[0, 2:]
    np.testing.assert_allclose(theirs, np.full(2, np.hypot(200, 100) / 2), rtol=1e-6)


def test_the_larger_of_two_in_a_cell_is_taught():
    """The original teaches the last, be it somebody far behind."""
    keypoints = [[[20, 11], [4, 4], [9, 9]], [[21, 12], [4, 4], [9, 9]]]
    visibility = [[2, 0, 0], [2, 0, 0]]
    batch = one(keypoints, visibility, scale=[8.0, 4.0])
    np.testing.assert_allclose(
        boxes(proposing.objective_of(), batch, 1), [[20, 11, 4, 4]]
    )
    theirs = proposing.objective_of(last_person_wins=True)
    np.testing.assert_allclose(boxes(theirs, batch, 1), [[21, 12, 2, 2]])


def test_of_two_as_large_the_first_is_taught():
    """That is the one whose crop it is."""
    batch = one([[[20, 11]] * 3, [[21, 12]] * 3], [[2, 0, 0], [2, 0, 0]])
    np.testing.assert_allclose(
        boxes(proposing.objective_of(), batch, 1)[0, :2], [20, 11]
    )


def test_the_border_of_the_grid_is_that_of_the_canvas():
    """A pixel's centre is half a pixel from its edge, which the original leaves out."""
    batch = one([[[-0.4, -0.4], [4, 4], [4, 4]]], [[2, 0, 0]])
    assert len(boxes(proposing.objective_of(), batch, 1)) == 1
    assert len(boxes(proposing.objective_of(origin=0.0), batch, 1)) == 0
    batch = one([[[7.6, 3.0], [4, 4], [4, 4]]], [[2, 0, 0]])
    for origin, column in ((-0.5, 1), (0.0, 0)):
        there = targets_of(proposing.objective_of(origin=origin), batch).there
        np.testing.assert_array_equal(np.argwhere(there[0, ..., 1]), [[0, column]])


def test_masked_cells_are_not_asked_but_for_what_is_there():
    """The original teaches that a crowd is background."""
    mask = np.ones((1, *proposing.SIZE))
    mask[:, :, 12:25] = 0  # Half of column 1, all of 2, an eighth of 3.
    batch = one([[[20, 11], [4, 4], [4, 4]]], [[2, 0, 0]], mask=jnp.array(mask))
    seen = np.array(targets_of(proposing.objective_of(), batch).seen)
    expected = np.ones((1, *proposing.GRID, 4), bool)
    expected[:, :, 1:3] = False
    expected[0, 1, 2, :2] = True  # The person and the right one are there.
    np.testing.assert_array_equal(seen, expected)
    theirs = targets_of(proposing.objective_of(look_everywhere=True), batch)
    assert theirs.seen.all()


def test_boxes_around_people_hold_what_is_on_the_canvas():
    keypoints = [[[10, 10], [30, 20], [20, 99]]]
    found = boxes(proposing.objective_of(), one(keypoints, [[2, 1, 2]]), 0)
    np.testing.assert_allclose(found, [[20, 15, 20 + 2, 10 + 2]])
    alone = boxes(proposing.objective_of(), one(keypoints, [[2, 0, 0]]), 0)
    np.testing.assert_allclose(alone, [[10, 10, 2, 2]])
    assert not len(boxes(proposing.objective_of(), one(keypoints, [[0, 0, 2]]), 0))


def test_unlabeled_coordinates_may_be_anything():
    for rest in (np.nan, np.inf):
        batch = one([[[20, 11], [rest, rest], [rest, -rest]]], [[2, 0, 0]])
        for fields in ({}, {"one_end_labeled": True, "head_keypoints": (0, 1)}):
            targets = targets_of(proposing.objective_of(**fields), batch)
            assert np.isfinite(targets.box).all()
            assert targets.there[..., 1].sum() == 1


def test_any_number_of_people_and_canvases_of_other_sizes():
    objective = proposing.objective_of()
    batch = tagged_people.random_crowd(2, size=(16, 72), p=35)
    targets = targets_of(objective, batch)
    assert targets.there.shape == (2, 2, 9, 4)
    assert targets.limbs.shape == (2, 2, 9, *proposing.WINDOW, 3)
    nobody = targets_of(objective, tagged_people.random_crowd(1))
    assert not nobody.there.any() and not nobody.limbs_seen.any()
    with pytest.raises(ValueError, match=r"\(30, 40\) does not divide into cells of"):
        objective.targets(tagged_people.random_crowd(2, size=(30, 40)), jnp.array(0))
    with pytest.raises(ValueError, match="16 keypoints a person, but .* 3 of trio"):
        objective.targets(person_without_a_neck(), jnp.array(0))


@pytest.mark.parametrize("origin", [-0.5, 0.0])
def test_boxes_are_read_as_they_were_written(origin):
    objective = proposing.objective_of(origin=origin)
    targets = targets_of(objective, crowd())
    maps = objective.decode(proposing.ideal_outputs(objective, targets))
    assert isinstance(maps, proposal_maps.ProposalMaps)
    there = np.array(targets.there)
    np.testing.assert_allclose(
        np.array(maps.box)[there], np.array(targets.box)[there], atol=1e-4
    )
    np.testing.assert_array_equal(maps.response > 0.5, there)
    np.testing.assert_array_equal(maps.limbs > 0.5, targets.limbs)


def test_plain_is_jit():
    objective, batch = proposing.objective_of(), crowd(2)
    plain = objective.targets(batch, jnp.array(0))
    jax.tree.map(np.testing.assert_array_equal, plain, targets_of(objective, batch))


def test_examples_do_not_mix():
    objective, batch = proposing.objective_of(), crowd(6)
    together = targets_of(objective, batch)
    alone = targets_of(objective, jax.tree.map(lambda x: x[5:], batch))
    jax.tree.map(lambda x, y: np.testing.assert_array_equal(x[5:], y), together, alone)


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"size": (30, 40)}, "stride=8"),
        ({"window": (4, 5)}, r"window=\(4, 5\) has no middle; make both sides odd"),
        ({"window": (-1, 5)}, "has no middle"),
        ({"response": -1.0}, "response=-1.0 must be 0 or positive"),
        ({"limb": np.nan}, "limb=nan must be 0 or positive"),
        ({"position_error": "huber"}, "position_error='huber' is not one of"),
        ({"extent": np.inf}, "extent=inf must be 0 or positive"),
        ({"head_keypoints": (0, 3)}, r"\(0, 3\) must be two of the 3 of trio"),
    ],
)
def test_fields_out_of_range_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        proposing.objective_of(**fields)


def test_skeletons_of_other_mirrors_are_refused():
    objective = proposing.objective_of()
    outputs = jnp.zeros((1, *proposing.GRID, 69))
    other = dataclasses.replace(batches.TRIO, flip=(0, 1, 2))
    with pytest.raises(ValueError, match="trio has another mirror than that of the"):
        objective.flip(outputs, other)
    assert isinstance(objective, proposals.Proposals)
