"""Broken files of COCO's format: what is wrong in the whole of it, and the command."""

import json
import pathlib

import cv2
import numpy as np
import pytest
from coco_file import PERSON, annotation, check, content

from jaxpose.apps import command
from jaxpose.apps.check_data import report


def test_a_good_file_has_no_fault(tmp_path, capsys):
    assert check(tmp_path, content()) == []
    assert command.main(["check-data", str(tmp_path / "own.json")]) == 0
    assert capsys.readouterr().out == f"{tmp_path}/own.json: nothing is wrong\n"


def test_nobody_is_annotated(tmp_path):
    (one,) = check(tmp_path, content() | {"annotations": []})
    assert "nobody is annotated" in str(one) and one.certain


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


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("height", "240", "height is '240'; write a whole number"),
        ("width", 0, "width is 0; write a whole number"),
        ("file_name", ["2.jpg"], "file_name is ['2.jpg']; write a file's name"),
    ],
)
def test_fields_of_an_image_are_of_their_kind(field, value, text, tmp_path):
    data = content()
    data["images"][2][field] = value
    data["annotations"] = data["annotations"][:4]  # Nobody is on it.
    (one,) = check(tmp_path, data)
    assert str(one).startswith(f"image 2: {text}")


def jpeg(height: int, width: int) -> bytes:
    return cv2.imencode(".jpg", np.zeros((height, width, 3), np.uint8))[1].tobytes()


def test_photographs_that_are_not_there(tmp_path):
    folder = tmp_path / "photographs"
    folder.mkdir()
    for n in (0, 1, 3, 4):
        (folder / f"{n}.jpg").write_bytes(jpeg(240, 320))
    (one,) = check(tmp_path, content(), folder)
    assert str(one).startswith(f"image 2: 2.jpg is not in {folder}; put the photograph")
    # An application header with a whole small picture in it comes before the size.
    small = jpeg(8, 8)
    header = b"\xff\xe1" + (len(small) + 2).to_bytes(2) + small
    turned = jpeg(320, 240)
    (folder / "2.jpg").write_bytes(turned[:2] + header + turned[2:])
    (one,) = check(tmp_path, content(), folder)
    assert one.text == (
        "height and width are 240 and 320, but 2.jpg is 320 pixels high and 240 wide"
    )
    for other in (cv2.imencode(".png", np.zeros((240, 320)))[1].tobytes(), turned[:9]):
        (folder / "2.jpg").write_bytes(other)
        (one,) = check(tmp_path, content(), folder)
        assert str(one).startswith("image 2: 2.jpg is no JPEG file; convert it")
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
    data["categories"] = [PERSON | {"skeleton": 5}, PERSON]
    found = [str(one) for one in check(tmp_path, data)]
    assert found[0].startswith("category 1: 2 categories have this id; give each an id")
    assert "the limb 5 does not join two of 17" in found[1]


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
        (
            '{"images": [], "annotations": [], "categories": [{"keypoints": [1, 2]}]}',
            "has the keypoints [1, 2], but they must be a list of names",
        ),
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
