"""Targets of several people: the original's maps and tag positions, and slow loops."""

import dataclasses

import batches
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tagged_people

from jaxpose.objectives import associative, heatmap_drawing

SIZE = (32, 40)
GRID = (8, 10)


def targets_of(objective, batch):
    return jax.jit(objective.targets)(batch, jnp.array(0))


def test_targets_of_pose_ae(reference):
    """Four people of whom some keypoints lie beyond the canvas or on its border.

    The record's positions have four pixels a cell. Its tags are listed person by person
    with those that count first: (keypoint x cells + cell, 1).
    """
    record = reference("ae_targets")
    side = int(record["R"])
    people = record["kp"][None]
    batch = dataclasses.replace(
        batches.random_batch(1, (4 * side, 4 * side), k=17),
        keypoints=jnp.array(4 * people[..., :2], jnp.float32),
        visibility=jnp.array(people[..., 2], jnp.int32),
    )
    objective = associative.Associative(
        size=(4 * side, 4 * side),
        num_keypoints=17,
        sigma=float(record["sigma"]),
        window=heatmap_drawing.wide_patch,
        quantize_targets=True,
    )
    targets = targets_of(objective, batch)
    # Its Gaussian is computed in float64, ours in float32 as a product of two.
    np.testing.assert_allclose(
        targets.maps[0].transpose(2, 0, 1), record["heatmaps"], rtol=1e-6
    )
    index = np.zeros_like(record["index"])
    cell, counted = np.array(targets.cell[0]), np.array(targets.counted[0])
    for person in range(len(cell)):
        (keypoints,) = counted[person].nonzero()
        entries = keypoints * side**2 + cell[person, keypoints]
        index[person, : len(entries)] = np.stack([entries, np.ones_like(entries)], -1)
    np.testing.assert_array_equal(index, record["index"])
    assert not counted.all()


