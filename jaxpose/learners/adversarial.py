"""Self-adversarial training: a discriminator learns what heatmaps of people look like.

It reconstructs heatmaps, true ones well and predicted ones badly, and what it would
change in a prediction tells the pose network what is implausible.

Source: Chou, Chien and Chen 2017, "Self adversarial training for human pose
estimation"; the balance is that of BEGAN (Berthelot, Schumm and Metz 2017).
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, PyTree

from jaxpose.learners import balance, network, optimizers
from jaxpose.types import Batch, HeatmapObjective, Metrics

Through = Literal["input", "target and input"]
# Images, and (height, width) of the grid -> the same images on the grid.
Shrink = Callable[[Array, tuple[int, int]], Array]


def mean_of_cells(
    image: Float[Array, "b y x c"], grid: tuple[int, int]
) -> Float[Array, "b h w c"]:
    """Of each cell the mean of its pixels.

    Raises: ValueError if pixels do not divide into cells.
    """
    b, height, width, c = image.shape
    if height % grid[0] or width % grid[1]:
        raise ValueError(
            f"an image of {height} x {width} pixels does not divide into "
            f"{grid[0]} x {grid[1]} cells; change the size of the canvas"
        )
    cells = image.reshape(b, grid[0], height // grid[0], grid[1], width // grid[1], c)
    return cells.mean(axis=(2, 4))


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class State:
    """Two networks, and how much the discriminator minds predictions now."""

    step: Int[Array, ""]
    pose: network.Network
    discriminator: network.Network
    k: Float[Array, ""]


class Scene(NamedTuple):
    """What the discriminator knows of a batch, on the grid of the heatmaps.

    Attributes:
        image: the photographs.
        truth: the true heatmaps.
        seen: cells that the discriminator's losses look at.
    """

    image: Float[Array, "b h w 3"]
    truth: Float[Array, "b h w k"]
    seen: Bool[Array, "b h w"]

    def error(
        self, said: Float[Array, "b h w k"], maps: Float[Array, "b h w k"]
    ) -> Float[Array, ""]:
        """Mean squared error, with 0 for what is not seen."""
        # Left out before it is squared, so that nothing infinite reaches the gradient.
        error = jnp.where(self.seen[..., None], said - maps, 0)
        return jnp.square(error).mean()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Adversarial:
    """Trains a pose network and its discriminator, one step of each at a time.

    The discriminator descends real - k x fake, the mean squared errors of its
    reconstruction of true and of predicted heatmaps. The pose network descends its
    objective + weight x adversarial, the fake error as the updated discriminator
    makes it. Then k follows the balance, gamma x real - fake, within 0..1. The pose
    network starts, and runs, as it would by `Supervised`.

    True maps of unlabeled keypoints are empty, and teach the discriminator that maps
    may be.

    Attributes:
        model: the pose network; image in, raw outputs out.
        objective: what the outputs mean; its heatmaps are discriminated, in its unit.
        optimizer: of the pose network.
        discriminator: image and heatmaps on one grid in, heatmaps out.
        discriminator_optimizer: the learning rates of both optimizers are logged.
        weight: of the adversarial error, the paper's lambda_G.
        gamma: share of the real error at which the fake one is in balance.
        rate: of k, the paper's lambda_k; 0 lets k be.
        start: k at the first step.
        through: by which ways the adversarial error reaches the pose network. It
            compares what the discriminator makes of a prediction with the prediction:
            `target and input` is its whole gradient, as in advpose; `input` holds the
            prediction still where it is the target, as the authors' own code does.
        shrink: images to the grid. advpose's is `heatmap_grid.resize`, of every fourth
            pixel's neighbourhood alone.
        masked: leave out of the discriminator's errors the cells of which more than
            half lies where the batch's mask is 0, such as crowds, whose true heatmaps
            are empty; the means still divide by all cells. The originals look
            everywhere.
        pretrained: puts published weights into the fresh pose network; () for none.

    Raises: TypeError if the objective has no heatmaps; ValueError if another field
        cannot be.
    """

    model: network.Model
    objective: HeatmapObjective
    optimizer: optax.GradientTransformation
    discriminator: network.Model
    discriminator_optimizer: optax.GradientTransformation
    weight: float = 1e-4
    gamma: float = 0.5
    rate: float = 1e-3
    start: float = 0.0
    through: Through = "target and input"
    shrink: Shrink = mean_of_cells
    masked: bool = True
    pretrained: network.Pretrained | tuple[()] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.objective, HeatmapObjective):
            raise TypeError(
                f"objective={type(self.objective).__name__} has no heatmaps to "
                "discriminate; take one with `heatmaps` and `true_heatmaps`, such as "
                "heatmaps.Heatmaps"
            )
        for name in ("weight", "gamma", "rate"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name}={getattr(self, name)} must be 0 or positive")
        if not 0 <= self.start <= 1:
            raise ValueError(f"start={self.start} must be in 0..1, as k is")
        if self.through not in get_args(Through):
            raise ValueError(
                f"through={self.through!r} must be one of "
                f"{', '.join(map(repr, get_args(Through)))}"
            )

    def init(self, key: Array, batch: Batch) -> State:
        step = jnp.zeros((), jnp.int32)
        # Parameters depend on shapes alone.
        scene = jax.eval_shape(lambda batch: self._scene(batch, step)[0], batch)
        pose = network.create(
            key, self.model, self.optimizer, batch.image, pretrained=self.pretrained
        )
        discriminator = network.create(
            jax.random.fold_in(key, 1),
            self.discriminator,
            self.discriminator_optimizer,
            scene.image,
            scene.truth,
        )
        return State(step, pose, discriminator, jnp.array(self.start, jnp.float32))

    def train_step(
        self, state: State, batch: Batch, key: Array
    ) -> tuple[State, Metrics]:
        scene, targets = self._scene(batch, state.step)

        def forward(params: PyTree) -> tuple[PyTree, PyTree]:
            return network.apply(
                self.model, params, state.pose.batch_stats, key, batch.image
            )

        # Forward once, and backward once, with what both losses ask of the outputs.
        outputs, backward, batch_stats = jax.vjp(
            forward, state.pose.params, has_aux=True
        )
        (content, log), asked = jax.value_and_grad(self.objective.loss, has_aux=True)(
            outputs, targets
        )
        chance = jax.random.fold_in(key, 1)
        learned, errors = self._discriminated(state, scene, outputs, chance)
        (adversarial, stats), minded = jax.value_and_grad(
            self._adversarial, has_aux=True
        )(outputs, learned, scene, chance)
        (grads,) = backward(
            jax.tree.map(lambda a, b: a + self.weight * b, asked, minded)
        )
        pose = network.update(state.pose, self.optimizer, grads, batch_stats)
        learned = dataclasses.replace(learned, batch_stats=stats)
        k, watched = balance.advance(state.k, errors, gamma=self.gamma, rate=self.rate)
        losses = {
            "loss": content + self.weight * adversarial,
            "content": content,
            "adversarial": adversarial,
        }
        metrics = log | losses | watched | _learning_rates(pose, learned)
        return State(state.step + 1, pose, learned, k), metrics

    def outputs(self, state: State, image: Float[Array, "b h w 3"]) -> PyTree:
        """The pose network's."""
        return network.predict(self.model, state.pose, image)

    def reconstruct(
        self,
        state: State,
        image: Float[Array, "b y x 3"],
        maps: Float[Array, "b h w k"],
    ) -> Float[Array, "b h w k"]:
        """What the discriminator makes of heatmaps, as it does in training.

        That is with the statistics of these maps: the running ones are a mixture of
        those of true and of predicted maps, and fit neither.
        """
        image = self.shrink(image, (maps.shape[1], maps.shape[2]))
        said, _ = self._answer(state.discriminator, jax.random.key(0), image, maps)
        return said

    def advice(self, lines: Sequence[Mapping[str, float]]) -> tuple[str, ...]:
        """Warns when k stays at a bound, or the discriminator tells nothing."""
        return balance.advice(lines)

    def _scene(self, batch: Batch, step: Int[Array, ""]) -> tuple[Scene, PyTree]:
        """What the discriminator sees, and the objective's targets."""
        targets = self.objective.targets(batch, step)
        truth = self.objective.true_heatmaps(targets)
        grid = (truth.shape[1], truth.shape[2])
        seen = jnp.ones(truth.shape[:3], bool)
        if self.masked:
            mask = batch.mask[..., None].astype(jnp.float32)
            seen = mean_of_cells(mask, grid)[..., 0] >= 0.5
        return Scene(self.shrink(batch.image, grid), truth, seen), targets

    def _discriminated(
        self, state: State, scene: Scene, outputs: PyTree, key: Array
    ) -> tuple[network.Network, balance.Errors]:
        """The discriminator after its step, and its errors before."""
        before, predicted = state.discriminator, self.objective.heatmaps(outputs)
        blank = scene.error(jnp.zeros_like(scene.truth), scene.truth)

        def loss_of(params: PyTree):
            # One after the other: statistics of both together would differ from those
            # of predictions alone, by which the pose network is judged.
            now = dataclasses.replace(before, params=params)
            said, stats = self._answer(now, key, scene.image, scene.truth)
            real = scene.error(said, scene.truth)
            now = dataclasses.replace(now, batch_stats=stats)
            said, stats = self._answer(now, key, scene.image, predicted)
            fake = scene.error(said, predicted)
            return real - state.k * fake, (stats, balance.Errors(real, fake, blank))

        grads, (stats, errors) = jax.grad(loss_of, has_aux=True)(before.params)
        after = network.update(before, self.discriminator_optimizer, grads, stats)
        return after, errors

    def _adversarial(
        self, outputs: PyTree, learned: network.Network, scene: Scene, key: Array
    ) -> tuple[Float[Array, ""], PyTree]:
        """The fake error, and the running statistics of the discriminator after it."""
        maps = self.objective.heatmaps(outputs)
        said, stats = self._answer(learned, key, scene.image, maps)
        if self.through == "input":
            maps = jax.lax.stop_gradient(maps)
        return scene.error(said, maps), stats

    def _answer(
        self, discriminator: network.Network, key: Array, *inputs: Array
    ) -> tuple[Float[Array, "b h w k"], PyTree]:
        """Heatmaps in training mode, and the running statistics after them."""
        return network.apply(
            self.discriminator,
            discriminator.params,
            discriminator.batch_stats,
            key,
            *inputs,
        )


def _learning_rates(pose: network.Network, discriminator: network.Network) -> Metrics:
    theirs = optimizers.learning_rates(discriminator.opt_state)
    return optimizers.learning_rates(pose.opt_state) | {
        f"discriminator/{name}": rate for name, rate in theirs.items()
    }
