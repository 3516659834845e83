"""What PyTorch computed with filled weights, beside what our network computes.

All that is recorded was computed in float64. So are the gradients here: in float32 they
are up to half off, since the innermost normalizations see 4 numbers a channel, of which
some are almost equal.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


@dataclasses.dataclass(frozen=True)
class Run:
    """Of one network: the same numbers that the record holds."""

    outputs: np.ndarray
    losses: np.ndarray
    trained: np.ndarray
    gradients: Any
    batch_stats: Any
    loss_after: float


def run(
    record: Mapping[str, np.ndarray],
    model: Callable[[str], Any],
    variables: Any,
    step: Callable[[np.ndarray], np.ndarray],
    to_image: Callable[[np.ndarray], np.ndarray] = lambda x: x,
) -> Run:
    """Evaluation in float32; two losses with an optimizer's step between, in float64.

    Args:
        model: makes the network for a dtype.
        step: gradient -> what the optimizer's first step adds to a parameter.
        to_image: the recorded input -> RGB in 0..1.
    """
    image = to_image(record["x"].transpose(0, 2, 3, 1)).astype(np.float32)
    evaluate = jax.jit(lambda v, x: model("float32").apply(v, x, train=False))
    outputs = np.asarray(evaluate(variables, image))
    with jax.enable_x64(True):
        double = jax.tree.map(lambda x: x.astype(np.float64), variables)
        image = jnp.array(to_image(record["train_x"].transpose(0, 2, 3, 1)))
        params, stats = double["params"], double.get("batch_stats", {})
        descend = jax.jit(jax.value_and_grad(_loss(record, model), has_aux=True))
        (_, (maps, losses, updated)), grads = descend(params, stats, image)
        moved = jax.tree.map(lambda p, g: p + step(np.asarray(g)), params, grads)
        # Outside the loss nothing reads the running statistics.
        (after, _), _ = descend(moved, updated, image)
        found = jax.device_get((losses, maps[-1], grads, updated))
    return Run(outputs, *found, loss_after=float(after))


def _loss(record, model):
    """Half the squared error of weighted maps, a mean a stack, summed over stacks."""
    target = record["train_target"].transpose(0, 2, 3, 1).astype(np.float64)
    weight = record["train_weight"][:, None, None, :, 0].astype(np.float64)

    def loss(params, batch_stats, image):
        maps, updated = model("float64").apply(
            {"params": params, "batch_stats": batch_stats},
            image,
            train=True,
            mutable=["batch_stats"],
        )
        losses = 0.5 * jnp.square((maps - target) * weight).mean((1, 2, 3, 4))
        return losses.sum(), (maps, losses, updated.get("batch_stats", {}))

    return loss


def assert_as_recorded(run: Run, record: Mapping[str, np.ndarray]) -> None:
    """Everything but gradients and statistics, which need names."""
    for i, maps in enumerate(run.outputs):
        expected = record[f"eval_out_{i}"].transpose(0, 2, 3, 1)
        np.testing.assert_allclose(maps, expected, atol=5e-6)
    # The records of outputs are rounded to float32, those of losses are not.
    expected = record["train_out_last"].transpose(0, 2, 3, 1)
    np.testing.assert_allclose(run.trained, expected, atol=2e-7)
    np.testing.assert_allclose(run.losses, record["train_loss_per_stack"], rtol=1e-9)
    np.testing.assert_allclose(run.losses.sum(), record["train_loss"], rtol=1e-9)


def assert_norms(
    found: Mapping[str, np.ndarray], names: np.ndarray, norms: np.ndarray, rtol: float
) -> None:
    """Of arrays by PyTorch's names. A norm under 1e-8 is rounding, of a true zero."""
    assert set(found) == {str(name) for name in names}
    for name, norm in zip(map(str, names), norms, strict=True):
        ours = np.linalg.norm(found[name].ravel())
        np.testing.assert_allclose(ours, norm, rtol=rtol, atol=1e-8, err_msg=name)


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
