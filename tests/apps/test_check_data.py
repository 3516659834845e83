"""A corpus of broken files of COCO's format: each gets its message."""

import json
import pathlib

import numpy as np
import pytest

from jaxpose import skeletons
from jaxpose.apps import command
from jaxpose.apps.check_data import report

# A standing person who faces the camera, in a box of 1 x 2, in COCO's order.
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


def check(tmp_path, data, folder=None) -> list:
    path = tmp_path / "own.json"
    path.write_text(json.dumps(data))
    return report.faults(path, folder)


def test_a_good_file_has_no_fault(tmp_path, capsys):
    assert check(tmp_path, content()) == []
    assert command.main(["check-data", str(tmp_path / "own.json")]) == 0
    assert capsys.readouterr().out == f"{tmp_path}/own.json: nothing is wrong\n"


def with_point(name: str, x: float, y: float) -> list[float]:
    points = keypoints(27, 10)
    start = 3 * skeletons.COCO.index(name)
    points[start : start + 2] = x, y
    return points


# What is changed of annotation 7, and what is said of it.
BROKEN = {
    "count": ({"num_keypoints": 12}, "num_keypoints is 12, but 17", "write 17"),
    "no count": ({"num_keypoints": None}, "num_keypoints is missing", "write 17"),
    "no keypoints": ({"keypoints": None}, "is 17, but 0 keypoints are", "write 0"),
    "area of 1": ({"area": 1}, "area 1 is too small for a person", "0.53"),
    "area of 0": ({"area": 0.0}, "area 0 is too small", "write the area"),
    "no area": ({"area": None}, "it has no area", "write the area"),
    "area of text": ({"area": "big"}, "area is 'big'", "write the area"),
    "tiny area": ({"area": 30}, "area 30 is too small for keypoints that span", "area"),
    "large area": ({"area": 40000}, "area 40000 is larger than the box's", "area"),
    "outside": (
        {"keypoints": with_point("nose", 700, 20)},
        "nose is labeled at (700, 20), outside of the photograph, which is 320 wide",
        "visibility 0",
    ),
    "above": (
        {"keypoints": with_point("left_eye", 50, -9)},
        "left_eye is labeled at (50, -9), outside",
        "correct it",
    ),
    "corner": (
        {"keypoints": with_point("left_ankle", 0, 0)},
        "left_ankle is labeled at (0, 0)",
        "visibility 0",
    ),
    "too few": ({"keypoints": [1, 2, 2]}, "it has 3 numbers as keypoints", "write 51"),
    "flag": (
        {"keypoints": [*keypoints(27, 10)[:-1], 3]},
        "it has the visibility 3",
        "2 (visible)",
    ),
    "text": (
        {"keypoints": ["a", *keypoints(27, 10)[1:]]},
        "not all finite numbers",
        "write 51",
    ),
    "no box": ({"bbox": None}, "it has no bbox", "[x, y, width, height]"),
    "empty box": ({"bbox": []}, "it has no bbox", "[x, y, width, height]"),
    "three numbers": ({"bbox": [1, 2, 3]}, "not four numbers", "write bbox"),
    "flat box": ({"bbox": [27, 10, 0, 200]}, "has no area", "write bbox"),
    "another's box": (
        {"bbox": [250, 10, 40, 200], "area": 5000},
        "holds less than half of the visible keypoints",
        "write bbox",
    ),
    "corners": (
        {"bbox": [127, 110, 227, 310], "keypoints": keypoints(127, 110, 90)},
        "reaches out of the photograph",
        "cut it at the border",
    ),
    "run lengths": (
        {"segmentation": {"counts": [1], "size": [320, 240]}},
        "run lengths are of size [320, 240]",
        "size [height, width]",
    ),
    "no counts": ({"segmentation": {"size": [240, 320]}}, "have no counts", "counts"),
    "two corners": ({"segmentation": [[1, 2, 3, 4]]}, "polygon that is none", "three"),
    "image": ({"image_id": 77}, "image_id 77 is not among the images", "add it"),
    "category": ({"category_id": 9}, "category_id 9 is not among", "add it there"),
    "id": ({"id": 6}, "another annotation has this id too", "an id that nobody has"),
    "sides": (
        {"keypoints": keypoints(27, 10, order=skeletons.COCO.flip)},
        "left and right seem exchanged: eyes and nose",
        "exchange left and right of this person",
    ),
}


@pytest.mark.parametrize(("fields", "text", "remedy"), BROKEN.values(), ids=BROKEN)
def test_a_broken_annotation_is_named(fields, text, remedy, tmp_path):
    data = content()
    data["annotations"][7] |= fields
    found = check(tmp_path, data)
    number = fields.get("id", 7)
    (said,) = [str(one) for one in found if text in str(one)]
    assert said.startswith(f"annotation {number} (image {fields.get('image_id', 3)}")
    assert remedy in said and all(one.certain for one in found)
    others = [one for one in found if f"annotation {number} " not in one.where]
    assert not others


def test_a_box_of_two_corners_is_recognized(tmp_path):
    data = content()
    data["images"] = [image | {"width": 900, "height": 900} for image in data["images"]]
    # The person is at x 300 to 400, the box was read as beginning there.
    points = keypoints(300, 300, 100)
    corners = {"keypoints": points, "bbox": [300, 300, 400, 500], "area": 9000}
    data["annotations"][7] |= corners
    assert check(tmp_path, data) == []  # Too large, but nothing says so.
    data["annotations"][7]["bbox"] = [290, 290, 5, 5]
    assert "holds less than half" in str(check(tmp_path, data)[0])


