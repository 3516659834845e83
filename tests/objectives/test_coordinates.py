"""Normalized coordinates: the original's targets, masks, losses and gradients."""

import dataclasses
import types

import batches
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpose.objectives import coordinates

SIZE = (16, 20)
ZERO = jnp.array(0)


def original_targets(record, dtype):
    """Coordinates "12000 14 2" and which are labeled "12000 14", by this objective.

    The original reads 1-based numbers as positions from the image's corner: in pixels
    whose top-left centre is (0, 0), those are half a pixel less. Its images have 10,342
    sizes, so that the canvas size is an argument of the mapped function.
    """
    lspet = record["in_lspet_xy_hundredths"].transpose(2, 0, 1)
    lsp = record["in_lsp_xy_hundredths"].transpose(2, 1, 0)
    points = np.concatenate([lspet, lsp])[record["order"]] / 100 - 0.5
    width, height = record["in_sizes"][record["order"]].T
    empty = batches.random_batch(1, k=14)

    def targets(height, width, keypoints):
        batch = dataclasses.replace(
            empty,
            image=types.SimpleNamespace(shape=(1, height, width, 3)),
            keypoints=keypoints[None, None],
            visibility=jnp.full((1, 1, 14), 2),
        )
        size = (height, width)
        found = coordinates.Coordinates(size=size, inside_only=True).targets(
            batch, ZERO
        )
        return found.coordinates[0], found.labeled[0]

    arguments = (jnp.array(x, dtype) for x in (height, width, points))
    return tuple(map(np.asarray, jax.jit(jax.vmap(targets))(*arguments)))


def test_masks_of_the_original(reference):
    """All 12,000 people, among them keypoints on and outside the border."""
    record = reference("deeppose_wl_dataset")
    for x64, dtype in ((True, jnp.float64), (False, jnp.float32)):
        with jax.enable_x64(x64):
            _, labeled = original_targets(record, dtype)
        np.testing.assert_array_equal(labeled, record["mask"][:, :14])
        np.testing.assert_array_equal(labeled, record["mask"][:, 14:])


