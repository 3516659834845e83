"""Somebody's own file of COCO's format trains and evaluates by a config alone."""

import itertools
import json
import pathlib

import cv2
import numpy as np
import people
import pytest
from ml_collections import ConfigDict
from pycocotools.coco import COCO as Toolbox
from pycocotools.cocoeval import COCOeval

from data_builders.coco_keypoints import coco_keypoints_dataset_builder as coco
from jaxpose import (
    augment,
    checkpoint,
    config,
    data,
    detections,
    devices,
    evaluate,
    records,
    regions,
    train,
)
from jaxpose.apps import checkpoint_scores, command
from jaxpose.config import spec
from jaxpose.metrics import coco as metrics_coco
from jaxpose.metrics import pck
from jaxpose.pose_files import coco_skeleton
from jaxpose.types import Poses

NAMES = ["nose", "left_ear", "right_ear", "back", "tail"]
FOX = 18  # the number of its category, which is not COCO's of a person
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
                "category_id": FOX,
                "iscrowd": 0,
                "num_keypoints": 5,
                "keypoints": [int(v) for x, y in points for v in (x, y, 2)],
                "bbox": [*map(float, low), *map(float, high - low)],
                "area": float(np.prod(high - low)),
            }
        )
    category = {"id": FOX, "name": "fox", "keypoints": NAMES, "skeleton": [[1, 2]]}
    content = {"images": images, "annotations": annotations, "categories": [category]}
    (folder / "animals.json").write_text(json.dumps(content))
    return str(folder / "animals.json")


def write_detections(folder: pathlib.Path, number: int = 24) -> str:
    """Two boxes a photograph, the second one of little use; returns the file's path."""
    boxes = [
        {"image_id": n, "category_id": FOX, "bbox": [4, 4, 50, 36], "score": score}
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
        category=FOX,
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


def test_results_are_those_that_pycocotools_scores_alike(tmp_path, capsys):
    built = config.build(ConfigDict(fields(tmp_path)))
    (found,) = evaluate.open_evals(
        {"found": built["evals"]["found"]},
        built["learner"],
        devices.mesh(),
        batch_size=8,
        data_dir=built["data_dir"],
        manual_dir=built["manual_dir"],
    ).values()
    truth, random = found.examples.annotations(), np.random.default_rng(0)
    points = np.repeat(truth.keypoints[truth.labeled.any(axis=2)], 2, axis=0)[:, None]
    noise = random.uniform(0, 6, (48, 1, 1, 1))
    poses = Poses(
        keypoints=points + noise * random.normal(size=points.shape),
        scores=np.ones((48, 1, 5)),
        person_scores=random.uniform(size=(48, 1)),
    )
    result = found._score(poses, truth)
    (tmp_path / "run").mkdir()
    checkpoint_scores._leave(tmp_path / "run", "found", 1, found, result)
    file = tmp_path / "run" / "predictions" / "found_0000001.json"
    known = Toolbox(str(tmp_path / "own" / "animals.json"))
    evaluation = COCOeval(known, known.loadRes(str(file)), "keypoints")
    evaluation.params.kpt_oks_sigmas = np.full(5, 0.1)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    (table,) = result.tables
    numbers = np.nan_to_num(list(table.extra.values()), nan=-1)
    np.testing.assert_array_equal(numbers, evaluation.stats)
    assert 0.1 < table.mean < 0.9
    assert table.convention.endswith(
        "boxes: found ones of found.json with scores of 0 or more, KnownBox(box='box', "
        "padding=1.25, aspect=1.0); no mirror; no OKS-NMS"
    )
    files = [f"--truth={tmp_path}/own/animals.json", f"--predictions={file}"]
    capsys.readouterr()
    assert command.main(["score", "coco", *files, "--sigmas=0.1", "--json"]) == 0
    scored = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert scored["mean"] == table.mean


CONFIG = pathlib.Path(__file__).parents[1] / "configs" / "own_keypoints.py"


def test_the_config_for_own_files_opens_them(tmp_path, capsys):
    path = write_animals(tmp_path / "own")
    name = f"{CONFIG}:{path},{path},{tmp_path}/own/photographs"
    fields = config.build(config.load(name))
    validation = fields["evals"]["validation"]
    assert [type(metric) for metric in validation.metrics] == [pck.PCK]
    people = validation.data.open(str(tmp_path / "data"), str(tmp_path)).people
    assert people.keypoints.shape == (24, 5, 2) and people.visibility.all()
    sheet = ["--data-dir", str(tmp_path / "data"), "--out", str(tmp_path / "a.png")]
    assert command.main(["sheet", "--config", name, "--count=4", *sheet]) == 0
    assert cv2.imread(str(tmp_path / "a.png")) is not None


def test_the_config_measures_ap_where_the_file_has_sigmas(tmp_path):
    path = write_animals(tmp_path / "own")
    content = json.loads(pathlib.Path(path).read_text())
    content["categories"][0]["sigmas"] = [0.1] * 5
    pathlib.Path(path).write_text(json.dumps(content))
    name = f"{CONFIG}:{path},{path},{tmp_path}/own/photographs"
    metrics = config.build(config.load(name))["evals"]["validation"].metrics
    assert [type(metric) for metric in metrics] == [pck.PCK, metrics_coco.AP]


def test_the_config_for_own_files_asks_for_them():
    with pytest.raises(ValueError, match="TRAIN.json,VALIDATION.json,PHOTOGRAPHS"):
        config.load(str(CONFIG))


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
