"""Training steps of stacked hourglasses: time to compile, speed, and PyTorch's beside it.

    python -m benchmarks.hourglass_step --stacks 1 2 8 --batch_size 4 --steps 3

`configs/hourglass_mpii.py` at 256 x 256 with 256 features: in float32, with bfloat16 and
with rematerialisation; ours also augments. PyTorch's network has the same convolutions,
normalizations and skips, and RMSprop. The first step is traced, compiled and taken; its
seconds are those of all cores together. PyTorch is not among the dependencies.
"""

import argparse
import gc
import json
import pathlib
import time

import jax
import numpy as np
import torch

from benchmarks import steps
from benchmarks.torch_hourglass import TorchHourglass
from configs import hourglass_mpii
from jaxpose import workdir

RESULTS = pathlib.Path(__file__).with_name("results")
WAYS = {
    "jaxpose": {},
    "jaxpose, bfloat16": {"dtype": "bfloat16"},
    "jaxpose, remat": {"remat": True},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stacks", default=(1, 2, 8), type=int, nargs="+")
    parser.add_argument("--batch_size", default=4, type=int)
    parser.add_argument("--steps", default=3, type=int)
    options = parser.parse_args()
    device = jax.devices()[0].device_kind.lower().replace(" ", "_")
    result: dict[str, object] = {
        "made by": workdir.versions() | {"torch": torch.__version__},
        "batch_size": options.batch_size,
    }
    for stacks in options.stacks:
        result[f"{stacks} stacks"] = _measure(stacks, options.batch_size, options.steps)
        (RESULTS / f"hourglass_step_{device}.json").write_text(
            json.dumps(result, indent=2) + "\n"
        )
        print(json.dumps({f"{stacks} stacks": result[f"{stacks} stacks"]}, indent=2))


def _measure(stacks: int, n: int, count: int) -> dict[str, dict[str, float]]:
    """CPU seconds of the first step, and images/s of each way and of PyTorch."""
    rate, first = {}, {}
    for name, fields in WAYS.items():
        step = _jaxpose(stacks, n, fields)
        before = time.process_time()
        step()
        first[name] = time.process_time() - before
        # One network in memory at a time, each in turn with PyTorch's.
        runners = {name: step, "pytorch": _pytorch(stacks, n)}
        found = steps.seconds(runners, count)
        rate[name], beside = (n / float(np.median(s[1:])) for s in found.values())
        rate[f"{name}: pytorch beside it"] = beside
        del step, runners
        gc.collect()
    return {"cpu_seconds_of_first_step": first, "images_per_second": rate}


def _jaxpose(stacks: int, n: int, fields: dict[str, object]) -> steps.Step:
    config = hourglass_mpii.get_config()
    config.learner.model.stacks = stacks
    config.learner.model.update(fields)
    return steps.of_config(config, n)


def _pytorch(stacks: int, n: int) -> steps.Step:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = TorchHourglass(stacks).to(device, memory_format=torch.channels_last)
    image = torch.rand(n, 3, 256, 256, device=device)
    image = image.to(memory_format=torch.channels_last)
    target = torch.rand(n, 16, 64, 64, device=device)
    optimizer = torch.optim.RMSprop(network.parameters(), lr=2.5e-4)

    def run() -> None:
        optimizer.zero_grad()
        loss = sum(torch.mean((maps - target) ** 2) for maps in network(image))
        loss.backward()
        optimizer.step()
        loss.item()

    return run


if __name__ == "__main__":
    main()