def test_targets_of_the_original(reference):
    """float64 as there; its formula has another order, hence the last bits of 1 to 3."""
    record = reference("deeppose_wl_dataset")
    with jax.enable_x64(True):
        exact, _ = original_targets(record, jnp.float64)
    parts = ((slice(50), "lms_first50"), (slice(-50, None), "lms_last50"))
    for rows, name in parts:
        expected = record[name].transpose(0, 2, 1)
        np.testing.assert_allclose(exact[rows], expected, rtol=0, atol=1e-15)
        np.testing.assert_array_equal(
            exact[rows].astype(np.float32), expected.astype(np.float32)
        )
    # 12,000 terms of up to 3, each off by up to 4e-16.
    np.testing.assert_allclose(exact.sum(0).T, record["lms_sum"], atol=1e-11)
    single, _ = original_targets(record, jnp.float32)
    np.testing.assert_allclose(single, exact, atol=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
def test_loss_and_gradient_of_the_original(reference, weighted):
    """Recorded from PyTorch in float32, whose sums run in another order."""
    record = reference("deeppose_wl_transforms")

    def paired(name):
        return jnp.array(record[name].reshape(-1, 2, 14).swapaxes(1, 2))

    mask = paired("loss_weight")[..., 0]
    weight = mask.max(axis=1)
    targets = coordinates.Targets(
        coordinates=paired("loss_target"), labeled=mask > 0, weight=weight
    )
    plain = dataclasses.replace(targets, weight=jnp.ones_like(weight))
    objective = coordinates.Coordinates(size=SIZE, weighted=weighted)
    (loss, metrics), gradient = jax.value_and_grad(objective.loss, has_aux=True)(
        paired("loss_pred"), targets if weighted else plain
    )
    name = f"loss_wl{int(weighted)}_avg1"
    np.testing.assert_allclose(loss, record[name], rtol=1e-6)
    np.testing.assert_allclose(metrics["mse"], record["loss_wl0_avg1"], rtol=1e-6)
    np.testing.assert_allclose(metrics["loss"], loss)
    np.testing.assert_allclose(gradient, paired(f"{name}_grad"), rtol=2e-6, atol=1e-9)


def test_loss_is_a_slow_loop():
    batch = batches.random_batch()
    objective = coordinates.Coordinates(size=SIZE, weighted=True)
    outputs = np.random.default_rng(3).normal(size=(8, 3, 2)).astype(np.float32)
    total, count = 0.0, 0
    for i, j in np.ndindex(8, 3):
        if batch.visibility[i, 0, j] > 0:
            x, y = np.array(batch.keypoints[i, 0, j], np.float64) + 0.5
            truth = np.array([2 * x / 20 - 1, 2 * y / 16 - 1])
            total += float(batch.weight[i]) * ((outputs[i, j] - truth) ** 2).sum()
            count += 2
    loss, _ = objective.loss(jnp.array(outputs), objective.targets(batch, ZERO))
    np.testing.assert_allclose(loss, total / count, rtol=1e-6)


@pytest.mark.parametrize("extent", [1.0, 0.5])
def test_targets_span_the_canvas_and_decode_undoes_them(extent):
    batch = batches.random_batch(1)
    corners = jnp.array([[[[-0.5, -0.5], [19.5, 15.5], [9.5, 7.5]]]])
    objective = coordinates.Coordinates(size=SIZE, extent=extent)
    batch = dataclasses.replace(batch, keypoints=corners)
    encoded = objective.targets(batch, ZERO).coordinates
    expected = [[-extent, -extent], [extent, extent], [0, 0]]
    np.testing.assert_allclose(encoded[0], expected, atol=1e-7)
    poses = objective.decode(encoded)
    np.testing.assert_allclose(poses.keypoints, corners, atol=1e-6)
    np.testing.assert_array_equal(poses.scores, np.ones((1, 1, 3)))
    np.testing.assert_array_equal(poses.person_scores, np.ones((1, 1)))


def test_decoded_random_targets_are_the_keypoints():
    batch = batches.random_batch()
    objective = coordinates.Coordinates(size=SIZE)
    poses = objective.decode(objective.targets(batch, ZERO).coordinates)
    # Shares near 1 in float32, times 20 pixels.
    np.testing.assert_allclose(poses.keypoints, batch.keypoints, atol=4e-6)


def test_weights_count_from_their_start_and_only_if_asked():
    batch = batches.random_batch()
    objective = coordinates.Coordinates(size=SIZE, weighted=True, weight_start=3)
    for step, weight in ((2, jnp.ones(8)), (3, batch.weight), (4, batch.weight)):
        targets = jax.jit(objective.targets)(batch, jnp.array(step))
        np.testing.assert_array_equal(targets.weight, weight)
    plain = coordinates.Coordinates(size=SIZE).targets(batch, ZERO)
    np.testing.assert_array_equal(plain.weight, 1)


@pytest.mark.parametrize("size", [SIZE, (41, 47), (227, 227)])
def test_keypoints_on_the_border_count_unless_inside_only(size):
    """1 / 41, 1 / 47 and 1 / 227 are rounded down: a product with them misses 1."""
    batch = batches.random_batch(1, size)
    h, w = size
    border = jnp.array([[[[-0.5, 3.0], [w - 0.5, h - 0.6], [w - 0.6, h - 0.6]]]])
    batch = dataclasses.replace(
        batch, keypoints=border, visibility=jnp.array([[[2, 1, 1]]])
    )
    for inside_only, expected in ((False, [1, 1, 1]), (True, [0, 0, 1])):
        objective = coordinates.Coordinates(size=size, inside_only=inside_only)
        labeled = jax.jit(objective.targets)(batch, ZERO).labeled
        np.testing.assert_array_equal(labeled[0], np.array(expected, bool))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_unlabeled_keypoints_may_be_anything(value):
    batch = batches.random_batch()
    hidden = batch.visibility == 0
    assert hidden.any()
    wild = jnp.where(hidden[..., None], value, batch.keypoints)
    objective = coordinates.Coordinates(size=SIZE, weighted=True, inside_only=True)
    results = []
    for keypoints in (batch.keypoints, wild):
        targets = objective.targets(
            dataclasses.replace(batch, keypoints=keypoints), ZERO
        )
        results.append(
            jax.grad(lambda x, t=targets: objective.loss(x, t)[0])(jnp.ones((8, 3, 2)))
        )
    np.testing.assert_array_equal(*results)
    np.testing.assert_array_equal(results[0][np.array(hidden[:, 0])], 0)


def test_a_batch_without_labels_costs_nothing():
    batch = dataclasses.replace(
        batches.random_batch(), visibility=jnp.zeros((8, 1, 3), jnp.int32)
    )
    objective = coordinates.Coordinates(size=SIZE)
    targets = objective.targets(batch, ZERO)
    (loss, _), gradient = jax.value_and_grad(objective.loss, has_aux=True)(
        jnp.ones((8, 3, 2)), targets
    )
    assert loss == 0
    np.testing.assert_array_equal(gradient, 0)


def test_flip_is_the_encoding_of_the_mirrored_keypoints():
    batch = batches.random_batch()
    objective = coordinates.Coordinates(size=SIZE, extent=0.5)
    mirrored = dataclasses.replace(
        batch,
        keypoints=jnp.array([19.0, 0.0])
        + batch.keypoints[:, :, (1, 0, 2)] * jnp.array([-1.0, 1.0]),
    )
    outputs = objective.targets(batch, ZERO).coordinates
    flipped = objective.flip(
        objective.targets(mirrored, ZERO).coordinates, batches.TRIO
    )
    np.testing.assert_allclose(flipped, outputs, atol=1e-6)
    twice = objective.flip(objective.flip(outputs, batches.TRIO), batches.TRIO)
    np.testing.assert_array_equal(twice, outputs)


def test_other_canvases_and_crowds_are_refused():
    batch = batches.random_batch()
    with pytest.raises(ValueError, match=r"\(16, 20\) .* \(16, 21\)"):
        coordinates.Coordinates(size=(16, 21)).targets(batch, ZERO)
    crowd = dataclasses.replace(
        batch, keypoints=jnp.concatenate([batch.keypoints] * 2, axis=1)
    )
    with pytest.raises(ValueError, match="with 2 people"):
        coordinates.Coordinates(size=SIZE).targets(crowd, ZERO)


def test_people_count_alike_however_many_keypoints_are_labeled():
    """Of three people: squared distances 25 and 5, none labeled, 9: means 15 and 9."""
    targets = coordinates.Targets(
        coordinates=jnp.zeros((3, 2, 2)),
        labeled=jnp.array([[True, True], [False, False], [True, False]]),
        weight=jnp.ones(3),
    )
    outputs = jnp.array(
        [[(3.0, 4.0), (1.0, 2.0)], [(7.0, 7.0)] * 2, [(0.0, 3.0), (8.0, 8.0)]]
    )
    alike = coordinates.Coordinates(size=SIZE, per_person=True)
    assert alike.loss(outputs, targets)[0] == (15 + 9) / 2
    assert coordinates.Coordinates(size=SIZE).loss(outputs, targets)[0] == 39 / 6
    nobody = dataclasses.replace(targets, labeled=jnp.zeros((3, 2), bool))
    loss, gradient = jax.value_and_grad(lambda x: alike.loss(x, nobody)[0])(outputs)
    assert loss == 0
    np.testing.assert_array_equal(gradient, 0)


def test_people_who_count_alike_may_have_weights():
    """As above, 15 and 9, weighing 2 and 3; the divisor counts people all the same."""
    targets = coordinates.Targets(
        coordinates=jnp.zeros((2, 2, 2)),
        labeled=jnp.array([[True, True], [True, False]]),
        weight=jnp.array([2.0, 3.0]),
    )
    outputs = jnp.array([[(3.0, 4.0), (1.0, 2.0)], [(0.0, 3.0), (8.0, 8.0)]])
    alike = coordinates.Coordinates(size=SIZE, per_person=True, weighted=True)
    assert alike.loss(outputs, targets)[0] == (2 * 15 + 3 * 9) / 2


@pytest.mark.parametrize("extent", [1.0, 0.5])
def test_clipped_predictions_end_at_the_border_of_the_canvas(extent):
    outputs = 2 * extent * jnp.array([[(0.7, -0.6), (0.5, 0.0)]])
    objective = coordinates.Coordinates(size=SIZE, extent=extent, clip=True)
    np.testing.assert_array_equal(
        objective.decode(outputs).keypoints[0, 0], [(19.5, -0.5), (19.5, 7.5)]
    )


def quantized(points, size=SIZE, extent=0.5):
    """Targets of keypoints on a canvas, given as positions from its corner."""
    keypoints = jnp.array(points, jnp.float32)[None, None] - 0.5
    batch = dataclasses.replace(
        batches.random_batch(1, size, k=len(points)), keypoints=keypoints
    )
    objective = coordinates.Coordinates(size=size, extent=extent, quantize_targets=True)
    return np.array(objective.targets(batch, ZERO).coordinates[0])


@pytest.mark.parametrize("extent", [1.0, 0.5])
def test_quantized_targets_are_whole_pixels_of_the_canvas(extent):
    points = [(0, 0), (0.9, 15.9), (7.3, 4), (20, 16), (-3, 99), (18.99, 14.99)]
    whole = np.array([(0, 0), (0, 15), (7, 4), (19, 15), (0, 15), (18, 14)])
    expected = (2 * whole / (20, 16) - 1) * extent
    np.testing.assert_allclose(quantized(points, extent=extent), expected, atol=6e-8)


def test_quantizing_before_or_after_the_mirror_is_the_same():
    """The original truncates p and mirrors 226 - p, augmentation mirrors 227 - p first."""
    points = np.random.default_rng(0).uniform(-5, 232, (2000, 2))
    before = 226 - np.floor(np.clip(points[:, 0], 0, 226))
    mirrored = np.stack([227 - points[:, 0], points[:, 1]], axis=1)
    after = quantized(mirrored, size=(227, 227))[:, 0]
    np.testing.assert_allclose((after + 0.5) * 227, before, atol=2e-5)
