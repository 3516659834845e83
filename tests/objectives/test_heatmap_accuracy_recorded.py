"""The distances that PyTorch-Pose's accuracy compares, one by one."""

import jax.numpy as jnp
import numpy as np

from jaxpose.objectives import heatmap_accuracy
from jaxpose.skeletons import MPII

LISTED = ("ankle", "knee", "hip", "wrist", "elbow")


def test_distances_of_pytorch_pose(reference):
    """Recorded in tenths of the width, -1 for what does not count."""
    record = reference("hg_accuracy")
    maps, truth = (
        jnp.array(record[part].transpose(0, 2, 3, 1))[:, None]
        for part in ("output", "target")
    )
    cells = 6.4 * record["dists_joint_by_sample"].T.astype(np.float64)
    drawn = jnp.ones((1, 16), bool)
    for sample in range(4):
        # Whole cells lie apart by roots of whole numbers, never by half a cell.
        for limit in np.arange(0.5, 91):
            accuracy = heatmap_accuracy.PeakAccuracy(
                threshold=limit / 64, skip="first row and column"
            )
            shares = accuracy(maps[sample], truth[sample], drawn)
            expected = np.where(cells[sample] < 0, np.nan, cells[sample] < limit)
            np.testing.assert_array_equal(shares, expected)


def test_keypoints_of_pytorch_pose(reference):
    """Those that enter its mean; there they count from 1."""
    listed = [MPII.keypoints[i - 1] for i in reference("hg_accuracy")["idx_mpii"]]
    assert set(listed) == {
        f"{side}_{part}" for side in ("right", "left") for part in LISTED
    }
