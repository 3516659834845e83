"""`--mode overfit`: four examples learned by heart, the first test of a new data set.

A network that cannot learn four examples has a fault that no amount of data cures. Each
part is asked in turn, the cheap ones first: the data (`examples`), targets, loss and
decode (`free_outputs`), and then the network and its training (`training`, `verdict`).
"""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

import cv2
import jax
import numpy as np
from jaxtyping import UInt8

from jaxpose import atomic, devices, evaluate, loading, programs
from jaxpose.apps.overfit import exam as exams
from jaxpose.apps.overfit import examples, free_outputs, training, verdict
from jaxpose.apps.overfit.goal import Goal
from jaxpose.learners import network
from jaxpose.types import Batch, Learner

# Seeds to try: what one misses and another learns is no fault of the data.
STARTS = 2


def overfit(
    *,
    workdir: pathlib.Path,
    learner: Learner,
    data: loading.Data,
    evals: Mapping[str, evaluate.Eval],
    seed: int,
    num_steps: int,
    data_dir: str,
    manual_dir: str,
) -> bool:
    """Trains on four examples without augmentation until they are learned by heart.

    Learned is what has every keypoint near the truth (`goal`) and the config's own
    metrics perfect: means that are those of the truth itself (`exam`).

    Prints what it finds, and leaves truth.png and prediction.png in `workdir`/overfit.
    A batch holds the four examples alone. Of several people each is compared with the
    prediction nearest to it; predictions of nobody are not held against the network.

    Args:
        num_steps: after which to give up; without progress it gives up sooner.
    Returns: whether all that can be asked for was learned, and the metrics are perfect.
    Raises: ValueError if nobody is labeled, or in one of several processes.
    """
    _refuse_processes()
    opened = data.open(data_dir, manual_dir)
    rows = examples.choose(opened)
    batch = opened.load(rows)
    folder = workdir / "overfit"
    folder.mkdir(parents=True, exist_ok=True)
    goal = _ask_data(opened, rows, batch, folder / "truth.png")
    exam = exams.prepare(opened.take(rows).annotations(), batch, evals.values())
    left, sound = _ask_objective(learner, batch, goal, exam, seed)
    if not left.asked.any():
        _say("verdict", "nothing is left to learn; mend the objective first")
        return False
    courses = _learn(learner, batch, left, exam, seed=seed, num_steps=num_steps)
    _show(courses[-1], left, exam, folder / "prediction.png")
    return _judge(courses, left, exam, sound=sound)


def _refuse_processes() -> None:
    if jax.process_count() > 1:
        raise ValueError(
            f"--mode overfit in {jax.process_count()} processes; four examples need one, "
            "so leave --distributed away"
        )


def _ask_data(
    opened: loading.Examples, rows: np.ndarray, batch: Batch, path: pathlib.Path
) -> Goal:
    """Everything that is labeled in the examples, drawn, and what looks wrong."""
    visibility = np.asarray(batch.visibility)
    goal = Goal(
        image=np.asarray(batch.image),
        keypoints=np.asarray(batch.keypoints),
        visibility=visibility,
        asked=visibility > 0,
        names=tuple(opened.describe(int(row)) for row in rows),
        skeleton=opened.data.skeleton,
    )
    _write(path, examples.truth_picture(goal))
    doubts = examples.doubts(goal, opened.annotations())
    _say("data", f"{len(rows)} of {len(opened)} examples: {path}", doubts)
    return goal


