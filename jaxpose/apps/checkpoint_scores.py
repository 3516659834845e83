"""`--mode evaluate`: checkpoints of a workdir to tables, pictures and pose files."""

import csv
import difflib
import fnmatch
import io
import pathlib
from collections.abc import Mapping

import jax
import numpy as np
from jaxtyping import Int

from jaxpose import (
    atomic,
    checkpoint,
    devices,
    evaluate,
    evaluations,
    pose_files,
    programs,
    tables,
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
    Several splits end in one table of all their means.

    Args:
        which: latest, best, all, or a step.
        split: names in `evals` with commas between them, or patterns of names such as
            extension_*; None for every one that training watches.
    Returns: results by (split, step).
    Raises: ValueError for a split or a checkpoint that is not there.
    """
    chosen = _choose(evals, split)
    mesh = devices.mesh()
    devices.check_batch_size(batch_size, mesh)
    store = checkpoint.Store(workdir, checkpoints, read_only=True)
    steps = store.choose(which)
    where = {"data_dir": data_dir, "manual_dir": manual_dir, "batch_size": batch_size}
    evaluators = evaluate.open_evals(chosen, learner, mesh, **where)
    batch = next(iter(evaluators.values())).examples.load(np.array([0]))
    abstract = programs.abstract_state(learner, batch, mesh)
    for evaluator in evaluators.values():
        evaluator.check(abstract)
    results = {}
    for step in steps:
        state = store.restore(step, abstract)
        for name, evaluator in evaluators.items():
            result = results[name, step] = evaluator.run(state)
            if jax.process_index() == 0:
                _leave(workdir, name, step, evaluator, result)
    store.close()
    if len(evaluators) > 1 and jax.process_index() == 0:
        print(f"\n{_means(results)}")
    return results


def _choose(
    evals: Mapping[str, evaluate.Eval], split: str | None
) -> Mapping[str, evaluate.Eval]:
    """Those that `--split` names, in the order of the config."""
    if split is None:
        watched = {name: spec for name, spec in evals.items() if spec.watch}
        if not watched:
            raise ValueError(
                "training watches none of the config's evals; choose some of "
                f"{', '.join(evals)} by --split"
            )
        return watched
    patterns = [pattern.strip() for pattern in split.split(",")]
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(name, pattern) for name in evals):
            near = difflib.get_close_matches(pattern, evals, n=3, cutoff=0.5)
            raise ValueError(
                f"--split={pattern} is not one of {', '.join(evals)}"
                + (f"; did you mean {', '.join(near)}?" if near else "")
            )
    return {
        name: spec
        for name, spec in evals.items()
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
    }


def _means(results: Mapping[tuple[str, int], evaluate.Result]) -> str:
    """A row a split; of several checkpoints, a row each."""
    several = len({step for _, step in results}) > 1
    return tables.means(
        {
            f"{split}, step {step}" if several else split: result.tables
            for (split, step), result in results.items()
        }
    )


def _leave(
    workdir: pathlib.Path,
    name: str,
    step: int,
    evaluator: evaluate.Evaluator,
    result: evaluate.Result,
) -> None:
    """Prints the tables, and writes everything that a person may want later."""
    text = "\n\n".join(map(tables.text, result.tables))
    print(
        f"\n{name}, step {step}, {len(result.annotations.names)} examples\n\n{text}\n"
    )
    pictures = evaluator.picture(result), evaluator.heatmap_picture(result)
    evaluations.save(workdir, name, step, result.tables, *pictures)
    _log(workdir / "evaluations" / f"{name}.csv", step, result.headline(name))
    poses = workdir / "predictions"
    poses.mkdir(exist_ok=True)
    stem = f"{name}_{step:07d}"
    save_poses(poses / stem, result, evaluator.skeleton, evaluator.examples.category)
    picture = workdir / "pictures" / f"{stem}*.jpg"
    print(f"predictions and pictures: {poses / stem}.*, {picture}")


def save_poses(
    stem: pathlib.Path,
    result: evaluate.Result,
    skeleton: Skeleton,
    category: Int[np.ndarray, "n"] | None = None,
) -> None:
    """Writes the poses as .npz, .csv and .mat, and where COCO's AP applies as .json.

    Where a row may have several people, those found follow each other, each under the
    name of the photograph.

    Args:
        category: the data set's number of what each row shows; None for people.
    """
    poses, truth = result.poses, result.annotations
    found = np.ones(poses.person_scores.shape, bool)
    if found.shape[1] > 1:
        found = np.asarray(np.isfinite(poses.keypoints).any(axis=(-2, -1)))
    predictions = pose_files.Predictions(
        keypoints=np.asarray(poses.keypoints)[found],
        scores=np.asarray(poses.scores)[found],
        names=tuple(truth.names[row] for row in np.nonzero(found)[0]),
    )
    for ending in (".npz", ".csv", ".mat"):
        pose_files.save_predictions(f"{stem}{ending}", predictions, skeleton)
    if truth.area is not None and truth.image_id is not None:
        image_id = truth.image_id
        coco_results.save(f"{stem}.json", poses, image_id, category=category)


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
