import dataclasses

import numpy as np
import pytest
from goals import goal_of

from jaxpose.apps.overfit import training, verdict
from jaxpose.apps.overfit.goal import Reached
from jaxpose.types import Poses


def course(losses, *, inferred, wrong, short=()) -> training.Course:
    """A course whose every check found the same."""
    reached = Reached(np.zeros((*wrong.shape, 2)), np.where(wrong, 9.0, 0.0), wrong)
    poses = Poses(
        keypoints=reached.keypoints,
        scores=np.ones(wrong.shape),
        person_scores=np.ones(wrong.shape[:2]),
    )
    count = max(len(losses) // training.CHECK_EVERY, 1)
    checks = [training.Check(inferred, poses, reached, short) for _ in range(count)]
    return training.Course(losses=losses, checks=checks)


def misses(*indices) -> np.ndarray:
    wrong = np.zeros((4, 1, 14), bool)
    for example, keypoint in indices:
        wrong[example, 0, keypoint] = True
    return wrong


STUCK = [1.0] * 25 + [0.1] * 600


@pytest.mark.parametrize(
    "losses, inferred, wrong, sentence",
    [
        (
            [1.0] * 500,
            1.0,
            misses((0, 1), (1, 2)),
            "the loss does not fall: loss 1 at ",
        ),
        ([1.0] + [0.1] * 99 + [5.0] * 25, 5.0, misses((0, 1)), "the loss rose again: "),
        (STUCK, 0.1, misses((0, 1)), "no progress in the last 500 steps: loss 1 at "),
        ([1.0, 0.1], 0.1, misses((0, 1)), "still learning: loss 1 at first"),
        (STUCK, 0.9, misses((0, 1)), "BatchNorm's running statistics do not follow"),
        (STUCK, 0.01, misses((0, 1)), "dropout, or a term of the loss beside"),
        (STUCK, 0.1, misses((2, 1), (2, 9)), "look at the annotation of example 2"),
        (STUCK, 0.1, misses((1, 6), (2, 6)), "some keypoints only, right_wrist: "),
    ],
)
def test_courses_are_explained(losses, inferred, wrong, sentence):
    goal = goal_of(np.random.default_rng(1).uniform(0, 99, (4, 1, 14, 2)))
    failed = course(losses, inferred=inferred, wrong=wrong)
    assert sentence in "\n".join(verdict.explain([failed], goal))


def test_what_every_start_misses_is_told_from_bad_luck():
    goal = goal_of(np.random.default_rng(1).uniform(0, 99, (4, 1, 14, 2)))
    starts = [misses((0, 1), (1, 6)), misses((2, 3), (3, 6)), misses((2, 3), (1, 6))]
    a, b, c = (course(STUCK, inferred=0.1, wrong=wrong) for wrong in starts)
    assert "every start misses other keypoints" in verdict.explain([a, b], goal)[-1]
    assert "the annotation of example 1" in verdict.explain([a, c], goal)[-1]


def test_a_learning_rate_that_ran_out_is_told():
    goal = goal_of(np.random.default_rng(1).uniform(0, 99, (4, 1, 14, 2)))
    short = course([1.0, 0.5], inferred=0.5, wrong=misses((0, 1)))
    short.rates = [0.1, 1e-4]
    assert "the learning rate ran out: " in "\n".join(verdict.explain([short], goal))


def test_a_first_loss_that_is_not_finite_blames_no_learning_rate():
    goal = goal_of(np.random.default_rng(1).uniform(0, 99, (4, 1, 14, 2)))
    failed = course([float("nan")], inferred=np.nan, wrong=misses((0, 1)))
    (said,) = verdict.explain([failed], goal)
    assert said.startswith("the very first loss is nan, before anything was learned")


def test_metrics_that_are_not_perfect_are_named():
    goal = goal_of(np.random.default_rng(1).uniform(0, 99, (4, 1, 14, 2)))
    told = ("PCK@0.02 is 50, 100 for the truth itself",)
    failed = course(STUCK, inferred=0.1, wrong=misses(), short=told)
    assert not failed.learned()
    first, second, *causes = verdict.explain([failed, failed], goal)
    assert first == "metrics of the config that are not perfect:"
    assert second == f"  {told[0]}"
    assert [cause.partition(":")[0] for cause in causes] == [
        "no progress in the last 500 steps"
    ]


def test_losses_below_zero_fall_stall_and_are_not_divided():
    """As of likelihoods: a tenth less is progress, and ratios of modes say nothing."""
    sinking = course([-1.0, -2.0], inferred=0.0, wrong=misses((0, 1)))
    assert not verdict.does_not_fall(sinking)
    level = course([-1.0] * 525, inferred=-1.0, wrong=misses((0, 1)))
    assert verdict.does_not_fall(level) and level.stalled()
    goal = goal_of(np.random.default_rng(1).uniform(0, 99, (4, 1, 14, 2)))
    apart = course([-1.0] * 25 + [-9.0] * 600, inferred=-2.0, wrong=misses((0, 1)))
    assert "mode" not in "\n".join(verdict.explain([apart], goal))
    steps = [-1.0, -1.2, -1.5, -2.0]
    apart.checks = [dataclasses.replace(apart.last, loss=loss) for loss in steps * 6]
    assert apart.stalled()
    apart.checks = apart.checks[:4]
    assert not apart.stalled()
