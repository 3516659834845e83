"""Grouping by tags for 1, 10 and 30 people, beside the original's algorithm.

    python -m benchmarks.grouping --out benchmarks/results/grouping_cpu.json

Maps and tags of one image at 128 x 128 cells with 17 keypoints and tags of two dimensions.
Ours is one compiled program; the original's is NumPy and Python with Munkres' assignment,
and the same with SciPy's. All in turn in one run; medians, with refinement.
"""

import argparse
import json
import pathlib
from collections.abc import Callable

import jax
import numpy as np

from benchmarks import medians, original_grouping
from jaxpose import workdir
from jaxpose.objectives import grouping

CELLS, KEYPOINTS, DIMENSIONS = 128, 17, 2
ORDER = (0, 1, 2, 3, 4, 5, 6, 11, 12, 7, 8, 9, 10, 13, 14, 15, 16)


def drawn(people: int) -> tuple[np.ndarray, np.ndarray]:
    """Maps "h w k" and tags "h w k d" of as many people, a fifth of whose keypoints hide.

    Peaks of sigma 2 on faint noise; tags 1 apart along a line, with a tenth of that as
    noise, so that some of 30 people are mistaken for their neighbours.
    """
    rng = np.random.default_rng(people)
    shape = (CELLS, CELLS, KEYPOINTS)
    maps, tags = rng.uniform(0, 0.05, shape), np.zeros((*shape, DIMENSIONS))
    nearest = np.zeros(shape)
    y, x = np.mgrid[:CELLS, :CELLS]
    for person in range(people):
        center = rng.uniform(20, CELLS - 20, 2)
        for k in np.flatnonzero(rng.uniform(size=KEYPOINTS) < 0.8):
            px, py = rng.normal(center, 10).clip(0, CELLS - 1)
            peak = np.exp(-((x - px) ** 2 + (y - py) ** 2) / 8)
            mine = peak > nearest[..., k]
            tags[..., k, :][mine] = person
            nearest[..., k] = np.maximum(nearest[..., k], peak)
    maps += rng.uniform(0.6, 0.95, KEYPOINTS) * nearest
    tags += rng.normal(0, 0.1, tags.shape)
    return maps.astype(np.float32), tags.astype(np.float32)


def runners(people: int) -> dict[str, Callable[[], object]]:
    maps, tags = drawn(people)
    arrays = jax.device_put((maps[None], tags[None]))
    first = maps.transpose(2, 0, 1).copy(), tags.transpose(2, 0, 1, 3).copy()
    # Compiled anew for each number of people: the fields and the program are the same.
    program = jax.jit(grouping.Grouping(order=ORDER))

    def original(solve: original_grouping.Solver) -> Callable[[], object]:
        return lambda: original_grouping.group(*first, ORDER, solve)

    return {
        "jaxpose": lambda: jax.block_until_ready(program(*arrays)),
        "original, Munkres": original(original_grouping.munkres),
        "original, SciPy": original(original_grouping.scipy_solver),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, nargs="+", default=[1, 10, 30])
    parser.add_argument("--repeat", type=int, default=50)
    parser.add_argument("--out", help="JSON file for the result")
    options = parser.parse_args()
    ways = {
        (people, name): run
        for people in options.people
        for name, run in runners(people).items()
    }
    slow = [way for way in ways if way[1] != "jaxpose"]
    times = medians.milliseconds(ways, options.repeat, slow=slow)
    result: dict[str, object] = {"made by": workdir.versions()}
    for people in options.people:
        mine = times[people, "jaxpose"]
        result[f"{people} people"] = {
            "milliseconds": {
                n: round(t, 2) for (p, n), t in times.items() if p == people
            },
            "times faster": {
                n: round(t / mine, 1)
                for (p, n), t in times.items()
                if p == people and n != "jaxpose"
            },
        }
    mine = [times[people, "jaxpose"] for people in options.people]
    result["slowest over fastest number of people"] = round(max(mine) / min(mine), 3)
    print(json.dumps(result, indent=1))
    if options.out:
        pathlib.Path(options.out).write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
