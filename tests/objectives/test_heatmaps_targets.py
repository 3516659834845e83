"""Heatmap targets: the original's maps, a slow loop, and which of them count."""

import dataclasses

import batches
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from pytorch_pose_crops import person_to_canvas

from jaxpose import geometry
from jaxpose.objectives import heatmap_decoding, heatmap_drawing, heatmaps

SIZE = (64, 80)
GRID = (16, 20)
# PyTorch-Pose on MPII, number for number.
ORIGINAL = {
    "kernel": heatmap_drawing.gaussian,
    "window": heatmap_drawing.patch,
    "quantize_targets": True,
    "above_is_missing": True,
    "weighting": "visible",
}


def targets_of(objective, batch):
    return jax.jit(objective.targets)(batch, jnp.array(0))


def decoded(objective, outputs):
    return jax.jit(objective.decode)(outputs)


def original_batch(record, dtype):
    """The 40 people of the record on canvases; its pixels of the photograph count from 1."""
    points = record["pts_used"].astype(np.float64)
    to_canvas = np.array(
        [
            person_to_canvas(record["center_used"][i].astype(np.float64), s, r)
            for i, (s, r) in enumerate(zip(record["scale_used"], record["rot"]))
        ]
    )
    keypoints = geometry.apply(to_canvas, points[..., :2]) - 0.5
    # Into canvas pixels, out of photograph pixels that count from 0.
    to_source = np.array(
        [
            geometry.invert(a + np.array([[0, 0, -0.5]] * 2))
            - np.array([[0, 0, 1]] * 2)
            for a in to_canvas
        ]
    )
    visible = points[..., 2] > 0
    visibility = np.where(visible, 2, np.where(points[..., 1] > 0, 1, 0))
    return dataclasses.replace(
        batches.random_batch(40, (256, 256), k=16),
        keypoints=jnp.array(keypoints[:, None], dtype),
        visibility=jnp.array(visibility[:, None]),
        to_source=jnp.array(to_source, dtype),
    )


@pytest.mark.parametrize("x64", [True, False])
def test_targets_of_pytorch_pose(reference, x64):
    """Turned, scaled and mirrored people; whole maps, and which of them count."""
    record = reference("hg_target")
    with jax.enable_x64(x64):
        batch = original_batch(record, jnp.float64 if x64 else jnp.float32)
        objective = heatmaps.Heatmaps(size=(256, 256), **ORIGINAL)
        targets = targets_of(objective, batch)
    np.testing.assert_allclose(
        targets.maps, record["target"].transpose(0, 2, 3, 1), rtol=1e-6
    )
    np.testing.assert_array_equal(targets.counted, record["target_weight"][..., 0])
    assert not np.array(targets.drawn).all()


def test_keypoints_above_the_photograph():
    """PyTorch-Pose draws nothing for them, and counts those that are visible."""
    rows = np.array([[-3.0, -1.0, -0.5]])
    keypoints = np.stack([np.full((1, 3), 9.0), rows], -1)
    to_source = np.array([[[2.0, 0, 0], [0, 2.0, -40]]])
    batch = dataclasses.replace(
        batches.random_batch(1, SIZE),
        keypoints=jnp.array((keypoints + [0, 40]) / [1, 2], jnp.float32)[:, None],
        visibility=jnp.array([[[2, 1, 2]]]),
        to_source=jnp.array(to_source, jnp.float32),
    )
    for above, drawn in ((True, [[0, 0, 1]]), (False, [[1, 1, 1]])):
        objective = heatmaps.Heatmaps(
            size=SIZE, above_is_missing=above, weighting="visible"
        )
        targets = targets_of(objective, batch)
        np.testing.assert_array_equal(targets.drawn, drawn)
        np.testing.assert_array_equal(targets.maps.any(axis=(1, 2)), drawn)
        np.testing.assert_array_equal(targets.counted, [[1, 0, 1]])


def test_targets_are_a_slow_loop():
    batch = batches.random_batch(4, SIZE)
    objective = heatmaps.Heatmaps(size=SIZE, stride=4, sigma=1.5)
    targets = jax.tree.map(np.array, targets_of(objective, batch))
    batch = jax.tree.map(np.array, batch)
    for b, y, x, k in np.ndindex(4, *GRID, 3):
        # Middle of the 4 x 4 pixels of the cell.
        middle = np.array([np.mean(range(4 * x, 4 * x + 4)), 4 * y + 1.5])
        distance = np.linalg.norm(batch.keypoints[b, 0, k] - middle) / 4
        labeled = batch.visibility[b, 0, k] > 0
        expected = np.exp(-0.5 * (distance / 1.5) ** 2) if labeled else 0
        np.testing.assert_allclose(
            targets.maps[b, y, x, k], expected, rtol=1e-4, atol=1e-30
        )
    np.testing.assert_array_equal(targets.drawn, batch.visibility[:, 0] > 0)


