"""Does the multi-person way from photograph to AP lose anything? COCO learned by heart.

    XLA_FLAGS=--xla_force_host_platform_device_count=2 \\
        python -m benchmarks.associative_overfit --manual_dir ../shared/data

A small network sees the same few photographs again and again, unchanged, and is scored on
these: canvases, masks, targets, tags, grouping and AP are those of
`configs/associative_coco.py`. Meant for a COCO of a few dozen photographs. Stop it
whenever you like: it goes on where it was.
"""

import argparse
import json
import pathlib

from ml_collections import ConfigDict

from configs import associative_coco
from jaxpose import augment, checkpoint, train, workdir
from jaxpose import config as configs
from jaxpose.config import spec
from jaxpose.learners import optimizers
from jaxpose.models import pose_resnet, resnet
from jaxpose.skeletons import COCO

RESULT = pathlib.Path(__file__).parent / "results" / "associative_overfit.json"


def main() -> None:
    options = _options()
    config = _config(options)
    options.runs.mkdir(parents=True, exist_ok=True)
    train.train(**configs.build(config), workdir=options.runs)
    lines = (options.runs / "metrics.jsonl").read_text().splitlines()
    result = {
        "made by": workdir.versions(),
        "steps": options.steps,
        "batch": config.batch_size,
        "canvas": config.data.size,
        "scores": [line for line in map(json.loads, lines) if "train/AP" in line],
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(RESULT.read_text())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data_dir", default="data")
    parser.add_argument("--manual_dir", default="data/manual")
    parser.add_argument(
        "--runs", default="runs/associative_overfit", type=pathlib.Path
    )
    parser.add_argument("--steps", default=2000, type=int)
    return parser.parse_args()


def _config(options: argparse.Namespace) -> ConfigDict:
    config = associative_coco.get_config()
    config.data_dir, config.manual_dir = options.data_dir, options.manual_dir
    config.batch_size, config.num_steps = 4, options.steps
    config.log_every, config.eval_every = 20, 250
    photographs = config.data.sources[0]
    photographs.split = "train"
    config.augment = spec(augment.Augment, skeleton=COCO)
    config.learner.model = spec(
        pose_resnet.PoseResNet,
        num_keypoints=34,
        trunk=spec(
            resnet.ResNet,
            blocks=(1, 1, 2, 2),
            bottleneck=False,
            features=(32, 64, 128, 256),
        ),
        deconvolutions=(64, 64, 64),
    )
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
    watched = config.evals.ae_valid
    watched.data.sources, watched.mirror = (photographs,), False
    config.evals = {"train": watched}
    config.checkpoints = spec(checkpoint.Checkpoints, every=250, keep=1, best="train/AP")
    return config


if __name__ == "__main__":
    main()
