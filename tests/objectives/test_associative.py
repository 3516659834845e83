"""Losses of several people: the original's numbers, gradients, precision, devices."""

import dataclasses
import zlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tagged_people

from jaxpose import devices
from jaxpose.objectives import associative

SIZE = (32, 40)
GRID = (8, 10)


def targets_of(objective, batch):
    return jax.jit(objective.targets)(batch, jnp.array(0))


def loss_of(objective, outputs, targets):
    return jax.jit(objective.loss)(outputs, targets)


def recorded(record, case):
    """Objective, outputs without a height, and targets of a record of the tag losses.

    It lists for each person (keypoint x cells + cell, whether it counts).
    """
    tags, listed = record[f"{case}_tags"], record[f"{case}_keypoints"]
    b, length, d = tags.shape
    side = int((length / 17) ** 0.5)
    flat = tags.reshape(b, 17, side, side, d).transpose(0, 2, 3, 4, 1)
    outputs = np.concatenate(
        [np.zeros((b, side, side, 17)), flat.reshape(b, side, side, -1)], axis=-1
    )
    cell, counted = np.zeros((2, b, 30, 17), int)
    for i, n, entry in zip(*listed[..., 1].nonzero()):
        keypoint, number = divmod(listed[i, n, entry, 0], side**2)
        assert not counted[i, n, keypoint]
        cell[i, n, keypoint], counted[i, n, keypoint] = number, 1
    objective = associative.Associative(
        size=(4 * side, 4 * side), num_keypoints=17, tags=d
    )
    targets = associative.Targets(
        maps=jnp.zeros((b, side, side, 17)),
        seen=jnp.ones((b, side, side), bool),
        cell=jnp.array(cell),
        counted=jnp.array(counted > 0),
        weight=jnp.ones(b),
    )
    return objective, jnp.array(outputs[None], jnp.float32), targets


def of_example(targets, i):
    """Weights that take one example out of the mean over all."""
    b = len(targets.weight)
    return dataclasses.replace(targets, weight=b * jax.nn.one_hot(i, b))


@pytest.mark.parametrize("case", ["a", "b"])
def test_tag_losses_of_pose_ae(reference, case):
    """Its compiled code in float32: 0 to 30 people, tags of one and two dimensions."""
    record = reference("ae_loss")
    objective, outputs, targets = recorded(record, case)
    program = jax.jit(objective.loss)
    for i, expected in enumerate(record[f"{case}_push_pull"]):
        loss, log = program(outputs, of_example(targets, i))
        np.testing.assert_allclose([log["push"], log["pull"]], expected, rtol=1e-6)
        np.testing.assert_allclose(loss, 1e-3 * expected.sum(), rtol=1e-6)


@pytest.mark.parametrize("case", ["a", "b"])
def test_gradients_of_the_tag_losses_of_pose_ae(reference, case):
    """For cotangents of its own, one a loss and example; they pass the mean tags."""
    record = reference("ae_loss")
    objective, outputs, targets = recorded(record, case)
    b, d = len(outputs[0]), objective.tags
    total = 0
    for column, name in enumerate(("push", "pull")):
        none = {"push": 0.0, "pull": 0.0, "detection": 0.0}
        only = dataclasses.replace(objective, **{**none, name: float(b)})
        weight = jnp.array(record[f"{case}_grad_out"][:, column])
        weighted = dataclasses.replace(targets, weight=weight)
        gradient, _ = jax.jit(jax.grad(only.loss, has_aux=True))(outputs, weighted)
        total += np.array(gradient[0])
    assert not total[..., :17].any()
    gradient = total[..., 17:].reshape(b, -1, d, 17).transpose(0, 3, 1, 2)
    expected = record[f"{case}_grad_tags"]
    # Entries are sums of up to 29 terms of either sign; the record has float32 too.
    np.testing.assert_allclose(
        gradient.reshape(expected.shape),
        expected,
        rtol=1e-6,
        atol=1e-6 * np.abs(expected).max(),
    )


