"""`--mode evaluate`: checkpoints of a workdir to tables, pictures and pose files."""

import csv
import io
import pathlib
from collections.abc import Mapping

import cv2
import jax
import numpy as np

from jaxpose import atomic, checkpoint, devices, evaluate, pose_files, tables, train
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

    evaluations/<split>.csv holds one row a checkpoint; evaluations/<split>_<step>.txt
    the tables; predictions/ the poses as .npz, .csv and .mat; pictures/ a sheet.

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
    paths = [workdir / n for n in ("evaluations", "predictions", "pictures")]
    for folder in paths:
        folder.mkdir(exist_ok=True)
    evaluations, poses, pictures = paths
    stem = f"{name}_{step:07d}"
    atomic.write(evaluations / f"{stem}.txt", text + "\n")
    _log(evaluations / f"{name}.csv", step, result.headline(name))
    predictions = pose_files.Predictions(
        keypoints=np.asarray(result.poses.keypoints[:, 0]),
        scores=np.asarray(result.poses.scores[:, 0]),
        names=result.annotations.names,
    )
    for ending in (".npz", ".csv", ".mat"):
        pose_files.save_predictions(
            poses / f"{stem}{ending}",
            predictions,
            evaluator.skeleton,
        )
    sheet = cv2.imencode(".jpg", evaluator.picture(result)[..., ::-1])[1]
    atomic.write(pictures / f"{stem}.jpg", sheet.tobytes())
    print(f"predictions and pictures: {poses / stem}.*, {pictures / stem}.jpg")


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
