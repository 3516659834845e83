"""Results in COCO's format: predicted people of photographs.

A JSON list; a result has `image_id`, `keypoints` (x, y and a confidence for each, 0-based
as in memory) and `score`.
"""

import json
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from jaxpose import atomic
from jaxpose.pose_files import coco_parts
from jaxpose.skeletons import Skeleton
from jaxpose.types import Poses

PERSON = 1  # the category of COCO that has keypoints


def read(
    path: str | os.PathLike[str],
    image_id: Int[np.ndarray, "n"],
    skeleton: Skeleton,
    *,
    categories: Sequence[int] = (PERSON,),
) -> Poses:
    """Predicted people of photographs, in the order of `image_id`.

    A row that has fewer people than the fullest one is filled with nan.

    Args:
        categories: numbers of those that have keypoints in the truth.

    Raises: ValueError if the file is no list of results, or a result is of another
        photograph, of another category or of other keypoints; OSError if unreadable.
    """
    file = pathlib.Path(path)
    results = coco_parts.read(file)
    if not isinstance(results, list) or not all(isinstance(r, dict) for r in results):
        raise ValueError(
            f"{file} is no list of results of COCO's format; truth and results differ"
        )
    row_of = {number: row for row, number in enumerate(image_id.tolist())}
    k = len(skeleton.keypoints)
    for number, result in enumerate(results):
        _check_result(file, number, result, row_of, categories, k)
    row = np.array([row_of[result["image_id"]] for result in results], int)
    at, shape = coco_parts.places(row, len(image_id))
    found = np.full((*shape, k, 3), np.nan)
    flat = [result["keypoints"] for result in results]
    found[at] = np.array(flat, float).reshape(-1, k, 3)
    scores = np.full(shape, np.nan)
    scores[at] = [result["score"] for result in results]
    return Poses(keypoints=found[..., :2], scores=found[..., 2], person_scores=scores)


def save(
    path: str | os.PathLike[str],
    poses: Poses,
    image_id: Int[np.ndarray, "n"],
    *,
    category: Int[np.ndarray, "n"] | None = None,
) -> None:
    """Writes everybody who was predicted; 0, 0, 0 for a keypoint that was not.

    The file appears whole or not at all.

    Args:
        category: numbers of what the rows show; None or -1 for a person.
    """
    if category is None:
        category = np.full(len(image_id), PERSON)
    points, scores = np.asarray(poses.keypoints), np.asarray(poses.scores)
    person_scores = np.asarray(poses.person_scores)
    known = np.isfinite(points).all(axis=-1)
    people = known.any(axis=-1) & np.isfinite(person_scores)
    third = np.concatenate([points, scores[..., None]], axis=-1)
    third = np.where(known[..., None], third, 0)[people]
    results = [
        {
            "image_id": number,
            "category_id": kind if kind >= 0 else PERSON,
            "keypoints": keypoints,
            "score": score,
        }
        for number, kind, keypoints, score in zip(
            image_id[np.nonzero(people)[0]].tolist(),
            category[np.nonzero(people)[0]].tolist(),
            third.reshape(len(third), 3 * third.shape[1]).tolist(),
            person_scores[people].tolist(),
            strict=True,
        )
    ]
    atomic.write(pathlib.Path(path), json.dumps(results, allow_nan=False))


def _check_result(
    file: pathlib.Path,
    number: int,
    result: Mapping[str, Any],
    row_of: Mapping[int, int],
    categories: Sequence[int],
    k: int,
) -> None:
    missing = {"image_id", "keypoints", "score"} - result.keys()
    if missing:
        raise ValueError(f"{file}: result {number} lacks {', '.join(sorted(missing))}")
    if not coco_parts.finite([result["score"]]):
        raise ValueError(
            f"{file}: result {number} has the score {result['score']!r}; it must be a "
            "number, higher for a surer prediction"
        )
    known = isinstance(result["image_id"], int) and result["image_id"] in row_of
    if not known:
        raise ValueError(
            f"{file}: result {number} is of image_id {result['image_id']!r}, which is "
            "not in the truth; score against the truth of these photographs, whose "
            "numbers are whole ones"
        )
    category = result.get("category_id")
    if category is not None and category not in categories:
        raise ValueError(
            f"{file}: result {number} is of category_id {category!r}, but keypoints in "
            f"the truth are of {sorted(categories)}; take it out, or give it the number "
            "of the truth"
        )
    numbers = result["keypoints"]
    whole = isinstance(numbers, list) and len(numbers) == 3 * k
    if not (whole and coco_parts.finite(numbers)):
        raise ValueError(
            f"{file}: result {number} has the keypoints {numbers!r:.60}, must be {3 * k} "
            f"numbers: x, y and a confidence for each of {k} keypoints"
        )
