"""How fast `figures` draws its pictures on all cores.

    python -m benchmarks.figures --out benchmarks/results/figures_cpu.json

Pictures with their annotations, masks and JPEG files, as the builder writes them; the
start of the processes is counted.
"""

import argparse
import importlib.metadata
import json
import platform
import time

from data_builders.figures import figures_dataset_builder, workers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--out", help="JSON file for the result")
    options = parser.parse_args()
    cores, seconds = figures_dataset_builder.cores(), {}
    for config in (figures_dataset_builder.SINGLE, figures_dataset_builder.MULTI):
        start = time.perf_counter()
        drawn = workers.records(
            config.recipe, "train", options.pictures, processes=cores
        )
        count = sum(1 for _ in drawn)
        seconds[config.name] = round(time.perf_counter() - start, 1)
        print(f"{config.name}: {count} pictures in {seconds[config.name]} s")
    if options.out:
        result = {
            "seconds": seconds,
            "pictures": options.pictures,
            "device": f"{cores} cores, {platform.machine()}",
            "opencv": importlib.metadata.version("opencv-python-headless"),
            "command": f"python -m benchmarks.figures --pictures {options.pictures}",
        }
        with open(options.out, "w") as file:
            json.dump(result, file, indent=1)


if __name__ == "__main__":
    main()