def test_patches_of_pose_ae(reference):
    """15 x 15 at sigma 2, as at 128 x 128 cells; 9 x 9 at sigma 1."""
    record = reference("ae_targets")
    for name, sigma in (("patch", "sigma"), ("patch128", "sigma128")):
        expected = record[name]
        side = len(expected) + 2
        maps = heatmap_drawing.draw_people(
            jnp.full((1, 1, 1, 2), side // 2, jnp.float32),
            jnp.ones((1, 1, 1), bool),
            jnp.array(record[sigma], jnp.float32),
            size=(side, side),
            window=heatmap_drawing.wide_patch,
        )
        np.testing.assert_allclose(
            maps[0, :, :, 0], np.pad(expected, 1), rtol=1e-6, atol=0
        )


@pytest.mark.parametrize("quantize", [False, True])
@pytest.mark.parametrize("wide", [False, True])
def test_beside_a_loop(quantize, wide):
    """Peaks of all people, one cell after another."""
    batch = tagged_people.random_crowd(8)
    objective = associative.Associative(
        size=SIZE,
        num_keypoints=3,
        sigma=0.7,
        quantize_targets=quantize,
        window=heatmap_drawing.wide_patch if wide else heatmap_drawing.smooth,
    )
    targets = targets_of(objective, batch)
    maps = np.zeros(targets.maps.shape)
    counted = np.zeros(batch.visibility.shape, bool)
    cells = np.zeros(batch.visibility.shape, int)
    for i, n, k in zip(*np.array(batch.visibility).nonzero()):
        x, y = np.array(batch.keypoints[i, n, k], np.float64)
        if quantize:
            x, y = column, row = int(x / 4), int(y / 4)
        else:
            column, row = int((x + 0.5) // 4), int((y + 0.5) // 4)
            x, y = (x - 1.5) / 4, (y - 1.5) / 4
        if not (0 <= column < GRID[1] and 0 <= row < GRID[0]):
            continue
        counted[i, n, k] = True
        cells[i, n, k] = row * GRID[1] + column
        for v, u in np.ndindex(GRID):
            if not wide or max(abs(u - x), abs(v - y)) <= 3 * 0.7 + 1:
                height = np.exp(-((u - x) ** 2 + (v - y) ** 2) / (2 * 0.7**2))
                maps[i, v, u, k] = max(maps[i, v, u, k], height)
    # Positions in float32 are exact to 1e-6 of a cell, exponents to 2e-4 far away.
    np.testing.assert_allclose(targets.maps, maps, rtol=3e-4, atol=1e-7)
    np.testing.assert_array_equal(targets.counted, counted)
    np.testing.assert_array_equal(targets.cell, cells)
    assert not counted[0].any()
    assert 20 < counted.sum() < (batch.visibility > 0).sum()


def test_the_border_of_the_grid():
    """Cells hold their left and upper border, half a pixel from a pixel's centre."""
    x = np.array([-0.6, -0.5, 3.4, 3.5, 39.4, 39.5], np.float32)
    batch = dataclasses.replace(
        batches.random_batch(1, SIZE, k=6),
        keypoints=jnp.stack([x, np.full(6, 9.0)], -1)[None, None],
        visibility=jnp.full((1, 1, 6), 2),
    )
    for quantize, cells, counted in (
        (False, [0, 20, 20, 21, 29, 0], [0, 1, 1, 1, 1, 0]),
        (True, [20, 20, 20, 20, 29, 29], [1, 1, 1, 1, 1, 1]),
    ):
        objective = associative.Associative(
            size=SIZE, num_keypoints=6, quantize_targets=quantize
        )
        targets = targets_of(objective, batch)
        np.testing.assert_array_equal(targets.cell[0, 0], cells)
        np.testing.assert_array_equal(targets.counted[0, 0], counted)
        np.testing.assert_array_equal(targets.maps[0].any(axis=(0, 1)), counted)


@pytest.mark.parametrize("dtype", [jnp.uint8, jnp.float32, bool])
def test_cells_are_seen_of_which_more_than_half_is(dtype):
    """Pixels 6 to 12 are hidden: half of cell 1, all of cell 2, a quarter of cell 3."""
    batch = tagged_people.random_crowd(1)
    mask = np.ones((1, *SIZE))
    mask[:, :, 6:13] = 0
    batch = dataclasses.replace(batch, mask=jnp.array(mask, dtype))
    objective = associative.Associative(size=SIZE, num_keypoints=3)
    seen = targets_of(objective, batch).seen
    assert seen.shape == (1, *GRID)
    for row in seen[0]:
        np.testing.assert_array_equal(row, [1, 0, 0] + [1] * 7)


def test_any_number_of_people_and_canvases_of_other_sizes():
    objective = associative.Associative(size=SIZE, num_keypoints=3)
    batch = tagged_people.random_crowd(2, size=(16, 72), p=35)
    targets = targets_of(objective, batch)
    assert targets.maps.shape == (2, 4, 18, 3)
    assert targets.cell.shape == (2, 35, 3)
    with pytest.raises(ValueError, match=r"\(30, 40\) does not divide into cells of"):
        objective.targets(tagged_people.random_crowd(2, size=(30, 40)), jnp.array(0))


def test_examples_weigh_alike_unless_weighted():
    batch = tagged_people.random_crowd()
    for weighted in (False, True):
        objective = associative.Associative(
            size=SIZE, num_keypoints=3, weighted=weighted
        )
        expected = batch.weight if weighted else np.ones(4)
        np.testing.assert_array_equal(targets_of(objective, batch).weight, expected)


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"size": (30, 40)}, "stride=4"),
        ({"sigma": 0.0}, "sigma=0.0 must be a positive"),
        ({"form": "code"}, "form='code' is not one of"),
        ({"num_keypoints": 0}, "num_keypoints=0 must be 1 or more"),
        ({"tags": 0}, "tags=0 must be 1 or more"),
        ({"push": -1.0}, "push=-1.0 must be 0 or positive"),
        ({"pull": np.nan}, "pull=nan must be 0 or positive"),
        ({"detection": np.inf}, "detection=inf must be 0 or positive"),
        ({"tag_sigma": 0.0}, "tag_sigma=0.0 must be positive"),
    ],
)
def test_fields_out_of_range_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        associative.Associative(**{"size": SIZE, "num_keypoints": 3, **fields})
