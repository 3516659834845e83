"""Do networks rank on drawn people as on photographs? Three ways to say where.

    XLA_FLAGS=--xla_force_host_platform_device_count=2 python -m benchmarks.ranking \\
        --data_dir data --manual_dir ../shared/data --steps 500

The same steps, canvases of 96 x 96 and augmentation on `figures/single` and on LSP with
LSPET: coordinates through a spatial mean, heatmaps by squared error, and heatmaps as
probabilities. PCK@0.2 on the 1000 test people of each.
"""

import argparse
import json
import pathlib
import tempfile
from typing import Any

from ml_collections import ConfigDict

from configs import hourglass_lsp_small, quickstart
from jaxpose import config as configs
from jaxpose import train
from jaxpose.config import spec
from jaxpose.models import integral, pose_resnet, resnet
from jaxpose.objectives import coordinates, heatmaps, softmax_heatmaps

SIZE = (96, 96)


def ways(keypoints: int) -> dict[str, dict[str, ConfigDict]]:
    """Model and objective of each way."""
    heatmap_net = spec(
        pose_resnet.PoseResNet,
        num_keypoints=keypoints,
        trunk=spec(
            resnet.ResNet, blocks=(1, 1, 1), bottleneck=False, features=(32, 64, 128)
        ),
        deconvolutions=(64, 64),
    )
    regressor = spec(
        integral.IntegralRegressor,
        num_keypoints=keypoints,
        features=(24, 48, 96),
        blocks=(0, 1, 3),
    )
    return {
        "coordinates": {
            "model": regressor,
            "objective": spec(coordinates.Coordinates, size=SIZE),
        },
        "heatmaps, squared error": {
            "model": heatmap_net,
            "objective": spec(heatmaps.Heatmaps, size=SIZE),
        },
        "heatmaps, probabilities": {
            "model": heatmap_net,
            "objective": spec(softmax_heatmaps.SoftmaxHeatmaps, size=SIZE),
        },
    }


def score(config: ConfigDict, way: dict[str, ConfigDict], options: Any) -> float:
    """PCK@0.2 at the end of a run of this config, trained in another way."""
    config.num_steps = config.eval_every = options.steps
    config.data_dir, config.manual_dir = options.data_dir, options.manual_dir
    for name, part in way.items():
        config.learner[name] = part
    with tempfile.TemporaryDirectory() as folder:
        workdir = pathlib.Path(folder)
        train.train(**configs.build(config), workdir=workdir)
        lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return next(json.loads(x)["test/PCK@0.2"] for x in lines if "test/PCK" in x)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--data_dir", default="data")
    parser.add_argument("--manual_dir", default="data/manual")
    parser.add_argument("--out", help="JSON file for the result")
    options = parser.parse_args()
    found: dict[str, dict[str, float]] = {}
    for name, made, keypoints in (
        ("figures", quickstart, 16),
        ("lsp", hourglass_lsp_small, 14),
    ):
        for way, parts in ways(keypoints).items():
            result = score(made.get_config(), parts, options)
            found.setdefault(way, {})[name] = round(result, 2)
            print(f"{way} on {name}: {result:.2f}", flush=True)
    if options.out:
        result = {"steps of 32": options.steps, "test/PCK@0.2": found}
        pathlib.Path(options.out).write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
