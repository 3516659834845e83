"""Losses of proposals: what counts, by how much, and where nothing is learned."""

import jax
import jax.numpy as jnp
import numpy as np
import proposing
import pytest
import tagged_people

PARTS = ("response", "iou", "position", "extent", "limb")
OBJECTIVE = proposing.objective_of()
LOSS = jax.jit(jax.value_and_grad(OBJECTIVE.loss, has_aux=True))


@pytest.fixture(scope="module")
def case():
    """Targets, outputs that meet them, and some noise."""
    batch = tagged_people.random_crowd(5, proposing.SIZE, seed=1)
    targets = jax.jit(OBJECTIVE.targets)(batch, jnp.array(0))
    ideal = proposing.ideal_outputs(OBJECTIVE, targets)
    noise = 0.3 * jax.random.normal(jax.random.key(0), ideal.shape)
    return targets, ideal, noise


def test_ideal_outputs_lose_nothing(case):
    targets, ideal, _ = case
    (loss, log), gradient = LOSS(ideal, targets)
    assert set(log) == {"loss", *PARTS}
    np.testing.assert_allclose(loss, 0, atol=1e-6)
    np.testing.assert_allclose(gradient, 0, atol=1e-3)


def test_responses_are_shown_by_keypoint(case):
    """True and found in one order; a keypoint that is no part has an empty map."""
    targets, ideal, noise = case
    true = np.array(OBJECTIVE.true_heatmaps(targets))
    outputs = ideal + noise
    found = np.array(OBJECTIVE.heatmaps(outputs))
    assert true.shape[-1] == len(OBJECTIVE.parts.skeleton.keypoints)
    for keypoint, part in enumerate(OBJECTIVE.parts.part_of):
        there = targets.there[..., part] if part >= 0 else np.zeros(true.shape[:3])
        np.testing.assert_array_equal(true[..., keypoint], there)
        response = outputs[..., 6 * part] if part >= 0 else there
        np.testing.assert_array_equal(found[..., keypoint], response)
    assert true.any()


@pytest.mark.parametrize(("position_error", "power"), [("squared", 2), ("absolute", 1)])
def test_every_output_costs_as_a_loop_says(case, position_error, power):
    """Factors, sums over everything, and the mean over examples."""
    targets, ideal, noise = case
    objective = proposing.objective_of(position_error=position_error)
    loss, log = jax.jit(objective.loss)(ideal + noise, targets)
    t = jax.tree.map(np.array, targets)
    values = np.array(ideal + noise, np.float64)
    total = dict.fromkeys(PARTS, 0.0)
    for n, i, j, k in np.ndindex(*t.there.shape):
        response, iou, x, y, w, h = values[n, i, j, 6 * k : 6 * k + 6]
        total["response"] += t.seen[n, i, j, k] * (response - t.there[n, i, j, k]) ** 2
        if not t.there[n, i, j, k]:
            continue
        x, y = (j + x) * 8 - 0.5, (i + y) * 8 - 0.5
        tx, ty, tw, th = t.box[n, i, j, k].astype(float)
        true = slow_overlap((x, y, 40 * w**2, 32 * h**2), (tx, ty, tw, th))
        total["iou"] += (iou - true) ** 2
        apart = abs(x - tx) / 8, abs(y - ty) / 8
        total["position"] += apart[0] ** power + apart[1] ** power
        total["extent"] += (w - (tw / 40) ** 0.5) ** 2 + (h - (th / 32) ** 0.5) ** 2
    limbs = values[..., 24:].reshape(t.limbs.shape)
    total["limb"] = (t.limbs_seen * (limbs - t.limbs) ** 2).sum()
    for name, factor in zip(PARTS, (0.25, 1, 5, 5, 0.5), strict=True):
        np.testing.assert_allclose(log[name], factor * total[name] / 5, rtol=2e-5)
    np.testing.assert_allclose(loss, sum(log[name] for name in PARTS), rtol=1e-6)
    assert min(log.values()) > 0.01


def slow_overlap(box, other):
    def shared(axis):
        low = max(b[axis] - b[axis + 2] / 2 for b in (box, other))
        high = min(b[axis] + b[axis + 2] / 2 for b in (box, other))
        return max(high - low, 0)

    both = shared(0) * shared(1)
    return both / (box[2] * box[3] + other[2] * other[3] - both)


