"""`--mode evaluate`: checkpoints of a workdir to tables, pictures and pose files."""

import csv
import io
import pathlib
from collections.abc import Mapping

import jax
import numpy as np

from jaxpose import (
    atomic,
    checkpoint,
    devices,
    evaluate,
    evaluations,
    pose_files,
    tables,
    train,
)
from jaxpose.pose_files import coco_results
from jaxpose.skeletons import Skeleton
from jaxpose.types import Learner


def score(
    *,
    workdir: pathlib.Path,
    which: str,
    split: str | None,
    learner: Learner,
    evals: Mapping[str, evaluate.Eval],
    checkpoints: checkpoint.Checkpoints,
    batch_size: int,
    data_dir: str,
    manual_dir: str,
) -> dict[tuple[str, int], evaluate.Result]:
    """Evaluates checkpoints and leaves the results in the workdir.

    evaluations/<split>.csv holds one row a checkpoint, predictions/ the poses as .npz,
    .csv, .mat and of COCO .json; tables and pictures are where those of training are.

    Args:
        which: latest, best, all, or a step.
        split: a name in `evals`; None for every one that training watches.
    Returns: results by (split, step).
    Raises: ValueError for a split or a checkpoint that is not there.
    """
    mesh = devices.mesh()
    devices.check_batch_size(batch_size, mesh)
    store = checkpoint.Store(workdir, checkpoints, read_only=True)
    steps = store.choose(which)
    where = {"data_dir": data_dir, "manual_dir": manual_dir, "batch_size": batch_size}
    evaluators = evaluate.open_evals(_choose(evals, split), learner, mesh, **where)
    results = {}
    for step in steps:
        for name, evaluator in evaluators.items():
            batch = evaluator.examples.load(np.array([0]))
            state = store.restore(step, train.abstract_state(learner, batch, mesh))
            result = results[name, step] = evaluator.run(state)
            if jax.process_index() == 0:
                _leave(workdir, name, step, evaluator, result)
    store.close()
    return results


def _choose(
    evals: Mapping[str, evaluate.Eval], split: str | None
) -> Mapping[str, evaluate.Eval]:
    if split is None:
        return {name: spec for name, spec in evals.items() if spec.watch}
    if split not in evals:
        raise ValueError(f"--split={split} is not one of {', '.join(evals)}")
    return {split: evals[split]}


def _leave(
    workdir: pathlib.Path,
    name: str,
    step: int,
    evaluator: evaluate.Evaluator,
    result: evaluate.Result,
) -> None:
    """Prints the tables, and writes everything that a person may want later."""
    text = "\n\n".join(map(tables.text, result.tables))
    print(f"\n{name}, step {step}, {len(result.annotations.names)} people\n\n{text}\n")
    evaluations.save(workdir, name, step, result.tables, evaluator.picture(result))
    _log(workdir / "evaluations" / f"{name}.csv", step, result.headline(name))
    poses = workdir / "predictions"
    poses.mkdir(exist_ok=True)
    stem = f"{name}_{step:07d}"
    save_poses(poses / stem, result, evaluator.skeleton)
    picture = workdir / "pictures" / f"{stem}.jpg"
    print(f"predictions and pictures: {poses / stem}.*, {picture}")


def save_poses(stem: pathlib.Path, result: evaluate.Result, skeleton: Skeleton) -> None:
    """Writes the poses as .npz, .csv and .mat, and where COCO's AP applies as .json."""
    poses, truth = result.poses, result.annotations
    predictions = pose_files.Predictions(
        keypoints=np.asarray(poses.keypoints[:, 0]),
        scores=np.asarray(poses.scores[:, 0]),
        names=truth.names,
    )
    for ending in (".npz", ".csv", ".mat"):
        pose_files.save_predictions(f"{stem}{ending}", predictions, skeleton)
    if truth.area is not None and truth.image_id is not None:
        coco_results.save(f"{stem}.json", poses, truth.image_id)


def _log(path: pathlib.Path, step: int, headline: Mapping[str, float]) -> None:
    """One row a step; evaluating a step again replaces its row."""
    rows = {}
    if path.exists():
        with path.open(newline="") as file:
            rows = {int(row["step"]): row for row in csv.DictReader(file)}
    rows[step] = {"step": str(step), **{k: repr(v) for k, v in headline.items()}}
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows[key] for key in sorted(rows))
    atomic.write(path, text.getvalue())
