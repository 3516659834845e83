import contextlib
import copy
import dataclasses
import io
import json
import pathlib

import crowds
import numpy as np
import pytest
from pycocotools import cocoeval
from pycocotools.coco import COCO as Toolbox

from jaxpose import skeletons
from jaxpose.metrics import coco, pycoco
from jaxpose.pose_files import coco_results, coco_truth
from jaxpose.types import Annotations, Regions

COCO = skeletons.COCO
PUBLISHED = pathlib.Path(__file__).parents[3] / "shared" / "data" / "published"
TRUTH = PUBLISHED / "coco_4_images_ground_truth.json"
RESULTS = PUBLISHED / "coco_4_images_preds.json"


def published():
    if not TRUTH.exists():
        pytest.skip(f"{TRUTH} is absent")
    file = coco_truth.read(TRUTH)
    truth = coco_truth.annotations_of(file, COCO)
    return coco_results.read(RESULTS, truth.image_id, COCO), truth


def toolbox(truth, results):
    """The ten numbers of pycocotools, from dictionaries as its files hold them."""
    with contextlib.redirect_stdout(io.StringIO()):
        known = Toolbox()
        known.dataset = copy.deepcopy(truth)
        known.createIndex()
        found = known.loadRes(copy.deepcopy(results))
        evaluation = cocoeval.COCOeval(known, found, "keypoints")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats


def test_golden_four_images(capsys):
    """shared/data/README.md: AP .861 AP50 .993 AP75 .911 APm .776 APl .937 AR .875."""
    table = coco.AP()(*published(), COCO)
    rounded = {name: round(value, 3) for name, value in table.extra.items()}
    assert rounded["AP"] == 0.861 == round(table.mean, 3)
    assert (rounded["AP50"], rounded["AP75"]) == (0.993, 0.911)
    assert (rounded["APm"], rounded["APl"], rounded["AR"]) == (0.776, 0.937, 0.875)
    assert tuple(table.extra) == pycoco.STATISTICS
    assert table.name == "AP" and list(table.values) == list(COCO.keypoints)
    assert "12 people with labels in 4 photographs, 2 crowds and p" in table.convention
    assert capsys.readouterr().out == ""  # pycocotools prints a page


def test_equals_pycocotools_on_the_files():
    predicted, truth = published()
    expected = toolbox(json.loads(TRUTH.read_text()), json.loads(RESULTS.read_text()))
    table = coco.AP()(predicted, truth, COCO)
    np.testing.assert_array_equal(list(table.extra.values()), expected)


def as_files(predicted, annotations):
    """The same people as dictionaries in COCO's format, written out one by one."""
    n, p = annotations.visibility.shape[:2]
    truth, results = [], []
    for i in range(n):
        for j in range(p):
            flat = np.c_[annotations.keypoints[i, j], annotations.visibility[i, j]]
            truth.append(
                {
                    "id": len(truth) + 1,
                    "image_id": i,
                    "category_id": 1,
                    "iscrowd": 0,
                    "keypoints": flat.ravel().tolist(),
                    "num_keypoints": int((annotations.visibility[i, j] > 0).sum()),
                    "area": float(annotations.area[i, j]),
                    "bbox": [0, 0, 1, 1],
                }
            )
        for keypoints, score in zip(predicted.keypoints[i], predicted.person_scores[i]):
            flat = np.c_[keypoints, np.ones(17)].ravel().tolist()
            results.append(
                {
                    "image_id": i,
                    "category_id": 1,
                    "keypoints": flat,
                    "score": float(score),
                }
            )
    images = [{"id": i} for i in range(n)]
    return {
        "images": images,
        "categories": [{"id": 1}],
        "annotations": truth,
    }, results


def test_equals_pycocotools_on_many_people():
    predicted, annotations = crowds.people(n=20)
    expected = toolbox(*as_files(predicted, annotations))
    table = coco.AP()(predicted, annotations, COCO)
    np.testing.assert_array_equal(list(table.extra.values()), expected)
    assert 0.1 < table.mean < 0.95


