"""Loss of heatmaps: the originals' numbers, a slow loop, and where gradients go."""

import dataclasses
import zlib

import batches
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpose.objectives import heatmaps

SIZE = (32, 40)
GRID = (8, 10)


def targets_of(objective, batch):
    return jax.jit(objective.targets)(batch, jnp.array(0))


def loss_of(objective, outputs, targets):
    return jax.jit(objective.loss)(outputs, targets)


def recorded(record):
    """Maps of the last stack, and targets, of a network of PyTorch-Pose."""
    maps, truth = (
        jnp.array(record[name].transpose(0, 2, 3, 1))
        for name in ("train_out_last", "train_target")
    )
    counted = jnp.array(record["train_weight"][..., 0] > 0)
    return maps, heatmaps.Targets(
        maps=truth,
        drawn=truth.any(axis=(1, 2)),
        counted=counted,
        cells=jnp.ones(truth.shape[:3], bool),
        weight=jnp.ones(len(truth)),
    )


@pytest.mark.parametrize("name", ["hg_s2_b1", "hg_gn_s2_b1", "pose_resnet50"])
def test_loss_of_pytorch_pose(reference, name):
    """Recorded in float64 and stored in float32; weighted as there."""
    record = reference(f"hg_model_{name}")
    maps, targets = recorded(record)
    assert not targets.counted.all()
    loss, _ = heatmaps.Heatmaps(size=(64, 64)).loss(maps[None], targets)
    np.testing.assert_allclose(loss, record["train_loss_per_stack"][-1], rtol=1e-6)


def test_plain_loss_of_pytorch_pose_before_2019_and_of_hgpose(reference):
    """Mean squared error over everything, missing keypoints too."""
    record = reference("hg_model_pose_resnet50")
    maps, targets = recorded(record)
    targets = dataclasses.replace(targets, counted=jnp.ones_like(targets.counted))
    loss, _ = heatmaps.Heatmaps(size=(64, 64), factor=1.0).loss(maps[None], targets)
    np.testing.assert_allclose(loss, record["mse_plain"], rtol=1e-6)


def test_masked_loss_of_pose_ae(reference):
    """Its mask keeps the loss from looking, and its mean counts what it hides."""
    record = reference("ae_targets")
    shape = (2, 2, 17, 64, 64)
    seed = zlib.crc32(b"loss_pred")
    normal = np.random.Generator(np.random.PCG64(seed)).standard_normal(size=shape)
    outputs = np.float32(0.05 * normal).transpose(1, 0, 3, 4, 2)
    truth = record["hl_gt"].transpose(0, 2, 3, 1)
    objective = heatmaps.Heatmaps(size=(256, 256), factor=1.0)
    for stack, i in np.ndindex(2, 2):
        one = slice(i, i + 1)
        targets = heatmaps.Targets(
            maps=jnp.array(truth[one]),
            drawn=jnp.ones((1, 17), bool),
            counted=jnp.ones((1, 17), bool),
            cells=jnp.array(record["hl_mask"][one] > 0),
            weight=jnp.ones(1),
        )
        loss, _ = loss_of(objective, jnp.array(outputs[stack, None, one]), targets)
        expected = record["hl_per_sample_stack"][i, stack]
        np.testing.assert_allclose(loss, expected, rtol=1e-6)


def blotched(batch):
    """A mask that hides some cells, others by half and by a quarter."""
    mask = np.ones((len(batch.index), *SIZE), np.uint8)
    mask[0, :16] = 0
    mask[1, :, 6:13] = 0
    mask[2] = 0
    return dataclasses.replace(batch, mask=jnp.array(mask))


def slow_loss(objective, outputs, batch):
    """Sums of squares one by one, for the fields that change the loss."""
    maps = np.array(targets_of(objective, batch).maps, np.float64)
    s, b, h, w, k = outputs.shape
    batch = jax.tree.map(np.array, batch)
    total = 0.0
    for stack in range(s):
        errors, areas = np.zeros((b, k)), np.zeros((b, k))
        for i, y, x, j in np.ndindex(b, h, w, k):
            pixels = batch.mask[i, 4 * y : 4 * y + 4, 4 * x : 4 * x + 4]
            least = {"none": 0, "annotated": 1, "visible": 2}[objective.weighting]
            if batch.visibility[i, 0, j] < least:
                continue
            if not objective.masked or pixels.mean() >= 0.5:
                errors[i, j] += (
                    float(outputs[stack, i, y, x, j]) - maps[i, y, x, j]
                ) ** 2
                areas[i, j] += 1
        if objective.hardest:
            for i in range(b):
                for j in np.argsort(errors[i])[: k - objective.hardest]:
                    errors[i, j] = areas[i, j] = 0
        if objective.weighted:
            errors *= batch.weight[:, None]
        if objective.mean == "all":
            total += errors.sum() / (b * (objective.hardest or k) * h * w)
        else:
            counts = areas.sum(0)
            total += np.mean(errors.sum(0)[counts > 0] / counts[counts > 0])
    return objective.factor * total


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"weighting": "visible", "mean": "counted"},
        {"weighting": "none", "factor": 1.0},
        {"weighted": True, "masked": True},
        {"weighted": True, "masked": True, "mean": "counted"},
        {"hardest": 2},
        {"hardest": 1, "mean": "counted", "masked": True, "weighting": "visible"},
    ],
)
def test_loss_is_a_slow_loop(fields):
    batch = blotched(batches.random_batch(5, SIZE))
    objective = heatmaps.Heatmaps(size=SIZE, **fields)
    outputs = np.random.default_rng(1).normal(0, 0.5, (2, 5, *GRID, 3))
    outputs = outputs.astype(np.float32)
    loss, metrics = loss_of(objective, outputs, targets_of(objective, batch))
    np.testing.assert_allclose(loss, slow_loss(objective, outputs, batch), rtol=1e-5)
    assert metrics["loss"] == loss


