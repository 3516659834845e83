"""One training step of configs/deeppose_wl.py beside PyTorch's, in one run.

    python -m benchmarks.vgg_step --batch_size 8 --steps 4

Both train VGG16-BN with the original's head on the same random canvases by SGD with
momentum; ours also jitters colours, which the original did on the host. Steps of the two
alternate, so that other load falls on both alike. PyTorch is not among the dependencies.
"""

import argparse
import json
import pathlib
import resource

import numpy as np
import torch

from benchmarks import steps
from configs import deeppose_wl
from jaxpose import workdir
from jaxpose.models import vgg

RESULT = pathlib.Path(__file__).with_name("results") / "vgg_step_cpu.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch_size", default=8, type=int)
    parser.add_argument("--steps", default=4, type=int)
    options = parser.parse_args()
    runners = {
        "jaxpose": steps.of_config(deeppose_wl.get_config(), options.batch_size),
        "pytorch": _pytorch(options.batch_size),
    }
    seconds = steps.seconds(runners, options.steps)
    # The first step compiles and allocates.
    rate = {name: options.batch_size / np.median(s[1:]) for name, s in seconds.items()}
    result = {
        "made by": workdir.versions() | {"torch": torch.__version__},
        "batch_size": options.batch_size,
        "images_per_second": rate,
        "ratio": rate["jaxpose"] / rate["pytorch"],
        "peak_memory_of_both_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        / 1e6,
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def _pytorch(n: int) -> steps.Step:
    layers: list[torch.nn.Module] = []
    channels = 3
    for stage in vgg.STAGES:
        for features in stage:
            layers += [
                torch.nn.Conv2d(channels, features, 3, padding=1),
                torch.nn.BatchNorm2d(features),
                torch.nn.ReLU(inplace=True),
            ]
            channels = features
        layers.append(torch.nn.MaxPool2d(2, 2))
    layers.append(torch.nn.Flatten())
    for width in (25088, 4096):
        layers += [torch.nn.Linear(width, 4096), torch.nn.ReLU(), torch.nn.Dropout()]
    model = torch.nn.Sequential(*layers, torch.nn.Linear(4096, 28))
    # Its faster memory layout on a CPU.
    model = model.to(memory_format=torch.channels_last)
    image = torch.rand(n, 3, 224, 224).to(memory_format=torch.channels_last)
    target = torch.rand(n, 28)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=2e-3, momentum=0.9, weight_decay=1e-4
    )

    def run() -> None:
        optimizer.zero_grad()
        loss = torch.mean((model(image) - target) ** 2)
        loss.backward()
        optimizer.step()
        loss.item()

    return run


if __name__ == "__main__":
    main()
