import dataclasses
import json
import os

import numpy as np
import pytest

from jaxpose import evaluate, skeletons
from jaxpose.apps import checkpoint_scores, command
from jaxpose.types import Annotations, Poses

COCO = skeletons.COCO


@pytest.fixture
def result():
    """Three people of two photographs, found as they are."""
    keypoints = np.random.default_rng(0).uniform(0, 100, (3, 1, 17, 2))
    truth = Annotations(
        keypoints=keypoints,
        visibility=np.full((3, 1, 17), 2),
        names=("a.jpg", "a.jpg", "b.jpg"),
        image_id=np.array([9, 9, 4]),
        area=np.full((3, 1), 3000.0),
    )
    ones = np.ones((3, 1, 17), np.float32)
    poses = Poses(keypoints=keypoints, scores=ones, person_scores=ones[..., 0])
    return evaluate.Result(tables=(), poses=poses, annotations=truth)


def test_poses_of_coco_are_results_that_score_reads(tmp_path, result, capsys):
    checkpoint_scores.save_poses(tmp_path / "val_0000001", result, COCO)
    assert sorted(os.listdir(tmp_path)) == [
        f"val_0000001.{ending}" for ending in ("csv", "json", "mat", "npz")
    ]
    person = {"id": 1, "name": "person", "keypoints": COCO.keypoints}
    annotations = [
        {"id": n, "image_id": image_id, "category_id": 1, "area": 3000.0}
        | {"keypoints": np.c_[points, np.full(17, 2)].ravel().tolist()}
        for n, (image_id, points) in enumerate(
            zip([9, 9, 4], result.annotations.keypoints[:, 0])
        )
    ]
    images = [{"id": 4}, {"id": 9}]
    truth = {"images": images, "annotations": annotations, "categories": [person]}
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    files = [f"--truth={tmp_path}/truth.json"]
    files += [f"--predictions={tmp_path}/val_0000001.json"]
    assert command.main(["score", "coco", *files, "--json"]) == 0
    table = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert table["mean"] == pytest.approx(1)


def test_poses_without_areas_are_no_results(tmp_path, result):
    bare = dataclasses.replace(result.annotations, area=None)
    result = dataclasses.replace(result, annotations=bare)
    checkpoint_scores.save_poses(tmp_path / "test_0000001", result, COCO)
    assert "test_0000001.json" not in os.listdir(tmp_path)
