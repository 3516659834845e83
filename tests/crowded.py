"""Five miniature photographs with people, crowds and nobody, in COCO's format."""

import json
import pathlib

import cv2
import numpy as np

from data_builders.coco_keypoints import coco_keypoints_dataset_builder as coco
from jaxpose import records, regions, scenes
from jaxpose.skeletons import Skeleton

TRIO = Skeleton(
    name="trio", keypoints=("nose", "left_ear", "right_ear"), flip=(0, 2, 1), limbs=()
)
# (height, width) of the photographs.
SIZES = [(48, 64), (60, 40), (48, 64), (48, 64), (24, 32)]


def person(shown: int, x: float, y: float, side: float, labels: int = 3, **fields):
    """A square person whose first keypoints, from the left, are at its upper side."""
    points = [(x, y, 2), (x + side / 2, y, 1), (x + side, y, 2)][:labels]
    corners = [x, y, x + side, y, x + side, y + side, x, y + side]
    return {
        "image_id": shown,
        "category_id": 1,
        "iscrowd": 0,
        "keypoints": [*np.ravel(points).tolist(), *([0] * (9 - 3 * labels))],
        "num_keypoints": labels,
        "bbox": [x, y, side, side],
        "area": side * side,
        "segmentation": [corners],
    } | fields


PEOPLE = [
    person(10, 8, 8, 8, labels=2),
    person(10, 8, 24, 16),
    person(10, 40, 8, 8, labels=0),
    person(10, 24, 8, 8),
    person(10, 40, 32, 12, labels=0, iscrowd=1),
    person(11, 10, 10, 20),
    person(13, 20, 20, 10, labels=0),
    person(14, 4, 4, 12),
]


def write(folder: pathlib.Path) -> coco.Format:
    """Photographs that get brighter from left to right, and their annotations."""
    (folder / "photographs").mkdir(parents=True)
    images = []
    for n, (height, width) in enumerate(SIZES):
        row = np.linspace(20, 220, width).astype(np.uint8)
        picture = np.tile(row[None, :, None], (height, 1, 3))
        cv2.imwrite(str(folder / "photographs" / f"{n}.jpg"), picture)
        size = {"height": height, "width": width}
        images.append({"id": 10 + n, "file_name": f"{n}.jpg"} | size)
    kind = {"id": 1, "name": "person", "keypoints": list(TRIO.keypoints)}
    people = [entry | {"id": 100 + n} for n, entry in enumerate(PEOPLE)]
    content = {"images": images, "annotations": people, "categories": [kind]}
    (folder / "whole.json").write_text(json.dumps(content))
    return coco.Format(
        annotations={"whole": str(folder / "whole.json")},
        images=str(folder / "photographs"),
        name="crowded",
    )


def split(format: coco.Format) -> records.Split:
    return records.Split(
        builder=coco.Builder, split="whole", region=regions.WholeImage(), config=format
    )


def data(format: coco.Format, **fields) -> scenes.Scenes:
    """The five photographs on canvases of 32 x 32, a pixel for four."""
    fields = {"size": (32, 32), "people": 4, "threads": 1} | fields
    return scenes.Scenes(sources=(split(format),), skeleton=TRIO, **fields)
