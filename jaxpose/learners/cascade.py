"""A cascade: each stage looks closer at where the one before saw each keypoint.

Source: DeepPose (Toshev and Szegedy 2014, section 3.2).
"""

import dataclasses
import functools
import itertools
from typing import Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from jaxpose import geometry, sub_images
from jaxpose.learners import optimizers, stage_errors
from jaxpose.skeletons import Skeleton
from jaxpose.types import Batch, Learner, Metrics, Objective


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class State:
    """The learners' states, and measured errors of all stages but the last, if any."""

    step: Int[Array, ""]
    stages: tuple[PyTree, ...]
    errors: tuple[stage_errors.Errors, ...]


Estimates = Literal["simulated", "real"]


class Phase(NamedTuple):
    """Steps from `start` on train a stage (from 0), or measure its errors."""

    start: int
    stage: int
    measures: bool


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

    Of the estimates that a stage trains on there are two kinds. Simulated ones are the
    paper's: the truth, moved as far as estimates are wrong on training canvases, by a
    normal distribution for each keypoint. Its mean and spread are measured once, by
    steps before the stage that train nothing: the earlier stages do not move any more.
    Real ones are what the earlier stages say of the augmented canvas. They are wrong in
    ways that no independent normal numbers are: most a little, some by a body's size.

    Attributes:
        objective: reads the keypoints of all stages, "s b k 2" in pixels of the canvas.
        skeleton: tells where the corners of the torso are.
        estimates: `simulated` or `real`.
        measured_steps: that measure errors before each stage but the first, if
            estimates are simulated.
        box: side of the boxes in body sizes, the paper's sigma.
        crops: sub-images of an example in a step; its labeled keypoints take turns.
        torso: two opposite corners, whose distance is the body size.
        always: the phase that every step is of; None: the number of the step tells.
    """

    objective: Objective
    skeleton: Skeleton
    stages: tuple[Stage, ...]
    crops: int
    estimates: Estimates = "simulated"
    box: float = 2.0
    measured_steps: int = 50
    torso: tuple[str, str] = ("left_shoulder", "right_hip")
    always: int | None = None

    def __post_init__(self) -> None:
        """Raises: ValueError for a field that cannot be."""
        if not self.stages:
            raise ValueError("a cascade has one stage at least; give it one")
        steps = tuple(stage.steps for stage in self.stages)
        if min(*steps, self.crops, self.measured_steps) < 1 or self.box <= 0:
            raise ValueError(
                f"steps={steps}, crops={self.crops}, box={self.box} and "
                f"measured_steps={self.measured_steps} must be positive"
            )
        if self.estimates not in get_args(Estimates):
            raise ValueError(
                f"estimates={self.estimates!r} must be one of "
                f"{', '.join(get_args(Estimates))}"
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
        errors = stage_errors.nothing(len(self.skeleton.keypoints))
        measured = sum(phase.measures for phase in self._phases())
        zero = jnp.zeros((), jnp.int32)
        return State(zero, tuple(states), (errors,) * measured)

    def phase(self, step: int) -> int:
        """Number of the last phase that has begun, from 0."""
        return sum(step >= phase.start for phase in self._phases()[1:])

    def only(self, phase: int) -> "Cascade":
        return dataclasses.replace(self, always=phase)

    def train_step(
        self, state: State, batch: Batch, key: Array
    ) -> tuple[State, Metrics]:
        """One stage learns, or one is measured."""
        phases = self._phases()
        if self.always is None:
            starts = jnp.array([phase.start for phase in phases[1:]], jnp.int32)
            phase = (state.step >= starts).sum()
            works = [functools.partial(self._work, phase) for phase in phases]
            stages, errors, loss = jax.lax.switch(phase, works, state, batch, key)
        else:
            phase = jnp.array(self.always)
            stages, errors, loss = self._work(phases[self.always], state, batch, key)
        # What is measured is for the next stage.
        now = jnp.array([phase.stage + phase.measures for phase in phases])[phase]
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

    def _phases(self) -> list[Phase]:
        """Training and measuring take turns; the last stage goes on for ever."""
        phases, start = [], 0
        for number, stage in enumerate(self.stages):
            phases.append(Phase(start, number, measures=False))
            start += stage.steps
            if self.estimates == "simulated" and number + 1 < len(self.stages):
                phases.append(Phase(start, number, measures=True))
                start += self.measured_steps
        return phases

    def _work(
        self, phase: Phase, state: State, batch: Batch, key: Array
    ) -> tuple[tuple[PyTree, ...], tuple[stage_errors.Errors, ...], Float[Array, ""]]:
        """One stage's next state or errors; all others stay."""
        if phase.measures:
            errors, loss = self._measured(phase.stage, state, batch)
            return state.stages, _replace(state.errors, phase.stage, errors), loss
        after, loss = self._trained(phase.stage, state, batch, key)
        return _replace(state.stages, phase.stage, after), state.errors, loss

    def _trained(
        self, number: int, state: State, batch: Batch, key: Array
    ) -> tuple[PyTree, Float[Array, ""]]:
        learner, key = self.stages[number].learner, _key(key, number)
        if number:
            seen = self._sub_images(number, state, batch, key)
        else:
            seen = sub_images.whole(batch, learner.objective.size)
        after, metrics = learner.train_step(state.stages[number], seen, key)
        return after, metrics["loss"]

    def _measured(
        self, number: int, state: State, batch: Batch
    ) -> tuple[stage_errors.Errors, Float[Array, ""]]:
        found = self._estimates(state, batch.image, number + 1)[-1]
        return stage_errors.add(
            state.errors[number], found, self._found_size(found), self._truth(batch)
        )

    def _sub_images(self, number: int, state: State, batch: Batch, key: Array) -> Batch:
        """What a later stage learns from: boxes around estimates of the one before."""
        which_key, error_key = jax.random.split(jax.random.fold_in(key, 1))
        truth = self._truth(batch)
        which = self._choose(which_key, truth.labeled)
        if self.estimates == "real":
            pose = self._estimates(state, batch.image, number)[-1]
            center = jnp.take_along_axis(pose, which[..., None], axis=1)
            size = jnp.broadcast_to(self._found_size(pose)[:, None], which.shape)
        else:
            errors = state.errors[number - 1]
            center, size = stage_errors.simulate(errors, truth, which, error_key)
        seen_size = self.stages[number].learner.objective.size
        # Whoever has no size has nothing labeled either.
        known = jnp.where(truth.labeled[:, None], batch.visibility, 0)
        batch = dataclasses.replace(batch, visibility=known)
        boxes = _boxes(center, self.box * size, seen_size)
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
        side = self.box * self._found_size(pose)
        boxes = _boxes(
            pose, jnp.broadcast_to(side[:, None], (b, k)), learner.objective.size
        )
        seen = sub_images.look(image, boxes, learner.objective.size)
        said = learner.objective.decode(learner.outputs(state, seen))
        everything = jnp.asarray(said.keypoints).reshape(b, k, k, 2)
        own = everything[:, jnp.arange(k), jnp.arange(k)]
        return geometry.apply(boxes, own[:, :, None])[:, :, 0]

    def _truth(self, batch: Batch) -> stage_errors.Truth:
        labeled = batch.visibility[:, 0] > 0
        size = self._size(batch.keypoints[:, 0], labeled)
        labeled &= size[:, None] > 0
        # Unlabeled ones are arbitrary numbers in the data sets.
        truth = jnp.where(labeled[..., None], batch.keypoints[:, 0], 0.0)
        return stage_errors.Truth(
            keypoints=truth, labeled=labeled, size=jnp.where(size > 0, size, 1.0)
        )

    def _found_size(self, pose: Float[Array, "b k 2"]) -> Float[Array, "b"]:
        return self._size(pose, jnp.ones(pose.shape[:2], bool))

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
