"""Labeled people become targets, and ideal outputs become the same people again."""

import dataclasses

import batches
import jax
import jax.numpy as jnp
import numpy as np
import proposing
import pytest

from jaxpose.objectives import proposal_parsing, proposal_parts, proposals

SIZE = (256, 320)
# Halves of a body about its middle, in pixels; the other half is its mirror.
HALF = {
    "head_top": (0, -60),
    "neck": (0, -38),
    "thorax": (0, -30),
    "nose": (0, -50),
    "eye": (4, -55),
    "ear": (9, -52),
    "shoulder": (18, -30),
    "elbow": (24, -8),
    "wrist": (26, 12),
    "pelvis": (0, 10),
    "hip": (10, 10),
    "knee": (12, 36),
    "ankle": (14, 62),
}


def body(skeleton):
    def place(name):
        side, _, rest = name.partition("_")
        x, y = HALF.get(name) or HALF[rest]
        return (x if side == "left" else -x, y)

    return np.array([place(name) for name in skeleton.keypoints], float)


@pytest.mark.parametrize("parts", [proposal_parts.MPII, proposal_parts.COCO])
@pytest.mark.parametrize("mirrored", [False, True])
def test_people_are_found_again(parts, mirrored):
    """Three, of whom one lacks a wrist, and one is looked at in a mirror too."""
    middles = np.array([[60.0, 101.3], [166.7, 120.2], [250.0, 160.9]])
    keypoints = (body(parts.skeleton) + middles[:, None])[None]
    visibility = np.full(keypoints.shape[:3], 2)
    lacking = parts.skeleton.index("left_wrist")
    visibility[0, 1, lacking] = 0
    batch = dataclasses.replace(
        batches.random_batch(1, SIZE, k=keypoints.shape[2]),
        keypoints=jnp.array(keypoints, jnp.float32),
        visibility=jnp.array(visibility),
        scale=jnp.full((1, 3), 22.0),
    )
    objective = proposals.Proposals(
        size=SIZE,
        parts=parts,
        stride=16,
        decoder=proposal_parsing.Parsing(parts=parts, people=4),
    )
    outputs = proposing.ideal_outputs(objective, objective.targets(batch, jnp.array(0)))
    if mirrored:
        outputs = objective.flip(outputs, parts.skeleton)
        expected = keypoints[0][:, list(parts.skeleton.flip)]
        expected[..., 0] = SIZE[1] - 1 - expected[..., 0]
        lacking = parts.skeleton.flip[lacking]
    else:
        expected = keypoints[0].copy()
    expected[1, lacking] = np.nan
    expected[:, np.array(parts.part_of) < 0] = np.nan
    poses = jax.jit(objective.decode)(outputs)
    assert np.isfinite(poses.keypoints[0, :3, 0, 0]).all()
    assert np.isnan(poses.keypoints[0, 3]).all() and poses.person_scores[0, 3] == 0
    # People are sorted by where they stand; responses are all alike.
    order = np.argsort(np.nanmean(poses.keypoints[0, :3, :, 0], axis=1))
    found = np.array(poses.keypoints[0])[order]
    expected = expected[np.argsort(np.nanmean(expected[..., 0], axis=1))]
    np.testing.assert_allclose(found, expected, atol=1e-3)
    np.testing.assert_array_equal(
        np.array(poses.scores[0])[order] > 0.5, np.isfinite(expected[..., 0])
    )
