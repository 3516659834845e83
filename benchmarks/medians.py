"""Short programs timed beside each other."""

import time
from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

import numpy as np

Name = TypeVar("Name")
# A slow one waits so many turns.
RARELY = 5


def milliseconds(
    ways: Mapping[Name, Callable[[], object]], repeat: int, *, slow: Collection[Name]
) -> dict[Name, float]:
    """Medians over `repeat` turns, in which each runs once, after a first run of all.

    They take turns, so that other load falls on all alike.

    Args:
        slow: those that run in every fifth turn alone.
    """
    found: dict[Name, list[float]] = {name: [] for name in ways}
    for run in ways.values():
        run()
    for turn in range(repeat):
        for name, run in ways.items():
            if name not in slow or turn % RARELY == 0:
                start = time.perf_counter()
                run()
                found[name].append(1000 * (time.perf_counter() - start))
    return {name: float(np.median(times)) for name, times in found.items()}
