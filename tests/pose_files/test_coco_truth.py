import json
import pathlib

import numpy as np
import pytest

from jaxpose import skeletons
from jaxpose.pose_files import coco_skeleton, coco_truth

COCO = skeletons.COCO
DATA = pathlib.Path(__file__).parents[3] / "shared" / "data"
DOG = ("nose", "tail", "left_paw")
DOGS = {
    "images": [
        {"id": 7, "file_name": "b.jpg"},
        {"id": 3, "file_name": "a.jpg"},
        {"id": 5, "file_name": "c.jpg"},
    ],
    "categories": [
        {"id": 1, "name": "cat"},
        {"id": 2, "name": "dog", "keypoints": list(DOG), "skeleton": [[1, 2]]},
    ],
    "annotations": [
        {"id": 10, "image_id": 3, "category_id": 2, "iscrowd": 0, "area": 50.5}
        | {"keypoints": [1, 2, 2, 0, 0, 0, 5.5, 6, 1], "bbox": [1, 2, 10, 20]},
        {"id": 11, "image_id": 7, "category_id": 2, "iscrowd": 1, "area": 900}
        | {"keypoints": [0] * 9, "bbox": [0, 0, 30, 40]},
        {"id": 12, "image_id": 3, "category_id": 2}
        | {"keypoints": [9, 8, 1, 7, 6, 2, 0, 0, 0]},
        {"id": 13, "image_id": 3, "category_id": 2, "bbox": [4, 4, 2, 2]},
        {"id": 14, "image_id": 3, "category_id": 1, "keypoints": []},
    ],
}

WOLF = {"id": 3, "name": "wolf", "keypoints": ["nose", "tail"]}


def written(folder, content):
    file = folder / "dogs.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


def annotations(folder, content):
    file = coco_truth.read(written(folder, content))
    return coco_truth.annotations_of(file, coco_truth.skeleton_of(file))


def changed(**fields):
    """The dogs, with another value in the first annotation; None takes it away."""
    content = json.loads(json.dumps(DOGS))
    for key, value in fields.items():
        content["annotations"][0][key] = value
        if value is None:
            del content["annotations"][0][key]
    return content


def test_a_row_for_every_photograph_in_the_files_order(tmp_path):
    found = annotations(tmp_path, DOGS)
    assert found.keypoints.shape == (3, 2, 3, 2)
    assert found.names == ("b.jpg", "a.jpg", "c.jpg")
    np.testing.assert_array_equal(found.image_id, [7, 3, 5])
    np.testing.assert_array_equal(found.visibility[1], [[2, 0, 1], [1, 2, 0]])
    np.testing.assert_array_equal(found.keypoints[1, 0, 2], [5.5, 6])
    np.testing.assert_array_equal(found.keypoints[1, 1, 1], [7, 6])
    assert not found.labeled[[0, 2]].any()


def test_boxes_count_from_the_centre_of_the_first_pixel(tmp_path):
    found = annotations(tmp_path, DOGS)
    np.testing.assert_array_equal(found.box[1, 0], [0.5, 1.5, 10.5, 21.5])
    assert found.area[1, 0] == 50.5
    # Unknown, and nobody.
    assert np.isnan(found.box[1, 1]).all() and np.isnan(found.box[0]).all()
    assert np.isnan(found.area[1, 1])


def test_crowds_and_people_without_labels_are_regions(tmp_path):
    ignored = annotations(tmp_path, DOGS).ignored
    np.testing.assert_array_equal(ignored.image_id, [7, 3])
    np.testing.assert_array_equal(ignored.crowd, [True, False])
    np.testing.assert_array_equal(
        ignored.box, [[-0.5, -0.5, 29.5, 39.5], [3.5, 3.5, 5.5, 5.5]]
    )
    np.testing.assert_array_equal(ignored.area, [900, np.nan])


def test_categories_of_the_same_keypoints_are_one(tmp_path):
    wolf = WOLF | {"keypoints": list(DOG)}
    content = changed(category_id=3) | {"categories": [*DOGS["categories"], wolf]}
    assert coco_truth.read(written(tmp_path, content)).name == "dog, wolf"
    found, expected = annotations(tmp_path, content), annotations(tmp_path, DOGS)
    np.testing.assert_array_equal(found.keypoints, expected.keypoints)


def test_skeletons(tmp_path):
    file = coco_truth.read(written(tmp_path, DOGS))
    bare = coco_truth.skeleton_of(file)
    assert (bare.name, bare.keypoints, bare.sigmas) == ("dog", DOG, ())
    assert coco_truth.skeleton_of(file, (0.1,)).sigmas == (0.1, 0.1, 0.1)
    assert coco_truth.skeleton_of(file, (0.1, 0.2, 0.3)).sigmas == (0.1, 0.2, 0.3)
    with pytest.raises(
        ValueError, match="2 sigmas for the 3 keypoints .*nose, tail, l"
    ):
        coco_truth.skeleton_of(file, (0.1, 0.2))
    people = {"id": 1, "name": "person", "keypoints": list(COCO.keypoints)}
    content = {"images": [], "annotations": [], "categories": [people]}
    file = coco_truth.read(written(tmp_path, content))
    assert coco_truth.skeleton_of(file) is COCO
    assert coco_truth.skeleton_of(file, (0.5,)).sigmas == (0.5,) * 17
    assert coco_truth.annotations_of(file, COCO).keypoints.shape == (0, 1, 17, 2)