def test_masked_detection_loss_of_pose_ae(reference):
    """Its mean counts what the mask hides; of two stacks, ours is the mean."""
    record = reference("ae_targets")
    shape = (2, 2, 17, 64, 64)
    seed = zlib.crc32(b"loss_pred")
    normal = np.random.Generator(np.random.PCG64(seed)).standard_normal(size=shape)
    maps = np.float32(0.05 * normal).transpose(1, 0, 3, 4, 2)
    outputs = jnp.array(np.concatenate([maps, np.zeros_like(maps)], axis=-1))
    objective = associative.Associative(size=(256, 256), num_keypoints=17)
    targets = associative.Targets(
        maps=jnp.array(record["hl_gt"].transpose(0, 2, 3, 1)),
        seen=jnp.array(record["hl_mask"] > 0),
        cell=jnp.zeros((2, 1, 17), int),
        counted=jnp.zeros((2, 1, 17), bool),
        weight=jnp.ones(2),
    )
    expected = record["hl_per_sample_stack"]
    for i in range(2):
        example = of_example(targets, i)
        for stack in range(2):
            _, log = loss_of(objective, outputs[stack][None], example)
            np.testing.assert_allclose(log["detection"], expected[i, stack], rtol=1e-6)
    loss, log = loss_of(objective, outputs, targets)
    np.testing.assert_allclose(loss, expected.mean(), rtol=1e-6)
    assert log["push"] == log["pull"] == 0


def random_outputs(seed=0, b=4, stacks=2, tags=1):
    shape = (stacks, b, *GRID, 3 * (1 + tags))
    return jax.random.normal(jax.random.key(seed), shape)


def test_factors_weights_and_stacks():
    """The loss is its three parts times their factors; stacks count alike."""
    objective = associative.Associative(
        size=SIZE,
        num_keypoints=3,
        push=0.5,
        pull=0.25,
        detection=2.0,
        weighted=True,
    )
    targets = targets_of(objective, tagged_people.random_crowd())
    outputs = random_outputs()
    loss, log = loss_of(objective, outputs, targets)
    parts = [log[name] for name in ("push", "pull", "detection")]
    assert min(parts) > 0
    np.testing.assert_allclose(loss, np.dot(parts, [0.5, 0.25, 2.0]), rtol=1e-6)
    plain = dataclasses.replace(targets, weight=jnp.ones(4))
    alone = [
        loss_of(objective, outputs[s, None], of_example(plain, i))[0]
        for s in range(2)
        for i in range(4)
    ]
    mean = (np.array(alone) * np.tile(targets.weight, 2)).mean()
    np.testing.assert_allclose(loss, mean, rtol=1e-6)


def test_the_paper_counts_everybody_as_its_own_neighbour():
    """0, 1, 2 and 3 people far apart: 1 / people, where the code has 0."""
    people = jnp.arange(4)[:, None] > jnp.arange(3)
    targets = associative.Targets(
        maps=jnp.zeros((4, *GRID, 3)),
        seen=jnp.ones((4, *GRID), bool),
        cell=jnp.tile(jnp.arange(3)[:, None], (4, 1, 3)),
        counted=jnp.tile(people[..., None], (1, 1, 3)),
        weight=jnp.ones(4),
    )
    cells = jnp.arange(80.0).reshape(1, 1, *GRID, 1)
    outputs = jnp.tile(100 * cells, (1, 4, 1, 1, 6))
    for form, pushes in (("separate", [0, 0, 0, 0]), ("paper", [0, 1, 1 / 2, 1 / 3])):
        objective = associative.Associative(size=SIZE, num_keypoints=3, form=form)
        for i, push in enumerate(pushes):
            _, log = loss_of(objective, outputs, of_example(targets, i))
            np.testing.assert_allclose(log["push"], push, rtol=1e-6)
            assert log["pull"] == 0


def test_tag_sigma_widens_the_push_of_the_paper():
    batch = tagged_people.random_crowd()
    pushes = []
    for sigma in (0.5, 1.0, 1e6):
        objective = associative.Associative(
            size=SIZE, num_keypoints=3, form="paper", tag_sigma=sigma
        )
        targets = of_example(targets_of(objective, batch), 3)
        pushes.append(loss_of(objective, random_outputs(), targets)[1]["push"])
    assert 1 / 3 < pushes[0] < pushes[1] < pushes[2]
    np.testing.assert_allclose(pushes[2], 1, rtol=1e-6)


