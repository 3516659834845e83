"""Parsing of proposals for 1, 10 and 30 people, beside the original's algorithm.

    python -m benchmarks.parsing --out benchmarks/results/parsing_cpu.json

Outputs of the network for one image, on the original's grid of 12 x 12 cells, and on one
of 32 x 32, since 30 people share cells on the smaller. Ours is one compiled program, from
outputs to poses, of one image and of a batch, as evaluations have it; the original's is
NumPy and Python. All in turn in one run; medians, of a batch by image. A batch is the
same image again and again. At the end, the network of `configs/proposal_mpii.py`, fresh
and looking at noise, with and without parsing.
"""

import argparse
import json
import pathlib
from collections.abc import Callable

import jax
import numpy as np

from benchmarks import medians, original_parsing
from configs import proposal_mpii
from jaxpose import config, workdir
from jaxpose.objectives import proposal_maps, proposal_parsing
from jaxpose.objectives.proposal_parts import MPII
from jaxpose.types import Poses

GRIDS, WINDOW, STRIDE = (12, 32), (9, 9), 32
SIZE = (original_parsing.SIDE, original_parsing.SIDE)
OURS = {
    "jaxpose": proposal_parsing.Parsing(),
    "jaxpose, S.E.D": proposal_parsing.Parsing(score="sed"),
    "jaxpose, optimal": proposal_parsing.Parsing(matching="optimal"),
}
# Images in a batch.
TOGETHER = 16
BATCH = f"jaxpose, {TOGETHER} images together"
ORIGINAL = "original"
# Of the network, which takes seconds each.
TURNS = 5


def drawn(people: int, grid: int) -> np.ndarray:
    """Outputs "1 i j c" of as many people, a fifth of whose parts hide.

    Parts lie within three cells of their person. Beside each a weaker proposal of the
    same box is suppressed; limbs within a person are sure, others are faint noise.
    """
    rng = np.random.default_rng(people)
    k, reach = len(MPII), WINDOW[0] // 2
    parts = rng.uniform(0, 0.08, (grid, grid, k, 6))
    limbs = rng.uniform(0, 0.08, (grid, grid, *WINDOW, len(MPII.limbs)))
    center = rng.uniform(2 if grid == 12 else 3, grid - 2, (people, 1, 2))
    place = (center + rng.uniform(-2, 2, (people, k, 2))).clip(0, grid - 1.01)
    shown = (rng.uniform(size=(people, k)) < 0.8) | (np.arange(k) == 0)
    cell = place.astype(int)
    for person, part in np.argwhere(shown):
        (x, y), root = place[person, part], 0.45 if part == 0 else 0.22
        j, i = cell[person, part]
        for row, response in ((i, 0.9), (i + 1 if i + 1 < grid else i - 1, 0.3)):
            if response > parts[row, j, part, 0]:
                score = response * rng.uniform(0.9, 1.1)
                parts[row, j, part] = score, 0.8, x - j, y - row, root, root
    for number, (start, end) in enumerate(MPII.limbs):
        for person in np.flatnonzero(shown[:, start] & shown[:, end]):
            (j, i), apart = cell[person, start], cell[person, end] - cell[person, start]
            dj, di = apart + reach
            limbs[i, j, di, dj, number] = 0.9
    outputs = np.concatenate(
        [x.reshape(grid, grid, -1) for x in (parts, limbs)], axis=-1
    )
    return outputs[None].astype(np.float32)


def runners(people: int, grid: int) -> dict[str, Callable[[], object]]:
    outputs = drawn(people, grid)
    array = jax.device_put(outputs)

    def ours(way: proposal_parsing.Parsing, given: jax.Array) -> Callable[[], object]:
        # Compiled anew for each number of people: the program is the same.
        @jax.jit
        def program(outputs: jax.Array) -> Poses:
            return way(
                proposal_maps.split(
                    outputs, MPII, window=WINDOW, size=SIZE, stride=STRIDE
                )
            )

        return lambda: jax.block_until_ready(program(given))

    ways = {name: ours(way, array) for name, way in OURS.items()}
    batch = jax.device_put(np.repeat(outputs, TOGETHER, axis=0))
    ways[BATCH] = ours(OURS["jaxpose"], batch)
    return ways | {ORIGINAL: lambda: original_parsing.parse(outputs[0])}


def rates() -> dict[str, float]:
    """Images a second of the network alone, and of network and parsing."""
    learner = config.build(proposal_mpii.get_config().learner)
    image = np.random.default_rng(0).uniform(size=(TOGETHER, *SIZE, 3))
    image = jax.device_put(image.astype(np.float32))
    variables = learner.model.lazy_init(
        jax.random.key(0), jax.eval_shape(lambda: image[:1]), train=False
    )

    @jax.jit
    def outputs(image: jax.Array) -> jax.Array:
        return learner.model.apply(variables, image, train=False)

    @jax.jit
    def poses(image: jax.Array) -> Poses:
        return learner.objective.decode(outputs(image))

    programs = {"network": outputs, "network and parsing": poses}
    ways = {
        name: lambda program=program: jax.block_until_ready(program(image))
        for name, program in programs.items()
    }
    times = medians.milliseconds(ways, TURNS, slow=[])
    return {name: round(1000 * TOGETHER / t, 2) for name, t in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, nargs="+", default=[1, 10, 30])
    parser.add_argument("--repeat", type=int, default=200)
    parser.add_argument("--out", help="JSON file for the result")
    options = parser.parse_args()
    result: dict[str, object] = {"made by": workdir.versions()}
    for grid in GRIDS:
        cases = {people: f"{people} people" for people in options.people}
        ways = {
            (case, name): run
            for people, case in cases.items()
            for name, run in runners(people, grid).items()
        }
        slow = [way for way in ways if way[1] == ORIGINAL]
        times = medians.milliseconds(ways, options.repeat, slow=slow)
        for case in cases.values():
            times[case, BATCH] /= TOGETHER
        result[f"{grid} x {grid} cells"] = summary(times, [*cases.values()])
    result[f"images/s, ResNet-18, {SIZE}, batches of {TOGETHER}"] = rates()
    print(json.dumps(result, indent=1))
    if options.out:
        pathlib.Path(options.out).write_text(json.dumps(result, indent=1) + "\n")


def summary(times: dict[tuple[str, str], float], cases: list[str]) -> dict[str, object]:
    """Of one grid."""
    found: dict[str, object] = {
        case: {
            "milliseconds": {
                n: round(t, 3) for (c, n), t in times.items() if c == case
            },
            "times faster than the original": {
                name: round(times[case, ORIGINAL] / times[case, name], 1)
                for name in (*OURS, BATCH)
            },
        }
        for case in cases
    }
    found["slowest over fastest number of people"] = {
        name: round(
            max(times[case, name] for case in cases)
            / min(times[case, name] for case in cases),
            3,
        )
        for name in (*OURS, BATCH)
    }
    return found


if __name__ == "__main__":
    main()
