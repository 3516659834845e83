"""Whole training steps of configs, to be timed beside others in one run."""

import time
from collections.abc import Callable, Mapping

import jax
import numpy as np
from ml_collections import ConfigDict

from jaxpose import config as configs
from jaxpose import devices, programs
from jaxpose.types import Batch

Step = Callable[[], object]


def of_config(config: ConfigDict, batch_size: int) -> Step:
    """A step on the same random canvases every time, augmentation included."""
    learner, augment = configs.build(config.learner), configs.build(config.augment)
    data = configs.build(config.data)
    batch = _batch(batch_size, data.size, len(data.skeleton.keypoints))
    mesh = devices.mesh()
    state = jax.device_put(
        programs.init_state(learner, batch, 0), devices.replicated(mesh)
    )
    step = programs.train_step(learner, augment, 0, mesh)
    placed = devices.put_batch(batch, mesh)
    box = [state]

    def run() -> None:
        box[0], metrics = step(box[0], placed)
        float(metrics["loss"])

    return run


def seconds(steps: Mapping[str, Step], count: int) -> dict[str, list[float]]:
    """Of `count` steps of each and a first one, which compiles and allocates.

    They take turns, so that other load falls on all alike.
    """
    found: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(count + 1):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            found[name].append(time.perf_counter() - start)
    return found


def _batch(n: int, size: tuple[int, int], k: int) -> Batch:
    generator = np.random.default_rng(0)
    return Batch(
        image=generator.integers(0, 256, (n, *size, 3), np.uint8),
        keypoints=generator.uniform(0, min(size), (n, 1, k, 2)).astype(np.float32),
        visibility=np.full((n, 1, k), 2, np.int32),
        scale=np.ones((n, 1), np.float32),
        weight=np.ones(n, np.float32),
        mask=np.ones((n, *size), np.uint8),
        to_source=np.tile(np.eye(2, 3, dtype=np.float32), (n, 1, 1)),
        index=np.arange(n, dtype=np.int32),
    )
