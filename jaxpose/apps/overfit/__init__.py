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

from jaxpose import atomic, devices, evaluate, geometry, tables, train
from jaxpose import data as datas
from jaxpose.apps.overfit import examples, free_outputs, training, verdict
from jaxpose.apps.overfit.goal import Goal
from jaxpose.learners import network
from jaxpose.types import Annotations, Batch, Learner, Poses, Table

# Seeds to try: what one misses and another learns is no fault of the data.
STARTS = 2


def overfit(
    *,
    workdir: pathlib.Path,
    learner: Learner,
    data: datas.Data,
    evals: Mapping[str, evaluate.Eval],
    seed: int,
    num_steps: int,
    data_dir: str,
    manual_dir: str,
) -> bool:
    """Trains on four examples without augmentation until every keypoint is right.

    Prints what it finds, and leaves truth.png and prediction.png in `workdir`/overfit.
    A batch holds the four examples alone. Of several people each is compared with the
    prediction nearest to it; predictions of nobody are not held against the network.

    Args:
        num_steps: after which to give up; without progress it gives up sooner.
    Returns: whether everything that the loss asks for was learned.
    Raises: ValueError if nobody is labeled, or in one of several processes.
    """
    if jax.process_count() > 1:
        raise ValueError(
            f"--mode overfit in {jax.process_count()} processes; four examples need one, "
            "so leave --distributed away"
        )
    opened = data.open(data_dir, manual_dir)
    rows = examples.choose(opened)
    batch = opened.load(rows)
    folder = workdir / "overfit"
    folder.mkdir(parents=True, exist_ok=True)
    goal = _ask_data(opened, rows, batch, folder / "truth.png")
    left, sound = _ask_objective(learner, batch, goal, seed)
    if not left.asked.any():
        _say("verdict", "nothing is left to learn; mend the objective first")
        return False
    courses = _learn(learner, batch, left, seed=seed, num_steps=num_steps)
    course = courses[-1]
    if course.finite():
        chosen = dataclasses.replace(opened, people=opened.people.take(rows))
        print(_score(course.last.poses, batch, chosen.annotations(), evals))
    sheet = examples.prediction_picture(left, course.last.reached)
    _write(folder / "prediction.png", sheet)
    print(f"truth beside prediction: {folder / 'prediction.png'}")
    if not course.learned():
        first, *more = verdict.explain(courses, left)
        _say("verdict", first, more)
    elif not sound:
        _say("verdict", "the objective; what it can represent was learned")
    return sound and course.learned()


def _ask_data(
    opened: datas.Examples, rows: np.ndarray, batch: Batch, path: pathlib.Path
) -> Goal:
    """Everything that is labeled in the examples, drawn, and what looks wrong."""
    visibility = np.asarray(batch.visibility)
    goal = Goal(
        image=np.asarray(batch.image),
        keypoints=np.asarray(batch.keypoints),
        visibility=visibility,
        asked=visibility > 0,
        names=tuple(opened.people.describe(int(row)) for row in rows),
        skeleton=opened.data.skeleton,
    )
    _write(path, examples.truth_picture(goal))
    doubts = examples.doubts(goal, opened.annotations())
    _say("data", f"{len(rows)} of {len(opened)} examples: {path}", doubts)
    return goal


def _ask_objective(
    learner: Learner, batch: Batch, goal: Goal, seed: int
) -> tuple[Goal, bool]:
    """What is left of the goal, and whether the objective can say what it asks for."""
    batch = training.as_it_is(batch)
    state = train.abstract_state(learner, batch, devices.mesh())
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
    return left, not impossible.any()


def _learn(
    learner: Learner, batch: Batch, goal: Goal, *, seed: int, num_steps: int
) -> list[training.Course]:
    """Training from one seed after the other, until one succeeds."""
    mesh = devices.mesh()
    courses: list[training.Course] = []
    while not courses or (len(courses) < STARTS and _may_be_bad_luck(courses[-1])):
        fresh = seed + len(courses)
        courses.append(
            training.run(
                learner, batch, goal, seed=fresh, num_steps=num_steps, mesh=mesh
            )
        )
        _say("training", f"seed {fresh}: {_outcome(courses[-1], goal)}")
    return courses


def _may_be_bad_luck(course: training.Course) -> bool:
    """Whether another seed may learn what this one did not."""
    stuck = not course.learned() and course.finite() and course.stalled()
    return stuck and not verdict.does_not_fall(course)


def _outcome(course: training.Course, goal: Goal) -> str:
    steps, right = len(course.losses), (goal.asked & ~course.last.reached.wrong).sum()
    if not course.learned():
        return f"{right} of {goal.asked.sum()} keypoints right after {steps} steps"
    text = f"learned {len(goal.names)} examples by heart in {steps} steps"
    labeled = goal.labeled.sum()
    return text if right == labeled else f"{text}: {right} of {labeled} keypoints"


def _score(
    poses: Poses,
    batch: Batch,
    annotations: Annotations,
    evals: Mapping[str, evaluate.Eval],
) -> str:
    """The config's own metrics of these examples, where so few have any."""
    n = len(annotations.keypoints)
    poses = jax.tree.map(lambda x: x[:n], poses)
    to_source = np.asarray(batch.to_source, np.float64)[:, None]
    points = np.asarray(poses.keypoints, np.float64)
    poses = dataclasses.replace(poses, keypoints=geometry.apply(to_source, points))
    found: dict[str, Table] = {}
    lines = []
    for spec in evals.values():
        for metric in spec.metrics:
            try:
                table = metric(poses, annotations, spec.data.skeleton)
            except ValueError as error:
                lines.append(f"no {type(metric).__name__} of {n} examples: {error}")
            else:
                found[table.name] = table
    # Tables of other rows, such as limbs, tell little more of so few.
    first = tables.same_rows([*found.values()])[:1]
    means = "  ".join(f"{t.name} {t.mean:.4g}" for t in found.values())
    return "\n".join([*map(tables.joined_text, first), means, *dict.fromkeys(lines)])


def _write(path: pathlib.Path, picture: UInt8[np.ndarray, "h w 3"]) -> None:
    atomic.write(path, cv2.imencode(".png", picture[..., ::-1])[1].tobytes())


def _say(part: str, text: str, lines: Sequence[str] = ()) -> None:
    print(f"{part:10} {text}", *(f"  {line}" for line in lines), sep="\n", flush=True)