@pytest.mark.parametrize("crowd", [True, False])
def test_predictions_in_ignored_regions_do_no_harm(crowd):
    predicted, annotations = crowds.one_person()
    assert coco.AP()(predicted, annotations, COCO).mean == pytest.approx(0.5)
    region = Regions(
        image_id=np.array([0]),
        box=np.array([[5000.0, 5000.0, 5080.0, 5080.0]]),
        area=np.array([np.nan]),  # then the box's
        crowd=np.array([crowd]),
    )
    ignored = dataclasses.replace(annotations, ignored=region)
    table = coco.AP()(predicted, ignored, COCO)
    assert table.mean == pytest.approx(1)
    assert "1 people with labels in 1 photographs, 1 crowds and" in table.convention
    elsewhere = dataclasses.replace(region, image_id=np.array([1]))
    other = dataclasses.replace(annotations, ignored=elsewhere)
    assert coco.AP()(predicted, other, COCO).mean == pytest.approx(0.5)


def test_a_crowd_swallows_many_and_a_person_one():
    predicted, annotations = crowds.one_person()
    keypoints = predicted.keypoints[:, [0, 1, 1, 1]]
    many = crowds.poses(keypoints, np.array([[0.5, 0.9, 0.8, 0.7]]))
    means = {}
    for crowd in (True, False):
        region = Regions(
            image_id=np.array([0]),
            box=np.array([[5000.0, 5000.0, 5080.0, 5080.0]]),
            area=np.array([6400.0]),
            crowd=np.array([crowd]),
        )
        ignored = dataclasses.replace(annotations, ignored=region)
        means[crowd] = coco.AP()(many, ignored, COCO).mean
    assert means[True] == pytest.approx(1)
    assert means[False] == pytest.approx(1 / 3)


@pytest.mark.parametrize("beyond, precision", [(4.5, 1.0), (5.0, 0.5)])
def test_ignored_boxes_count_from_the_corner_of_the_first_pixel(beyond, precision):
    """As COCO's do: this one ends at 110 there, and with as much again at 120.

    Beyond it an OKS of a half is d^2 = 8 ln(2) 0.1^2 400 = 22.2, d = 4.71 pixels, by
    the area that is stated and not that of the box.
    """
    predicted, annotations = crowds.one_person()
    predicted.keypoints[0, 1] = (120 + beyond, 105)
    region = Regions(
        image_id=np.array([0]),
        box=np.array([[99.5, 99.5, 109.5, 109.5]]),
        area=np.array([400.0]),
        crowd=np.array([False]),
    )
    ignored = dataclasses.replace(annotations, ignored=region)
    even = dataclasses.replace(COCO, sigmas=(0.1,) * 17)
    table = coco.AP()(predicted, ignored, even)
    assert table.extra["AP50"] == pytest.approx(precision)


def test_people_with_a_box_and_without_labels_are_ignored():
    predicted, annotations = crowds.one_person()
    pair = Annotations(
        keypoints=np.concatenate([annotations.keypoints] * 2, axis=1),
        visibility=np.concatenate(
            [annotations.visibility, np.zeros((1, 1, 17), int)], 1
        ),
        area=np.array([[4000.0, np.nan]]),
        box=np.array([[[np.nan] * 4, [5000.0, 5000.0, 5080.0, 5080.0]]]),
    )
    assert coco.AP()(predicted, pair, COCO).mean == pytest.approx(1)
    boxless = dataclasses.replace(pair, box=np.full((1, 2, 4), np.nan))
    assert coco.AP()(predicted, boxless, COCO).mean == pytest.approx(0.5)


def test_a_photograph_without_people_counts_false_predictions():
    predicted, annotations = crowds.one_person(image_id=np.array([5]))
    rows = dataclasses.replace(
        annotations,
        keypoints=np.concatenate([annotations.keypoints] * 2),
        visibility=np.concatenate([annotations.visibility, np.zeros((1, 1, 17), int)]),
        area=np.array([[4000.0], [np.nan]]),
        image_id=np.array([5, 9]),
    )
    found = crowds.poses(
        np.stack([predicted.keypoints[0, :1], predicted.keypoints[0, 1:]])
    )
    found = dataclasses.replace(found, person_scores=np.array([[0.5], [0.9]]))
    assert coco.AP()(found, rows, COCO).mean == pytest.approx(0.5)