def test_a_categorys_own_sigmas_are_taken(tmp_path):
    """As `coco_skeleton.read` takes them, so that a file is trained and scored alike."""
    dog = DOGS["categories"][1] | {"sigmas": [0.1, 0.2, 0.3]}
    path = written(tmp_path, DOGS | {"categories": [dog, DOGS["categories"][0]]})
    file = coco_truth.read(path)
    assert coco_truth.skeleton_of(file).sigmas == (0.1, 0.2, 0.3)
    assert coco_truth.skeleton_of(file, (0.4,)).sigmas == (0.4,) * 3
    assert coco_skeleton.read(path, flip=(("nose", "tail"),)).sigmas == (0.1, 0.2, 0.3)


@pytest.mark.parametrize("split, people", [("train", 86), ("val", 68)])
def test_real_files(split, people):
    path = DATA / "coco" / "annotations" / f"person_keypoints_{split}2017.json"
    if not path.exists():
        pytest.skip(f"{path} is absent")
    file = coco_truth.read(path)
    found = coco_truth.annotations_of(file, COCO)
    assert found.labeled.any(axis=-1).sum() == people  # shared/data/README.md
    assert found.ignored.crowd.any()
    rows = {image_id: row for row, image_id in enumerate(found.image_id.tolist())}
    slots = dict.fromkeys(rows, 0)
    for a in json.loads(path.read_text())["annotations"]:
        if a["num_keypoints"] and not a["iscrowd"]:
            row, slot = rows[a["image_id"]], slots[a["image_id"]]
            slots[a["image_id"]] += 1
            flat = np.reshape(a["keypoints"], (17, 3))
            np.testing.assert_array_equal(found.keypoints[row, slot], flat[:, :2])
            np.testing.assert_array_equal(found.visibility[row, slot], flat[:, 2])
            assert found.area[row, slot] == a["area"]


@pytest.mark.parametrize(
    "content, message",
    [
        ("", "is no JSON file that can be read"),
        ([], "an object with images, annotations, categories; truth and results"),
        ({"images": []}, "an object with images, annotations, categories"),
        (DOGS | {"categories": DOGS["categories"][:1]}, "have 0 different lists of ke"),
        (DOGS | {"categories": [*DOGS["categories"], WOLF]}, "have 2 different lists"),
        (DOGS | {"annotations": [{"id": 1}]}, "number 0 lacks category_id, image_id"),
        (changed(image_id=4), "annotation 10 is of image_id 4, which is not among"),
        (changed(keypoints=[1, 2, 2]), "annotation 10 has 3 numbers .* must be 9"),
        (changed(keypoints=[1, 2, 3] * 3), r"annotation 10 .* visibility \[3\]; there"),
        (
            changed(keypoints=[np.nan, 2, 2] * 3),
            "annotation 10 has a labeled keypoint t",
        ),
        (changed(keypoints=None, bbox=None), "annotation 10 has neither a labeled key"),
        (changed(iscrowd=1, bbox=None), "annotation 10 .* or is a crowd without one"),
        (
            changed(category_id=77),
            "annotation 10 is of category_id 77, which is not am",
        ),
        (changed(iscrowd="0"), "annotation 10 has the iscrowd '0'; it must be 0 or 1"),
        (changed(area="x"), "annotation 10 has the area 'x'; it must be a number"),
        (changed(bbox=["a", 2, 3, 4]), "annotation 10 has the bbox .*x, y, width, hei"),
        (changed(bbox=5), "annotation 10 has the bbox 5; it must be"),
        (changed(keypoints=5), "annotation 10 has the keypoints 5; it must be a list"),
        (
            changed(keypoints=[None, 2, 2] * 3),
            "annotation 10 has the keypoints .* list",
        ),
        (changed(image_id="3"), "number 0 lacks image_id, which must be whole numbers"),
        (DOGS | {"annotations": ["a"]}, "`annotations` must be a list of objects"),
        (DOGS | {"images": ["a"]}, "`images` must be a list of objects"),
        (DOGS | {"images": [{"file_name": "a.jpg"}]}, "`images` must be .* an `id`"),
        (DOGS | {"images": [{"id": "a"}]}, "`images` must be .* a whole"),
        (
            DOGS | {"images": [DOGS["images"][0]] * 2},
            "`images` must be .* no other one",
        ),
        (DOGS | {"categories": ["dog"]}, "has no `categories` of COCO's format"),
        (DOGS | {"categories": [{"keypoints": ["a"]}]}, "`categories` must be a list"),
    ],
)
def test_bad_files_are_refused(tmp_path, content, message):
    with pytest.raises(ValueError, match=f"dogs.json.* {message}"):
        annotations(tmp_path, content)
