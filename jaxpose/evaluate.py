"""A split to poses in source pixels, to tables."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import PyTree, UInt8
from tqdm import tqdm

from jaxpose import data, devices, draw, predict
from jaxpose.skeletons import Skeleton
from jaxpose.types import Annotations, Batch, Learner, Metric, Poses, Table


@dataclasses.dataclass(frozen=True, kw_only=True)
class Eval:
    """What to measure on one split.

    Attributes:
        data: the split, and how its canvases are cut.
        metrics: each gives a table.
        mirror: average each prediction with that for the mirrored canvas.
        watch: also evaluate during training, not only on demand.
    """

    data: data.Data
    metrics: tuple[Metric, ...]
    mirror: bool = False
    watch: bool = True


@dataclasses.dataclass(frozen=True, kw_only=True)
class Result:
    """One checkpoint on one split."""

    tables: tuple[Table, ...]
    poses: Poses
    annotations: Annotations

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
        if spec.data.size != learner.objective.size:
            raise ValueError(
                f"evals.{name}.data.size={spec.data.size}, but the network was made for "
                f"canvases of {learner.objective.size}; give both the same size"
            )
        self.name = name
        self.spec = spec
        self.skeleton = spec.data.skeleton
        self.examples = spec.data.open(data_dir, manual_dir)
        self._mesh = mesh
        self._batch_size = batch_size
        self._predict = compile_predict(
            learner, mesh, mirror=self.skeleton if spec.mirror else None
        )

    def run(self, state: PyTree) -> Result:
        """Poses of everybody in the split, and every metric of them."""
        return self._score(self._poses(state), self.examples.annotations())

    def _score(self, poses: Poses, annotations: Annotations) -> Result:
        tables = tuple(
            metric(poses, annotations, self.skeleton) for metric in self.spec.metrics
        )
        return Result(tables=tables, poses=poses, annotations=annotations)

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

    def _poses(self, state: PyTree) -> Poses:
        batches = self.examples.eval_batches(
            batch_size=self._batch_size, part=devices.local_rows(self._batch_size)
        )
        parts = []
        count = -(-len(self.examples) // self._batch_size)
        for batch in tqdm(
            batches, total=count, desc=self.name, leave=False, disable=None
        ):
            poses = self._predict(state, devices.put_batch(batch, self._mesh))
            # Replicated, so that every process holds the whole split.
            parts.append(jax.tree.map(np.asarray, poses))
        everyone = jax.tree.map(lambda *x: np.concatenate(x), *parts)
        poses = jax.tree.map(lambda x: x[: len(self.examples)], everyone)
        return self._rescored(poses)

    def _rescored(self, poses: Poses) -> Poses:
        """As sure of a person as of the box that a detector found, and of the pose."""
        score = self.examples.people.more.get("score")
        if score is None:
            return poses
        person_scores = poses.person_scores * score[:, None]
        return dataclasses.replace(poses, person_scores=person_scores)


def compile_predict(
    learner: Learner, mesh: Mesh, *, mirror: Skeleton | None
) -> Callable[[PyTree, Batch], Poses]:
    """`predict.predict` as one program over the mesh."""

    def poses(state: PyTree, batch: Batch) -> Poses:
        return predict.predict(learner, state, batch, mirror=mirror)

    return devices.data_parallel(poses, mesh)


def open_evals(
    evals: Mapping[str, Eval], learner: Learner, mesh: Mesh, **where: Any
) -> dict[str, Evaluator]:
    """An evaluator for each named split."""
    return {
        name: Evaluator(name, spec, learner, mesh, **where)
        for name, spec in evals.items()
    }
