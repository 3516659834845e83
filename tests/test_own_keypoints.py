"""Somebody's own file of COCO's format trains and evaluates by a config alone."""

import itertools
import json
import pathlib

import cv2
import numpy as np
import people
from ml_collections import ConfigDict

from data_builders.coco_keypoints import coco_keypoints_dataset_builder as coco
from jaxpose import augment, checkpoint, config, data, evaluate, records, regions, train
from jaxpose.config import spec
from jaxpose.metrics import pck
from jaxpose.pose_files import coco_skeleton

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


def fields(root: pathlib.Path) -> dict:
    """What a config would hold: nothing but calls, postponed."""
    path = write_animals(root / "own")
    fox = spec(coco_skeleton.read, path=path)
    some = spec(
        data.Data,
        sources=(
            spec(
                records.Split,
                builder=coco.Builder,
                config=spec(
                    coco.Format,
                    annotations={"train": path},
                    images=str(root / "own" / "photographs"),
                ),
                split="train",
                region=spec(regions.KnownBox),
            ),
        ),
        skeleton=fox,
        size=(24, 24),
        threads=2,
    )
    learner = people.learner((24, 24))
    learner.model.num_keypoints = 5
    return people.fields(root) | {
        "data": some,
        "augment": spec(augment.Augment, skeleton=fox, flip=0.5),
        "learner": learner,
        "evals": {
            "test": spec(
                evaluate.Eval,
                data=some,
                metrics=(spec(pck.PCK, threshold=0.5, reference="box"),),
                mirror=True,
            )
        },
        "checkpoints": spec(
            checkpoint.Checkpoints, every=4, keep=2, best="test/PCK-box@0.5"
        ),
    }


def test_five_keypoints_of_an_animal_train_and_evaluate(tmp_path):
    built = config.build(ConfigDict(fields(tmp_path)))
    train.train(**built, workdir=tmp_path / "run")
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    scores = [json.loads(line) for line in lines]
    scores = [line["test/PCK-box@0.5"] for line in scores if "test/PCK-box@0.5" in line]
    assert len(scores) == 2 and all(0 <= score <= 100 for score in scores)
