"""Channels of proposals, their meaning and their mirror, one cell at a time."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import proposing
import pytest

from jaxpose.objectives import proposal_maps, proposal_parts

READ = {"window": proposing.WINDOW, "stride": 8}
CHANNELS = 6 * 4 + 3 * 5 * 3


def noise(*shape):
    return jax.random.normal(jax.random.key(0), shape)


def test_one_lit_channel():
    """The person of cell (2, 3), part 1's box, and a limb from cell (2, 3)."""
    outputs = np.zeros((1, *proposing.GRID, CHANNELS))
    outputs[0, 2, 3, :6] = [0.9, 0.7, 0.25, 0.5, -0.5, 0.2]
    outputs[0, 2, 3, 24 + (2 * 5 + 1) * 3 + 2] = 0.8
    maps = proposal_maps.split(
        jnp.array(outputs, jnp.float32), proposing.TRIO, size=proposing.SIZE, **READ
    )
    np.testing.assert_array_equal(np.argwhere(maps.response), [[0, 2, 3, 0]])
    np.testing.assert_allclose(maps.response[0, 2, 3, 0], 0.9)
    np.testing.assert_allclose(maps.iou[0, 2, 3, 0], 0.7)
    # A cell has 8 pixels and begins half a pixel before the first one's centre.
    x, y = 8 * 3.25 - 0.5, 8 * 2.5 - 0.5
    np.testing.assert_allclose(
        maps.box[0, 2, 3, 0], [x, y, 40 * 0.25, 32 * 0.04], rtol=1e-6
    )
    np.testing.assert_array_equal(np.argwhere(maps.limbs), [[0, 2, 3, 2, 1, 2]])


def test_the_originals_layout():
    """Channel 96 + (di x 9 + dj) x 15 + l of 1311."""
    assert proposal_maps.channels(proposal_parts.MPII, (9, 9)) == 1311
    outputs = jnp.arange(1311.0)[None, None, None]
    _, limbs = proposal_maps.fields(outputs, proposal_parts.MPII, (9, 9))
    assert limbs[0, 0, 0, 7, 2, 11] == 96 + (7 * 9 + 2) * 15 + 11


def test_flip_beside_a_loop():
    outputs = np.array(noise(2, *proposing.GRID, CHANNELS))
    flipped = proposal_maps.flip(jnp.array(outputs), proposing.TRIO, **READ)
    expected = np.empty_like(outputs)
    for i, j in np.ndindex(proposing.GRID):
        theirs = outputs[:, i, proposing.GRID[1] - 1 - j]
        for k, mirrored in enumerate((0, 2, 1, 3)):
            part = theirs[:, 6 * mirrored : 6 * mirrored + 6].copy()
            part[:, 2] = 1 - part[:, 2]
            expected[:, i, j, 6 * k : 6 * k + 6] = part
        for di, dj, limb in np.ndindex(3, 5, 3):
            mirrored = (1, 0, 2)[limb]
            expected[:, i, j, 24 + (di * 5 + dj) * 3 + limb] = theirs[
                :, 24 + (di * 5 + 4 - dj) * 3 + mirrored
            ]
    np.testing.assert_array_equal(flipped, expected)


@pytest.mark.parametrize("origin", [-0.5, 0.0])
def test_boxes_of_flipped_outputs_are_mirrored(origin):
    read = {**READ, "origin": origin}
    outputs = noise(2, *proposing.GRID, CHANNELS)
    flipped = proposal_maps.flip(outputs, proposing.TRIO, **read)
    maps, mirrored = (
        proposal_maps.split(x, proposing.TRIO, size=proposing.SIZE, **read)
        for x in (outputs, flipped)
    )
    expected = np.array(maps.box)[:, :, ::-1, [0, 2, 1, 3]]
    expected[..., 0] = proposing.SIZE[1] - 1 - expected[..., 0]
    np.testing.assert_allclose(mirrored.box, expected, atol=1e-4)
    twice = proposal_maps.flip(flipped, proposing.TRIO, **read)
    np.testing.assert_allclose(twice, outputs, atol=1e-6)


def test_overlap_beside_counted_pixels():
    """Boxes with whole corners, so that pixels can be counted."""
    random = np.random.default_rng(0)
    low = random.integers(0, 8, (2, 200, 2))
    high = low + random.integers(0, 8, (2, 200, 2))
    boxes = jnp.array(np.concatenate([(low + high) / 2, high - low], axis=-1))
    y, x = np.mgrid[:16, :16]
    inside = [
        (x >= low[n, :, 0, None, None])
        & (x < high[n, :, 0, None, None])
        & (y >= low[n, :, 1, None, None])
        & (y < high[n, :, 1, None, None])
        for n in range(2)
    ]
    shared = (inside[0] & inside[1]).sum(axis=(1, 2))
    union = (inside[0] | inside[1]).sum(axis=(1, 2))
    found = proposal_maps.overlap(*(jnp.moveaxis(x, -1, 0) for x in boxes))
    np.testing.assert_allclose(found, shared / np.maximum(union, 1), atol=1e-6)
    assert (union == 0).any() and (shared > 0).sum() > 40


def test_bfloat16_outputs_give_float32_maps():
    outputs = noise(1, *proposing.GRID, CHANNELS).astype(jnp.bfloat16)
    maps = proposal_maps.split(outputs, proposing.TRIO, size=proposing.SIZE, **READ)
    assert {x.dtype for x in maps} == {jnp.dtype("float32")}


def test_outputs_of_other_parts_are_refused():
    four = dataclasses.replace(proposing.TRIO, name="other")
    with pytest.raises(
        ValueError, match=r"70\), must be .* 69\): 6 for each of 4 parts"
    ):
        proposal_maps.fields(noise(1, *proposing.GRID, 70), four, proposing.WINDOW)
