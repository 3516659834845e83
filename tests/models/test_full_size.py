"""Networks of full size on two photographs of 256 x 256, as PyTorch computed them."""

import functools
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import published_networks
import pytest

from jaxpose.models import batch_norm, group_norm, hourglass, pose_resnet, resnet
from jaxpose.weights import pytorch_pose

RECORD = pathlib.Path(__file__).parents[3] / "shared" / "reference" / "hg_models.json"
# Of PyTorch-Pose's inputs the mean is gone.
PLAIN = (0.0, 0.0, 0.0)


def stacked(stacks, norm):
    model = hourglass.StackedHourglass(
        num_keypoints=16, stacks=stacks, norm=norm, mean=PLAIN
    )
    running = norm is batch_norm.BatchNorm
    shapes = published_networks.hourglass(stacks=stacks, running=running)
    return model, shapes, pytorch_pose.hourglass


def simple_baseline():
    trunk = resnet.resnet(layers=50, mean=PLAIN, std=(1.0, 1.0, 1.0))
    model = pose_resnet.PoseResNet(num_keypoints=16, trunk=trunk)
    return model, published_networks.pose_resnet50(), pytorch_pose.pose_resnet


NETWORKS = {
    "hg_s2_b1": functools.partial(stacked, 2, batch_norm.BatchNorm),
    "hg_s8_b1": functools.partial(stacked, 8, batch_norm.BatchNorm),
    "hg_gn_s2_b1": functools.partial(stacked, 2, group_norm.GroupNorm),
    "pose_resnet50": simple_baseline,
}


def evaluated(model, shapes, load, image):
    fresh = jax.eval_shape(
        functools.partial(model.init, train=False),
        jax.random.key(0),
        jnp.zeros((2, 64, 64, 3)),
    )
    state = published_networks.filled(shapes)
    variables = jax.device_put(load(lambda: state, fresh))
    # Not compiled as a whole, which takes longer than the layers one by one.
    return np.asarray(model.apply(variables, image, train=False))


@pytest.mark.parametrize("name", NETWORKS)
def test_heatmaps_are_the_recorded_ones(name):
    """Mean, deviation, extremes, and the sum of every 997th cell; of a network with
    stacks the first one's and the last one's."""
    if not RECORD.exists():
        pytest.skip(f"{RECORD}, recorded from the original, is not here")
    rows = json.loads(RECORD.read_text())[name]["filled_eval_out"]
    image = np.random.RandomState(1).rand(2, 3, 256, 256) - 0.44
    image = jnp.array(image.transpose(0, 2, 3, 1), jnp.float32)
    outputs = evaluated(*NETWORKS[name](), image)
    for maps, row in zip([outputs[0], outputs[-1]][-len(rows) :], rows, strict=True):
        cells = maps.astype(np.float64).transpose(0, 3, 1, 2).ravel()
        *expected, total = row["mean_std_min_max_sub"]
        found = [cells.mean(), cells.std(ddof=1), cells.min(), cells.max()]
        # Up to 240 layers round by 2^-24 of a number, there and here: like random steps,
        # of which the largest of many cells shows four deviations.
        rounding = 4 * np.sqrt(2 * 240) * 2**-24 * cells.std()
        np.testing.assert_allclose(found, expected, rtol=0, atol=rounding)
        some = cells[::997]
        atol = np.sqrt(some.size) * rounding
        np.testing.assert_allclose(some.sum(), total, rtol=0, atol=atol)
