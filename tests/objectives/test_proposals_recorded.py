"""Targets, losses and gradients of pytorch_pose_proposal_networks."""

import dataclasses
import zlib

import batches
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpose.objectives import proposal_maps, proposal_parts, proposals

SIZE = (384, 384)
# As the original does it.
ORIGINAL = proposals.Proposals(
    size=SIZE,
    parts=proposal_parts.MPII,
    decoder=lambda maps: maps,
    origin=0.0,
    head_keypoints=(9, 8),
    one_end_labeled=True,
    last_person_wins=True,
    look_everywhere=True,
)


def labels(record, name):
    """Its label and mask as `Targets`: response, iou, x, y, width, height of parts."""
    arrays = (record[f"{name}_label"], record[f"{name}_mask"])
    (label, limbs), (mask, limb_mask) = (
        proposal_maps.fields(
            jnp.array(x[None], jnp.float32), proposal_parts.MPII, (9, 9)
        )
        for x in arrays
    )
    return proposals.Targets(
        there=label[..., 0] > 0,
        seen=mask[..., 0] > 0,
        box=label[..., 2:],
        limbs=limbs > 0,
        limbs_seen=limb_mask > 0,
    )


def both(record):
    """The two pictures of which the loss was recorded."""
    pair = [labels(record, name) for name in ("val", "train0")]
    return jax.tree.map(lambda *x: jnp.concatenate(x), *pair)


def crop(record, name):
    """People in pixels of the canvas, as the original's pipeline moves them.

    Scaled; turned about the middle of the photograph on a canvas that holds all of it;
    cut; mirrored. Who leaves the canvas counts as unlabeled.
    """
    factor, degrees, *shift, mirrored = record.get(f"{name}_params", [1.0, 0, 0, 0, 0])
    people = np.concatenate([record["joint_self"][None], record["joint_others"]])
    center = record["objpos"]
    factor = factor / record["scale_provided"]
    points = np.concatenate([people[..., :2].reshape(-1, 2), center[None]]) * factor
    height, width = (round(side * factor) for side in record["image"].shape[:2])
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    grown = [
        int(height * abs(sin) + width * abs(cos)),
        int(height * abs(cos) + width * abs(sin)),
    ]
    middle = np.array([width // 2, height // 2])
    turn = np.array([[cos, sin], [-sin, cos]])
    points = (points - middle) @ turn.T + np.array(grown) / 2
    points = points - (points[-1] + shift - 192)
    keypoints = points[:-1].reshape(*people.shape[:2], 2)
    visibility = np.where(people[..., 2] == 2, 0, people[..., 2] + 1)
    visibility[((keypoints < 0) | (keypoints >= 384)).any(axis=-1)] = 0
    if mirrored:
        flip = np.array(proposal_parts.MPII.skeleton.flip)
        keypoints, visibility = keypoints[:, flip], visibility[:, flip]
        keypoints[..., 0] = 383 - keypoints[..., 0]
    return keypoints, visibility


@pytest.mark.parametrize("name", ["val", "train0", "train1", "train2"])
def test_targets(reference, name):
    """Centred and plain, and with scales, angles, shifts and mirrors."""
    record = reference("ppn_targets")
    keypoints, visibility = crop(record, name)
    batch = dataclasses.replace(
        batches.random_batch(1, SIZE, k=16),
        keypoints=jnp.array(keypoints[None], jnp.float32),
        visibility=jnp.array(visibility[None], jnp.int32),
        scale=jnp.full((1, len(keypoints)), jnp.nan),
        mask=jnp.zeros((1, *SIZE)),
    )
    found = jax.jit(ORIGINAL.targets)(batch, jnp.array(0))
    expected = labels(record, name)
    # One unit in the last place of float32 at 256 and above: both are rounded.
    np.testing.assert_allclose(found.box, expected.box, rtol=0, atol=3.1e-5)
    for field in ("there", "seen", "limbs", "limbs_seen"):
        np.testing.assert_array_equal(
            getattr(found, field), getattr(expected, field), err_msg=field
        )
    assert expected.limbs.sum() > 20


def test_losses_and_gradients(reference):
    record, targets = reference("ppn_loss"), both(reference("ppn_targets"))
    ideal = jnp.concatenate(
        [
            jnp.array(record["ideal_joint"]),
            targets.limbs.reshape(2, 12, 12, -1).astype(jnp.float32),
        ],
        axis=-1,
    )
    random = np.random.Generator(np.random.PCG64(zlib.crc32(b"ppn_loss_noise")))
    noise = 0.05 * random.standard_normal(ideal.shape)
    outputs = jnp.array(np.float32(ideal) + 1.5 * np.float32(noise))
    (loss, log), gradient = jax.jit(jax.value_and_grad(ORIGINAL.loss, has_aux=True))(
        outputs, targets
    )
    names = ("response", "iou", "position", "extent", "limb")
    found = [log[name] for name in names]
    np.testing.assert_allclose(found, record["terms"], rtol=2e-6)
    np.testing.assert_allclose(loss, record["total"], rtol=2e-6)
    of_parts, limbs = gradient[..., :96], np.array(gradient[..., 96:])
    np.testing.assert_allclose(of_parts, record["grad_joint"], rtol=1e-5, atol=2e-6)
    # A row of cells in which someone's limbs start.
    np.testing.assert_allclose(limbs[0, 5], record["grad_limb_first"], atol=1e-7)
    np.testing.assert_allclose(
        np.abs(limbs).sum(-1), record["grad_limb_abs_sum"], rtol=1e-5
    )
