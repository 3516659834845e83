"""pycocotools, fed with arrays instead of files and kept from printing."""

import contextlib
import dataclasses
import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from pycocotools import cocoeval
from pycocotools.coco import COCO

from jaxpose.types import Regions

# In the order of pycocotools; m and l are people of medium and of large area.
STATISTICS = ("AP", "AP50", "AP75", "APm", "APl", "AR", "AR50", "AR75", "ARm", "ARl")
CATEGORY = 1
# Where a keypoint that was not predicted is said to be, in pixels: similar to nothing.
FAR = 1e9


@dataclasses.dataclass(frozen=True, kw_only=True)
class Truth:
    """People with labels, one after the other: (x, y) and areas in source pixels."""

    image_id: Int[np.ndarray, "m"]
    keypoints: Float[np.ndarray, "m k 2"]
    labeled: Bool[np.ndarray, "m k"]
    area: Float[np.ndarray, "m"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Found:
    """Predicted people, one after the other; nan for a keypoint not predicted."""

    image_id: Int[np.ndarray, "d"]
    keypoints: Float[np.ndarray, "d k 2"]
    score: Float[np.ndarray, "d"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Result:
    """What pycocotools says.

    Attributes:
        statistics: by their names, in 0..1; nan where nobody counts.
        matches: (predicted, true) person for each pair of OKS 0.5 or more.
    """

    statistics: dict[str, float]
    matches: Int[np.ndarray, "e 2"]


def evaluate(
    truth: Truth, ignored: Regions, found: Found, sigmas: Sequence[float]
) -> Result:
    """COCO's evaluation of keypoints, over all photographs that are mentioned."""
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = _fed(truth, ignored, found, sigmas)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    numbers = [
        math.nan if value == -1 else value for value in evaluation.stats.tolist()
    ]
    return Result(
        statistics=dict(zip(STATISTICS, numbers, strict=True)),
        matches=_matches(evaluation, len(truth.area)),
    )


def match(
    truth: Truth,
    ignored: Regions,
    found: Found,
    sigmas: Sequence[float],
    *,
    oks: float,
) -> tuple[Int[np.ndarray, "e 2"], Int[np.ndarray, "a"]]:
    """Who was predicted by whom, as COCO pairs them at one threshold of OKS.

    Returns:
        (predicted, true) person of each pair; and the predictions that are of nobody
        and of no ignored region. Only the 20 of a photograph with the highest scores
        are looked at.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = _fed(truth, ignored, found, sigmas)
        evaluation.params.iouThrs = np.array([oks])
        evaluation.params.areaRng = evaluation.params.areaRng[:1]
        evaluation.params.areaRngLbl = evaluation.params.areaRngLbl[:1]
        evaluation.evaluate()
    alone = [
        number - 1
        for image in evaluation.evalImgs
        if image is not None
        for number, true in zip(image["dtIds"], image["dtMatches"][0], strict=True)
        if not true
    ]
    return _matches(evaluation, len(truth.area)), np.array(alone, dtype=int)


def _fed(
    truth: Truth, ignored: Regions, found: Found, sigmas: Sequence[float]
) -> cocoeval.COCOeval:
    """pycocotools with everybody in it; it prints on the way."""
    evaluation = cocoeval.COCOeval(iouType="keypoints")
    evaluation.params.kpt_oks_sigmas = np.array(sigmas)
    evaluation.params.catIds = [CATEGORY]
    images = [truth.image_id, ignored.image_id, found.image_id]
    evaluation.params.imgIds = np.unique(np.concatenate(images)).tolist()
    evaluation.cocoGt = _indexed(_true_entries(truth) + _ignored_entries(ignored))
    evaluation.cocoDt = _indexed(_found_entries(found))
    return evaluation


def _indexed(entries: list[dict[str, Any]]) -> COCO:
    # Numbered from 1, for 0 means unmatched.
    annotations = [entry | {"id": n} for n, entry in enumerate(entries, start=1)]
    coco = COCO()
    coco.dataset = {
        "images": [{"id": entry["image_id"]} for entry in entries],
        "categories": [{"id": CATEGORY}],
        "annotations": annotations,
    }
    coco.createIndex()
    return coco


def _true_entries(truth: Truth) -> list[dict[str, Any]]:
    # Unlabeled keypoints may be nan, which would warn.
    points = np.where(truth.labeled[..., None], truth.keypoints, 0)
    return [
        {
            "image_id": image_id,
            "category_id": CATEGORY,
            "iscrowd": 0,
            "keypoints": keypoints,
            "num_keypoints": count,
            "area": area,
            "bbox": [0, 0, 0, 0],
        }
        for image_id, keypoints, count, area in zip(
            truth.image_id.tolist(),
            _flat(points, truth.labeled),
            truth.labeled.sum(axis=1).tolist(),
            truth.area.tolist(),
            strict=True,
        )
    ]


def _ignored_entries(ignored: Regions) -> list[dict[str, Any]]:
    size = ignored.box[:, 2:] - ignored.box[:, :2]
    # COCO's boxes count from the corner of the first pixel.
    box = np.concatenate([ignored.box[:, :2] + 0.5, size], axis=1)
    area = np.where(np.isnan(ignored.area), size.prod(axis=1), ignored.area)
    return [
        {
            "image_id": image_id,
            "category_id": CATEGORY,
            "iscrowd": crowd,
            "keypoints": [],
            "num_keypoints": 0,
            "area": area,
            "bbox": box,
        }
        for image_id, crowd, area, box in zip(
            ignored.image_id.tolist(),
            ignored.crowd.astype(int).tolist(),
            area.tolist(),
            box.tolist(),
            strict=True,
        )
    ]


def _found_entries(found: Found) -> list[dict[str, Any]]:
    known = np.isfinite(found.keypoints).all(axis=-1)
    low = np.where(known[..., None], found.keypoints, np.inf).min(axis=1)
    high = np.where(known[..., None], found.keypoints, -np.inf).max(axis=1)
    points = np.where(known[..., None], found.keypoints, FAR)
    return [
        {
            "image_id": image_id,
            "category_id": CATEGORY,
            "keypoints": keypoints,
            "score": score,
            "area": area,
        }
        for image_id, keypoints, score, area in zip(
            found.image_id.tolist(),
            _flat(points, known),
            found.score.tolist(),
            (high - low).prod(axis=1).tolist(),
            strict=True,
        )
    ]


def _flat(
    points: Float[np.ndarray, "m k 2"], third: Bool[np.ndarray, "m k"]
) -> list[list[float]]:
    """x, y and a third number of every keypoint, one after the other."""
    m, k = third.shape
    triples = np.concatenate([points, third[..., None]], axis=-1)
    return triples.reshape(m, 3 * k).tolist()


def _matches(evaluation: cocoeval.COCOeval, people: int) -> Int[np.ndarray, "e 2"]:
    """Pairs at the first threshold, OKS 0.5, and people of any size, which come first."""
    pairs = [
        (found - 1, int(true) - 1)
        for image in evaluation.evalImgs[: len(evaluation.params.imgIds)]
        if image is not None
        for found, true in zip(image["dtIds"], image["dtMatches"][0], strict=True)
        if 0 < true <= people
    ]
    return np.array(pairs, dtype=int).reshape(-1, 2)
