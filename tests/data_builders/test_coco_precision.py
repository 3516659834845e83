"""Average precision on the real COCO records, beside what pycocotools says of the file."""

import contextlib
import io
import json
import pathlib

import archives
import numpy as np
import pytest
from pycocotools.coco import COCO as Toolbox
from pycocotools.cocoeval import COCOeval

from data_builders.coco_keypoints import coco_keypoints_dataset_builder as coco
from jaxpose import detections, records, regions
from jaxpose.metrics import coco as metric
from jaxpose.skeletons import COCO, Skeleton
from jaxpose.types import Poses

BODY = range(5, 17)  # COCO's keypoints without those of the face
LIMBS = Skeleton(
    name="limbs",
    keypoints=tuple(COCO.keypoints[k] for k in BODY),
    flip=tuple(COCO.flip[k] - 5 for k in BODY),
    limbs=(),
    sigmas=tuple(COCO.sigmas[k] for k in BODY),
)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Where COCO's people are prepared, and what their file holds."""
    real = archives.ROOT.parent / "shared" / "data"
    file = real / "coco" / "annotations" / "person_keypoints_train2017.json"
    if not file.exists():
        pytest.skip(f"{file}, a part of the real archives, is not here")
    return tmp_path_factory.mktemp("coco"), real, file


def find(prepared, results, skeleton=COCO, at_least=1) -> records.People:
    """The results as if they were found in boxes of their own."""
    root, real, _ = prepared
    split = records.Split(
        builder=coco.Builder,
        config="2017",
        split="train",
        region=regions.KnownBox(),
        at_least=at_least,
    )
    boxes = [
        {"image_id": r["image_id"], "bbox": [0, 0, 9, 9], "score": r["score"]}
        for r in results
    ]
    (root / "found.json").write_text(json.dumps(boxes))
    found = detections.Detections(
        split=split, file=str(root / "found.json"), region=regions.WholeImage()
    )
    return found.open(str(root), str(real), skeleton)


def poses(people: records.People, results) -> Poses:
    """Of every row; the last ones are photographs without a result."""
    n = len(people)
    points = np.zeros((n, 17, 3))
    points[: len(results)] = np.reshape([r["keypoints"] for r in results], (-1, 17, 3))
    return Poses(
        keypoints=points[:, None, :, :2],
        scores=np.ones((n, 1, 17)),
        person_scores=people.more["score"][:, None],
    )


def annotated(file: pathlib.Path) -> list[dict]:
    """Everybody with keypoints as they are, the unlabeled ones in the box's middle."""
    results = []
    for a in json.loads(file.read_text())["annotations"]:
        if a["num_keypoints"] and not a["iscrowd"]:
            x, y, width, height = a["bbox"]
            known = np.reshape(a["keypoints"], (17, 3))
            middle = (x + width / 2, y + height / 2, 0)
            points = np.where(known[:, 2:] > 0, known, middle).ravel().tolist()
            result = {"image_id": a["image_id"], "keypoints": points, "score": 0.9}
            results.append(result)
    return results


@pytest.mark.parametrize("skeleton, at_least", [(COCO, 1), (COCO, 6), (LIMBS, 1)])
def test_all_true_is_perfect_whoever_is_asked_for(prepared, skeleton, at_least):
    """A pose of somebody with too few keypoints to be counted is no false alarm."""
    results = annotated(prepared[2])
    people = find(prepared, results, skeleton, at_least)
    assert len(people) == len(results) == 86
    found = poses(people, results)
    if skeleton is LIMBS:
        found = Poses(
            keypoints=found.keypoints[:, :, 5:],
            scores=found.scores[:, :, 5:],
            person_scores=found.person_scores,
        )
    table = metric.AP()(found, people.annotations(), skeleton)
    assert table.mean == pytest.approx(1)


def guesses(file: pathlib.Path) -> list[dict]:
    """Three poses near each person, and eight in and around each crowd."""
    random = np.random.default_rng(0)
    results = []
    for a in json.loads(file.read_text())["annotations"]:
        x, y, width, height = a["bbox"]
        for _ in range(8 if a["iscrowd"] else 3):
            points = random.normal(0, 0.3, (17, 2)) * (width, height)
            points += random.normal(0, 1.3, 2) * (width, height)
            points += (x + width / 2, y + height / 2)
            if a["num_keypoints"]:
                known = np.reshape(a["keypoints"], (17, 3))
                noise = random.uniform(0, 0.12) * a["area"] ** 0.5
                near = known[:, :2] + random.normal(0, noise, (17, 2))
                points = np.where(known[:, 2:] > 0, near, points)
            flat = np.c_[points, np.ones(17)].ravel().tolist()
            result = {"image_id": a["image_id"], "category_id": 1, "keypoints": flat}
            results.append(result | {"score": random.uniform()})
    return results


def test_every_number_is_that_of_pycocotools(prepared):
    """Crowds count by their area, which is not that of their boxes."""
    results = guesses(prepared[2])
    people = find(prepared, results)
    table = metric.AP()(poses(people, results), people.annotations(), COCO)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = Toolbox(str(prepared[2]))
        evaluation = COCOeval(truth, truth.loadRes(results), "keypoints")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    np.testing.assert_array_equal(list(table.extra.values()), evaluation.stats)
    assert 0.1 < table.mean < 0.9
