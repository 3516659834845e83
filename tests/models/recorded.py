"""What PyTorch computed with filled weights, beside what our network computes.

All that is recorded was computed in float64, and so it is here: float32 gradients are up
to half off, since the innermost normalizations see 4 numbers a channel, of which some
are almost equal. Maps in float32: test_full_size.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxpose.learners import network, supervised
from jaxpose.objectives import heatmap_accuracy, heatmaps

# Ankles, knees, hips, wrists and elbows of MPII.
ACCURACY = heatmap_accuracy.PeakAccuracy(
    keypoints=(0, 1, 2, 3, 4, 5, 10, 11, 14, 15), skip="first row and column"
)


@dataclasses.dataclass(frozen=True)
class Run:
    """Of one network: the same numbers that the record holds.

    Attributes:
        outputs: in evaluation.
        first, second: what `Recorded` logs of the learner's first two steps.
        gradients: of the first.
        params, batch_stats: after the first.
    """

    outputs: np.ndarray
    first: Mapping[str, np.ndarray]
    second: Mapping[str, np.ndarray]
    gradients: Any
    params: Any
    batch_stats: Any


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Batch:
    """What of a batch was recorded: targets, and no keypoints to draw them of."""

    image: jax.Array
    targets: heatmaps.Targets


class Recorded(heatmaps.Heatmaps):
    """PyTorch-Pose's loss."""

    def targets(self, batch, step):
        return batch.targets

    def loss(self, outputs, targets):
        """Logs beside it what the record holds."""
        loss, metrics = super().loss(outputs, targets)
        everywhere = dataclasses.replace(
            targets, counted=jnp.ones_like(targets.counted)
        )
        watched = {
            "maps": outputs[-1],
            "shares": self.accuracy(outputs[-1], targets.maps, targets.drawn),
            "losses": [
                super(Recorded, self).loss(x[None], targets)[0] for x in outputs
            ],
            "plain": super().loss(outputs, everywhere)[0] / self.factor,
        }
        return loss, metrics | watched


def run(
    record: Mapping[str, np.ndarray],
    model: network.Model,
    variables: Any,
    optimizer: optax.GradientTransformation,
) -> Run:
    """Evaluation, and two of the learner's steps, of a network in float64."""
    with jax.enable_x64(True):
        learner = supervised.Supervised(
            model=model,
            objective=Recorded(size=(64, 64), weighting="visible", accuracy=ACCURACY),
            # Keeps the gradients in its state.
            optimizer=optax.chain(optax.trace(decay=0.0), optimizer),
        )
        fresh, image = _state(learner, variables), record["x"].transpose(0, 2, 3, 1)
        outputs = jax.jit(learner.outputs)(fresh, jnp.array(image, jnp.float64))
        step, batch = jax.jit(learner.train_step), _batch(record)
        after, first = step(fresh, batch, jax.random.key(0))
        _, second = step(after, batch, jax.random.key(0))
        pose = after.pose
        gradients = pose.opt_state[0].trace
        found = (outputs, first, second, gradients, pose.params, pose.batch_stats)
        return Run(*jax.device_get(found))


def _batch(record):
    maps = jnp.array(record["train_target"].transpose(0, 2, 3, 1), jnp.float64)
    targets = heatmaps.Targets(
        maps=maps,
        drawn=maps.any(axis=(1, 2)),
        counted=jnp.array(record["train_weight"][..., 0] > 0),
        cells=jnp.ones(maps.shape[:3], bool),
        weight=jnp.ones(len(maps)),
    )
    image = jnp.array(record["train_x"].transpose(0, 2, 3, 1), jnp.float64)
    return Batch(image, targets)


def _state(learner, variables):
    double = jax.tree.map(lambda x: jnp.array(x, jnp.float64), variables)
    pose = network.Network(
        double["params"],
        double.get("batch_stats", {}),
        learner.optimizer.init(double["params"]),
    )
    return supervised.State(jnp.zeros((), jnp.int32), pose)