def _ask_objective(
    learner: Learner, batch: Batch, goal: Goal, exam: exams.Exam, seed: int
) -> tuple[Goal, bool]:
    """What is left of the goal, and whether the objective can say what it asks for."""
    batch = training.as_it_is(batch)
    state = programs.abstract_state(learner, batch, devices.mesh())
    shapes = jax.eval_shape(learner.outputs, state, batch.image)
    count = sum(x.size for x in jax.tree.leaves(network.parameters(state)))
    _say("network", f"{count:,} parameters, outputs {free_outputs.describe(shapes)}")
    objective = learner.objective
    if misfit := free_outputs.misfit(objective, shapes, batch):
        _say("objective", misfit)
        return dataclasses.replace(goal, asked=np.zeros_like(goal.asked)), False
    start = free_outputs.start(shapes, seed)
    poses = objective.decode(free_outputs.descend(objective, start, batch))
    reached = goal.reached_by(poses)
    ignored = free_outputs.not_asked(objective, start, batch, reached.wrong)
    impossible = reached.wrong & ~ignored
    left = dataclasses.replace(goal, asked=goal.asked & ~reached.wrong)
    if left.asked.any():
        worst = reached.distance[left.asked].max()
        _say("objective", f"outputs of its own choice come within {worst:.2g} px")
    if ignored.any():
        lines = goal.tell(ignored, reached.distance)
        _say("objective", "its loss does not ask for labeled keypoints:", lines)
    if impossible.any():
        lines = goal.tell(impossible, reached.distance)
        _say("objective", "targets, loss and decode cannot represent:", lines)
    if short := exam.short(poses, left.asked):
        _say("objective", "targets, loss and decode may be too coarse for:", short)
    return left, not impossible.any()


def _learn(
    learner: Learner,
    batch: Batch,
    goal: Goal,
    exam: exams.Exam,
    *,
    seed: int,
    num_steps: int,
) -> list[training.Course]:
    """Training from one seed after the other, until one succeeds; the best comes last."""
    mesh = devices.mesh()
    courses: list[training.Course] = []
    while not courses or (len(courses) < STARTS and _may_be_bad_luck(courses[-1])):
        fresh = seed + len(courses)
        courses.append(
            training.run(
                learner, batch, goal, exam, seed=fresh, num_steps=num_steps, mesh=mesh
            )
        )
        _say("training", f"seed {fresh}: {_outcome(courses[-1], goal)}")
    return sorted(courses, key=training.Course.right)


def _may_be_bad_luck(course: training.Course) -> bool:
    """Whether another seed may learn what this one did not."""
    stuck = not course.learned() and course.finite() and course.stalled()
    return stuck and not verdict.does_not_fall(course)


def _outcome(course: training.Course, goal: Goal) -> str:
    steps, right = len(course.losses), (goal.asked & ~course.last.reached.wrong).sum()
    if not course.learned():
        text = f"{right} of {goal.asked.sum()} keypoints right after {steps} steps"
        short = len(course.last.short)
        return f"{text}, metrics that are not perfect: {short}" if short else text
    text = f"learned {len(goal.names)} examples by heart in {steps} steps"
    labeled = goal.labeled.sum()
    return text if right == labeled else f"{text}: {right} of {labeled} keypoints"


def _show(
    course: training.Course, goal: Goal, exam: exams.Exam, path: pathlib.Path
) -> None:
    """The metrics, and the truth beside the prediction."""
    if course.finite():
        print(exam.text(course.last.poses))
    _write(path, examples.prediction_picture(goal, course.last.reached))
    print(f"truth beside prediction: {path}")


def _judge(
    courses: Sequence[training.Course], goal: Goal, exam: exams.Exam, *, sound: bool
) -> bool:
    """Says what is to blame, if something is; returns whether nothing is."""
    if not courses[-1].learned():
        first, *more = verdict.explain(courses, goal)
        _say("verdict", first, more)
        return False
    # With the keypoints that its loss does not ask for.
    short = exam.short(courses[-1].last.poses)
    if not sound:
        _say("verdict", "the objective; what it can represent was learned", short)
    elif short:
        _say("verdict", "the objective; its loss leaves out what counts here:", short)
    return sound and not short


def _write(path: pathlib.Path, picture: UInt8[np.ndarray, "h w 3"]) -> None:
    atomic.write(path, cv2.imencode(".png", picture[..., ::-1])[1].tobytes())


def _say(part: str, text: str, lines: Sequence[str] = ()) -> None:
    print(f"{part:10} {text}", *(f"  {line}" for line in lines), sep="\n", flush=True)
