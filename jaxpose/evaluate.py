"""A split to poses in source pixels, to tables."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Int, PyTree, UInt8
from tqdm import tqdm

from jaxpose import crops, data, devices, draw, heatmap_pictures, predict
from jaxpose.skeletons import Skeleton
from jaxpose.types import (
    Annotations,
    Batch,
    HeatmapObjective,
    Learner,
    Metric,
    Objective,
    Poses,
    Table,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Eval:
    """What to measure on one split.

    Attributes:
        data: the split, and how its canvases are cut.
        metrics: each gives a table.
        mirror: average each prediction with that for the mirrored canvas.
        watch: also evaluate during training, not only on demand.
        objective: reads the outputs instead of the learner's own; () for that.
    """

    data: data.Data
    metrics: tuple[Metric, ...]
    mirror: bool = False
    watch: bool = True
    objective: Objective | tuple[()] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Result:
    """One checkpoint on one split.

    Attributes:
        heatmaps: of the first people; None if the objective has none.
    """

    tables: tuple[Table, ...]
    poses: Poses
    annotations: Annotations
    heatmaps: heatmap_pictures.Maps | None = None

    def headline(self, split: str) -> dict[str, float]:
        """`split/metric` -> mean, for logs and for choosing the best checkpoint.

        Raises: ValueError if two metrics share a name.
        """
        names = [f"{split}/{table.name}" for table in self.tables]
        if len(set(names)) < len(names):
            raise ValueError(f"two metrics have one name: {names}; leave one out")
        return dict(zip(names, (table.mean for table in self.tables), strict=True))


# Examples whose predictions are drawn at every evaluation.
PICTURES = 12
# Examples whose heatmaps are drawn, all of the first batch.
HEATMAPS = 4
# (height, width) of a picture in the sheet.
TILE = (320, 240)


class Evaluator:
    """One split, opened once, with its compiled prediction."""

    def __init__(
        self,
        name: str,
        spec: Eval,
        learner: Learner,
        mesh: Mesh,
        *,
        batch_size: int,
        data_dir: str,
        manual_dir: str,
    ) -> None:
        objective = spec.objective or learner.objective
        if not spec.data.size == objective.size == learner.objective.size:
            raise ValueError(
                f"evals.{name}.data.size={spec.data.size}, but the network was made for "
                f"canvases of {learner.objective.size}, and its outputs are read for "
                f"{objective.size}; give all the same size"
            )
        self.name = name
        self.spec = spec
        self.skeleton = spec.data.skeleton
        self.examples = spec.data.open(data_dir, manual_dir)
        self._mesh = mesh
        self._batch_size = batch_size
        self._predict = compile_predict(
            learner,
            mesh,
            objective=objective,
            mirror=self.skeleton if spec.mirror else None,
        )

    def run(self, state: PyTree) -> Result:
        """Poses of everybody in the split, and every metric of them."""
        poses, heatmaps = self._look(state)
        result = self._score(poses, self.examples.annotations())
        return dataclasses.replace(result, heatmaps=heatmaps)

    def _score(self, poses: Poses, annotations: Annotations) -> Result:
        measured = (
            metric(poses, annotations, self.skeleton) for metric in self.spec.metrics
        )
        tables = tuple(
            dataclasses.replace(table, convention=f"{table.convention}; {self._seen()}")
            for table in measured
        )
        return Result(tables=tables, poses=poses, annotations=annotations)

    def _seen(self) -> str:
        """What of a score is not the metric's, but of how the network looked."""
        boxes = " and ".join(dict.fromkeys(s.boxes for s in self.spec.data.sources))
        if self.spec.data.crop != crops.Crop():
            boxes += f" in the middle of {self.spec.data.crop}"
        mirrored = "mean with the mirrored canvas" if self.spec.mirror else "no mirror"
        read = f"; read by {self.spec.objective}" if self.spec.objective else ""
        return f"boxes: {boxes}; {mirrored}; no OKS-NMS{read}"

    def measures(self) -> set[str]:
        """Names of what `run` measures, found by scoring the truth against itself."""
        truth = self.examples.annotations()
        ones = np.ones(truth.visibility.shape, np.float32)
        poses = Poses(
            keypoints=truth.keypoints, scores=ones, person_scores=ones[..., 0]
        )
        return set(self._score(poses, truth).headline(self.name))

    def picture(self, result: Result) -> UInt8[np.ndarray, "h w 3"]:
        """Truth beside prediction for examples spread over the split, always the same."""
        rows = np.linspace(0, len(self.examples) - 1, min(PICTURES, len(self.examples)))
        tiles = [self._tile(result, int(row)) for row in rows]
        return draw.contact_sheet(tiles, columns=4)

    def heatmap_picture(self, result: Result) -> UInt8[np.ndarray, "h w 3"] | None:
        """True beside predicted heatmaps of the first people; None without heatmaps."""
        if result.heatmaps is None:
            return None
        rows = np.arange(len(result.heatmaps.truth))
        return heatmap_pictures.montage(
            np.asarray(self.examples.load(rows).image),
            result.heatmaps,
            np.any(result.annotations.labeled[rows], axis=1),
            self.skeleton.keypoints,
        )

    def _tile(self, result: Result, row: int) -> UInt8[np.ndarray, "h w 3"]:
        people = self.examples.people
        image = people.photographs.image(int(people.record[row]))

        def draw_pose(keypoints, visibility) -> UInt8[np.ndarray, "h w 3"]:
            drawn = draw.draw_people(
                image, keypoints[None], visibility[None], self.skeleton
            )
            return draw.letterbox(drawn, TILE)

        predicted = np.asarray(result.poses.keypoints[row, 0])
        return draw.side_by_side(
            draw_pose(people.keypoints[row], people.visibility[row]),
            draw_pose(predicted, np.full(len(predicted), 2, np.int32)),
        )

    def _look(self, state: PyTree) -> tuple[Poses, heatmap_pictures.Maps | None]:
        """Everybody's poses, and the heatmaps of the first people."""
        batches = self.examples.eval_batches(
            batch_size=self._batch_size, part=devices.local_rows(self._batch_size)
        )
        parts: list[Poses] = []
        count = -(-len(self.examples) // self._batch_size)
        for batch in tqdm(
            batches, total=count, desc=self.name, leave=False, disable=None
        ):
            found, maps = self._predict(state, devices.put_batch(batch, self._mesh))
            if not parts:
                heatmaps = jax.tree.map(
                    lambda x: np.asarray(x)[: len(self.examples)], maps
                )
            # Replicated, so that every process holds the whole split.
            parts.append(jax.tree.map(np.asarray, found))
        everyone = jax.tree.map(lambda *x: np.concatenate(x), *parts)
        poses = jax.tree.map(lambda x: x[: len(self.examples)], everyone)
        return self._rescored(poses), heatmaps

    def _rescored(self, poses: Poses) -> Poses:
        """As sure of a person as of the box that a detector found, and of the pose."""
        score = self.examples.people.more.get("score")
        if score is None:
            return poses
        person_scores = poses.person_scores * score[:, None]
        return dataclasses.replace(poses, person_scores=person_scores)


def compile_predict(
    learner: Learner, mesh: Mesh, *, objective: Objective, mirror: Skeleton | None
) -> Callable[[PyTree, Batch], tuple[Poses, heatmap_pictures.Maps | None]]:
    """`predict.predict` as one program over the mesh, and heatmaps on the way to it."""

    def look(state: PyTree, batch: Batch) -> tuple[Poses, heatmap_pictures.Maps | None]:
        outputs = predict.outputs(learner, state, batch, mirror=mirror)
        poses = predict.decode(objective, outputs, batch)
        return poses, _heatmaps(objective, outputs, batch, state.step)

    return devices.data_parallel(look, mesh)


def _heatmaps(
    objective: Objective, outputs: PyTree, batch: Batch, step: Int[Array, ""]
) -> heatmap_pictures.Maps | None:
    """Of the first examples of a batch; None if the objective has none."""
    if not isinstance(objective, HeatmapObjective):
        return None
    first = jax.tree.map(lambda x: x[:HEATMAPS], batch)
    return heatmap_pictures.Maps(
        truth=objective.true_heatmaps(objective.targets(first, step)),
        prediction=objective.heatmaps(outputs)[:HEATMAPS],
    )


def open_evals(
    evals: Mapping[str, Eval], learner: Learner, mesh: Mesh, **where: Any
) -> dict[str, Evaluator]:
    """An evaluator for each named split."""
    return {
        name: Evaluator(name, spec, learner, mesh, **where)
        for name, spec in evals.items()
    }