def assert_forward(run: Run, record: Mapping[str, np.ndarray]) -> None:
    # The records of maps are rounded to float32, those of losses are not.
    recorded = [record[f"eval_out_{i}"] for i in range(len(run.outputs))]
    for maps, expected in zip(
        (*run.outputs, run.first["maps"]),
        (*recorded, record["train_out_last"]),
        strict=True,
    ):
        np.testing.assert_allclose(
            maps, expected.transpose(0, 2, 3, 1), rtol=2**-24, atol=1e-9
        )
    for ours, theirs in (
        ("losses", "train_loss_per_stack"),
        ("loss", "train_loss"),
        ("plain", "mse_plain"),
    ):
        np.testing.assert_allclose(
            run.first[ours], record[theirs], rtol=1e-9, err_msg=theirs
        )


def assert_gradients(
    run: Run, record: Mapping[str, np.ndarray], load: Callable[..., Any], shapes: Any
) -> None:
    """And running statistics, by norms and sums."""
    found = by_published_name(load, shapes, _variables(run.gradients, run.batch_stats))
    stats = {name: found.pop(name) for name in list(found) if ".running" in name}
    names, norms = record["param_names"], record["grad_l2"]
    _assert_norms(found, names, norms, rtol=1e-7)
    _assert_norms(stats, record["bn_names"], record["bn_l2_after"], rtol=1e-9)
    _assert_sums(found, names, record["grad_sum"], norms, rtol=1e-7)


def assert_step(
    run: Run, record: Mapping[str, np.ndarray], load: Callable[..., Any], shapes: Any
) -> None:
    """Parameters after the optimizer's first step, and what the second one logs."""
    found = by_published_name(load, shapes, _variables(run.params, run.batch_stats))
    # Of a true zero the step is rounding noise, in float64 too: biases before a
    # normalization. The losses feel it.
    steps = record["grad_l2"] > 1e-8
    names, norms, sums = (
        record[name][steps]
        for name in ("param_names", "param_l2_after_step", "param_sum_after_step")
    )
    found = {name: found[name] for name in map(str, names)}
    # Our learning rate is float32, off by up to 2^-24 = 6e-8 of itself, and a step is
    # less than a sixth as long as the parameter.
    _assert_norms(found, names, norms, rtol=1e-8)
    _assert_sums(found, names, sums, norms, rtol=1e-8)
    second, (mean, *shares) = run.second, record["acc"]
    np.testing.assert_allclose(second["loss"], record["train_loss_2nd_forward"], 1e-6)
    # The record of these is float32.
    np.testing.assert_allclose(second["accuracy"], mean, rtol=1e-6)
    ours = second["shares"][np.array(ACCURACY.keypoints)]
    np.testing.assert_allclose(ours, shares, rtol=1e-6)


def _variables(params, batch_stats):
    stats = {"batch_stats": batch_stats} if batch_stats else {}
    return {"params": params, **stats}


def _assert_norms(found, names, norms, rtol):
    """Of arrays by PyTorch's names. A norm under 1e-8 is rounding, of a true zero."""
    assert set(found) == {str(name) for name in names}
    for name, norm in zip(map(str, names), norms, strict=True):
        ours = np.linalg.norm(found[name].ravel())
        np.testing.assert_allclose(ours, norm, rtol=rtol, atol=1e-8, err_msg=name)


def _assert_sums(found, names, sums, norms, rtol):
    """As exact as the norms: errors add to their norm by the root of their number."""
    for name, total, norm in zip(map(str, names), sums, norms, strict=True):
        atol = np.sqrt(found[name].size) * (rtol * norm + 1e-8)
        np.testing.assert_allclose(
            found[name].sum(), total, rtol=0, atol=atol, err_msg=name
        )


def by_published_name(load: Callable[..., Any], shapes: Any, tree: Any) -> dict:
    """Leaves of `tree` by PyTorch's names.

    Args:
        load: takes a way to read a state dict, and shapes of our variables.
        shapes: of the state dict, by name.
    """
    # Entry number n of the state dict is full of n: loading it shows where each goes.
    names = list(shapes)
    marked = {name: np.full(shapes[name], n) for n, name in enumerate(names)}
    marks = load(lambda: marked, tree)
    return {
        names[int(mark.flat[0])]: np.asarray(leaf)
        for mark, leaf in zip(
            jax.tree.leaves(marks), jax.tree.leaves(tree), strict=True
        )
    }
