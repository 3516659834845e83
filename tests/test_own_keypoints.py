"""Somebody's own file of COCO's format trains and evaluates by a config alone."""

import itertools
import json
import pathlib

import cv2
import numpy as np
import people
from ml_collections import ConfigDict

from data_builders.coco_keypoints import coco_keypoints_dataset_builder as coco
from jaxpose import (
    augment,
    checkpoint,
    config,
    data,
    detections,
    evaluate,
    records,
    regions,
    train,
)
from jaxpose.config import spec
from jaxpose.metrics import coco as metrics_coco
from jaxpose.metrics import pck
from jaxpose.pose_files import coco_skeleton
from jaxpose.types import Poses

NAMES = ["nose", "left_ear", "right_ear", "back", "tail"]
# An animal in a box of 1 x 1.
STANDING = np.array([(0.1, 0.5), (0.2, 0.1), (0.4, 0.1), (0.7, 0.4), (1.0, 0.2)])


def write_animals(folder: pathlib.Path, number: int = 24) -> str:
    """Photographs of animals and their annotations; returns the file's path."""
    (folder / "photographs").mkdir(parents=True)
    generator = np.random.default_rng(0)
    images, annotations = [], []
    for n in range(number):
        points = (generator.uniform(4, 16, 2) + STANDING * (32, 24)).round()
        picture = np.full((48, 64, 3), 40, np.uint8)
        for start, end in itertools.pairwise(points):
            ends = start.astype(int).tolist(), end.astype(int).tolist()
            cv2.line(picture, *ends, (230, 240, 250), 2)
        cv2.imwrite(str(folder / "photographs" / f"{n}.jpg"), picture)
        images.append({"id": n, "file_name": f"{n}.jpg", "height": 48, "width": 64})
        low, high = points.min(axis=0), points.max(axis=0)
        annotations.append(
            {
                "id": 100 + n,
                "image_id": n,
                "category_id": 1,
                "keypoints": [int(v) for x, y in points for v in (x, y, 2)],
                "bbox": [*map(float, low), *map(float, high - low)],
                "area": float(np.prod(high - low)),
            }
        )
    category = {"id": 1, "name": "fox", "keypoints": NAMES, "skeleton": [[1, 2]]}
    content = {"images": images, "annotations": annotations, "categories": [category]}
    (folder / "animals.json").write_text(json.dumps(content))
    return str(folder / "animals.json")


def write_detections(folder: pathlib.Path, number: int = 24) -> str:
    """Two boxes a photograph, the second one of little use; returns the file's path."""
    boxes = [
        {"image_id": n, "category_id": 1, "bbox": [4, 4, 50, 36], "score": score}
        for n in range(number)
        for score in (0.9, 0.1)
    ]
    (folder / "found.json").write_text(json.dumps(boxes))
    return str(folder / "found.json")


def fields(root: pathlib.Path) -> dict:
    """What a config would hold: nothing but calls, postponed."""
    path = write_animals(root / "own")
    fox = spec(coco_skeleton.read, path=path, sigmas=(0.1,) * 5)
    split = spec(
        records.Split,
        builder=coco.Builder,
        config=spec(
            coco.Format,
            annotations={"train": path},
            images=str(root / "own" / "photographs"),
        ),
        split="train",
        region=spec(regions.KnownBox),
    )
    found = spec(
        detections.Detections,
        split=split,
        file=write_detections(root / "own"),
        region=spec(regions.KnownBox),
    )
    some = {"skeleton": fox, "size": (24, 24), "threads": 2}
    known, boxes = (spec(data.Data, sources=(s,), **some) for s in (split, found))
    near = spec(pck.PCK, threshold=0.5, reference="box")
    learner = people.learner((24, 24))
    learner.model.num_keypoints = 5
    return people.fields(root) | {
        "data": known,
        "augment": spec(augment.Augment, skeleton=fox, flip=0.5),
        "learner": learner,
        "evals": {
            "test": spec(evaluate.Eval, data=known, metrics=(near,), mirror=True),
            "found": spec(evaluate.Eval, data=boxes, metrics=(spec(metrics_coco.AP),)),
        },
        "checkpoints": spec(
            checkpoint.Checkpoints, every=4, keep=2, best="test/PCK-box@0.5"
        ),
    }


def scores(workdir: pathlib.Path, name: str) -> list[float]:
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return [row[name] for row in map(json.loads, lines) if name in row]


def test_five_keypoints_of_an_animal_train_and_evaluate(tmp_path):
    built = config.build(ConfigDict(fields(tmp_path)))
    train.train(**built, workdir=tmp_path / "run")
    near = scores(tmp_path / "run", "test/PCK-box@0.5")
    precision = scores(tmp_path / "run", "found/AP")
    assert len(near) == len(precision) == 2
    assert all(0 <= score <= 100 for score in near)
    assert all(0 <= score <= 1 for score in precision)


def test_poses_in_found_boxes_have_the_scores_of_both(tmp_path):
    built = config.build(ConfigDict(fields(tmp_path)))
    opened = built["evals"]["found"].data.open(str(tmp_path), str(tmp_path))
    assert opened.people.more["score"].tolist() == [0.9, 0.1] * 24
    poses = Poses(
        keypoints=np.zeros((48, 1, 5, 2)),
        scores=np.ones((48, 1, 5)),
        person_scores=np.full((48, 1), 0.5),
    )
    evaluator = evaluate.Evaluator.__new__(evaluate.Evaluator)
    evaluator.examples = opened
    rescored = evaluator._rescored(poses).person_scores
    assert rescored.ravel().tolist() == [0.45, 0.05] * 24
