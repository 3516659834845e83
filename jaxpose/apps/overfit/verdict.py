"""Why a training of four examples did not succeed, as far as its course can tell."""

from collections.abc import Sequence

import numpy as np

from jaxpose.apps.overfit.goal import NAMED, TOLERANCE, Goal
from jaxpose.apps.overfit.training import CHECK_EVERY, PATIENCE, Course

# A loss that keeps this share of its first value has not fallen.
FLAT = 0.9
# Factor between losses in training and inference mode that is no coincidence.
APART = 3


def explain(courses: Sequence[Course], goal: Goal) -> list[str]:
    """Sentences about failed trainings from several seeds, for a person to read."""
    course = courses[-1]
    if not course.finite():
        return [_not_finite(course)]
    if course.frozen:
        return [
            f"not one parameter moved in {len(course.losses)} steps{_rate(course)}: look "
            + "at the learning rate, and at what the optimizer is told to freeze"
        ]
    causes = _motionless(course), _loss(course), _modes(course), _pattern(courses, goal)
    return [*_missed(course, goal), *filter(None, causes)]


def _missed(course: Course, goal: Goal) -> list[str]:
    """Keypoints too far from the truth, and metrics that are not perfect."""
    lines = []
    wrong, distance = course.last.reached.wrong, course.last.reached.distance
    if wrong.any():
        lines.append(f"not learned within {TOLERANCE:.0%} of the person's size:")
        lines += [f"  {line}" for line in goal.tell(wrong, distance)]
    if course.last.short:
        lines.append("metrics of the config that are not perfect:")
        lines += [f"  {line}" for line in course.last.short]
    return lines


def does_not_fall(course: Course) -> bool:
    first = course.losses[0]
    return first - course.best() < (1 - FLAT) * abs(first)


def _not_finite(course: Course) -> str:
    loss, steps = course.losses[-1], len(course.losses)
    if not np.isfinite(course.losses[0]):
        return (
            f"the very first loss is {loss}, before anything was learned: look at the "
            "canvases, the targets and the initialization"
        )
    if course.spoilt:
        return (
            "the first step made parameters that are not finite: "
            f"{', '.join(course.spoilt)}; a gradient is not finite there, or the "
            f"learning rate is far too high{_rate(course)}"
        )
    return (
        f"the loss of step {steps} is {loss}{_rate(course)}: the learning rate is too "
        "high; try a tenth of it"
    )


def _motionless(course: Course) -> str:
    if not course.motionless:
        return ""
    names = ", ".join(course.motionless[:NAMED])
    more = len(course.motionless) - NAMED
    return (
        f"unchanged by the first {min(CHECK_EVERY, len(course.losses))} steps: {names}"
        + (f" and {more} more" if more > 0 else "")
        + "; no gradient arrives there, or it is frozen on purpose, or the learning "
        "rate is too low for it"
    )


def _loss(course: Course) -> str:
    """What the loss did, and what that means for learning rate and length."""
    first, best, last = course.losses[0], course.best(), course.level()
    told = f"loss {first:.3g} at first, {best:.3g} at best, {last:.3g} in the end"
    told += f", after {len(course.losses)} steps{_rate(course)}"
    if does_not_fall(course):
        return (
            f"the loss does not fall: {told}; try ten times and a tenth of the learning "
            "rate"
        )
    if last > 2 * best:
        return f"the loss rose again: {told}; try a lower learning rate"
    if course.stalled():
        return f"no progress in the last {PATIENCE * CHECK_EVERY} steps: {told}"
    if course.rates and course.rates[-1] < 0.01 * max(course.rates):
        return f"the learning rate ran out: {told}; raise --config.num_steps"
    return f"still learning: {told}; raise --config.num_steps"


def _modes(course: Course) -> str:
    """Training and inference mode differ by BatchNorm's statistics and by dropout."""
    # The last few steps alone: the loss may be falling fast.
    trained, inferred = float(np.mean(course.losses[-5:])), course.last.loss
    told = f"{trained:.3g} in training mode, {inferred:.3g} in inference mode"
    # Of losses below zero, such as likelihoods, the ratio says nothing.
    if inferred > APART * trained >= 0:
        return (
            f"the loss is {told}: BatchNorm's running statistics do not follow those of "
            "the batches; lower its momentum, or raise --config.num_steps"
        )
    if trained > APART * inferred >= 0:
        return (
            f"the loss is {told}: dropout, or a term of the loss beside the objective's, "
            "holds it up"
        )
    return ""


def _pattern(courses: Sequence[Course], goal: Goal) -> str:
    """Where the misses are; what every start misses is not bad luck."""
    if not courses[-1].last.reached.wrong.any():
        return ""
    wrong = np.logical_and.reduce([course.last.reached.wrong for course in courses])
    if not wrong.any():
        return (
            "every start misses other keypoints, so they can be learned: the training "
            "gets stuck, as where a softmax has settled on a wrong place"
        )
    examples, keypoints = np.nonzero(wrong)[0], np.unique(np.nonzero(wrong)[2])
    if len(goal.names) > 1 and len(np.unique(examples)) == 1:
        return f"one example only: look at the annotation of {goal.names[examples[0]]}"
    if len(keypoints) <= len(goal.skeleton.keypoints) // 2:
        names = ", ".join(goal.skeleton.keypoints[k] for k in keypoints)
        return f"some keypoints only, {names}: look at their order and flip pairs"
    return ""


def _rate(course: Course) -> str:
    return f" (learning rate {course.rates[-1]:.2g})" if course.rates else ""
