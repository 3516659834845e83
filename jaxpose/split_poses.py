"""The poses of a whole split: batches through the network, into the order of the rows."""

import dataclasses
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Int, PyTree
from tqdm import tqdm

from jaxpose import augment, devices, heatmap_pictures, loading, predict
from jaxpose.skeletons import Skeleton
from jaxpose.types import (
    Batch,
    HeatmapObjective,
    Learner,
    Objective,
    Poses,
    ReconstructingLearner,
)

# Examples whose heatmaps are drawn, all of the first batch.
HEATMAPS = 4

_Maps = heatmap_pictures.Maps
_Found = tuple[Poses, Int[Array, "b"], _Maps | None]


class Finder:
    """Prediction as a program over a mesh, compiled once for each size of canvas."""

    def __init__(
        self,
        learner: Learner,
        mesh: Mesh,
        *,
        objective: Objective,
        mirror: Skeleton | None,
        scales: Sequence[float],
    ) -> None:
        """Args are as of `predict.outputs`."""

        def look(state: PyTree, batch: Batch) -> _Found:
            outputs = predict.outputs(
                learner, state, batch, mirror=mirror, scales=scales, objective=objective
            )
            poses = predict.decode(objective, outputs, batch, scales=scales)
            maps = _heatmaps(objective, outputs, batch, state.step)
            # The rows of all processes: each of them loaded a part of the batch.
            return poses, batch.index, maps

        self._mesh = mesh
        self._look = devices.data_parallel(look, mesh)
        self._reconstructed = _reconstruction(learner, objective)

    def find(
        self, state: PyTree, examples: loading.Examples, *, batch_size: int, name: str
    ) -> tuple[Poses, _Maps | None]:
        """Poses of every row, in source pixels, and the heatmaps of a few examples.

        Args:
            name: of the split, beside the bar that shows progress.
        """
        batches = examples.eval_batches(
            batch_size=batch_size, part=devices.local_rows(batch_size)
        )
        parts: list[Poses] = []
        rows: list[np.ndarray] = []
        with tqdm(total=len(examples), desc=name, leave=False, disable=None) as bar:
            for batch in batches:
                found = self._look(state, devices.put_batch(batch, self._mesh))
                if not parts:
                    maps = self._reconstructed(state, found[2])
                    first = jax.tree.map(np.asarray, maps)
                # Replicated, so that every process holds the whole split.
                poses, index = jax.tree.map(np.asarray, found[:2])
                parts.append(poses)
                rows.append(index)
                bar.update(int((index >= 0).sum()))
        there = rows[0][:HEATMAPS] >= 0
        order = _order(np.concatenate(rows))
        everyone = jax.tree.map(lambda *x: np.concatenate(x)[order], *parts)
        return everyone, jax.tree.map(lambda x: x[there], first)


def _order(index: Int[np.ndarray, "n"]) -> Int[np.ndarray, "m"]:
    """Where rows 0, 1, ... are, among those of batches in any order; -1 is nobody's."""
    return np.argsort(index, kind="stable")[(index < 0).sum() :]


def _heatmaps(
    objective: Objective, outputs: PyTree, batch: Batch, step: Int[Array, ""]
) -> _Maps | None:
    """Of the first examples of a batch; None if the objective has none."""
    if not isinstance(objective, HeatmapObjective):
        return None
    first = jax.tree.map(lambda x: x[:HEATMAPS], batch)
    return heatmap_pictures.Maps(
        canvas=first.image,
        labeled=(first.visibility > 0).any(axis=1),
        truth=objective.true_heatmaps(objective.targets(first, step)),
        prediction=objective.heatmaps(outputs)[:HEATMAPS],
    )


def _reconstruction(
    learner: Learner, objective: Objective
) -> Callable[[PyTree, _Maps | None], _Maps | None]:
    """Adds what a discriminator makes of the maps, in a program of its own.

    One batch alone asks for it. Maps of another objective than the learner's, which the
    discriminator does not know, stay as they are, and so does everything without one.
    """
    if not isinstance(learner, ReconstructingLearner) or (
        objective is not learner.objective
    ):
        return lambda state, maps: maps

    def more(state: PyTree, maps: _Maps) -> _Maps:
        image = augment.to_float(jnp.asarray(maps.canvas))
        truth, prediction = (
            learner.reconstruct(state, image, jnp.asarray(x))
            for x in (maps.truth, maps.prediction)
        )
        found = heatmap_pictures.Reconstructed(truth=truth, prediction=prediction)
        return dataclasses.replace(maps, reconstructed=found)

    return jax.jit(more)
