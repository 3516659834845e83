"""One trainable network as arrays: the only file that calls Flax's apply."""

import dataclasses
from typing import Any, Protocol, runtime_checkable

import jax
import optax
from flax import linen as nn
from jaxtyping import Array, PyTree

Model = nn.Module


class Pretrained(Protocol):
    """Weights that a network begins with."""

    def check(self) -> None:
        """Raises: ValueError or OSError if they are not where they are said to be."""

    def __call__(self, variables: PyTree) -> PyTree:
        """Fresh {"params", "batch_stats"}, with these weights in some places."""


@runtime_checkable
class PretrainedLearner(Protocol):
    """A learner whose fresh state may begin with weights from the disk."""

    pretrained: Pretrained | tuple[()]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Network:
    """What of a network changes in training."""

    params: Any
    batch_stats: Any
    opt_state: optax.OptState


def create(
    key: Array,
    model: Model,
    optimizer: optax.GradientTransformation,
    *inputs: Array,
    pretrained: Pretrained | tuple[()] = (),
) -> Network:
    """Fresh parameters for inputs of these shapes, some replaced by `pretrained`."""
    variables = model.lazy_init(key, *inputs, train=False)
    if pretrained:
        variables = pretrained(variables)
    params = variables["params"]
    return Network(params, variables.get("batch_stats", {}), optimizer.init(params))


def parameters(state: Any) -> dict[str, PyTree]:
    """Those of every network of a learner's state, by the name of its field.

    Of a field that holds several states, such as the stages of a cascade, each has its
    number from 1 before the names of its own fields.
    """
    found: dict[str, PyTree] = {}
    for field in dataclasses.fields(state):
        part = getattr(state, field.name)
        if isinstance(part, Network):
            found[field.name] = part.params
        elif isinstance(part, tuple):
            for number, inner in enumerate(part, start=1):
                found |= {
                    f"{field.name}_{number}_{name}": params
                    for name, params in parameters(inner).items()
                }
    return found


def apply(
    model: Model, params: PyTree, batch_stats: PyTree, key: Array, *inputs: Array
) -> tuple[PyTree, PyTree]:
    """Outputs in training mode, and the running statistics after them.

    Args:
        key: randomness of dropout.
    """
    outputs, updated = model.apply(
        {"params": params, "batch_stats": batch_stats},
        *inputs,
        train=True,
        mutable=["batch_stats"],
        rngs={"dropout": key},
    )
    return outputs, updated.get("batch_stats", {})


def predict(model: Model, network: Network, *inputs: Array) -> PyTree:
    """Outputs in inference mode."""
    variables = {"params": network.params, "batch_stats": network.batch_stats}
    return model.apply(variables, *inputs, train=False)


def update(
    network: Network,
    optimizer: optax.GradientTransformation,
    grads: PyTree,
    batch_stats: PyTree,
) -> Network:
    """One step of the optimizer."""
    updates, opt_state = optimizer.update(grads, network.opt_state, network.params)
    return Network(optax.apply_updates(network.params, updates), batch_stats, opt_state)
