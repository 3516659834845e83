"""Mirrored and resized views of several people, and people found again."""

import dataclasses

import batches
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tagged_people

from jaxpose import predict
from jaxpose.objectives import associative, heatmaps
from jaxpose.types import FramedObjective, HeatmapObjective, ViewsObjective

SIZE = (32, 40)
GRID = (8, 10)


def objective_of(**fields):
    return associative.Associative(**{"size": SIZE, "num_keypoints": 3, **fields})


def noise(seed, *shape):
    return jax.random.normal(jax.random.key(seed), shape)


def test_it_offers_maps_and_merges_views():
    objective = objective_of()
    assert isinstance(objective, HeatmapObjective)
    assert isinstance(objective, ViewsObjective)
    assert isinstance(objective, FramedObjective)
    assert not isinstance(heatmaps.Heatmaps(size=SIZE), ViewsObjective)


def test_targets_of_the_mirrored_canvas_are_mirrored():
    objective = objective_of()
    batch = tagged_people.random_crowd()
    partners = jnp.array(batches.TRIO.flip)
    keypoints = batch.keypoints[:, :, partners].at[..., 0].multiply(-1)
    mirrored = dataclasses.replace(
        batch,
        keypoints=keypoints.at[..., 0].add(SIZE[1] - 1),
        visibility=batch.visibility[:, :, partners],
    )
    maps, expected = (
        jax.jit(objective.targets)(x, jnp.array(0)).maps for x in (mirrored, batch)
    )
    flipped = objective.flip(maps[None], batches.TRIO)[0]
    np.testing.assert_allclose(flipped, expected, atol=1e-6)
    assert expected.any()


def test_flip_exchanges_left_and_right_in_maps_and_every_dimension_of_the_tags():
    objective = objective_of(tags=2)
    outputs = noise(0, 2, 4, *GRID, 9)
    flipped = objective.flip(outputs, batches.TRIO)
    order = [1, 0, 2, 4, 3, 5, 7, 6, 8]
    np.testing.assert_array_equal(flipped, np.array(outputs)[:, :, :, ::-1, order])
    four = dataclasses.replace(batches.TRIO, keypoints=tuple("abcd"), flip=(1, 0, 2, 3))
    with pytest.raises(ValueError, match="give the skeleton of the network"):
        objective.flip(outputs, four)


def bilinear(maps, size):
    """Of "h w c", one cell after another; the border goes on beyond itself."""
    old = np.array(maps.shape[:2])
    found = np.zeros((*size, maps.shape[2]))
    for cell in np.ndindex(size):
        position = (np.array(cell) + 0.5) * (old / size) - 0.5
        for corner in np.ndindex(2, 2):
            neighbour = np.floor(position).astype(int) + corner
            weight = np.prod(1 - np.abs(position - neighbour))
            found[cell] += weight * maps[tuple(np.clip(neighbour, 0, old - 1))]
    return found


def test_views_of_three_scales_merge_on_the_grid_of_the_first():
    """Maps are averaged over all; tags only of scale 1 and put side by side."""
    scales = (2.0, 2.0, 1.0, 1.0, 0.5, 0.5)
    views = [
        noise(i, 2, 3, int(scale * 8), int(scale * 10), 6)
        for i, scale in enumerate(scales)
    ]
    objective = objective_of()
    merged = jax.jit(lambda views: objective.merge(views, scales))(views)
    assert merged.shape == (1, 3, 16, 20, 9)
    for i in range(3):
        resized = [bilinear(np.array(view[-1, i]), (16, 20)) for view in views]
        maps = np.mean([view[..., :3] for view in resized], axis=0)
        expected = [maps, resized[2][..., 3:], resized[3][..., 3:]]
        np.testing.assert_allclose(
            merged[0, i], np.concatenate(expected, -1), atol=2e-6
        )
    np.testing.assert_array_equal(objective.heatmaps(merged), merged[0, ..., :3])
    tags = objective.tag_maps(merged)
    assert tags.shape == (3, 16, 20, 3, 2)
    np.testing.assert_array_equal(tags[..., 1], merged[0, ..., 6:])


def test_larger_views_shrink_without_smoothing():
    """As OpenCV resizes bilinearly; the first view may be the smaller one."""
    views = [noise(i, 1, 1, *grid, 6) for i, grid in enumerate([(8, 10), (16, 20)])]
    merged = objective_of().merge(views, (1.0, 2.0))
    shrunk = bilinear(np.array(views[1][0, 0]), (8, 10))
    expected = (views[0][0, 0] + shrunk)[..., :3] / 2
    np.testing.assert_allclose(merged[0, 0, ..., :3], expected, atol=2e-6)
    np.testing.assert_array_equal(merged[..., 3:], views[0][..., 3:])


def test_one_view_is_left_as_it_is():
    outputs = noise(0, 3, 2, *GRID, 9).astype(jnp.bfloat16)
    merged = objective_of(tags=2).merge([outputs], [1.0])
    assert merged.dtype == jnp.float32
    np.testing.assert_array_equal(merged, outputs[-1:].astype(jnp.float32))


