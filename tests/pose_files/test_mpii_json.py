"""The validation people of MPII's two JSON files."""

import json

import numpy as np
import pytest

from jaxpose import pose_files, skeletons
from jaxpose.pose_files import mpii_json


def joints(first: float, missing: list[float]) -> list:
    """(first, 1), (first + 1, 1) and so on; number 1 is hidden and number 2 missing."""
    stored = [[first + i, 1.0, float(i != 1)] for i in range(16)]
    stored[2] = missing
    return stored


def write(path, *, original: bool):
    """Two validation people on one photograph, and one who trains."""
    missing = [0.0, 0.0, 2.0] if original else [0.0, 0.0, 0.0]
    flag = "validation" if original else "isValidation"
    a, b, c = (joints(first, missing) for first in (10, 40, 70))
    lists = ([b], [a, c]) if original else (b, [a, c])
    nobody = {"_ArrayType_": "double", "_ArraySize_": [0, 0], "_ArrayData_": None}
    people = [
        {"img_paths": "1.jpg", flag: 1.0, "joint_self": a, "joint_others": lists[0]},
        {"img_paths": "2.jpg", flag: 0.0, "joint_self": c, "joint_others": nobody},
        {"img_paths": "1.jpg", flag: 1.0, "joint_self": b, "joint_others": lists[1]},
        {"img_paths": "3.jpg", flag: 1.0, "joint_self": c, "joint_others": nobody},
    ]
    path.write_text(json.dumps(people))
    return path


VISIBILITY = [2, 1, 0, *[2] * 13]


@pytest.fixture(params=[False, True], ids=["theirs", "original"])
def file(request, tmp_path):
    return write(tmp_path / "mpii.json", original=request.param)


def test_people_are_in_the_order_of_the_file_and_count_from_zero(file):
    fields = mpii_json.read(file)
    assert fields["names"].tolist() == ["1.jpg", "1.jpg", "3.jpg"]
    assert fields["visibility"].tolist() == [VISIBILITY] * 3
    labeled = np.array(VISIBILITY) > 0
    expected = np.stack([np.arange(16), np.zeros(16)], axis=1)[labeled]
    for row, first in enumerate((9, 39, 69)):
        found = fields["keypoints"][row, labeled]
        np.testing.assert_array_equal(found, expected + [first, 0])


def test_scoring_reads_it_as_truth(file):
    truth = pose_files.read_truth(file, skeletons.MPII)
    assert truth.keypoints.shape == (3, 1, 16, 2)
    assert truth.names == ("1.jpg", "1.jpg", "3.jpg")
    with pytest.raises(ValueError, match="the 14 keypoints of LSP"):
        pose_files.read_truth(file, skeletons.LSP)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "is no JSON file"),
        ('[{"img_paths": 1}]', "must be a list of people with `img_paths`"),
        ('[{"img_paths": "a", "joint_self": []}]', "nobody of 1 has isValidation"),
        (
            '[{"img_paths": "a", "joint_self": [[1, 2]], "validation": 1}]',
            "joint_self of a person on a must be 16 times x, y",
        ),
    ],
)
def test_another_file_is_refused(content, says, tmp_path):
    path = tmp_path / "some.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=says):
        mpii_json.read(path)
