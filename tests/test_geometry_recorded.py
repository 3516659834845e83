"""PyTorch-Pose's way from an annotation to a canvas, on our regions and maps.

Its pixels count from 1, and mirrored positions are a pixel left of the mirrored image.
"""

import dataclasses

import batches
import jax
import jax.numpy as jnp
import numpy as np
from pytorch_pose_crops import person_to_canvas

from jaxpose import augment, geometry, regions
from jaxpose.skeletons import MPII


def cells(affine, points):
    """Cut to whole numbers towards 0, as there."""
    return np.trunc(geometry.apply(affine, points))


def test_maps_of_pytorch_pose(reference):
    """Matrices, and whole points there and back, of 200 random people."""
    record = reference("hg_transform")
    names = ("center", "scale", "rot", "res")
    people = zip(*(record[name] for name in names), strict=True)
    maps = np.array([person_to_canvas(*person) for person in people])
    # Five matrices multiplied, three products a number, there and here: 30 roundings.
    largest = np.abs(record["matrix"]).max(axis=(1, 2), keepdims=True)
    np.testing.assert_array_less(
        np.abs(maps - record["matrix"][:, :2]) / largest, 30 * 2**-53
    )
    forward = cells(maps, record["pt_1based"][:, None] - 1)[:, 0] + 1
    np.testing.assert_array_equal(forward, record["forward_1based"])
    back = np.array([geometry.invert(affine) for affine in maps])
    inverse = cells(back, record["inverse_in"][:, None] - 1)[:, 0] + 1
    np.testing.assert_array_equal(inverse, record["inverse_out"])


def test_regions_of_pytorch_pose(reference):
    """From the annotated center and scale to those used; what is drawn is given."""
    record = reference("hg_target")
    center, scale = record["objpos"].astype(np.float64), record["scale_provided"]
    none = np.zeros((40, 16, 2)), np.ones((40, 16), bool), np.full((40, 2), 640)
    box = regions.BodyScale()(*none, {"center": center, "scale": scale})
    middle = (box[:, :2] + box[:, 2:]) / 2
    flip = record["flip"]
    middle[flip, 0] = record["width"] - middle[flip, 0]
    # There it is float32: two roundings of at most 2^-15 each up to 1024 pixels.
    np.testing.assert_allclose(middle, record["center_used"], atol=2 * 2**-15)
    side = (box[:, 2] - box[:, 0]) * record["scale_jitter"]
    # Sides are differences of numbers up to 8 times as large, and 3 products.
    np.testing.assert_allclose(side, 200 * record["scale_used"], rtol=32 * 2**-53)


def test_mirrored_people_of_pytorch_pose(reference):
    record = reference("hg_target")
    points, swap = record["joint_self"], record["flip"][:, None, None]
    other = points[:, list(MPII.flip)]
    other[..., 0] = record["width"] - other[..., 0]
    used = np.where(swap, other, points)
    np.testing.assert_array_equal(used, record["pts_used"])


def test_target_cells_of_pytorch_pose(reference):
    """Of keypoints below the first row; the others stay as they are."""
    record = reference("hg_target")
    points = record["pts_used"].astype(np.float64)
    names = ("center_used", "scale_used", "rot")
    people = zip(*(record[name] for name in names), strict=True)
    maps = np.array([person_to_canvas(c.astype(float), s, r, 64) for c, s, r in people])
    expected = points.copy()
    expected[..., :2] = cells(maps, points[..., :2]) + 1
    expected = np.where(points[..., 1:2] > 0, expected, points)
    np.testing.assert_array_equal(expected, record["tpts_1based"])


@jax.jit
def mirrored(image, points):
    """A batch of one; points count from 1."""
    batch = dataclasses.replace(
        batches.random_batch(1, image.shape[:2], k=16),
        image=image[None],
        keypoints=points[None, None, :, :2] - 1,
        visibility=points[None, None, :, 2].astype(jnp.int32),
    )
    one, zero = jnp.ones(1), jnp.zeros(1)
    return augment.move(batch, one, one, zero, jnp.zeros((1, 2)), MPII)


def test_mirrors_of_pytorch_pose(reference):
    record = reference("hg_flip")
    image = mirrored(record["img"].transpose(1, 2, 0), record["pts"]).image[0]
    np.testing.assert_array_equal(image.transpose(2, 0, 1), record["fliplr"])
    batch = mirrored(np.zeros((4, 320, 3), np.float32), record["pts"])
    found, expected = batch.keypoints[0, 0] + 1, record["shufflelr_w320"]
    # Three sums up to 512 pixels, each rounded by at most 2^-16.
    np.testing.assert_allclose(
        found - jnp.array([1, 0]), expected[:, :2], atol=3 * 2**-16
    )
    # There visibilities are random numbers; ours are their whole parts.
    visibility = np.trunc(expected[:, 2])
    np.testing.assert_array_equal(batch.visibility[0, 0], visibility)