@pytest.mark.parametrize("scales", [(1.0,), (1.0, 1.0, 1.0), (2.0, 0.5)])
def test_views_without_a_scale_or_without_tags_are_refused(scales):
    views = [jnp.zeros((1, 2, *GRID, 6))] * 2
    with pytest.raises(ValueError, match="of 2 views; give each view its scale"):
        objective_of().merge(views, scales)


def inner_crowd():
    """People two cells or more from the border, where quarters of cells point outward."""
    batch = tagged_people.random_crowd(4, size=(128, 160), p=3)
    middle = jnp.array([79.5, 63.5])
    return dataclasses.replace(
        batch, keypoints=middle + 0.7 * (batch.keypoints - middle)
    )


@pytest.mark.parametrize("tags", [1, 2])
def test_people_are_found_again(tags):
    """From nobody to three people: each keypoint within half a stride."""
    batch = inner_crowd()
    objective = objective_of(size=(128, 160), tags=tags)
    targets = jax.jit(objective.targets)(batch, jnp.array(0))
    names = 10.0 * np.arange(3)[:, None] * np.ones(tags)
    outputs = tagged_people.perfect_outputs(targets, names)
    poses = jax.jit(objective.decode)(outputs)
    people = objective.decoder.people
    assert poses.keypoints.shape == (4, people, 3, 2)
    assert poses.scores.shape == (4, people, 3)
    counted = np.array(targets.counted)
    for i in range(4):
        there = np.isfinite(poses.keypoints[i]).any(axis=(1, 2))
        assert there.sum() == counted[i].any(axis=-1).sum()
        for n in counted[i].any(axis=-1).nonzero()[0]:
            away = np.abs(poses.keypoints[i][there] - batch.keypoints[i, n])
            far = np.where(counted[i, n][:, None], away, 0).max(axis=(1, 2))
            assert far.min() <= 2


def test_merged_views_are_decoded_in_pixels_of_the_first():
    """A view of twice the size finds people at twice the position."""
    batch = inner_crowd()
    objective = objective_of(size=(128, 160))
    names = 10.0 * np.arange(3)[:, None]
    views = []
    for scale in (2, 1):
        canvas = dataclasses.replace(
            batch,
            image=jnp.zeros((4, 128 * scale, 160 * scale, 3)),
            mask=jnp.ones((4, 128 * scale, 160 * scale)),
            keypoints=(batch.keypoints + 0.5) * scale - 0.5,
        )
        targets = objective.targets(canvas, jnp.array(0))
        views += [tagged_people.perfect_outputs(targets, names)] * 2
    merged = objective.merge(views, (2.0, 2.0, 1.0, 1.0))
    assert objective.tag_maps(merged).shape[-1] == 2
    found = np.array(jax.jit(objective.decode)(merged).keypoints)
    keypoints = np.array((batch.keypoints + 0.5) * 2 - 0.5)
    counted = np.array(targets.counted)
    for i, n in zip(*counted.any(axis=-1).nonzero()):
        away = np.abs(found[i] - keypoints[i, n])[:, counted[i, n]].max(axis=(1, 2))
        # Half a stride of the smaller view, which is 8 pixels of the first.
        assert np.nanmin(away) <= 4


@pytest.mark.parametrize("scales", [(1.0,), (0.5, 1.0)])
def test_nobody_is_found_beside_the_photograph(scales):
    """A stranger in the bars above and below is gone, and everybody else stays."""
    objective = objective_of(size=(128, 160))
    batch = dataclasses.replace(inner_crowd(), mask=jnp.ones((4, 128, 160), jnp.uint8))
    targets = jax.jit(objective.targets)(batch, jnp.array(0))
    outputs = tagged_people.perfect_outputs(targets, 10.0 * np.arange(3)[:, None])
    # Bars of 7 rows: the photograph reaches into the cells of the second row.
    bars = batch.mask.at[:, :7].set(0).at[:, -7:].set(0)
    strange = outputs.at[..., jnp.array([0, -1]), :, :3].set(0)
    strange = strange.at[:, :, 0, 4:30:5, :3].set(5.0).at[:, :, -1, 20, 1].set(5.0)
    hidden = dataclasses.replace(batch, mask=bars)
    if scales[0] != max(scales):
        # Outputs of a smaller view, for canvases twice as large.
        grow = np.ones((1, 2, 2), int)
        hidden = dataclasses.replace(hidden, mask=jnp.array(np.kron(bars, grow)))

    @jax.jit
    def found(outputs, batch):
        return predict.decode(objective, outputs, batch, scales=scales)

    expected, poses = found(outputs, batch), found(strange, hidden)
    for name in ("keypoints", "scores", "person_scores"):
        np.testing.assert_array_equal(getattr(poses, name), getattr(expected, name))
    seen = np.isfinite(found(strange, batch).keypoints).any(axis=(2, 3)).sum()
    assert seen > np.isfinite(expected.keypoints).any(axis=(2, 3)).sum()
