"""The training of four examples: until they are learned, or nothing gets better."""

import dataclasses
import math
from collections.abc import Callable

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Float, PyTree
from tqdm import tqdm

from jaxpose import augment as augments
from jaxpose import devices, programs
from jaxpose.apps.overfit.exam import Exam
from jaxpose.apps.overfit.goal import Goal, Reached
from jaxpose.apps.overfit.motion import motionless, spoilt
from jaxpose.learners import network
from jaxpose.types import Batch, Learner, Poses

CHECK_EVERY = 25
# Checks without progress after which to give up.
PATIENCE = 20
# Progress is a keypoint more, or an inference loss lower by this share.
PROGRESS = 0.1


@dataclasses.dataclass(frozen=True)
class Check:
    """The network in inference mode, as it would be evaluated.

    Attributes:
        short: metrics that are not perfect, in words.
    """

    loss: float
    poses: Poses
    reached: Reached
    short: tuple[str, ...] = ()


@dataclasses.dataclass(kw_only=True)
class Course:
    """What happened.

    Attributes:
        losses: of every step, in training mode.
        rates: learning rates of every step; empty if the optimizer does not tell.
        checks: of every CHECK_EVERY-th step and of the last one.
        spoilt: parts of the network that the first step made not finite.
        motionless: parts that were as before at the first check.
        frozen: not one parameter had changed by then.
    """

    losses: list[float] = dataclasses.field(default_factory=list)
    rates: list[float] = dataclasses.field(default_factory=list)
    checks: list[Check] = dataclasses.field(default_factory=list)
    spoilt: list[str] = dataclasses.field(default_factory=list)
    motionless: list[str] = dataclasses.field(default_factory=list)
    frozen: bool = False

    @property
    def last(self) -> Check:
        return self.checks[-1]

    def learned(self) -> bool:
        """Every keypoint that counts is near the truth, and every metric perfect."""
        return not self.last.reached.wrong.any() and not self.last.short

    def right(self) -> tuple[int, int]:
        """How much was learned, to compare: keypoints before metrics."""
        return int((~self.last.reached.wrong).sum()), -len(self.last.short)

    def finite(self) -> bool:
        return bool(np.isfinite(self.losses[-1])) and not self.spoilt

    def compare(self, before: PyTree, after: PyTree) -> None:
        """Notes what of the parameters has moved."""
        self.motionless = motionless(before, after)
        equal = jax.tree.map(np.array_equal, before, after)
        self.frozen = all(jax.tree.leaves(equal))

    def level(self) -> float:
        """Mean loss of the last steps, as many as there are between checks."""
        return float(np.mean(self.losses[-CHECK_EVERY:]))

    def best(self) -> float:
        """Lowest mean loss between two checks."""
        starts = range(0, max(len(self.losses) - CHECK_EVERY, 0) + 1, CHECK_EVERY)
        return min(float(np.mean(self.losses[i : i + CHECK_EVERY])) for i in starts)

    def stalled(self) -> bool:
        """Whether the last PATIENCE checks brought no progress."""
        best, right, progress = np.inf, -1, 0
        for number, check in enumerate(self.checks):
            now = int((~check.reached.wrong).sum())
            # Likelihoods may be below zero; the first check is always progress.
            enough = not number or best - check.loss > PROGRESS * abs(best)
            if enough or now > right:
                best, right, progress = min(best, check.loss), max(right, now), number
        return len(self.checks) - 1 - progress >= PATIENCE


def run(
    learner: Learner,
    batch: Batch,
    goal: Goal,
    exam: Exam,
    *,
    seed: int,
    num_steps: int,
    mesh: Mesh,
) -> Course:
    """Trains as the config says, but without augmentation.

    Args:
        batch: the goal's examples; they are repeated until they fill the devices.
        num_steps: after which to give up at the latest.
    """
    rows = np.arange(math.lcm(len(goal.names), mesh.size)) % len(goal.names)
    batch = jax.tree.map(lambda x: np.asarray(x)[rows], batch)
    state = jax.device_put(
        programs.init_state(learner, batch, seed), devices.replicated(mesh)
    )
    before = jax.device_get(network.parameters(state))
    program = programs.by_step(learner, _as_it_is, seed, mesh)
    check = _compile_check(learner, goal, exam, mesh)
    everywhere = devices.put_batch(batch, mesh)
    course = Course()
    bar = tqdm(range(1, num_steps + 1), unit="step", leave=False, disable=None)
    for number in bar:
        state, metrics = program(number - 1)(state, everywhere)
        course.losses.append(float(metrics["loss"]))
        if "learning_rate" in metrics:
            course.rates.append(float(metrics["learning_rate"]))
        if number == 1:
            course.spoilt = spoilt(network.parameters(state))
        if number % CHECK_EVERY and number < num_steps and course.finite():
            continue
        course.checks.append(check(state, everywhere))
        if len(course.checks) == 1 and course.finite():
            course.compare(before, jax.device_get(network.parameters(state)))
        right = goal.asked & ~course.last.reached.wrong
        share = f"{right.sum()}/{goal.asked.sum()}"
        bar.set_postfix(loss=f"{course.losses[-1]:.3g}", right=share, refresh=False)
        if course.learned() or course.frozen or course.stalled() or not course.finite():
            break
    bar.close()
    return course


def as_it_is(batch: Batch) -> Batch:
    """What evaluation sees, in place of an augmented batch."""
    return dataclasses.replace(batch, image=augments.to_float(batch.image))


def _as_it_is(key: Array, batch: Batch) -> Batch:
    return as_it_is(batch)


def _compile_check(
    learner: Learner, goal: Goal, exam: Exam, mesh: Mesh
) -> Callable[[PyTree, Batch], Check]:
    def look(state: PyTree, batch: Batch) -> tuple[Float[Array, ""], Poses]:
        batch = as_it_is(batch)
        outputs = learner.outputs(state, batch.image)
        targets = learner.objective.targets(batch, state.step)
        loss, _ = learner.objective.loss(outputs, targets)
        return loss, learner.objective.decode(outputs)

    compiled = devices.data_parallel(look, mesh)

    def check(state: PyTree, batch: Batch) -> Check:
        loss, poses = jax.tree.map(np.asarray, compiled(state, batch))
        short = exam.short(poses, goal.asked)
        return Check(float(loss), poses, goal.reached_by(poses), short)

    return check
