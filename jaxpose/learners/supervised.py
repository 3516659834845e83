"""Gradient descent on one network."""

import dataclasses

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PyTree

from jaxpose.learners import network, optimizers
from jaxpose.types import Batch, Metrics, Objective


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class State:
    step: Int[Array, ""]
    pose: network.Network


@dataclasses.dataclass(frozen=True, kw_only=True)
class Supervised:
    """Follows the gradient of one objective on one network.

    Attributes:
        model: image in, raw outputs out.
        objective: what the outputs mean.
        optimizer: state fields named `learning_rate` are logged.
        pretrained: puts published weights into the fresh network; () for none.
    """

    model: network.Model
    objective: Objective
    optimizer: optax.GradientTransformation
    pretrained: network.Pretrained | tuple[()] = ()

    def init(self, key: Array, batch: Batch) -> State:
        pose = network.create(
            key, self.model, self.optimizer, batch.image, pretrained=self.pretrained
        )
        return State(jnp.zeros((), jnp.int32), pose)

    def train_step(
        self, state: State, batch: Batch, key: Array
    ) -> tuple[State, Metrics]:
        targets = self.objective.targets(batch, state.step)

        def loss_of(params: PyTree):
            outputs, batch_stats = network.apply(
                self.model, params, state.pose.batch_stats, key, batch.image
            )
            loss, metrics = self.objective.loss(outputs, targets)
            return loss, (batch_stats, metrics)

        grads, (batch_stats, metrics) = jax.grad(loss_of, has_aux=True)(
            state.pose.params
        )
        pose = network.update(state.pose, self.optimizer, grads, batch_stats)
        metrics |= optimizers.learning_rates(pose.opt_state)
        return State(state.step + 1, pose), metrics

    def outputs(self, state: State, image: Float[Array, "b h w 3"]) -> PyTree:
        return network.predict(self.model, state.pose, image)
