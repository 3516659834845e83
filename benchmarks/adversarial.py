"""Does a discriminator help? The same pose network trained with and without it.

    XLA_FLAGS=--xla_force_host_platform_device_count=2 python -m benchmarks.adversarial \\
        --data_dir data --manual_dir ../shared/data

On `figures/single` and on LSP, for each seed, twice: by itself and by self-adversarial
training, from the same parameters, through the same batches and as many steps. PCK@0.2
of the 1000 test people of each, and how well the trained discriminators reconstruct
heatmaps of true poses and of poses that nobody has. The pose network is that of the
configs, or by `--network hourglass` one of 0.6 M parameters. Runs that are there already
are not repeated, and unfinished ones go on: stop it whenever you like.
"""

import argparse
import json
import pathlib
import sys
from typing import Any

import jax
import numpy as np
import scipy.stats
from ml_collections import ConfigDict

from benchmarks import planted
from configs import adversarial_figures, adversarial_lsp_small
from jaxpose import augment, evaluations, train, workdir
from jaxpose import config as configs
from jaxpose.apps import launch
from jaxpose.config import spec
from jaxpose.learners import adversarial, supervised
from jaxpose.models import hourglass
from jaxpose.types import Batch

ROOT = pathlib.Path(__file__).parents[1]
SETS = {"figures": adversarial_figures, "lsp": adversarial_lsp_small}
KINDS = ("plain", "adversarial")
# Test people whose heatmaps a discriminator reconstructs at once.
TOGETHER = 50


def main() -> None:
    options = _options()
    launch.start_devices(None)
    found = {name: _of_set(name, options) for name in options.sets}
    result = {
        "made by": workdir.versions(),
        "network": options.network,
        "steps": options.steps,
        "batch size": options.batch_size,
        "sets": found,
    }
    network = "" if options.network == "own" else f"{options.network}_"
    name = f"adversarial_{network}{options.steps}.json"
    out = options.out or ROOT / "benchmarks" / "results" / name
    out.write_text(json.dumps(result, indent=1) + "\n")
    _print(found)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data_dir", default="data")
    parser.add_argument("--manual_dir", default="data/manual")
    parser.add_argument("--runs", default="runs/adversarial", type=pathlib.Path)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=[*SETS])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--network", choices=("own", "hourglass"), default="own")
    parser.add_argument("--steps", default=800, type=int)
    parser.add_argument("--batch_size", default=16, type=int)
    parser.add_argument("--out", type=pathlib.Path, help="JSON file for the result")
    return parser.parse_args()


def _of_set(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Scores of both kinds by seed, and errors of the discriminators by seed."""
    scores: dict[str, list[float]] = {kind: [] for kind in KINDS}
    errors = []
    for seed in options.seeds:
        for kind in KINDS:
            config = _config(name, kind, seed, options)
            words = name, options.network, kind, options.steps, seed
            folder = options.runs / "_".join(map(str, words))
            state = _trained(config, folder)
            scores[kind].append(_score(folder, options.steps))
            print(f"{name}, {kind}, seed {seed}: {scores[kind][-1]:.2f}", flush=True)
        errors.append(_errors(config, state))
    gain = np.subtract(scores["adversarial"], scores["plain"])
    return {
        "seeds": options.seeds,
        "test/PCK@0.2": scores,
        "mean": {kind: _interval(np.array(values)) for kind, values in scores.items()},
        "gain": _interval(gain),
        "errors of the discriminators": errors,
    }


def _config(name: str, kind: str, seed: int, options: argparse.Namespace) -> ConfigDict:
    config = SETS[name].get_config()
    config.seed = seed
    config.batch_size = options.batch_size
    config.num_steps = config.eval_every = options.steps
    config.log_every, config.checkpoints.every = 25, 100
    config.data_dir, config.manual_dir = options.data_dir, options.manual_dir
    if options.network == "hourglass":
        config.learner.model = spec(
            hourglass.StackedHourglass,
            num_keypoints=config.learner.model.num_keypoints,
            stacks=1,
            features=64,
            increase=32,
            depth=3,
            stem=(16, 32, 64),
        )
    if kind == "plain":
        shared = ("model", "objective", "optimizer")
        config.learner = spec(
            supervised.Supervised, **{field: config.learner[field] for field in shared}
        )
    return config


def _trained(config: ConfigDict, folder: pathlib.Path) -> Any:
    """The last state of a run, which is made or finished where it is not yet."""
    with workdir.claim(folder, config):
        state = train.train(**configs.build(config), workdir=folder)
    if int(state.step) < config.num_steps:
        sys.exit("stopped; the same command goes on")
    return state


def _score(folder: pathlib.Path, steps: int) -> float:
    (last,) = (found for found in evaluations.load(folder) if found.step == steps)
    return last.tables[0].mean


def _errors(config: ConfigDict, state: adversarial.State) -> dict[str, float]:
    """Mean squared errors of the test people's heatmaps, true and planted.

    `blank` is the error of saying nothing of true ones.
    """
    fields = configs.build(config)
    learner, data = fields["learner"], fields["evals"]["test"].data
    objective, skeleton = learner.objective, data.skeleton

    @jax.jit
    def look(state: adversarial.State, batch: Batch) -> dict[str, jax.Array]:
        image = augment.to_float(batch.image)

        def drawn(batch: Batch) -> jax.Array:
            return objective.true_heatmaps(objective.targets(batch, state.step))

        true = drawn(batch)
        maps = {
            "true": true,
            "limbs swapped": drawn(planted.swapped(batch, skeleton)),
            "joints shifted": drawn(planted.shifted(batch, jax.random.key(0))),
            "of another photograph": drawn(planted.of_others(batch)),
            "predicted": objective.heatmaps(learner.outputs(state, image)),
        }
        found = {
            kind: planted.errors(learner, state, image, x) for kind, x in maps.items()
        }
        found["blank"] = (true**2).mean((1, 2, 3))
        return found

    examples = data.open(config.data_dir, config.manual_dir)
    starts = range(0, len(examples) - TOGETHER + 1, TOGETHER)
    parts = [
        jax.device_get(look(state, examples.load(np.arange(start, start + TOGETHER))))
        for start in starts
    ]
    return {kind: float(np.mean([part[kind] for part in parts])) for kind in parts[0]}


def _interval(values: np.ndarray) -> dict[str, float | None]:
    """Mean, and the half width of its 95% interval by Student's t; one has none."""
    if len(values) < 2:
        return {"mean": float(values.mean()), "+-": None}
    width = scipy.stats.sem(values) * scipy.stats.t.ppf(0.975, len(values) - 1)
    return {"mean": float(values.mean()), "+-": float(width)}


def _print(found: dict[str, dict[str, Any]]) -> None:
    print("| | plain | adversarial | gain (95% interval) |\n|---|---|---|---|")
    for name, values in found.items():
        plain, ours = (values["mean"][kind]["mean"] for kind in KINDS)
        gain, width = values["gain"]["mean"], values["gain"]["+-"]
        said = f"{gain:+.1f}" + (f" +- {width:.1f}" if width is not None else "")
        print(f"| {name} | {plain:.1f} | {ours:.1f} | {said} |")


if __name__ == "__main__":
    main()
