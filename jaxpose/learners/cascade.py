"""A cascade: each stage looks closer at where the one before saw each keypoint.

Source: DeepPose (Toshev and Szegedy 2014, section 3.2).
"""

import dataclasses
import functools
import itertools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from jaxpose import geometry, sub_images
from jaxpose.learners import moments, optimizers
from jaxpose.skeletons import Skeleton
from jaxpose.types import Batch, Learner, Metrics, Objective


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Errors:
    """Of one stage, as measured on training canvases once it was trained.

    Attributes:
        shift: estimate - truth, in body sizes of the truth.
        size: logarithm of the estimated body size over the true one.
    """

    shift: moments.Moments
    size: moments.Moments


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class State:
    """The learners' states, and the errors of all stages but the last."""

    step: Int[Array, ""]
    stages: tuple[PyTree, ...]
    errors: tuple[Errors, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stage:
    """A learner whose objective has the size of what the stage sees, and its length.

    Attributes:
        steps: after which the next stage begins; the last one goes on.
    """

    learner: Learner
    steps: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cascade:
    """Trains stage after stage, each by a learner of its own; one person a canvas.

    The first sees the whole canvas. A later one sees, for every keypoint, the square
    box around the last estimate, and what it says of that keypoint is the new estimate;
    one network serves all keypoints.

    A stage never trains on estimates of those before, but on simulated ones: the truth,
    moved as far as estimates are wrong on training canvases, by a normal distribution
    for each keypoint. Its mean and spread are measured once, by steps before the stage
    that train nothing: the earlier stages do not move any more, so that more measuring
    beside the training would double the cost of a step and change nothing. Unlike in
    the paper the body sizes, and so the boxes, are as wrong as estimated ones.

    Attributes:
        objective: reads the keypoints of all stages, "s b k 2" in pixels of the canvas.
        skeleton: tells where the corners of the torso are.
        measured_steps: that measure errors, before each stage but the first.
        box: side of the boxes in body sizes, the paper's sigma.
        crops: simulated estimates an example; its labeled keypoints take turns.
        torso: two opposite corners, whose distance is the body size.
        always: the phase that every step is of; None: the number of the step tells.
    """

    objective: Objective
    skeleton: Skeleton
    stages: tuple[Stage, ...]
    crops: int
    box: float = 2.0
    measured_steps: int = 50
    torso: tuple[str, str] = ("left_shoulder", "right_hip")
    always: int | None = None

    def __post_init__(self) -> None:
        """Raises: ValueError for no stages, a number that is not positive, a torso."""
        if not self.stages:
            raise ValueError("a cascade has one stage at least; give it one")
        steps = tuple(stage.steps for stage in self.stages)
        if min(*steps, self.crops, self.measured_steps) < 1 or self.box <= 0:
            raise ValueError(
                f"steps={steps}, crops={self.crops}, box={self.box} and "
                f"measured_steps={self.measured_steps} must be positive"
            )
        for end in self.torso:
            self.skeleton.index(end)

    def init(self, key: Array, batch: Batch) -> State:
        states = []
        for number, stage in enumerate(self.stages):
            # Parameters depend on the shape of images alone.
            size = stage.learner.objective.size
            image = jnp.zeros((len(batch.image), *size, 3))
            seen = dataclasses.replace(batch, image=image)
            states.append(stage.learner.init(_key(key, number), seen))
        k = len(self.skeleton.keypoints)
        errors = Errors(moments.nothing(k, 2), moments.nothing())
        zero = jnp.zeros((), jnp.int32)
        return State(zero, tuple(states), (errors,) * (len(self.stages) - 1))

    def phase(self, step: int) -> int:
        """Stage n trains in phase 2 (n - 1), and is measured in the one after it."""
        return sum(step >= start for start in self._starts()[1:])

    def only(self, phase: int) -> "Cascade":
        return dataclasses.replace(self, always=phase)

    def train_step(
        self, state: State, batch: Batch, key: Array
    ) -> tuple[State, Metrics]:
        """One stage learns, or one is measured."""
        works = [self._train, self._measure]
        phases = [
            functools.partial(works[phase % 2], phase // 2)
            for phase in range(len(self._starts()))
        ]
        if self.always is None:
            phase = (state.step >= jnp.array(self._starts()[1:])).sum()
            stages, errors, loss = jax.lax.switch(phase, phases, state, batch, key)
        else:
            phase = jnp.array(self.always)
            stages, errors, loss = phases[self.always](state, batch, key)
        now = (phase + 1) // 2
        metrics = {"loss": loss, "stage": (now + 1).astype(jnp.float32)}
        rates = [optimizers.learning_rates(stage) for stage in stages]
        if all(rates):
            every = jnp.stack([rate["learning_rate"] for rate in rates])
            metrics["learning_rate"] = every[now]
        return State(state.step + 1, stages, errors), metrics

    def outputs(
        self, state: State, image: Float[Array, "b h w 3"]
    ) -> Float[Array, "s b k 2"]:
        """Keypoints of every stage, in pixels of the canvas."""
        return jnp.stack(self._estimates(state, image, len(self.stages)))

    def _starts(self) -> tuple[int, ...]:
        """First steps of the phases: training and measuring take turns."""
        lengths = [
            length for s in self.stages for length in (s.steps, self.measured_steps)
        ]
        return (0, *itertools.accumulate(lengths[:-2]))

    def _train(
        self, number: int, state: State, batch: Batch, key: Array
    ) -> tuple[tuple[PyTree, ...], tuple[Errors, ...], Float[Array, ""]]:
        """One step of one stage; the others stay."""
        learner, key = self.stages[number].learner, _key(key, number)
        if number:
            seen = self._simulated(number, state.errors[number - 1], batch, key)
        else:
            seen = sub_images.whole(batch, learner.objective.size)
        after, metrics = learner.train_step(state.stages[number], seen, key)
        stages = _replace(state.stages, number, after)
        return stages, state.errors, metrics["loss"]

    def _measure(
        self, number: int, state: State, batch: Batch, key: Array
    ) -> tuple[tuple[PyTree, ...], tuple[Errors, ...], Float[Array, ""]]:
        """Adds the errors of one stage; the loss is their mean square, in body sizes."""
        found = self._estimates(state, batch.image, number + 1)[-1]
        truth, labeled, size = self._truth(batch)
        shift = (found - truth) / size[:, None, None]
        found_size = self._size(found, jnp.ones_like(labeled))
        ratio = jnp.log(found_size / size)
        before = state.errors[number]
        errors = Errors(
            moments.add(before.shift, shift, labeled[..., None]),
            moments.add(before.size, ratio, labeled.any(axis=1) & (found_size > 0)),
        )
        total = jnp.where(labeled[..., None], jnp.square(shift), 0.0).sum()
        loss = total / jnp.maximum(2 * labeled.sum(), 1)
        return state.stages, _replace(state.errors, number, errors), loss

    def _simulated(
        self, number: int, errors: Errors, batch: Batch, key: Array
    ) -> Batch:
        """Sub-images around the truth, moved as estimates of the stage before are."""
        which_key, shift_key, size_key = jax.random.split(jax.random.fold_in(key, 1), 3)
        truth, labeled, size = self._truth(batch)
        which = self._choose(which_key, labeled)
        at = jnp.take_along_axis(truth, which[..., None], axis=1)
        noise = jax.random.normal(shift_key, at.shape)
        mean, spread = moments.mean(errors.shift), moments.spread(errors.shift)
        center = at + size[:, None, None] * (mean[which] + spread[which] * noise)
        noise = jax.random.normal(size_key, which.shape)
        wrong = moments.mean(errors.size) + moments.spread(errors.size) * noise
        side = self.box * size[:, None] * jnp.exp(wrong)
        seen_size = self.stages[number].learner.objective.size
        boxes = _boxes(center, side, seen_size)
        # Whoever has no size has nothing labeled either.
        known = jnp.where(labeled[:, None], batch.visibility, 0)
        batch = dataclasses.replace(batch, visibility=known)
        return sub_images.examples(batch, boxes, which, seen_size)

    def _choose(self, key: Array, labeled: Bool[Array, "b k"]) -> Int[Array, "b m"]:
        """Labeled keypoints in random order, none twice before each had its turn.

        An unlabeled one comes only if there are no others.
        """
        b, k = labeled.shape
        turn = jnp.arange(self.crops)[:, None]
        late = turn + jax.random.uniform(key, (b, self.crops, k))
        late = jnp.where(labeled[:, None], late, self.crops + late)
        return jnp.argsort(late.reshape(b, -1), axis=1)[:, : self.crops] % k

    def _estimates(
        self, state: State, image: Float[Array, "b h w 3"], count: int
    ) -> list[Float[Array, "b k 2"]]:
        """Keypoints of the first stages, in inference mode."""
        first = self.stages[0].learner
        height, width = image.shape[1:3]
        seen = sub_images.stretch(image, first.objective.size)
        pose = first.objective.decode(first.outputs(state.stages[0], seen))
        sides = jnp.array([width, height], image.dtype)
        canvas = sub_images.to_canvas((sides - 1) / 2, sides, first.objective.size)
        found = [geometry.apply(canvas, jnp.asarray(pose.keypoints[:, 0]))]
        for stage, part in itertools.islice(
            zip(self.stages, state.stages, strict=True), 1, count
        ):
            found.append(self._refined(stage.learner, part, image, found[-1]))
        return found

    def _refined(
        self,
        learner: Learner,
        state: PyTree,
        image: Float[Array, "b h w 3"],
        pose: Float[Array, "b k 2"],
    ) -> Float[Array, "b k 2"]:
        """Each keypoint by a look at the box around it."""
        b, k = pose.shape[:2]
        side = self.box * self._size(pose, jnp.ones((b, k), bool))
        boxes = _boxes(
            pose, jnp.broadcast_to(side[:, None], (b, k)), learner.objective.size
        )
        seen = sub_images.look(image, boxes, learner.objective.size)
        said = learner.objective.decode(learner.outputs(state, seen))
        everything = jnp.asarray(said.keypoints).reshape(b, k, k, 2)
        own = everything[:, jnp.arange(k), jnp.arange(k)]
        return geometry.apply(boxes, own[:, :, None])[:, :, 0]

    def _truth(
        self, batch: Batch
    ) -> tuple[Float[Array, "b k 2"], Bool[Array, "b k"], Float[Array, "b"]]:
        """True keypoints, which of them count, and the body sizes, 1 where unknown."""
        labeled = batch.visibility[:, 0] > 0
        size = self._size(batch.keypoints[:, 0], labeled)
        labeled &= size[:, None] > 0
        # Unlabeled ones are arbitrary numbers in the data sets.
        truth = jnp.where(labeled[..., None], batch.keypoints[:, 0], 0.0)
        return truth, labeled, jnp.where(size > 0, size, 1.0)

    def _size(
        self, pose: Float[Array, "b k 2"], labeled: Bool[Array, "b k"]
    ) -> Float[Array, "b"]:
        first, second = (self.skeleton.index(end) for end in self.torso)
        return sub_images.body_size(pose, labeled, (first, second))


def _boxes(
    center: Float[Array, "b m 2"], side: Float[Array, "b m"], size: tuple[int, int]
) -> Float[Array, "b m 2 3"]:
    return sub_images.to_canvas(center, jnp.stack([side, side], axis=-1), size)


def _key(key: Array, number: int) -> Array:
    """The first stage has the key itself, as if it were alone."""
    return jax.random.fold_in(key, number) if number else key


def _replace(parts: tuple, number: int, part: PyTree) -> tuple:
    return (*parts[:number], part, *parts[number + 1 :])
