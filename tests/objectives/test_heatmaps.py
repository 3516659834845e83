"""Heatmaps as an objective: round trips, mirrors, devices, and what is refused."""

import dataclasses

import batches
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpose import devices
from jaxpose.objectives import heatmap_decoding, heatmaps
from jaxpose.skeletons import MPII

SIZE = (64, 80)
GRID = (16, 20)
ZERO = jnp.array(0)


def targets_of(objective, batch):
    return jax.jit(objective.targets)(batch, jnp.array(0))


def decoded(objective, outputs):
    return jax.jit(objective.decode)(outputs)


@pytest.mark.parametrize(
    "decoder, inside, anywhere",
    [
        (heatmap_decoding.Quarter(), 0.2501, 0.5),
        (heatmap_decoding.Dark(), 0.001, 0.5),
        (heatmap_decoding.Soft(), 0.01, 0.5),
    ],
)
@pytest.mark.parametrize("stride", [4, 8])
def test_decoded_targets_are_the_keypoints(decoder, inside, anywhere, stride):
    """Shares of the stride, for peaks away from the border and for all."""
    size = (16 * stride, 20 * stride)
    batch = batches.random_batch(64, size, k=5)
    batch = dataclasses.replace(batch, visibility=jnp.full((64, 1, 5), 1))
    objective = heatmaps.Heatmaps(size=size, stride=stride, decoder=decoder)
    targets = targets_of(objective, batch)
    poses = decoded(objective, targets.maps[None])
    error = np.abs(poses.keypoints - batch.keypoints).max(-1) / stride
    cells = np.array(batch.keypoints) / stride
    away = ((cells > 4) & (cells < np.array([15, 11]))).all(-1)
    assert away.sum() > 50
    assert error[away].max() < inside
    assert error.max() <= anywhere


def test_scores_are_the_highest_values_of_the_last_stack():
    outputs = np.random.default_rng(0).normal(size=(2, 3, *GRID, 5)).astype(np.float32)
    poses = heatmaps.Heatmaps(size=SIZE).decode(jnp.array(outputs))
    scores = outputs[-1].max((1, 2))
    np.testing.assert_array_equal(poses.scores[:, 0], scores)
    np.testing.assert_allclose(poses.person_scores[:, 0], scores.mean(1), rtol=1e-6)
    assert poses.keypoints.shape == (3, 1, 5, 2)


def test_bfloat16_outputs_are_decoded_in_float32():
    """Whole cells would be 4 pixels apart: bfloat16 has none between 128 and 129."""
    batch = batches.random_batch(4, (512, 512))
    objective = heatmaps.Heatmaps(size=(512, 512), sigma=2.0)
    maps = targets_of(objective, batch).maps
    poses = decoded(objective, maps[None].astype(jnp.bfloat16))
    assert poses.keypoints.dtype == poses.scores.dtype == jnp.float32
    labeled = np.array(batch.visibility) > 0
    assert np.abs(poses.keypoints - batch.keypoints)[labeled].max() < 0.3


def test_flip_back_of_pytorch_pose(reference):
    record = reference("hg_flip")
    maps = jnp.array(record["maps"].transpose(0, 2, 3, 1))[None]
    flipped = heatmaps.Heatmaps(size=(32, 32)).flip(maps, MPII)
    np.testing.assert_array_equal(flipped[0].transpose(0, 3, 1, 2), record["flip_back"])


@pytest.mark.parametrize("stride", [1, 4])
def test_flip_is_the_encoding_of_the_mirrored_keypoints(stride):
    """No shift by a cell or a pixel, at any position between cells."""
    batch = batches.random_batch(8, SIZE)
    flip = jnp.array(batches.TRIO.flip)
    mirrored = dataclasses.replace(
        batch,
        keypoints=jnp.array([79.0, 0])
        + batch.keypoints[:, :, flip] * jnp.array([-1.0, 1]),
        visibility=batch.visibility[:, :, flip],
    )
    objective = heatmaps.Heatmaps(size=SIZE, stride=stride)
    maps = targets_of(objective, batch).maps[None]
    flipped = objective.flip(targets_of(objective, mirrored).maps[None], batches.TRIO)
    np.testing.assert_allclose(flipped, maps, atol=2e-5)
    twice = objective.flip(objective.flip(maps, batches.TRIO), batches.TRIO)
    np.testing.assert_array_equal(twice, maps)


def test_plain_is_jit_is_eight_devices():
    batch = batches.random_batch(8, SIZE)
    objective = heatmaps.Heatmaps(size=SIZE, hardest=2, mean="counted", masked=True)
    outputs = jax.random.normal(jax.random.key(0), (2, 8, *GRID, 3))

    def everything(outputs, batch):
        targets = objective.targets(batch, ZERO)
        loss, metrics = objective.loss(outputs, targets)
        return targets, loss, metrics, objective.decode(outputs)

    plain = everything(outputs, batch)
    wide = devices.data_parallel(lambda o, b: everything(o, b), devices.mesh())
    for found in (jax.jit(everything)(outputs, batch), wide(outputs, batch)):
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5),
            plain,
            found,
        )
    assert "callback" not in jax.jit(everything).lower(outputs, batch).as_text()


def test_fields_are_checked():
    refused = (
        ({"size": (62, 80)}, r"\(62, 80\) does not divide into cells of stride=4"),
        ({"stride": 0}, "stride=0"),
        ({"sigma": 0.0}, r"sigma=0\.0 must be a positive"),
        ({"sigma": np.inf}, "sigma=inf must be a positive"),
        ({"sigma": np.nan}, "sigma=nan must be a positive"),
        ({"factor": -1.0}, r"factor=-1\.0 must be positive"),
        ({"factor": np.inf}, "factor=inf must be positive"),
        ({"weighting": "all"}, "weighting='all' is not one of"),
        ({"mean": "keypoints"}, "mean='keypoints' is not one of"),
        ({"hardest": -1}, "hardest=-1"),
    )
    for fields, message in refused:
        with pytest.raises(ValueError, match=message):
            heatmaps.Heatmaps(**{"size": SIZE, **fields})


def test_other_canvases_crowds_and_skeletons_are_refused():
    batch = batches.random_batch(2, SIZE)
    with pytest.raises(ValueError, match=r"\(64, 80\) .* \(64, 64\)"):
        heatmaps.Heatmaps(size=(64, 64)).targets(batch, ZERO)
    crowd = dataclasses.replace(
        batch, keypoints=jnp.concatenate([batch.keypoints] * 2, axis=1)
    )
    objective = heatmaps.Heatmaps(size=SIZE)
    with pytest.raises(ValueError, match="with 2 people"):
        objective.targets(crowd, ZERO)
    with pytest.raises(ValueError, match="4 maps, the skeleton trio has 3"):
        objective.flip(jnp.zeros((1, 2, *GRID, 4)), batches.TRIO)


def test_heatmaps_are_those_of_the_last_stack():
    outputs = np.random.default_rng(0).normal(size=(2, 3, *GRID, 5))
    made = heatmaps.Heatmaps(size=SIZE)
    half = jnp.array(outputs, jnp.bfloat16)
    assert made.heatmaps(half).dtype == jnp.float32
    np.testing.assert_array_equal(made.heatmaps(half), half[-1].astype(jnp.float32))
    targets = targets_of(made, batches.random_batch(3, SIZE, k=5))
    np.testing.assert_array_equal(made.true_heatmaps(targets), targets.maps)