def test_missing_fields_are_named(tmp_path):
    data = content()
    del data["annotations"][2]["id"], data["images"][1]["height"]
    found = [str(one) for one in check(tmp_path, data)]
    assert any("annotation None (image 1, 1.jpg), number 2 of" in one for one in found)
    assert any("image 1: height missing; write" in one for one in found)


@pytest.mark.parametrize("number", ["seven", 7.5, None, [7]])
def test_ids_are_whole_numbers(number, tmp_path):
    data = content()
    data["annotations"][7]["image_id"] = number
    (one,) = check(tmp_path, data)
    assert f"number 7 of the list annotations: its image_id is {number!r}" in str(one)


def test_images_that_share_an_id_or_a_file(tmp_path):
    data = content()
    data["images"].append(data["images"][0] | {"file_name": "x.jpg"})
    data["images"].append(data["images"][0] | {"id": 9})
    kinds = [one.kind for one in check(tmp_path, data)]
    assert kinds == ["same id of images", "same file_name of images"]


def test_photographs_that_are_not_there(tmp_path):
    folder = tmp_path / "photographs"
    folder.mkdir()
    for n in (0, 1, 3, 4):
        (folder / f"{n}.jpg").touch()
    (one,) = check(tmp_path, content(), folder)
    assert str(one).startswith(f"image 2: 2.jpg is not in {folder}; put the photograph")
    with pytest.raises(ValueError, match="is no folder"):
        check(tmp_path, content(), tmp_path / "nowhere")


def test_categories_are_looked_at(tmp_path):
    data = content()
    names = [*PERSON["keypoints"]]
    names[1:3] = names[2], names[1]
    data["categories"] = [PERSON | {"keypoints": names, "skeleton": [[0, 1]]}]
    found = check(tmp_path, data)
    assert [one.kind for one in found][:2] == ["keypoint names", "skeleton"]
    assert "COCO's in another order" in str(found[0]) and not found[0].certain
    assert "limb [0, 1] does not join" in str(found[1])
    assert "the whole file: of 10 people" in str(found[2])


def test_a_whole_file_with_sides_exchanged(tmp_path):
    data = content()
    for n, person in enumerate(data["annotations"]):
        person["keypoints"] = keypoints(20 + n, 10, order=skeletons.COCO.flip)
    (one,) = check(tmp_path, data)
    assert one.where == "the whole file" and "of 10 people" in one.text


def test_any_keypoints_are_measured_by_the_majority(tmp_path):
    names = ["snout", "left_horn", "right_horn", "tail"]
    shape = np.array([(0.5, 0.5), (0.8, 0.1), (0.2, 0.1), (0.5, 2.0)]) * 80
    generator = np.random.default_rng(0)
    people = []
    for n in range(100):
        order = (0, 2, 1, 3) if n == 42 else range(4)
        points = (shape + generator.normal(0, 3, (4, 2)) + 60)[list(order)]
        flat = [value for x, y in points.tolist() for value in (x, y, 2)]
        box = {"bbox": [55, 55, 100, 180], "area": 9000, "image_id": 0}
        people.append(annotation(n, keypoints=flat, num_keypoints=4, **box))
    data = content() | {"annotations": people}
    data["categories"] = [PERSON | {"keypoints": names, "skeleton": []}]
    (one,) = check(tmp_path, data)
    assert one.where.startswith("annotation 42 ") and not one.certain
    assert "left_horn and its partner lie the other way round" in one.text


def test_sides_without_partners_are_said(tmp_path):
    data = content()
    names = [name.replace("right_ear", "ear") for name in PERSON["keypoints"]]
    data["categories"] = [PERSON | {"keypoints": names}]
    (one,) = check(tmp_path, data)
    assert "left_ear has a side, but right_ear is not" in one.text and not one.certain


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no JSON"),
        ("[]", "with the lists images, annotations, categories"),
        ('{"images": [], "annotations": [1], "categories": []}', "every entry an obj"),
        ('{"images": [], "annotations": [], "categories": []}', "0 different lists"),
    ],
)
def test_what_is_not_of_the_format_is_refused(text, message, tmp_path, capsys):
    path = tmp_path / "own.json"
    path.write_text(text)
    assert command.main(["check-data", str(path)]) == command.USER_ERROR
    assert message in capsys.readouterr().err


def test_many_faults_of_one_kind_are_cut_and_json_has_all(tmp_path, capsys):
    data = content()
    for person in data["annotations"]:
        person["area"] = 1
    data["annotations"] += [annotation(20 + n, image_id=1, area=0) for n in range(5)]
    path = tmp_path / "own.json"
    path.write_text(json.dumps(data))
    assert command.main(["check-data", str(path)]) == report.FAULTY
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 12 and lines[0].startswith("! annotation 0 (image 0, 0.jpg): ")
    assert lines[10] == "  ... area: 5 more; --all prints them"
    assert lines[11] == f"{path}: 15 faults, 0 to look at"
    command.main(["check-data", str(path), "--all"])
    assert len(capsys.readouterr().out.splitlines()) == 16
    command.main(["check-data", str(path), "--json"])
    assert len(json.loads(capsys.readouterr().out)) == 15


@pytest.mark.parametrize("split", ["train", "val"])
def test_real_files_have_no_fault(split):
    data = pathlib.Path(__file__).parents[3] / "shared" / "data" / "coco"
    file = data / "annotations" / f"person_keypoints_{split}2017.json"
    if not file.exists():
        pytest.skip(f"{file}, a part of the real archive, is not here")
    assert report.faults(file, data / f"{split}2017") == []
