import json
import os
import pathlib

import numpy as np
import pytest

from jaxpose import skeletons
from jaxpose.pose_files import coco_results
from jaxpose.types import Poses

DOG = skeletons.Skeleton(
    name="dog", keypoints=("nose", "tail"), flip=(0, 1), limbs=(), sigmas=(0.1, 0.1)
)
IDS = np.array([7, 3, 5])
PUBLISHED = pathlib.Path(__file__).parents[3] / "shared" / "data" / "published"


def result(**fields):
    whole = {"image_id": 3, "category_id": 1, "keypoints": [1, 2, 0.5, 3, 4, 1]}
    whole = whole | {"score": 0.25} | fields
    return {key: value for key, value in whole.items() if value is not None}


def written(folder, content):
    file = folder / "results.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


def test_people_of_a_photograph_keep_their_order(tmp_path):
    content = [result(), result(image_id=5, score=1), result(score=0.75)]
    found = coco_results.read(written(tmp_path, content), IDS, DOG)
    assert found.keypoints.shape == (3, 2, 2, 2)
    np.testing.assert_array_equal(
        found.person_scores, [[np.nan] * 2, [0.25, 0.75], [1, np.nan]]
    )
    np.testing.assert_array_equal(found.keypoints[1, 1], [[1, 2], [3, 4]])
    np.testing.assert_array_equal(found.scores[1, 0], [0.5, 1])
    assert np.isnan(found.keypoints[0]).all()


def test_an_empty_list_is_no_predictions(tmp_path):
    found = coco_results.read(written(tmp_path, []), IDS, DOG)
    assert found.keypoints.shape == (3, 1, 2, 2)
    assert np.isnan(found.person_scores).all()


def test_what_is_saved_comes_back_as_the_same_float32(tmp_path):
    random = np.random.default_rng(0)
    keypoints = random.uniform(-20, 500, (3, 2, 2, 2)).astype(np.float32)
    keypoints[1, 0, 1] = np.nan  # a keypoint that was not predicted
    keypoints[2, 1] = np.nan  # nobody
    saved = Poses(
        keypoints=keypoints,
        scores=random.uniform(size=(3, 2, 2)).astype(np.float32),
        person_scores=random.uniform(size=(3, 2)).astype(np.float32),
    )
    file = tmp_path / "results.json"
    coco_results.save(file, saved, IDS)
    assert os.listdir(tmp_path) == [file.name]
    content = json.loads(file.read_text())
    assert [r["image_id"] for r in content] == [7, 7, 3, 3, 5]
    assert content[2]["keypoints"][3:] == [0, 0, 0]
    found = coco_results.read(file, IDS, DOG)
    keypoints[1, 0, 1] = 0
    np.testing.assert_array_equal(found.keypoints.astype(np.float32), keypoints)
    known = np.isfinite(keypoints).all(axis=-1) & (keypoints > 0).any(axis=-1)
    np.testing.assert_array_equal(
        found.scores[known].astype(np.float32), saved.scores[known]
    )
    np.testing.assert_array_equal(
        found.person_scores[:2].astype(np.float32), saved.person_scores[:2]
    )


def test_results_have_the_category_of_their_row(tmp_path):
    poses = Poses(
        keypoints=np.ones((3, 2, 2, 2)),
        scores=np.ones((3, 2, 2)),
        person_scores=np.array([[1, 1], [1, np.nan], [1, 1]]),
    )
    file = tmp_path / "results.json"
    coco_results.save(file, poses, IDS, category=np.array([18, -1, 17]))
    content = json.loads(file.read_text())
    assert [r["category_id"] for r in content] == [18, 18, 1, 17, 17]
    with pytest.raises(ValueError, match=r"result 0 is of category_id 18.*\[1\]"):
        coco_results.read(file, IDS, DOG)
    found = coco_results.read(file, IDS, DOG, categories=(1, 17, 18))
    assert np.isfinite(found.person_scores).sum() == 5


def test_nobody_at_all_is_an_empty_list(tmp_path):
    empty = np.full((3, 1, 2), np.nan)
    nobody = Poses(
        keypoints=np.full((3, 1, 2, 2), np.nan),
        scores=empty,
        person_scores=empty[..., 0],
    )
    coco_results.save(tmp_path / "results.json", nobody, IDS)
    assert json.loads((tmp_path / "results.json").read_text()) == []


def test_real_results():
    file = PUBLISHED / "coco_4_images_preds.json"
    if not file.exists():
        pytest.skip(f"{file} is absent")
    ids = np.array([785, 40083, 196141, 197388])
    found = coco_results.read(file, ids, skeletons.COCO)
    assert np.isfinite(found.person_scores).sum() == 73  # shared/data/README.md


@pytest.mark.parametrize(
    "content, message",
    [
        ("{", "is no JSON file that can be read"),
        ({"images": []}, "is no list of results .*; truth and results differ"),
        ([1], "is no list of results"),
        ([result(), result(score=None)], "result 1 lacks score"),
        ([result(score="high")], "result 0 has the score 'high'; it must be a number"),
        ([result(score=np.nan)], "result 0 has the score nan"),
        ([result(image_id="7")], "result 0 is of image_id '7', which is .* whole ones"),
        (
            [result(image_id=[7])],
            r"result 0 is of image_id \[7\], which is not in the t",
        ),
        ([result(category_id=18)], r"is of category_id 18, but keypoints in .* \[1\]"),
        (
            [result(category_id=[1])],
            r"is of category_id \[1\], but keypoints in the tr",
        ),
        ([result(image_id=4)], "result 0 is of image_id 4, which is not in the truth"),
        ([result(keypoints=[1, 2, 3])], r"keypoints \[1, 2, 3\], must be 6 numbers"),
        ([result(keypoints=[np.inf] * 6)], "must be 6 numbers: x, y and a confidence"),
        ([result(keypoints="123456")], "must be 6 numbers"),
    ],
)
def test_bad_files_are_refused(tmp_path, content, message):
    with pytest.raises(ValueError, match=f"results.json.*{message}"):
        coco_results.read(written(tmp_path, content), IDS, DOG)


def test_absent_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        coco_results.read(tmp_path / "results.json", IDS, DOG)
