"""Peaks on a grid: the originals' label maps, and slow loops."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpose.objectives import heatmap_drawing

KERNELS = (
    heatmap_drawing.gaussian,
    heatmap_drawing.cauchy,
    heatmap_drawing.cauchy_density,
)
WINDOWS = (
    heatmap_drawing.smooth,
    heatmap_drawing.patch,
    heatmap_drawing.short_patch,
)


def draw(centers, sigma, *, size, kernel, window, dtype=jnp.float32):
    """One person with any number of keypoints: maps "k h w", reached "k"."""
    program = jax.jit(
        functools.partial(heatmap_drawing.draw, size=size, kernel=kernel, window=window)
    )
    maps, reached = program(jnp.array([centers], dtype), jnp.array(sigma, dtype))
    return np.array(maps[0]).transpose(2, 0, 1), np.array(reached[0])


@pytest.mark.parametrize(
    "kind, kernel",
    [
        ("Gaussian", heatmap_drawing.gaussian),
        ("Cauchy", heatmap_drawing.cauchy_density),
    ],
)
def test_label_maps_of_pytorch_pose(reference, kind, kernel):
    """Whole and broken sigmas, peaks inside, at the border, half and wholly outside."""
    record = reference("hg_labelmap")
    for sigma in np.unique(record["sigma"]):
        rows = (record["type"] == kind) & (record["sigma"] == sigma)
        assert rows.sum() >= 4
        for x64, dtype, tolerance in (
            (True, jnp.float64, {"atol": 0, "rtol": 6e-8}),
            (False, jnp.float32, {"atol": 0, "rtol": 1e-6}),
        ):
            with jax.enable_x64(x64):
                maps, reached = draw(
                    record["pt"][rows],
                    sigma,
                    size=(64, 64),
                    kernel=kernel,
                    window=heatmap_drawing.patch,
                    dtype=dtype,
                )
            # The record's own rounding is 6e-8 of each value.
            np.testing.assert_allclose(maps, record["map"][rows], **tolerance)
            np.testing.assert_array_equal(reached, record["vis"][rows])


def test_label_maps_of_hgpose(reference):
    """The last row and column of each patch are missing there."""
    record = reference("adv_single_person_data")
    for number in range(6):
        x, y, sigma = record[f"lab{number}_pt"]
        maps, _ = draw(
            [[x, y]],
            float(sigma),
            size=(64, 64),
            kernel=heatmap_drawing.gaussian,
            window=heatmap_drawing.short_patch,
        )
        np.testing.assert_allclose(maps[0], record[f"lab{number}"], rtol=1e-6)


@pytest.mark.parametrize("sigma", [0.7, 1.0, 2.0])
@pytest.mark.parametrize("kernel", KERNELS)
def test_smooth_is_a_slow_loop(kernel, sigma):
    centers = np.array([[3.25, 4.75], [-1.5, 2.0], [0.0, 0.0], [10.4, 8.1]])
    maps, reached = draw(
        centers, sigma, size=(9, 11), kernel=kernel, window=heatmap_drawing.smooth
    )
    heights = {
        heatmap_drawing.gaussian: lambda d: np.exp(-0.5 * (d / sigma) ** 2),
        heatmap_drawing.cauchy: lambda d: 1 / (1 + (d / sigma) ** 2) ** 1.5,
        heatmap_drawing.cauchy_density: lambda d: sigma / (d**2 + sigma**2) ** 1.5,
    }
    for k, y, x in np.ndindex(maps.shape):
        distance = np.hypot(x - centers[k, 0], y - centers[k, 1])
        expected = heights[kernel](distance)
        np.testing.assert_allclose(maps[k, y, x], expected, rtol=2e-5, atol=1e-30)
    np.testing.assert_array_equal(reached, [True] * 4)


def test_heights_at_the_centre():
    for kernel, height in zip(KERNELS, (1, 1, 1 / 4)):
        maps, _ = draw(
            [[2, 2]], 2.0, size=(5, 5), kernel=kernel, window=heatmap_drawing.smooth
        )
        np.testing.assert_allclose(maps[0, 2, 2], height, rtol=1e-6)
        assert maps.max() == maps[0, 2, 2]


@pytest.mark.parametrize("window, last", [(WINDOWS[1], 3), (WINDOWS[2], 2)])
def test_a_patch_between_cells_keeps_the_peak_in_place(window, last):
    """7 cells around cell 8 along x and 6 along y, with the heights of the smooth map."""
    where = {"size": (16, 16), "kernel": heatmap_drawing.gaussian}
    centers = [[8.3, 5.6]]
    maps, _ = draw(centers, 1.0, window=window, **where)
    smooth, _ = draw(centers, 1.0, window=heatmap_drawing.smooth, **where)
    inside = np.zeros((16, 16), bool)
    inside[6 - 3 : 6 + last + 1, 8 - 3 : 8 + last + 1] = True
    np.testing.assert_allclose(maps[0], np.where(inside, smooth[0], 0), rtol=1e-6)


@pytest.mark.parametrize("window", WINDOWS)
def test_reach_is_about_three_sigma(window):
    for sigma in (1.0, 2.0):
        x = np.array([-3 * sigma, -3 * sigma - 3, 9 + 3 * sigma, 9 + 3 * sigma + 3])
        for axes in (slice(None), slice(None, None, -1)):
            centers = np.stack([x, np.full(4, 5.0)], -1)[:, axes]
            _, reached = draw(
                centers,
                sigma,
                size=(10, 10),
                kernel=heatmap_drawing.gaussian,
                window=window,
            )
            np.testing.assert_array_equal(reached, [True, False, True, False])