def test_stacks_are_summed_and_the_last_is_watched():
    batch = batches.random_batch(4, SIZE)
    objective = heatmaps.Heatmaps(size=SIZE)
    targets = targets_of(objective, batch)
    parts = jax.random.normal(jax.random.key(0), (3, 4, *GRID, 3))
    outputs = jnp.concatenate([parts, targets.maps[None]])
    loss, metrics = loss_of(objective, outputs, targets)
    alone = [loss_of(objective, part[None], targets)[0] for part in parts]
    np.testing.assert_allclose(loss, sum(alone), rtol=1e-6)
    assert metrics["accuracy"] == 1
    assert loss_of(objective, outputs[::-1], targets)[1]["accuracy"] < 1


def test_perfect_maps_cost_nothing():
    batch = batches.random_batch(4, SIZE)
    for weighting in ("visible", "annotated", "none"):
        objective = heatmaps.Heatmaps(size=SIZE, weighting=weighting)
        targets = targets_of(objective, batch)
        loss, _ = loss_of(objective, targets.maps[None], targets)
        assert loss == 0


@pytest.mark.parametrize("wild", [0.0, np.inf, np.nan])
def test_gradients_reach_what_counts_and_nothing_else(wild):
    """Whatever the network says elsewhere."""
    batch = blotched(batches.random_batch(5, SIZE))
    objective = heatmaps.Heatmaps(size=SIZE, masked=True, weighting="visible")
    targets = targets_of(objective, batch)
    looked = (
        np.array(targets.cells)[..., None]
        & (np.array(batch.visibility)[:, 0] == 2)[:, None, None]
    )
    # Pixels 6 to 12 are hidden there: half of cell 1, all of cell 2, a quarter of cell 3.
    np.testing.assert_array_equal(targets.cells[1].all(axis=0), [1, 1, 0] + [1] * 7)
    outputs = jnp.where(looked, 2.0, wild)[None]
    gradient = jax.jit(jax.grad(lambda x: objective.loss(x, targets)[0]))(outputs)
    assert 0 < looked.sum() < looked.size
    np.testing.assert_array_equal(np.array(gradient[0]) != 0, looked)


def test_mining_moves_only_the_hardest_maps():
    batch = batches.random_batch(4, SIZE)
    batch = dataclasses.replace(batch, visibility=jnp.full((4, 1, 3), 2))
    objective = heatmaps.Heatmaps(size=SIZE, hardest=1)
    targets = targets_of(objective, batch)
    worst = jnp.array([2, 0, 1, 1])
    off = 0.1 + jax.nn.one_hot(worst, 3)[:, None, None]
    gradient = jax.jit(jax.grad(lambda x: objective.loss(x, targets)[0]))(
        (targets.maps + off)[None]
    )
    moved = np.array(gradient[0] != 0).any(axis=(1, 2))
    np.testing.assert_array_equal(moved, np.eye(3)[np.array(worst)])


@pytest.mark.parametrize("mean", heatmaps.MEANS)
def test_a_batch_without_labels_costs_nothing(mean):
    batch = batches.random_batch(4, SIZE)
    batch = dataclasses.replace(batch, visibility=jnp.zeros((4, 1, 3), jnp.int32))
    objective = heatmaps.Heatmaps(size=SIZE, mean=mean)
    targets = targets_of(objective, batch)
    (loss, metrics), gradient = jax.jit(
        jax.value_and_grad(objective.loss, has_aux=True)
    )(jnp.ones((1, 4, *GRID, 3)), targets)
    assert loss == metrics["accuracy"] == 0
    np.testing.assert_array_equal(gradient, 0)


def test_half_precision_outputs_lose_nothing_in_the_sum():
    batch = batches.random_batch(4, SIZE)
    objective = heatmaps.Heatmaps(size=SIZE)
    targets = targets_of(objective, batch)
    outputs = jax.random.normal(jax.random.key(0), (1, 4, *GRID, 3), jnp.bfloat16)
    half, _ = loss_of(objective, outputs, targets)
    full, _ = loss_of(objective, outputs.astype(jnp.float32), targets)
    np.testing.assert_allclose(half, full, rtol=1e-6)


def test_other_outputs_are_refused():
    batch = batches.random_batch(2, SIZE)
    objective = heatmaps.Heatmaps(size=SIZE)
    targets = targets_of(objective, batch)
    for shape in ((2, *GRID, 3), (1, 2, *GRID, 4), (1, 2, 16, 20, 3), (1, 1, *GRID, 3)):
        with pytest.raises(
            ValueError, match="check the network's keypoints and stride"
        ):
            loss_of(objective, jnp.zeros(shape), targets)
    mining = heatmaps.Heatmaps(size=SIZE, hardest=4)
    with pytest.raises(ValueError, match="hardest=4 of 3 keypoints"):
        mining.loss(jnp.zeros((1, 2, *GRID, 3)), targets)
