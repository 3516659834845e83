"""A corpus of broken annotations: each gets its message."""

import numpy as np
import pytest
from coco_file import PERSON, annotation, check, content, keypoints
from pycocotools import mask

from jaxpose import skeletons
from jaxpose.apps import command


def with_point(name: str, x: float, y: float) -> list[float]:
    points = keypoints(27, 10)
    start = 3 * skeletons.COCO.index(name)
    points[start : start + 2] = x, y
    return points


# What is changed of annotation 7, and what is said of it.
BROKEN = {
    "count": ({"num_keypoints": 12}, "num_keypoints is 12, but 17", "write 17"),
    "no count": ({"num_keypoints": None}, "num_keypoints is missing", "write 17"),
    "no keypoints": (
        {"keypoints": None},
        "is 17, but 0 keypoints are",
        "write the 17 keypoints",
    ),
    "none of none": (
        {"keypoints": None, "num_keypoints": None},
        "missing, but 0 keypoints are",
        "write 0",
    ),
    "crowd of text": ({"iscrowd": "0"}, "iscrowd is '0'", "write the number 0 for a"),
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
        {"keypoints": ["5", *keypoints(27, 10)[1:]]},
        "not all numbers of pixels",
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
    "beyond": (
        {"bbox": [27, 10, 100, 260]},
        "[27, 10, 100, 260] reaches out of the photograph",
        "cut it at the border",
    ),
    "corners": (
        {"bbox": [150, 30, 240, 210], "keypoints": keypoints(150, 30, 90)},
        "[150, 30, 240, 210] reaches out of the photograph",
        "write bbox as [x, y, width, height] around what is seen of the person, not its",
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
}
# Of 240 x 320 pixels.
COUNTS = {
    "cannot be read": ("garbage!!", "b", [76795, -5, 10], [1.5], 5, None),
    "are of 6 pixels, not 240 x 320": ([1, 2, 3], "123"),
}
BROKEN |= {
    f"counts {counts}": (
        {"segmentation": {"counts": counts, "size": [240, 320]}},
        f"its run lengths {text}",
        "counts and size [height, width]",
    )
    for text, several in COUNTS.items()
    for counts in several
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


def test_run_lengths_that_fit(tmp_path):
    data = content()
    bare = np.zeros((240, 320), np.uint8, "F")
    bare[50:90, 40:60] = 1
    runs = mask.encode(bare)
    runs["counts"] = runs["counts"].decode()
    data["annotations"][7]["segmentation"] = runs
    data["annotations"][8]["segmentation"] = {"counts": [76800], "size": [240, 320]}
    assert check(tmp_path, data) == []


def test_a_file_whose_boxes_are_two_corners(tmp_path):
    data = content()
    for n, one in enumerate(data["annotations"]):
        one["keypoints"] = keypoints(150 + n, 30, 90)
        one["bbox"] = [150 + n, 30, 240 + n, 210]
    (one,) = check(tmp_path, data)
    assert one.where == "the whole file" and "of 10 boxes, 10 reach out" in one.text
    assert one.remedy.endswith("not its two corners") and one.certain
    # What lies at the left top stays inside: nothing tells, but it is the same file.
    for one in data["annotations"][:4]:
        one |= {"keypoints": keypoints(20, 10, 60), "bbox": [20, 10, 80, 130]}
    (one,) = check(tmp_path, data)
    assert "of 10 boxes, 6 reach out" in one.text
    data["annotations"][0]["bbox"] = None
    assert "it has no bbox" in str(check(tmp_path, data)[1])
    # Neither four people nor six of thirteen are the whole file.
    corners = data["annotations"][4:]
    for some, sound in ((corners[:4], []), (corners, content()["annotations"][:7])):
        sound = [one | {"id": 100 + one["id"]} for one in sound]
        found = check(tmp_path, data | {"annotations": some + sound})
        assert [one.where[:12] for one in found] == [
            f"annotation {one['id']}" for one in some
        ]
        assert all(one.remedy.endswith("not its two corners") for one in found)


def test_a_person_whose_face_is_mirrored_is_doubted(tmp_path, capsys):
    data = content()
    data["annotations"][7]["keypoints"] = keypoints(27, 10, order=skeletons.COCO.flip)
    (one,) = check(tmp_path, data)
    assert one.where.startswith("annotation 7 (image 3") and not one.certain
    assert "left and right seem exchanged: eyes and nose" in one.text
    assert command.main(["check-data", str(tmp_path / "own.json")]) == 0
    assert "0 faults, 1 to look at" in capsys.readouterr().out


def test_pairs_that_are_exchanged_in_the_whole_file(tmp_path):
    legs = [skeletons.COCO.index(f"left_{name}") for name in ("hip", "knee", "ankle")]
    order = [*range(17)]
    for left in legs:
        order[left : left + 2] = left + 1, left
    people = [
        annotation(n, image_id=n % 5, keypoints=keypoints(20 + n, 10, order=order))
        | {"bbox": [20 + n, 10, 100, 200]}
        for n in range(40)
    ]
    found = check(tmp_path, content() | {"annotations": people})
    assert [one.where for one in found] == ["the whole file"] * 3
    for one, name in zip(found, ("hip", "knee", "ankle"), strict=True):
        assert one.text.startswith(f"left_{name} and right_{name} lie the other way")
        assert "in 100% of 40 people" in one.text and not one.certain
    assert not check(tmp_path, content() | {"annotations": people[:29]})


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