@pytest.mark.parametrize(
    "weighting, expected",
    [
        ("visible", [0, 0, 1, 0, 0]),
        ("annotated", [0, 1, 1, 0, 0]),
        ("none", [1, 1, 1, 1, 1]),
    ],
)
def test_which_maps_count(weighting, expected):
    """Unlabeled, hidden and visible ones; then a hidden and a visible one far outside."""
    batch = dataclasses.replace(
        batches.random_batch(1, SIZE, k=5),
        keypoints=jnp.array([[[[9.0, 9], [9, 9], [9, 9], [-14, 9], [9, 78]]]]),
        visibility=jnp.array([[[0, 1, 2, 1, 2]]]),
    )
    objective = heatmaps.Heatmaps(size=SIZE, weighting=weighting)
    targets = targets_of(objective, batch)
    np.testing.assert_array_equal(targets.counted[0], expected)
    np.testing.assert_array_equal(targets.drawn[0], [0, 1, 1, 0, 0])
    np.testing.assert_array_equal(targets.maps[0, :, :, 0], 0)


def test_sigma_follows_its_schedule():
    """PyTorch-Pose multiplies by the decay at the start of every epoch, the first too."""
    batch = batches.random_batch(2, SIZE)
    schedule = optax.exponential_decay(2.0 * 0.5, 10, 0.5, staircase=True)
    moving = heatmaps.Heatmaps(size=SIZE, sigma=schedule)
    targets = jax.jit(moving.targets)
    for step, sigma in ((0, 1.0), (9, 1.0), (10, 0.5), (25, 0.25)):
        fixed = targets_of(heatmaps.Heatmaps(size=SIZE, sigma=sigma), batch)
        np.testing.assert_allclose(
            targets(batch, jnp.array(step)).maps, fixed.maps, rtol=1e-5, atol=1e-30
        )


@pytest.mark.parametrize("quantize", [True, False])
def test_a_sigma_that_ends_at_0_draws_single_cells(quantize):
    """On the middle of a cell, at pixel (9.5, 13.5), the exponent is 0 / 0."""
    batch = dataclasses.replace(
        batches.random_batch(1, SIZE, k=1),
        keypoints=jnp.array([[[[9.5, 13.5]]]]),
        visibility=jnp.array([[[2]]]),
    )
    schedule = optax.piecewise_constant_schedule(1.0, {9: 0.0})
    objective = heatmaps.Heatmaps(size=SIZE, sigma=schedule, quantize_targets=quantize)
    maps = np.array(jax.jit(objective.targets)(batch, jnp.array(10)).maps)
    expected = np.zeros((1, *GRID, 1))
    expected[0, 3, 2, 0] = 1
    np.testing.assert_array_equal(maps, expected)


def test_what_is_above_the_photograph_counts_at_any_sigma():
    """Its empty map is one of the original's; no peak decides about it."""
    batch = batches.random_batch(1, SIZE, k=1)
    above = geometry.apply(
        geometry.invert(np.array(batch.to_source[0])), np.array([[40.0, -5.0]])
    )
    batch = dataclasses.replace(
        batch, keypoints=jnp.array(above[None, None]), visibility=jnp.array([[[2]]])
    )
    for sigma in (0.1, 1.0):
        objective = heatmaps.Heatmaps(size=SIZE, sigma=sigma, above_is_missing=True)
        targets = targets_of(objective, batch)
        assert targets.counted.all()
        assert not targets.drawn.any()
        assert not targets.maps.any()


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_unlabeled_keypoints_may_be_anything(value):
    batch = batches.random_batch(4, SIZE)
    hidden = batch.visibility == 0
    assert hidden.any()
    wild = dataclasses.replace(
        batch, keypoints=jnp.where(hidden[..., None], value, batch.keypoints)
    )
    for fields in (ORIGINAL, {"weighting": "none"}):
        objective = heatmaps.Heatmaps(size=SIZE, **fields)
        jax.tree.map(
            np.testing.assert_array_equal,
            targets_of(objective, batch),
            targets_of(objective, wild),
        )


def test_the_originals_targets_lose_half_a_cell():
    """Of 4 pixels: every keypoint is put in the middle of its cell."""
    batch = batches.random_batch(64, SIZE, k=5)
    batch = dataclasses.replace(batch, visibility=jnp.full((64, 1, 5), 2))
    quarter = heatmap_decoding.Quarter()
    objective = heatmaps.Heatmaps(size=SIZE, decoder=quarter, **ORIGINAL)
    poses = decoded(objective, targets_of(objective, batch).maps[None])
    error = np.abs(poses.keypoints - batch.keypoints)
    assert 1.9 < error.max() <= 2
    np.testing.assert_allclose(error.mean(), 1, atol=0.1)