def test_boxes_do_not_learn_from_their_overlap(case):
    """The IoU's error moves the prediction of it alone."""
    targets, ideal, noise = case
    objective = proposing.objective_of(response=0.0, position=0.0, extent=0.0, limb=0.0)
    gradient = jax.grad(lambda x: objective.loss(x, targets)[0])(ideal + noise)
    moved = np.array(gradient[..., :24]).reshape(*targets.there.shape, 6)
    np.testing.assert_array_equal(moved[..., 1] != 0, targets.there)
    np.testing.assert_array_equal(np.delete(moved, 1, axis=-1), 0)
    np.testing.assert_array_equal(gradient[..., 24:], 0)


def test_absolute_errors_pull_alike_at_every_distance(case):
    targets, ideal, noise = case
    rest = dict.fromkeys(("response", "iou", "extent", "limb"), 0.0)
    objective = proposing.objective_of(position_error="absolute", position=3.0, **rest)
    gradient = jax.grad(lambda x: objective.loss(x, targets)[0])(ideal + noise)
    of_parts = (*targets.there.shape, 6)
    pull = np.array(gradient[..., :24]).reshape(of_parts)[..., 2:4]
    side = np.sign(np.array(noise[..., :24]).reshape(of_parts)[..., 2:4])
    # The mean over five examples.
    expected = side * 3.0 / 5 * np.array(targets.there)[..., None]
    np.testing.assert_allclose(pull, expected, rtol=1e-6)


# Rounding is not squared away from absolute errors.
@pytest.mark.parametrize(
    ("position_error", "atol"), [("squared", 1e-6), ("absolute", 1e-5)]
)
def test_nothing_reaches_the_gradient_from_where_nothing_is_asked(
    case, position_error, atol
):
    targets, ideal, _ = case
    b, i, j, k = targets.there.shape
    asked = np.repeat(np.array(targets.there)[..., None], 6, axis=-1)
    asked[..., 0] = targets.seen
    asked = np.concatenate(
        [
            asked.reshape(b, i, j, 6 * k),
            np.array(targets.limbs_seen).reshape(b, i, j, -1),
        ],
        axis=-1,
    )
    outputs = jnp.where(asked, ideal, jnp.inf)
    objective = proposing.objective_of(position_error=position_error)
    loss, gradient = jax.value_and_grad(lambda x: objective.loss(x, targets)[0])(
        outputs
    )
    np.testing.assert_allclose(loss, 0, atol=atol)
    gradient = np.array(gradient)
    np.testing.assert_array_equal(gradient[~asked], 0)
    if position_error == "squared":
        np.testing.assert_allclose(gradient, 0, atol=1e-5)
    assert np.isfinite(gradient).all()
    assert not asked.all()


def test_plain_is_jit_and_bfloat16_is_not_added_up_in_bfloat16(case):
    targets, ideal, noise = case
    outputs = ideal + noise
    plain, _ = OBJECTIVE.loss(outputs, targets)
    (jitted, _), _ = LOSS(outputs, targets)
    np.testing.assert_allclose(plain, jitted, rtol=1e-6)
    half = outputs.astype(jnp.bfloat16)
    loss, _ = OBJECTIVE.loss(half, targets)
    assert loss.dtype == jnp.float32
    expected, _ = OBJECTIVE.loss(half.astype(jnp.float32), targets)
    np.testing.assert_allclose(loss, expected, rtol=1e-6)


def test_beside_the_photograph_nothing_responds(case):
    """A cell of 8 x 8 pixels counts once the photograph reaches into it."""
    _, ideal, noise = case
    outputs = ideal + noise
    mask = np.zeros((5, *proposing.SIZE), np.uint8)
    mask[:, 7:24, 16:] = 1
    found = np.array(OBJECTIVE.within(outputs, mask))
    expected = np.array(outputs)
    responses = slice(0, 6 * len(OBJECTIVE.parts), 6)
    expected[:, 3:, :, responses] = expected[:, :, :2, responses] = 0
    np.testing.assert_array_equal(found, expected)


def test_outputs_of_another_grid_are_refused(case):
    targets, ideal, _ = case
    with pytest.raises(ValueError, match=r"\(5, 4, 4\) and targets of \(5, 4, 5\)"):
        OBJECTIVE.loss(ideal[:, :, 1:], targets)
    with pytest.raises(ValueError, match="check the network's parts, limbs and window"):
        OBJECTIVE.loss(ideal[..., 1:], targets)
