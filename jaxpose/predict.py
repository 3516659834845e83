"""Test-time prediction: from canvases to poses in the photographs."""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jaxpose import augment, geometry
from jaxpose.skeletons import Skeleton
from jaxpose.types import (
    Batch,
    FramedObjective,
    Learner,
    Objective,
    Poses,
    ViewsObjective,
)

# How far a side of a view may be from whole pixels, by rounding alone.
_ROUNDING = 1e-6


def predict(
    learner: Learner,
    state: PyTree,
    batch: Batch,
    *,
    mirror: Skeleton | None,
    scales: Sequence[float] = (1.0,),
) -> Poses:
    """Poses in source pixels.

    Args:
        mirror: also look at the mirrored canvas; its skeleton tells left from right.
            None for one pass.
        scales: sizes at which canvases are looked at. The batch holds the largest; the
            others are made from it.

    Raises: ValueError as `check_scales` and `view_sizes`.
    """
    found = outputs(learner, state, batch, mirror=mirror, scales=scales)
    return decode(learner.objective, found, batch, scales=scales)


def outputs(
    learner: Learner,
    state: PyTree,
    batch: Batch,
    *,
    mirror: Skeleton | None,
    scales: Sequence[float] = (1.0,),
    objective: Objective | tuple[()] = (),
) -> PyTree:
    """What the network says about the canvases, in all views together.

    A `ViewsObjective` merges the views; for others their mean is taken. The rest is as
    of `predict`.

    Args:
        objective: that reads the outputs; () for the learner's.
    """
    reader = objective or learner.objective
    check_scales(reader, scales)
    image = augment.to_float(batch.image)
    views = []
    for size in view_sizes(batch.image.shape[1:3], scales):
        seen = _resized(image, size)
        views.append(learner.outputs(state, seen))
        if mirror is not None:
            mirrored = learner.outputs(state, seen[:, :, ::-1])
            views.append(learner.objective.flip(mirrored, mirror))
    if isinstance(reader, ViewsObjective):
        looks = len(views) // len(scales)
        return reader.merge(views, [s for s in scales for _ in range(looks)])
    return jax.tree.map(lambda *x: sum(x) / len(x), *views)


def decode(
    objective: Objective,
    outputs: PyTree,
    batch: Batch,
    *,
    scales: Sequence[float] = (1.0,),
) -> Poses:
    """Poses in source pixels, from outputs for the batch's canvases.

    A `FramedObjective` finds nobody where the batch's mask is 0.

    Args:
        scales: of the views that the outputs are of; poses are read in pixels of the
            first, and the canvases are as large as the largest.
    """
    if isinstance(objective, FramedObjective):
        outputs = objective.within(outputs, batch.mask)
    poses = objective.decode(outputs)
    keypoints = jnp.asarray(poses.keypoints)
    if scales[0] != max(scales):
        keypoints = (keypoints + 0.5) * (max(scales) / scales[0]) - 0.5
    keypoints = geometry.apply(batch.to_source[:, None], keypoints)
    return dataclasses.replace(poses, keypoints=keypoints)


def check_scales(objective: Objective, scales: Sequence[float]) -> None:
    """Whether an objective can read views of these scales.

    Raises: ValueError if it merges none, or if a scale is not positive.
    """
    if not scales or min(scales) <= 0:
        raise ValueError(f"scales={tuple(scales)} must be positive, and one or more")
    if not isinstance(objective, ViewsObjective) and tuple(scales) != (1.0,):
        raise ValueError(
            f"scales={tuple(scales)}, but {type(objective).__name__} cannot merge views "
            "of several sizes; give (1.0,), or an objective with `merge`, such as "
            "associative embedding"
        )


def view_sizes(
    canvas: tuple[int, ...], scales: Sequence[float]
) -> list[tuple[int, int]]:
    """(height, width) of each view, of which a canvas is the largest.

    Raises: ValueError if one is not of whole pixels.
    """
    sizes = []
    for scale in scales:
        sides = [side * scale / max(scales) for side in canvas]
        height, width = map(round, sides)
        if max(abs(height - sides[0]), abs(width - sides[1])) > _ROUNDING:
            raise ValueError(
                f"a canvas of {tuple(canvas)} at the largest scale of {max(scales):g} "
                f"would be {sides} pixels at the scale {scale:g}; choose sides that give "
                "whole numbers at every scale"
            )
        sizes.append((height, width))
    return sizes


def _resized(
    image: Float[Array, "b _ _ 3"], size: tuple[int, int]
) -> Float[Array, "b h w 3"]:
    """Antialiased; the corners of both images are the same."""
    if image.shape[1:3] == size:
        return image
    shape = len(image), *size, 3
    return jax.image.resize(image, shape, "bilinear", antialias=True)
