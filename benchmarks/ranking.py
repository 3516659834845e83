"""Do networks rank on drawn people as on photographs? Six ways to say where.

    XLA_FLAGS=--xla_force_host_platform_device_count=2 python -m benchmarks.ranking \\
        --data_dir data --manual_dir ../shared/data --steps 500

The same steps, canvases of 96 x 96 and augmentation on `figures/single` and on LSP with
LSPET: coordinates through a spatial mean, heatmaps by squared error, and heatmaps as
probabilities; and three losses for one linear layer on one residual network. PCK@0.2 on
the 1000 test people of each. `--ways "linear*" --sets figures` runs some of them.
"""

import argparse
import dataclasses
import fnmatch
import json
import pathlib
import tempfile
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float
from ml_collections import ConfigDict

from configs import hourglass_lsp_small, quickstart
from jaxpose import config as configs
from jaxpose import train
from jaxpose.config import spec
from jaxpose.models import (
    density_regressor,
    integral,
    pose_resnet,
    regressor,
    resnet,
)
from jaxpose.objectives import (
    coordinates,
    heatmaps,
    residual_log_likelihood,
    softmax_heatmaps,
)
from jaxpose.skeletons import Skeleton
from jaxpose.types import Batch, Metrics, Poses

SIZE = (96, 96)
SETS = {"figures": (quickstart, 16), "lsp": (hourglass_lsp_small, 14)}


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
    integral_net = spec(
        integral.IntegralRegressor,
        num_keypoints=keypoints,
        features=(24, 48, 96),
        blocks=(0, 1, 3),
    )
    return {
        "coordinates": {
            "model": integral_net,
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
        **linear_ways(keypoints),
    }


def linear_ways(keypoints: int) -> dict[str, dict[str, ConfigDict]]:
    """Losses for one linear layer on one trunk, whose features are averaged."""
    fields = {
        "num_keypoints": keypoints,
        "trunk": spec(
            resnet.ResNet,
            blocks=(1, 1, 1, 1),
            bottleneck=False,
            features=(32, 64, 128, 256),
        ),
    }
    encoding = spec(coordinates.Coordinates, size=SIZE, extent=0.5)
    return {
        "linear, squared error": {
            "model": spec(regressor.Regressor, **fields),
            "objective": encoding,
        },
        "linear, absolute error": {
            "model": spec(regressor.Regressor, **fields),
            "objective": spec(AbsoluteError, encoding=encoding),
        },
        "linear, residual log-likelihood": {
            "model": spec(density_regressor.DensityRegressor, **fields),
            "objective": spec(
                residual_log_likelihood.ResidualLogLikelihood, encoding=encoding
            ),
        },
    }


@dataclasses.dataclass(frozen=True, kw_only=True)
class AbsoluteError:
    """The L1 loss that residual log-likelihood was published against."""

    encoding: coordinates.Coordinates

    @property
    def size(self) -> tuple[int, int]:
        return self.encoding.size

    def targets(self, batch: Batch, step: Array) -> coordinates.Targets:
        return self.encoding.targets(batch, step)

    def loss(
        self, outputs: Float[Array, "b k 2"], targets: coordinates.Targets
    ) -> tuple[Float[Array, ""], Metrics]:
        labeled = targets.labeled[..., None]
        error = jnp.where(labeled, outputs - targets.coordinates, 0.0)
        loss = jnp.abs(error).sum() / jnp.maximum(2 * targets.labeled.sum(), 1)
        return loss, {"loss": loss}

    def decode(self, outputs: Float[Array, "b k 2"]) -> Poses:
        return self.encoding.decode(outputs)

    def flip(
        self, outputs: Float[Array, "b k 2"], skeleton: Skeleton
    ) -> Float[Array, "b k 2"]:
        return self.encoding.flip(outputs, skeleton)


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
    parser.add_argument("--ways", default="*", help="glob of their names")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=[*SETS])
    parser.add_argument("--out", help="JSON file for the result")
    options = parser.parse_args()
    found: dict[str, dict[str, float]] = {}
    for name in options.sets:
        made, keypoints = SETS[name]
        every = ways(keypoints)
        for way in fnmatch.filter(every, options.ways):
            percent = score(made.get_config(), every[way], options)
            found.setdefault(way, {})[name] = round(percent, 2)
            print(f"{way} on {name}: {percent:.2f}", flush=True)
    if options.out:
        result = {"steps of 32": options.steps, "test/PCK@0.2": found}
        pathlib.Path(options.out).write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
