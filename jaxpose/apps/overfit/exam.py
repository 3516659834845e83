"""The config's own metrics of the four examples, and whether they are perfect."""

import dataclasses
import functools
from collections.abc import Iterable

import jax
import numpy as np
from jaxtyping import Bool, Float

from jaxpose import evaluate, geometry, tables
from jaxpose.apps.overfit.goal import NAMED
from jaxpose.skeletons import Skeleton
from jaxpose.types import Annotations, Batch, Metric, Poses, Table

# Two means are one number within this; metrics are percent, or shares of 1.
ROUNDING = 1e-6
# Source pixels off the truth that no metric calls near.
FAR = 1e6


@dataclasses.dataclass(frozen=True)
class Question:
    """A metric, and what it must come to.

    Attributes:
        perfect: what the truth gets when it is scored against itself. None if it is not
            required: where the metric refuses these examples, gives nan, or gives the
            truth no more than poses far away from it. So an error such as MSE, whose
            perfect 0 no network meets, is not required; percentages such as PCK, PCKh,
            PCP and AP are.
    """

    metric: Metric
    skeleton: Skeleton
    perfect: Table | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Exam:
    """What the examples are scored by.

    Attributes:
        annotations: of the examples alone, in source pixels.
        to_source: maps from their canvases.
    """

    annotations: Annotations
    to_source: Float[np.ndarray, "e 2 3"]
    questions: tuple[Question, ...]

    def short(
        self, poses: Poses, asked: Bool[np.ndarray, "e p k"] | None = None
    ) -> tuple[str, ...]:
        """A line for each required metric whose mean is not that of the truth.

        Args:
            poses: in canvas pixels; examples after those of the exam are left out.
            asked: other keypoints count as right, where predictions and people are one
                each. None: all are asked for.
        """
        poses = self._in_source(poses)
        alone = poses.keypoints.shape[1] == self.annotations.keypoints.shape[1] == 1
        if asked is not None and alone:
            points = np.where(
                asked[..., None], poses.keypoints, self.annotations.keypoints
            )
            poses = dataclasses.replace(poses, keypoints=points)
        lines = (self._shortfall(question, poses) for question in self.questions)
        return tuple(dict.fromkeys(filter(None, lines)))

    def text(self, poses: Poses) -> str:
        """All metrics of poses in canvas pixels, where so few examples have any."""
        poses = self._in_source(poses)
        found: dict[str, Table] = {}
        refused = []
        for question in self.questions:
            try:
                table = question.metric(poses, self.annotations, question.skeleton)
            except ValueError as error:
                name, count = type(question.metric).__name__, len(self.to_source)
                refused.append(f"no {name} of {count} examples: {error}")
            else:
                found[table.name] = table
        # Tables of other rows, such as limbs, tell little more of so few.
        first = tables.same_rows([*found.values()])[:1]
        means = "  ".join(f"{t.name} {t.mean:.4g}" for t in found.values())
        return "\n".join(
            [*map(tables.joined_text, first), means, *dict.fromkeys(refused)]
        )

    def _in_source(self, poses: Poses) -> Poses:
        poses = jax.tree.map(lambda x: np.asarray(x)[: len(self.to_source)], poses)
        # A network that diverges says what no map can take.
        with np.errstate(invalid="ignore", over="ignore"):
            canvas = np.asarray(poses.keypoints, np.float64)
            points = geometry.apply(self.to_source[:, None], canvas)
        return dataclasses.replace(poses, keypoints=points)

    def _shortfall(self, question: Question, poses: Poses) -> str:
        perfect = question.perfect
        if perfect is None:
            return ""
        try:
            table = question.metric(poses, self.annotations, question.skeleton)
        except ValueError as error:
            return f"no {perfect.name}: {error}"
        if table.mean >= perfect.mean - ROUNDING:
            return ""
        rows = [k for k, v in perfect.values.items() if table.values[k] < v - ROUNDING]
        rows.sort(key=lambda k: table.values[k])
        more = [f"and {len(rows) - NAMED} more"] if len(rows) > NAMED else []
        lowest = ", ".join(
            [*(f"{k} {table.values[k]:.4g}" for k in rows[:NAMED]), *more]
        )
        return (
            f"{table.name} is {table.mean:.4g}, {perfect.mean:.4g} for the truth itself"
            + (f": {lowest}" if rows else "")
        )


def prepare(
    annotations: Annotations, batch: Batch, evals: Iterable[evaluate.Eval]
) -> Exam:
    """Asks every metric of the evals once, whichever split it is meant for.

    Args:
        annotations: of the examples in the batch; ignored regions may be of others.
    """
    annotations = _own_regions(annotations)
    asked: list[tuple[Metric, Skeleton]] = []
    for spec in evals:
        for metric in spec.metrics:
            if (metric, spec.data.skeleton) not in asked:
                asked.append((metric, spec.data.skeleton))
    return Exam(
        annotations=annotations,
        to_source=np.asarray(batch.to_source, np.float64),
        questions=tuple(Question(m, s, _perfect(m, annotations, s)) for m, s in asked),
    )


def _perfect(
    metric: Metric, annotations: Annotations, skeleton: Skeleton
) -> Table | None:
    """What the truth gets, if that is more than poses far away from it get."""
    score = functools.partial(metric, annotations=annotations, skeleton=skeleton)
    try:
        truth, far = (score(_shifted(annotations, by)) for by in (0.0, FAR))
    except ValueError:
        return None
    return truth if truth.mean > far.mean else None


def _shifted(annotations: Annotations, by: float) -> Poses:
    ones = np.ones(annotations.visibility.shape, np.float32)
    points = annotations.keypoints.astype(np.float64) + by
    return Poses(keypoints=points, scores=ones, person_scores=ones[..., 0])


def _own_regions(annotations: Annotations) -> Annotations:
    """Without the ignored regions of other photographs, which cost time."""
    regions = annotations.ignored
    if regions is None or annotations.image_id is None:
        return annotations
    own = np.isin(regions.image_id, annotations.image_id)
    chosen = {
        field.name: getattr(regions, field.name)[own]
        for field in dataclasses.fields(regions)
    }
    return dataclasses.replace(
        annotations, ignored=dataclasses.replace(regions, **chosen)
    )
