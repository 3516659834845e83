"""Points from heatmaps: the original's numbers, Gaussians, noise, slow loops."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpose import devices
from jaxpose.objectives import heatmap_decoding, heatmap_drawing

DECODERS = (
    heatmap_decoding.Quarter(),
    heatmap_decoding.Dark(),
    heatmap_decoding.Dark(blur=0.0),
    heatmap_decoding.Soft(),
    heatmap_decoding.Soft(radius=None),
)


def noisy(shape=(4, 9, 12, 5), seed=0):
    return np.random.default_rng(seed).normal(0.2, 1, shape).astype(np.float32)


def peaks(centers, sigma, size=(24, 32)):
    """Maps "1 h w k" with a Gaussian at each centre."""
    maps, _ = heatmap_drawing.draw(
        jnp.array([centers], jnp.float32),
        jnp.array(sigma),
        size=size,
        kernel=heatmap_drawing.gaussian,
        window=heatmap_drawing.smooth,
    )
    return maps


def scattered(low, high, count=400, seed=0):
    """Centres (x, y) drawn from a box."""
    return np.random.default_rng(seed).uniform(low, high, (count, 2))


def error(decoder, centers, sigma):
    """Largest error along an axis, in cells."""
    points = jax.jit(decoder)(peaks(centers, sigma))
    return np.abs(np.array(points[0]) - centers).max()


@pytest.mark.parametrize("x64", [False, True])
def test_pytorch_pose(reference, x64):
    """Noise, Gaussians in noise, and the edges: empty, constant, negative, corners.

    The original cut its points to whole pixels of the photograph, counted from 1.
    """
    record = reference("hg_decode")
    maps = record["heatmaps"].transpose(0, 2, 3, 1)
    with jax.enable_x64(x64):
        cells = np.array(heatmap_decoding.highest_cell(jnp.array(maps)))
        points = np.array(jax.jit(heatmap_decoding.Quarter())(maps), np.float64)
    positive = maps.max((1, 2))[..., None] > 0
    assert (~positive).any()
    np.testing.assert_array_equal(np.where(positive, cells + 1, 0), record["get_preds"])
    side = 200 * record["scale"].astype(np.float64)[:, None, None]
    corner = record["center"].astype(np.float64)[:, None] - side / 2
    # A cell covers a 64th of the person's box, its middle is half of that further.
    whole = np.trunc((points + 0.5) * side / 64 + corner) + 1
    np.testing.assert_array_equal(whole, record["final_preds"])


def test_highest_cell_is_the_first_of_several():
    maps = np.zeros((1, 4, 5, 3), np.float32)
    maps[0, 2, 1, 0] = maps[0, 1, 4, 0] = maps[0, 3, 0, 0] = 1
    maps[..., 1] = -1
    maps[0, 3, 4, 2] = 1e-3
    np.testing.assert_array_equal(
        heatmap_decoding.highest_cell(jnp.array(maps))[0], [[4, 1], [0, 0], [4, 3]]
    )


def test_quarter_is_a_slow_loop():
    maps = noisy()
    maps[0, :, :, 0] = -1
    points = jax.jit(heatmap_decoding.Quarter())(maps)
    shifted = 0
    for b, k in np.ndindex(4, 5):
        plane = maps[b, :, :, k]
        y, x = np.unravel_index(plane.argmax(), plane.shape)
        expected = np.array([x, y], float)
        if plane.max() <= 0:
            expected = np.array([-1.0, -1.0])
        elif 0 < x < 11 and 0 < y < 8:
            expected[0] += 0.25 * np.sign(plane[y, x + 1] - plane[y, x - 1])
            expected[1] += 0.25 * np.sign(plane[y + 1, x] - plane[y - 1, x])
            shifted += 1
        np.testing.assert_array_equal(points[b, k], expected)
    assert 0 < shifted < 19


def slow_dark(plane, sigma):
    """The paper, on one map away from the border."""
    smoothed = np.zeros_like(plane)
    v, u = np.indices(plane.shape)
    for y, x in np.ndindex(plane.shape):
        near = np.exp(-((x - u) ** 2 + (y - v) ** 2) / (2 * sigma**2))
        smoothed[y, x] = (near * plane).sum()
    log = np.log(np.maximum(smoothed, 1e-10))
    y, x = np.unravel_index(plane.argmax(), plane.shape)
    slope = np.array([log[y, x + 1] - log[y, x - 1], log[y + 1, x] - log[y - 1, x]]) / 2
    xx = log[y, x + 1] - 2 * log[y, x] + log[y, x - 1]
    yy = log[y + 1, x] - 2 * log[y, x] + log[y - 1, x]
    xy = log[y + 1, x + 1] - log[y + 1, x - 1] - log[y - 1, x + 1] + log[y - 1, x - 1]
    hessian = np.array([[xx, xy / 4], [xy / 4, yy]])
    return np.array([x, y]) - np.linalg.solve(hessian, slope)


def test_dark_is_a_slow_loop():
    """A leaning peak, so that the mixed derivative counts; float64 for the logarithm."""
    x, y = np.meshgrid(np.arange(21.0), np.arange(19.0))
    u, v = x - 9.7, y - 8.4
    plane = np.exp(-(0.4 * u**2 + 0.3 * u * v + 0.5 * v**2))
    plane += np.random.default_rng(0).uniform(0, 0.01, plane.shape)
    with jax.enable_x64(True):
        point = jax.jit(heatmap_decoding.Dark(blur=1.0))(plane[None, :, :, None])
    # The border is 3 sigma and more from all that counts.
    np.testing.assert_allclose(point[0, 0], slow_dark(plane, 1.0), atol=1e-4)
    np.testing.assert_allclose(point[0, 0], [9.7, 8.4], atol=0.05)


@pytest.mark.parametrize("radius, sharpness", [(2, 1.0), (None, 1.0), (3, 2.0)])
def test_soft_is_a_slow_loop(radius, sharpness):
    maps = noisy()
    decoder = heatmap_decoding.Soft(radius=radius, sharpness=sharpness)
    points = np.array(jax.jit(decoder)(maps))
    for b, k in np.ndindex(4, 5):
        plane = maps[b, :, :, k].astype(np.float64)
        y, x = np.unravel_index(plane.argmax(), plane.shape)
        reach_x, reach_y = 99, 99
        if radius is not None:
            reach_x, reach_y = min(radius, x, 11 - x), min(radius, y, 8 - y)
        total, mean = 0.0, np.zeros(2)
        for v, u in np.ndindex(plane.shape):
            if abs(v - y) <= reach_y and abs(u - x) <= reach_x and plane[v, u] > 0:
                total += plane[v, u] ** sharpness
                mean += plane[v, u] ** sharpness * np.array([u, v])
        np.testing.assert_allclose(points[b, k], mean / total, rtol=1e-4)


@pytest.mark.parametrize("height", [1e-2, 1e2])
def test_a_sharp_soft_argmax_does_not_mind_the_height_of_a_map(height):
    """The 20th power of 100 is beyond float32, that of 0.01 is 0."""
    maps = peaks(scattered([7, 7], [24, 16]), 2.0)
    decoder = jax.jit(heatmap_decoding.Soft(sharpness=20.0))
    np.testing.assert_allclose(decoder(height * maps), decoder(maps), atol=1e-3)


@pytest.mark.parametrize("sigma", [1.0, 2.0])
def test_gaussians_are_found_between_cells(sigma):
    """3 sigma and a cell from the border; errors in cells."""
    margin = 3 * sigma + 1
    centers = scattered(margin, np.array([31, 23]) - margin)
    assert error(heatmap_decoding.Quarter(), centers, sigma) < 0.2501
    assert error(heatmap_decoding.Dark(blur=sigma), centers, sigma) < 1e-3
    assert error(heatmap_decoding.Dark(blur=0.0), centers, sigma) < 1e-3
    soft = heatmap_decoding.Soft(radius=int(3 * sigma))
    assert error(soft, centers, sigma) < 0.01
    assert error(heatmap_decoding.Soft(radius=None), centers, sigma) < 0.01


@pytest.mark.parametrize("sigma", [1.0, 2.0])
def test_at_the_border_points_stay_in_their_cell(sigma):
    """Half a cell is the width of the border; matching keeps centres of cells better."""
    everywhere = scattered([-0.5, -0.5], [31.5, 23.5])
    matched = heatmap_decoding.Dark(blur=sigma)
    for decoder in (heatmap_decoding.Quarter(), matched, heatmap_decoding.Soft()):
        assert error(decoder, everywhere, sigma) <= 0.5
    assert error(matched, scattered([0, 0], [31, 23]), sigma) < 0.16
    exact = heatmap_decoding.Dark(blur=0.0)
    assert error(exact, scattered([-1, -1], [32, 24]), sigma) < 1e-3


def test_smoothing_helps_in_noise():
    """Mean errors in cells: the order of the paper, on Gaussians in white noise."""
    centers = scattered([8, 8], [23, 15])
    noise = np.random.default_rng(1).normal(0, 0.05, (1, 24, 32, 400))
    maps = peaks(centers, 2.0) + noise.astype(np.float32)

    def mean_error(decoder):
        points = np.array(jax.jit(decoder)(maps)[0])
        return np.linalg.norm(points - centers, axis=-1).mean()

    dark = mean_error(heatmap_decoding.Dark(blur=2.0))
    assert dark < 0.1
    assert dark < 0.5 * mean_error(heatmap_decoding.Dark(blur=0.0))
    assert dark < 0.5 * mean_error(heatmap_decoding.Quarter())


@pytest.mark.parametrize("decoder", DECODERS)
def test_maps_without_a_peak(decoder):
    maps = np.zeros((1, 5, 6, 3), np.float32)
    maps[..., 1] = 0.5
    maps[..., 2] = -1
    maps[0, 2, 3, 2] = -0.5
    points = np.array(jax.jit(decoder)(maps)[0])
    assert np.isfinite(points).all()
    if isinstance(decoder, heatmap_decoding.Quarter):
        np.testing.assert_array_equal(points, [[-1, -1], [0, 0], [-1, -1]])
    elif isinstance(decoder, heatmap_decoding.Dark):
        assert (np.abs(points - [[0, 0], [0, 0], [3, 2]]) <= 1).all()


@pytest.mark.parametrize("decoder", DECODERS)
def test_noise_moves_a_point_by_a_cell_at_most(decoder):
    """Apart from the soft-argmax, which listens to more than its neighbours."""
    maps = noisy((8, 9, 12, 5))
    cells = heatmap_decoding.highest_cell(jnp.array(maps))
    moved = np.abs(np.array(jax.jit(decoder)(maps)) - cells)
    limit = {heatmap_decoding.Quarter: 0.25, heatmap_decoding.Dark: 1}
    assert moved.max() <= limit.get(type(decoder), 12)
    assert moved.max() > 0.2


@pytest.mark.parametrize("decoder", DECODERS)
def test_plain_is_jit_and_devices_keep_to_their_rows(decoder):
    maps = noisy((8, 9, 12, 5))
    plain = decoder(jnp.array(maps))
    np.testing.assert_allclose(jax.jit(decoder)(maps), plain, atol=1e-4)
    rows = devices.sharded(devices.mesh())
    program = jax.jit(decoder, in_shardings=rows, out_shardings=rows).lower(maps)
    compiled = program.compile()
    np.testing.assert_allclose(compiled(jax.device_put(maps, rows)), plain, atol=1e-4)
    for collective in ("all-gather", "all-reduce", "all-to-all", "custom-call-host"):
        assert collective not in compiled.as_text()


def test_fields_are_checked():
    refused = (
        (functools.partial(heatmap_decoding.Dark, blur=-1.0), "blur=-1.0"),
        (functools.partial(heatmap_decoding.Soft, sharpness=0.0), "sharpness=0.0"),
        (functools.partial(heatmap_decoding.Soft, radius=0), "radius=0"),
    )
    for make, message in refused:
        with pytest.raises(ValueError, match=message):
            make()
    for decoder in DECODERS[:2]:
        with pytest.raises(ValueError, match=r"\(2, 6\) cells"):
            decoder(jnp.zeros((1, 2, 6, 3)))
