"""Time and memory of rarity weights; with --data, what they follow on LSP and LSPET.

python -m benchmarks.rarity [--people 11000 100000] [--data ../shared/data]
    [--out benchmarks/results/rarity_cpu.json]

Weights are exact (no tolerance). Each size runs in a process of its own, so that its
peak memory, imports included, is its own; a load average above 1 says that others
worked beside it, and CPU seconds say more then. People are synthetic: 14 keypoints, eight
directions of variation, a tenth of the keypoints missing. `--data` reads joints.mat
and photograph sizes of `lspet_dataset/` and of the 1000 training people of
`lsp_dataset/`, as their archives unpack.
"""

import argparse
import json
import multiprocessing
import os
import pathlib
import platform
import resource
import sys
import time
from typing import Any

import numpy as np
import PIL.Image
import scipy
import scipy.io
import sklearn

from jaxpose import rarity

People = tuple[np.ndarray, np.ndarray, np.ndarray]


def synthetic(n: int) -> People:
    random = np.random.default_rng(0)
    size = random.integers(100, 400, (n, 2))
    basis = random.normal(size=(8, 14, 2)) * 0.08
    relative = 0.5 + np.einsum("na,akc->nkc", random.normal(size=(n, 8)), basis)
    visibility = 2 * (random.random((n, 14)) > 0.1)
    return relative * size[:, None, ::-1], visibility, size


def measure(n: int) -> dict[str, float]:
    people = synthetic(n)
    start, cpu_start = time.perf_counter(), time.process_time()
    weights = rarity.Rarity()(*people)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu_start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "people": n,
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu, 2),
        "load_average": round(os.getloadavg()[0], 1),
        "peak_mib": round(peak),
        "mean_weight": round(float(weights.mean()), 6),
    }


def leeds(folder: pathlib.Path) -> People:
    """LSPET, then the training people of LSP; 0-based, missing keypoints unlabeled."""
    lspet = joints(folder / "lspet_dataset" / "joints.mat").transpose(2, 0, 1)
    lsp = joints(folder / "lsp_dataset" / "joints.mat").transpose(2, 1, 0)[:1000]
    flag = np.concatenate([lspet[..., 2], 2 - lsp[..., 2]])
    flag[: len(lspet)] *= 2  # 1 = visible in LSPET, but 1 = occluded in LSP
    size = sizes(folder / "lspet_dataset") + sizes(folder / "lsp_dataset")[:1000]
    keypoints = np.concatenate([lspet, lsp])[..., :2] - 1
    return keypoints, flag.astype(int), np.array(size)


def joints(path: pathlib.Path) -> np.ndarray:
    return scipy.io.loadmat(path)["joints"]


def sizes(folder: pathlib.Path) -> list[tuple[int, int]]:
    photographs = sorted((folder / "images").glob("*.jpg"))
    return [PIL.Image.open(path).size[::-1] for path in photographs]


def lose(visibility: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Gives complete people the gaps of incomplete ones; returns who, and the result."""
    random = np.random.default_rng(0)
    complete = (visibility > 0).all(1)
    who = random.permutation(np.flatnonzero(complete))[:count]
    gaps = visibility[~complete]
    lost = visibility.copy()
    lost[who] *= gaps[random.integers(len(gaps), size=count)] > 0
    return who, lost


def missingness(weigh: rarity.Rarity, people: People) -> dict[str, float]:
    """How log weights depend on missing keypoints, as annotated and when removed."""
    keypoints, visibility, size = people
    who, lost = lose(visibility, 2000)
    gone = np.where(lost[..., None] > 0, keypoints, -1.0)
    log = np.log(weigh(keypoints, visibility, size))
    change = (np.log(weigh(gone, lost, size)) - log)[who]
    missing, removed = (visibility == 0).sum(1), (lost[who] == 0).sum(1)
    numbers = {
        "correlation_of_log_weight_with_missing": np.corrcoef(log, missing)[0, 1],
        "standard_deviation_of_log_weight": log.std(),
        "smallest_weight": np.exp(log.min()),
        "largest_weight": np.exp(log.max()),
        "mean_change_when_removed": change.mean(),
        "standard_deviation_of_change": change.std(),
        "correlation_of_change_with_removed": np.corrcoef(change, removed)[0, 1],
    }
    return {name: round(float(value), 3) for name, value in numbers.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, nargs="*", default=[11_000, 100_000])
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path)
    args = parser.parse_args()
    # For the processes below: on busy cores two BLAS threads wait for each other, and
    # 11,000 people take 15 s instead of 4 s.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    speed = []
    for n in args.people:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            speed.append(pool.apply(measure, (n,)))
        print(speed[-1], flush=True)
    report: dict[str, Any] = {
        "command": " ".join(["python -m benchmarks.rarity", *sys.argv[1:]]),
        "device": f"{platform.machine()} CPU, {os.cpu_count()} cores",
        "versions": {m.__name__: m.__version__ for m in (np, scipy, sklearn)},
        "speed": speed,
    }
    if args.data:
        people = leeds(args.data)
        for name, weigh in ("original", rarity.original()), ("here", rarity.Rarity()):
            report[name] = missingness(weigh, people)
            print(name, json.dumps(report[name], indent=1), flush=True)
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
