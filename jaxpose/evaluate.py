"""A split to poses in source pixels, to tables."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Bool, Float, PyTree, UInt8

from jaxpose import (
    crops,
    data,
    draw,
    heatmap_pictures,
    loading,
    predict,
    scenes,
    split_poses,
)
from jaxpose.types import (
    Annotations,
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
        mirror: look at each canvas and its mirror image together.
        scales: sizes at which the network looks at whole photographs, in sizes of the
            canvas. Poses are read at the first. For objectives that merge views.
        watch: also evaluate during training, not only on demand.
        objective: reads the outputs instead of the learner's own; () for that.
    """

    data: loading.Data
    metrics: tuple[Metric, ...]
    mirror: bool = False
    scales: tuple[float, ...] = (1.0,)
    watch: bool = True
    objective: Objective | tuple[()] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Result:
    """One checkpoint on one split.

    Attributes:
        heatmaps: of the first examples; None if the objective has none.
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
# (height, width) of a picture in the sheet.
TILE = (320, 240)
# Of several people in a picture, those of higher scores are drawn.
SURE = 0.1


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
        opened = _enlarged(spec, objective)
        self.name = name
        self.spec = spec
        self.skeleton = spec.data.skeleton
        self.examples = opened.open(data_dir, manual_dir)
        self._batch_size = batch_size
        self._learner = learner
        self._canvases = [opened.size]
        if isinstance(opened, scenes.Scenes):
            self._canvases += opened.buckets
        self._finder = split_poses.Finder(
            learner,
            mesh,
            objective=objective,
            mirror=self.skeleton if spec.mirror else None,
            scales=spec.scales,
        )

    def check(self, state: PyTree) -> None:
        """Whether the network takes every canvas at every scale, by shapes alone.

        Raises: ValueError as the network does, naming the canvas.
        """
        for canvas in self._canvases:
            try:
                for size in predict.view_sizes(canvas, self.spec.scales):
                    image = jax.ShapeDtypeStruct((1, *size, 3), np.float32)
                    jax.eval_shape(self._learner.outputs, state, image)
            except ValueError as error:
                raise ValueError(
                    f"evals.{self.name}, canvases of {canvas}: {error}"
                ) from None

    def run(self, state: PyTree) -> Result:
        """Poses of everybody in the split, and every metric of them."""
        poses, heatmaps = self._finder.find(
            state, self.examples, batch_size=self._batch_size, name=self.name
        )
        result = self._score(self._rescored(poses), self.examples.annotations())
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
        mirrored = "mean with the mirrored canvas" if self.spec.mirror else "no mirror"
        if self.spec.scales != (1.0,):
            mirrored += f"; scales {', '.join(f'{s:g}' for s in self.spec.scales)}"
        read = f"; read by {self.spec.objective}" if self.spec.objective else ""
        return f"{_canvases(self.spec.data)}; {mirrored}; no OKS-NMS{read}"

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
        """True beside predicted heatmaps of a few examples; None without heatmaps."""
        if result.heatmaps is None:
            return None
        return heatmap_pictures.montage(result.heatmaps, self.skeleton.keypoints)

    def _tile(self, result: Result, row: int) -> UInt8[np.ndarray, "h w 3"]:
        image = self.examples.photograph(row)

        def draw_poses(keypoints, visibility) -> UInt8[np.ndarray, "h w 3"]:
            drawn = draw.draw_people(image, keypoints, visibility, self.skeleton)
            return draw.letterbox(drawn, TILE)

        predicted = np.asarray(result.poses.keypoints[row])
        shown = _sure(np.asarray(result.poses.person_scores[row]))
        visibility = np.full(predicted.shape[:2], 2, np.int32) * shown[:, None]
        return draw.side_by_side(
            draw_poses(*self.examples.shown(row)), draw_poses(predicted, visibility)
        )

    def _rescored(self, poses: Poses) -> Poses:
        """As sure of a person as of the box that a detector found, and of the pose."""
        score = self.examples.box_scores
        if score is None:
            return poses
        person_scores = poses.person_scores * score[:, None]
        return dataclasses.replace(poses, person_scores=person_scores)


def _enlarged(spec: Eval, objective: Objective) -> loading.Data:
    """The data on canvases of the largest scale, of which the others are made.

    Raises: ValueError for scales that the objective, or this data, cannot have.
    """
    predict.check_scales(objective, spec.scales)
    largest = max(spec.scales)
    if isinstance(spec.data, scenes.Scenes):
        whole = spec.data.enlarged(largest)
        for canvas in (whole.size, *whole.buckets):
            predict.view_sizes(canvas, spec.scales)
        return whole
    if largest != 1:
        raise ValueError(
            f"scales={spec.scales} are of whole photographs; give scenes.Scenes as data, "
            "or scales of which the largest is 1.0"
        )
    predict.view_sizes(spec.data.size, spec.scales)
    return spec.data


def _canvases(cut: loading.Data) -> str:
    """Which part of a photograph the network sees."""
    if isinstance(cut, data.Data):
        boxes = " and ".join(dict.fromkeys(source.boxes for source in cut.sources))
        if cut.crop != crops.Crop():
            boxes += f" in the middle of {cut.crop}"
        return f"boxes: {boxes}"
    size = "{} x {}".format(*cut.size)
    if isinstance(cut, scenes.Scenes) and cut.around == "person":
        regions = " and ".join(dict.fromkeys(source.boxes for source in cut.sources))
        return f"each person with everybody around on {size}, a picture each: {regions}"
    cropped = isinstance(cut, scenes.Scenes) and cut.buckets
    return f"whole photographs as they fit {size}" + (", cropped" if cropped else "")


def _sure(scores: Float[np.ndarray, "p"]) -> Bool[np.ndarray, "p"]:
    """Who is drawn: a single person always, of several those who may be there."""
    return np.isfinite(scores) & ((scores > SURE) | (len(scores) == 1))


def open_evals(
    evals: Mapping[str, Eval], learner: Learner, mesh: Mesh, **where: Any
) -> dict[str, Evaluator]:
    """An evaluator for each named split."""
    return {
        name: Evaluator(name, spec, learner, mesh, **where)
        for name, spec in evals.items()
    }
