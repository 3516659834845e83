"""People whom a detector found, to be measured against those who are annotated."""

import collections
import dataclasses
import math
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from jaxpose import geometry, groups, prepared, records
from jaxpose.pose_files import coco_parts
from jaxpose.prepared import Listing
from jaxpose.regions import Region
from jaxpose.skeletons import Skeleton

_CORNER = 0.5  # from the corner of the first pixel, where COCO counts from


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Found:
    """Found people, one a row; a score of nan is of nobody on a missed photograph."""

    record: Int[np.ndarray, "n"]
    box: Float[np.ndarray, "n 4"]
    score: Float[np.ndarray, "n"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Detections:
    """Boxes of a detector on the photographs of a split, one example each.

    An evaluation multiplies the scores of the poses by those of the boxes. Photographs
    on which nothing was found count as well: what is annotated there is missed.

    Attributes:
        split: the photographs, and the truth about them; its `region` is not used.
        file: results in COCO's format: a JSON list of `image_id`, `bbox`, `score` and
            maybe `category_id`. Of data sets that do not number their photographs,
            such as LSP, `file_name` stands for `image_id`. Boxes on photographs that
            are not in the split, which may be a part of the data set, are left out.
        region: cuts a canvas from a found box.
        category: number of the category to take.
        threshold: boxes with lower scores are left out.
        most: boxes of a photograph, those of the highest scores; 0 for all. Metrics of
            single people need 1.
    """

    split: records.Split
    file: str
    region: Region
    category: int = 1
    threshold: float = 0.0
    most: int = 0

    @property
    def boxes(self) -> str:
        best = f"the {self.most} best " if self.most else ""
        found = f"{best}found ones of {pathlib.Path(self.file).name}"
        return f"{found} with scores of {self.threshold:g} or more, {self.region}"

    def open(
        self, data_dir: str, manual_dir: str, skeleton: Skeleton
    ) -> records.People:
        """Raises: ValueError if the file is no list of boxes, or has none of the split;
        OSError if unreadable.
        """
        boxes = _read(pathlib.Path(self.file))
        people = self.split.open(data_dir, manual_dir, skeleton)
        listing = _listing(people)
        found = self._found(boxes, listing, people)
        # Where the data set does not number its photographs, from 0.
        shown = prepared.join([listing])
        n, k = len(found.record), len(skeleton.keypoints)
        keypoints, visibility = np.zeros((n, k, 2), np.float32), np.zeros((n, k), int)
        size = shown.size[found.record]
        category = np.full(n, self.category)
        more = {"box": found.box, "score": found.score, "category_id": category}
        return records.People(
            photographs=people.photographs,
            record=found.record,
            keypoints=keypoints,
            visibility=visibility.astype(np.int32),
            box=self.region(keypoints, visibility > 0, size, more),
            size=size,
            names=tuple(shown.names[record] for record in found.record),
            more=more | {"image_id": shown.image_id[found.record]},
            truth=groups.annotations(people, shown, found.record),
        )

    def _found(
        self, boxes: list[Mapping[str, Any]], shown: Listing, people: records.People
    ) -> _Found:
        """The boxes that count, and nobody on each photograph without any."""
        record_of = _records(shown)
        taken = [
            box
            for box in boxes
            if _shown(box) in record_of
            and box.get("category_id", self.category) == self.category
            and box["score"] >= self.threshold
        ]
        if self.most:
            taken = _best(taken, self.most)
        if not taken:
            raise ValueError(
                f"{self.file}: none of its {len(boxes)} boxes is of category "
                f"{self.category}, has a score of {self.threshold} or more, and is on a "
                f"photograph of {', '.join(people.photographs.names)}, by its image_id "
                "or, of a data set that does not number them, by its file_name; is it "
                "the split that the detector ran on?"
            )
        record = np.array([record_of[_shown(box)] for box in taken])
        start, sides = np.split(np.array([box["bbox"] for box in taken], float), 2, 1)
        missed = np.setdiff1d(people.record, record)
        return _Found(
            record=np.concatenate([record, missed]),
            box=np.concatenate(
                [
                    np.concatenate([start, start + sides], axis=1) - _CORNER,
                    geometry.whole_image(shown.size[missed]),
                ]
            ),
            score=np.array(
                [*(box["score"] for box in taken), *([math.nan] * len(missed))]
            ),
        )


def _read(file: pathlib.Path) -> list[Mapping[str, Any]]:
    """The boxes. Raises: ValueError if one is none; OSError if unreadable."""
    boxes = coco_parts.read(file)
    if not (isinstance(boxes, list) and boxes):
        raise ValueError(
            f"{file} is no list of results of COCO's format, such as a detector writes, "
            "or an empty one"
        )
    for number, box in enumerate(boxes):
        if not _is_result(box):
            raise ValueError(
                f"{file}: result {number} is {box}; it must have image_id, a whole "
                "number, or file_name, bbox as [x, y, width, height] with positive "
                "sides, and score, a number"
            )
    return boxes


def _is_result(box: Any) -> bool:
    return (
        isinstance(box, dict)
        and (isinstance(box.get("image_id"), int) or _is_named(box))
        and _is_box(box.get("bbox"))
        and coco_parts.finite([box.get("score")])
    )


def _is_named(result: Mapping[str, Any]) -> bool:
    return "image_id" not in result and isinstance(result.get("file_name"), str)


def _is_box(box: Any) -> bool:
    return (
        isinstance(box, list)
        and len(box) == 4
        and coco_parts.finite(box)
        and min(box[2:]) > 0
    )


def _shown(box: Mapping[str, Any]) -> int | str | None:
    """What tells the photograph of a result: its number, else its file's name."""
    return box.get("image_id", box.get("file_name"))


def _records(shown: Listing) -> dict[int | str | None, int]:
    """Number of a photograph, or name where numbers are unknown, -> its record."""
    known = shown.names if (shown.image_id < 0).any() else shown.image_id.tolist()
    return {key: row for row, key in enumerate(known)}


def _best(boxes: list[Mapping[str, Any]], most: int) -> list[Mapping[str, Any]]:
    """So many of each photograph, those of the highest scores."""
    taken: list[Mapping[str, Any]] = []
    count: collections.Counter[int | str | None] = collections.Counter()
    for box in sorted(boxes, key=lambda box: -box["score"]):
        if count[_shown(box)] < most:
            count[_shown(box)] += 1
            taken.append(box)
    return taken


def _listing(people: records.People) -> Listing:
    """Every photograph.

    Raises: ValueError of several data sets, whose photographs no file can tell apart.
    """
    if people.listing is None:
        raise ValueError(
            f"{', '.join(people.photographs.names)} are several data sets, so no file of "
            "detections can belong to them; give each its own"
        )
    return people.listing