@pytest.mark.parametrize("tags", [1, 2])
@pytest.mark.parametrize("wild", [0.0, np.inf, np.nan])
def test_gradients_reach_what_counts_and_nothing_else(wild, tags):
    """Whatever the network says elsewhere."""
    objective = associative.Associative(size=SIZE, num_keypoints=3, tags=tags)
    targets = targets_of(objective, tagged_people.random_crowd())
    looked = np.zeros((4, *GRID, 3 * (1 + tags)), bool)
    looked[..., :3] = np.array(targets.seen)[..., None]
    for i, n, k in zip(*np.array(targets.counted).nonzero()):
        y, x = divmod(int(targets.cell[i, n, k]), GRID[1])
        # A person with a single keypoint is pulled nowhere; others push it.
        if targets.counted[i, n].sum() > 1 or targets.counted[i].any(axis=-1).sum() > 1:
            looked[i, y, x, 3 + k :: 3] = True
    outputs = jnp.where(looked, random_outputs(tags=tags)[:1], wild)
    loss, gradient = jax.jit(
        jax.value_and_grad(lambda x: objective.loss(x, targets)[0])
    )(outputs)
    assert np.isfinite(loss)
    assert 0 < looked.sum() < looked.size
    np.testing.assert_array_equal(np.array(gradient[0]) != 0, looked)


def test_a_batch_of_nobody_only_learns_empty_maps():
    batch = tagged_people.random_crowd()
    batch = dataclasses.replace(batch, visibility=jnp.zeros((4, 5, 3), jnp.int32))
    for form in associative.FORMS:
        objective = associative.Associative(size=SIZE, num_keypoints=3, form=form)
        targets = targets_of(objective, batch)
        (_, log), gradient = jax.jit(jax.value_and_grad(objective.loss, has_aux=True))(
            random_outputs(), targets
        )
        assert log["push"] == log["pull"] == 0 < log["detection"]
        assert not gradient[..., 3:].any() and np.isfinite(gradient).all()


def test_half_precision_outputs_lose_nothing_in_the_sums():
    objective = associative.Associative(size=SIZE, num_keypoints=3)
    targets = targets_of(objective, tagged_people.random_crowd())
    half = random_outputs().astype(jnp.bfloat16)
    _, found = loss_of(objective, half, targets)
    _, expected = loss_of(objective, half.astype(jnp.float32), targets)
    for name, value in expected.items():
        assert found[name].dtype == jnp.float32
        np.testing.assert_allclose(found[name], value, rtol=1e-6)


def test_other_outputs_are_refused():
    objective = associative.Associative(size=SIZE, num_keypoints=3, tags=2)
    targets = targets_of(objective, tagged_people.random_crowd())
    for shape in ((4, *GRID, 9), (1, 4, *GRID, 6), (1, 4, 10, 8, 9), (1, 3, *GRID, 9)):
        with pytest.raises(ValueError, match="check the network's keypoints, tags"):
            loss_of(objective, jnp.zeros(shape), targets)


def test_eight_devices_learn_like_one():
    """Three steps of a linear network on 0 to 5 people an example; to rounding."""
    objective = associative.Associative(
        size=SIZE, num_keypoints=3, push=1.0, pull=1.0, weighted=True
    )
    batch = tagged_people.random_crowd(16, seed=1)
    batch = dataclasses.replace(batch, image=batch.image.astype(jnp.float32) / 255)
    start = 0.1 * jax.random.normal(jax.random.key(0), (48, 2, 6))

    def step(weights, batch):
        b, (h, w) = len(batch.image), GRID
        cells = batch.image.reshape(b, h, 4, w, 4, 3).swapaxes(2, 3)
        cells = cells.reshape(b, h, w, 48)
        targets = objective.targets(batch, jnp.array(0))
        gradient, log = jax.grad(
            lambda x: objective.loss(jnp.einsum("bhwi,isc->sbhwc", cells, x), targets),
            has_aux=True,
        )(weights)
        return weights - gradient, log

    ends = []
    for count in (1, 8):
        mesh = devices.mesh(jax.devices()[:count])
        program = devices.data_parallel(step, mesh)
        weights = jax.device_put(start, devices.replicated(mesh))
        for _ in range(3):
            weights, log = program(weights, devices.put_batch(batch, mesh))
        ends.append((weights, log))
    # Sums of 16 x 80 cells in another order.
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), *ends
    )
    assert np.abs(np.array(ends[0][0] - start)).max() > 0.01
    assert min(ends[0][1].values()) > 0
