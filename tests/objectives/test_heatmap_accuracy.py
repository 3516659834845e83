"""The accuracy watched in training: the originals' numbers and a slow loop."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpose.objectives import heatmap_accuracy

# Ankles, knees, hips, wrists and elbows of MPII.
LISTED = (0, 1, 2, 3, 4, 5, 10, 11, 14, 15)
ALL = tuple(range(16))


def lit(cells, size=(64, 64)):
    """Maps "b h w k" with one lit cell (x, y) each; none for (-1, -1)."""
    b, k, _ = cells.shape
    maps = np.zeros((b, *size, k), np.float32)
    for i, j in np.ndindex(b, k):
        x, y = cells[i, j]
        if x >= 0:
            maps[i, y, x, j] = 1
    return jnp.array(maps)


@pytest.mark.parametrize("name, keypoints", [("mpii", LISTED), ("all16", ALL)])
def test_pytorch_pose(reference, name, keypoints):
    record = reference("hg_accuracy")
    maps, truth = (
        jnp.array(record[part].transpose(0, 2, 3, 1)) for part in ("output", "target")
    )
    accuracy = heatmap_accuracy.PeakAccuracy(
        keypoints=keypoints, skip="first row and column"
    )
    drawn = jnp.ones((4, 16), bool)
    shares = np.array(jax.jit(accuracy)(maps, truth, drawn))
    mean, *expected = record[f"acc_{name}"]
    # -1 there says that nothing counted.
    shares = np.where(np.isnan(shares), -1, shares)
    np.testing.assert_allclose(shares[list(keypoints)], expected, rtol=1e-7)
    found = jax.jit(accuracy.metrics)(maps, truth, drawn)["accuracy"]
    np.testing.assert_allclose(found, mean, rtol=1e-6)


def test_hgpose(reference):
    record = reference("adv_single_person_data")
    maps, truth = (lit(record[f"acc_{p}_yx"][..., ::-1]) for p in ("out", "lab"))
    accuracy = heatmap_accuracy.PeakAccuracy(keypoints=LISTED, skip="first column")
    drawn = jnp.ones(maps.shape[::3], bool)
    mean, *expected = record["acc"]
    shares = np.array(jax.jit(accuracy)(maps, truth, drawn))
    np.testing.assert_allclose(shares[list(LISTED)], expected, rtol=1e-6)
    found = jax.jit(accuracy.metrics)(maps, truth, drawn)["accuracy"]
    np.testing.assert_allclose(found, mean, rtol=1e-6)


@pytest.mark.parametrize("skip", heatmap_accuracy.SKIPS)
def test_is_a_slow_loop(skip):
    random = np.random.default_rng(0)
    true = random.integers(0, 8, (6, 5, 2))
    true[0, 2] = true[1, 3] = -1
    found = np.clip(true + random.integers(-3, 4, true.shape), 0, 19)
    drawn = random.random((6, 5)) < 0.8
    drawn[:, 4] = False
    accuracy = heatmap_accuracy.PeakAccuracy(skip=skip, threshold=0.1)
    shares = jax.jit(accuracy)(lit(found, (16, 20)), lit(true, (16, 20)), drawn)
    shares = np.array(shares)
    first = {"nothing": (0, 0), "first column": (1, 0)}.get(skip, (1, 1))
    for k in range(5):
        hits, count = 0, 0
        for b in range(6):
            if drawn[b, k] and (true[b, k] >= first).all():
                count += 1
                # A tenth of 20 cells.
                hits += np.hypot(*(found[b, k] - true[b, k])) < 2
        expected = hits / count if count else np.nan
        np.testing.assert_allclose(shares[k], expected, rtol=1e-6)


def test_nothing_to_count_is_no_accuracy():
    maps = jnp.ones((2, 8, 8, 3))
    accuracy = heatmap_accuracy.PeakAccuracy()
    drawn = jnp.zeros((2, 3), bool)
    assert np.isnan(jax.jit(accuracy)(maps, maps, drawn)).all()
    metrics = jax.jit(accuracy.metrics)
    assert metrics(maps, maps, drawn)["accuracy"] == 0
    assert metrics(maps, maps, ~drawn)["accuracy"] == 1


def test_an_empty_map_is_a_miss_away_from_the_corner():
    truth = lit(np.array([[[5, 5]]]), (10, 10))
    shares = heatmap_accuracy.PeakAccuracy()(
        jnp.zeros_like(truth), truth, jnp.ones((1, 1), bool)
    )
    assert shares == 0


def test_fields_are_checked():
    with pytest.raises(ValueError, match="skip='border'"):
        heatmap_accuracy.PeakAccuracy(skip="border")
    with pytest.raises(ValueError, match=r"threshold=0\.0"):
        heatmap_accuracy.PeakAccuracy(threshold=0.0)
    maps, drawn = jnp.ones((1, 4, 4, 3)), jnp.ones((1, 3), bool)
    with pytest.raises(ValueError, match=r"keypoints=\(0, 3\) are not all among the 3"):
        heatmap_accuracy.PeakAccuracy(keypoints=(0, 3)).metrics(maps, maps, drawn)
