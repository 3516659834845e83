"""Does weighting the loss by rarity help? The same runs with and without it.

    python -m benchmarks.weighted_loss --data_dir data --manual_dir ../shared/data

For each seed the small regressor is trained twice, on the same batches with the same
augmentation, with plain and with weighted squared error. The people of LSP test are cut
into tenths by the density of their poses under the training poses, rarest first, and
each tenth is scored. Runs that are there already are not repeated, and unfinished ones
go on: stop it whenever you like.
"""

import argparse
import json
import pathlib
import subprocess
import sys

import numpy as np
import scipy.stats
from ml_collections import ConfigDict

from configs import deeppose_small
from jaxpose import config as configs
from jaxpose import pose_files, workdir
from jaxpose.metrics import pck
from jaxpose.skeletons import LSP

ROOT = pathlib.Path(__file__).parents[1]
KINDS = {"plain": False, "weighted": True}


def main() -> None:
    options = _options()
    errors = {
        kind: np.stack([_run(kind, seed, options) for seed in range(options.seeds)])
        for kind in KINDS
    }
    tenth = _tenths(options)
    table = _table(errors, tenth)
    result = {
        "made by": workdir.versions(),
        "steps": options.steps,
        "seeds": options.seeds,
        "table": table,
    }
    text = json.dumps(result, indent=2) + "\n"
    _result(options.steps).write_text(text)
    _print(table)


def _result(steps: int) -> pathlib.Path:
    return ROOT / "benchmarks" / "results" / f"weighted_loss_{steps}.json"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data_dir", default="data")
    parser.add_argument("--manual_dir", default="data/manual")
    parser.add_argument("--runs", default="runs/weighted_loss", type=pathlib.Path)
    parser.add_argument("--seeds", default=3, type=int)
    parser.add_argument("--steps", default=1000, type=int)
    return parser.parse_args()


def _run(kind: str, seed: int, options: argparse.Namespace) -> np.ndarray:
    """Relative errors ("n k") of LSP test, after training to the end."""
    folder = options.runs / f"{kind}_{seed}"
    predictions = folder / "predictions" / f"test_{options.steps:07d}.npz"
    if not predictions.exists():
        command = [
            *(sys.executable, str(ROOT / "main.py")),
            *("--config", str(ROOT / "configs" / "deeppose_small.py")),
            *("--workdir", str(folder)),
            f"--config.seed={seed}",
            f"--config.num_steps={options.steps}",
            f"--config.learner.objective.weighted={KINDS[kind]}",
            f"--config.eval_every={options.steps}",
            f"--config.data_dir={options.data_dir}",
            f"--config.manual_dir={options.manual_dir}",
        ]
        for mode in ("train", "evaluate"):
            subprocess.run([*command, f"--mode={mode}"], check=True)
    predicted = pose_files.read_predictions(predictions, LSP).keypoints
    truth = _open(options, deeppose_small.get_config().evals.test.data).annotations()
    points, labeled = truth.keypoints[:, 0], truth.labeled[:, 0]
    torso = pck.torso_length(points, labeled, LSP)
    return pck.relative_error(predicted, points, labeled, torso)


def _open(options: argparse.Namespace, data: ConfigDict):
    return configs.build(data).open(options.data_dir, options.manual_dir)


def _tenths(options: argparse.Namespace) -> np.ndarray:
    """The tenth of each test person, 0 the rarest."""
    config = deeppose_small.get_config()
    train = _open(options, config.data)
    test = _open(options, config.evals.test.data)
    density = train.data.weighting.log_density(train.annotations(), test.annotations())
    rank = scipy.stats.rankdata(density[:, 0], method="ordinal") - 1
    return (10 * rank // len(rank)).astype(int)


def _table(errors: dict[str, np.ndarray], tenth: np.ndarray) -> list[dict[str, float]]:
    """PCK@0.2 in percent by tenth, mean over seeds; gain with its 95% interval."""
    groups = [(f"{i + 1}", tenth == i) for i in range(10)]
    groups.append(("all", np.ones(len(tenth), bool)))
    rows = []
    for name, chosen in groups:
        scores = {
            kind: 100 * np.mean(error[:, chosen] <= 0.2, axis=(1, 2))
            for kind, error in errors.items()
        }
        gain = scores["weighted"] - scores["plain"]
        # One seed has no spread.
        spread = (
            scipy.stats.sem(gain) * scipy.stats.t.ppf(0.975, len(gain) - 1)
            if len(gain) > 1
            else np.inf
        )
        rows.append(
            {
                "tenth": name,
                "plain": float(scores["plain"].mean()),
                "weighted": float(scores["weighted"].mean()),
                "gain": float(gain.mean()),
                "interval": float(spread) if np.isfinite(spread) else None,
            }
        )
    return rows


def _print(table: list[dict[str, float]]) -> None:
    print("| tenth by rarity | plain | weighted | gain (95% interval) |")
    print("|---|---|---|---|")
    for row in table:
        print(
            f"| {row['tenth']} | {row['plain']:.1f} | {row['weighted']:.1f} "
            f"| {row['gain']:+.1f}"
            + (f" +- {row['interval']:.1f} |" if row["interval"] is not None else " |")
        )


if __name__ == "__main__":
    main()
