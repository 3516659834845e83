"""Does the multi-person way from photograph to AP lose anything? COCO learned by heart.

    XLA_FLAGS=--xla_force_host_platform_device_count=2 \\
        python -m benchmarks.associative_overfit --manual_dir ../shared/data

A small network sees the same few photographs again and again, unchanged, and is scored on
these: canvases, masks, targets, tags, grouping and AP are those of
`configs/associative_coco.py`. Beside it stands the ceiling: AP of the true heatmaps with
perfect tags. Meant for a COCO of a few dozen photographs. Stop it whenever you like: it
goes on where it was.
"""

import argparse
import json
import pathlib
import sys

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree
from ml_collections import ConfigDict

from configs import associative_coco, associative_figures
from jaxpose import (
    augment,
    checkpoint,
    devices,
    predict,
    scenes,
    split_poses,
    train,
    workdir,
)
from jaxpose import config as configs
from jaxpose.config import spec
from jaxpose.learners import optimizers
from jaxpose.metrics import coco
from jaxpose.objectives import associative
from jaxpose.skeletons import COCO
from jaxpose.types import Batch, Learner, Poses, Table

RESULT = pathlib.Path(__file__).parent / "results" / "associative_overfit.json"
# How far apart the perfect tags of two people are.
APART = 3.0


def main() -> None:
    options = _options()
    config = _config(options)
    fields = configs.build(config)
    options.runs.mkdir(parents=True, exist_ok=True)
    state = train.train(**fields, workdir=options.runs)
    if int(state.step) < options.steps:
        sys.exit("stopped; the same command goes on")
    examples = fields["data"].open(options.data_dir, options.manual_dir)
    somebody = examples.people.record[(examples.people.visibility > 0).any(axis=1)]
    examples = examples.take(np.flatnonzero(np.isin(examples.record, somebody)))
    learned = _learned(fields["learner"], state, examples)
    ceiling = _ceiling(fields["learner"].objective, examples)
    result = {
        "made by": workdir.versions(),
        "steps": int(state.step),
        "batch": config.batch_size,
        "canvas": fields["data"].size,
        "convention": learned.convention,
        "learned": learned.extra,
        "ceiling": ceiling.extra,
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(RESULT.read_text())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data_dir", default="data")
    parser.add_argument("--manual_dir", default="data/manual")
    parser.add_argument("--runs", default="runs/associative_overfit", type=pathlib.Path)
    parser.add_argument("--steps", default=2000, type=int)
    return parser.parse_args()


def _config(options: argparse.Namespace) -> ConfigDict:
    config = associative_coco.get_config()
    config.data_dir, config.manual_dir = options.data_dir, options.manual_dir
    config.batch_size, config.num_steps, config.log_every = 4, options.steps, 20
    config.data.sources[0].split = "train"
    config.augment = spec(augment.Augment, skeleton=COCO)
    config.learner.model = associative_figures.get_config().learner.model
    config.learner.optimizer = spec(
        optimizers.adamw,
        learning_rate=spec(
            optimizers.warmup_cosine,
            peak=2e-3,
            warmup_steps=100,
            num_steps=options.steps,
        ),
        weight_decay=0.0,
    )
    # All photographs, also those of nobody, which it never saw.
    watched = config.evals.ae_valid
    watched.data.sources, watched.data.buckets = config.data.sources, ()
    watched.mirror, config.eval_every = False, 500
    config.evals = {"all": watched}
    config.checkpoints = spec(checkpoint.Checkpoints, every=250, keep=1, best="all/AP")
    return config


def _learned(learner: Learner, state: PyTree, examples: scenes.Examples) -> Table:
    finder = split_poses.Finder(
        learner,
        devices.mesh(),
        objective=learner.objective,
        mirror=None,
        scales=(1.0,),
    )
    poses, _ = finder.find(state, examples, batch_size=4, name="learned")
    return coco.AP()(poses, examples.annotations(), COCO)


def _ceiling(objective: associative.Associative, examples: scenes.Examples) -> Table:
    """Of outputs that say nothing but the truth."""
    decode = jax.jit(lambda b: predict.decode(objective, _ideal(objective, b), b))
    found = []
    for batch in examples.eval_batches(batch_size=4, part=slice(None)):
        poses = jax.device_get(decode(batch))
        for row in np.flatnonzero(batch.index >= 0):
            values = poses.keypoints, poses.scores, poses.person_scores
            found.append([value[row] for value in values])
    names = ("keypoints", "scores", "person_scores")
    poses = Poses(**dict(zip(names, map(np.stack, zip(*found)))))
    return coco.AP()(poses, examples.annotations(), COCO)


def _ideal(
    objective: associative.Associative, batch: Batch
) -> Float[Array, "1 b h w c"]:
    """True heatmaps, and everywhere the tag of the person whose keypoint is nearest."""
    targets = objective.targets(batch, jnp.array(0))
    h, w = targets.maps.shape[1:3]
    cell = jnp.stack([targets.cell % w, targets.cell // w], axis=-1)
    grid = _cells(h, w)
    away = jnp.square(grid - cell[:, :, :, None, None]).sum(axis=-1)
    away = jnp.where(targets.counted[..., None, None], away, jnp.inf)
    tags = APART * away.argmin(axis=1).transpose(0, 2, 3, 1)
    return jnp.concatenate([targets.maps, tags], axis=-1)[None]


def _cells(h: int, w: int) -> Float[Array, "h w 2"]:
    """(x, y) of every cell."""
    return jnp.stack(jnp.meshgrid(jnp.arange(w), jnp.arange(h)), axis=-1)


if __name__ == "__main__":
    main()
