"""A sound file of COCO's format, to be broken."""

import json
import pathlib

import numpy as np

from jaxpose import skeletons
from jaxpose.apps.check_data import report
from jaxpose.apps.check_data.fault import Fault

STANDING = np.array(
    [(0.5, 0.2), (0.55, 0.15), (0.45, 0.15), (0.62, 0.18), (0.38, 0.18)]
    + [(0.75, 0.4), (0.25, 0.4), (0.9, 0.7), (0.1, 0.7), (0.95, 1.0), (0.05, 1.0)]
    + [(0.65, 1.0), (0.35, 1.0), (0.65, 1.5), (0.35, 1.5), (0.65, 1.95), (0.35, 1.95)]
)
PERSON = {
    "id": 1,
    "name": "person",
    "keypoints": list(skeletons.COCO.keypoints),
    "skeleton": [[16, 14], [14, 12]],
}


def keypoints(x: float, y: float, size: float = 100, order=range(17)) -> list[float]:
    points = (STANDING * size + (x, y)).round(1)[list(order)]
    return [value for px, py in points.tolist() for value in (px, py, 2)]


def annotation(number: int, **fields) -> dict:
    return {
        "id": number,
        "image_id": number // 2,
        "category_id": 1,
        "iscrowd": 0,
        "keypoints": keypoints(20 + number, 10),
        "num_keypoints": 17,
        "bbox": [20 + number, 10, 100, 200],
        "area": 9000.0,
        "segmentation": [[30, 20, 90, 20, 90, 190]],
    } | fields


def content() -> dict:
    """Five images with two people each; nothing is wrong."""
    images = [
        {"id": n, "file_name": f"{n}.jpg", "height": 240, "width": 320}
        for n in range(5)
    ]
    people = [annotation(n) for n in range(10)]
    return {"images": images, "annotations": people, "categories": [PERSON]}


def check(tmp_path: pathlib.Path, data: dict, folder=None) -> list[Fault]:
    path = tmp_path / "own.json"
    path.write_text(json.dumps(data))
    return report.faults(path, folder)
