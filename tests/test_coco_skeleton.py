"""Keypoint sets out of files of COCO's format."""

import json

import pytest

from jaxpose import skeletons
from jaxpose.pose_files import coco_skeleton

NAMES = ["L_Eye", "R_Eye", "Nose", "leftPaw", "rightPaw", "tail l", "tail r", "r"]


def write(tmp_path, *categories) -> str:
    path = tmp_path / "animals.json"
    path.write_text(json.dumps({"categories": categories}))
    return str(path)


def test_names_limbs_and_pairs_are_the_files(tmp_path):
    category = {"name": "fox", "keypoints": NAMES, "skeleton": [[1, 3], [3, 4]]}
    fox = coco_skeleton.read(write(tmp_path, {"name": "basket"}, category))
    assert fox.name == "fox" and fox.keypoints == tuple(NAMES)
    assert fox.limbs == ((0, 2), (2, 3)) and fox.sigmas == ()
    assert fox.flip == (1, 0, 2, 4, 3, 6, 5, 7)


def test_pairs_and_sigmas_may_be_given(tmp_path):
    path = write(tmp_path, {"name": "fox", "keypoints": NAMES[:4]})
    with pytest.raises(ValueError, match="leftPaw has a side, but rightPaw is not"):
        coco_skeleton.read(path)
    pairs = (("L_Eye", "R_Eye"),)
    fox = coco_skeleton.read(path, flip=pairs, sigmas=(0.1, 0.1, 0.2, 0.3))
    assert fox.flip == (1, 0, 2, 3) and fox.sigmas == (0.1, 0.1, 0.2, 0.3)
    with pytest.raises(ValueError, match="are not pairs of different keypoints"):
        coco_skeleton.read(path, flip=(("L_Eye", "eye"),))
    with pytest.raises(ValueError, match="are not pairs of different keypoints"):
        coco_skeleton.read(path, flip=(("L_Eye", "R_Eye"), ("R_Eye", "Nose")))


def test_several_categories_share_their_keypoints(tmp_path):
    fox, dog = ({"name": n, "keypoints": NAMES, "sigmas": [0.1] * 8} for n in "ab")
    both = coco_skeleton.read(write(tmp_path, fox, dog))
    assert both.name == "animals" and both.sigmas == (0.1,) * 8
    with pytest.raises(ValueError, match="have 2 different lists of keypoints"):
        coco_skeleton.read(write(tmp_path, fox, {"name": "c", "keypoints": ["tail"]}))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no JSON file that can be read"),
        ("[]", "has no `categories`"),
        ("{}", "has no `categories`"),
        ('{"categories": "person"}', "has no `categories`"),
        ('{"categories": ["person"]}', "has no `categories`"),
        ('{"categories": []}', "its categories have 0 different lists"),
    ],
)
def test_a_file_of_another_format(content, message, tmp_path):
    path = tmp_path / "animals.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=f"animals.json.*{message}"):
        coco_skeleton.read(path)


@pytest.mark.parametrize("names", [5, "tail", [1, 2], [["nose"]], ["nose", "nose"]])
def test_names_that_are_none(names, tmp_path):
    path = write(tmp_path, {"name": "fox", "keypoints": names})
    with pytest.raises(ValueError, match="'fox' has the keypoints .* different names"):
        coco_skeleton.read(path)


@pytest.mark.parametrize(
    "limbs", [5, "tail", [[1, 2, 3]], [["nose", "tail"]], [[0, 1]], [[1, 4]], [1, 2]]
)
def test_limbs_that_are_none(limbs, tmp_path):
    fox = {"name": "fox", "keypoints": ["nose", "back", "tail"], "skeleton": limbs}
    with pytest.raises(ValueError, match="`skeleton` .* pairs of keypoints, numb.* 3"):
        coco_skeleton.read(write(tmp_path, fox))


@pytest.mark.parametrize(
    "sigmas", [[0.1, 0.2], ["a", "b", "c"], [0.1, 0, 0.1], [1e400] * 3, 0.1, "abc"]
)
def test_sigmas_that_are_none(sigmas, tmp_path):
    fox = {"name": "fox", "keypoints": ["nose", "back", "tail"], "sigmas": sigmas}
    with pytest.raises(ValueError, match="sigmas for the 3 keypoints .* positive numb"):
        coco_skeleton.read(write(tmp_path, fox))


def test_one_sigma_is_for_all(tmp_path):
    path = write(tmp_path, {"name": "fox", "keypoints": ["nose", "tail"]})
    assert coco_skeleton.read(path, sigmas=(0.1,)).sigmas == (0.1, 0.1)
    with pytest.raises(ValueError, match="3 sigmas for the 2 keypoints"):
        coco_skeleton.read(path, sigmas=(0.1, 0.2, 0.3))


def test_cocos_own_keypoints_have_its_sigmas(tmp_path):
    names = list(skeletons.COCO.keypoints)
    own = coco_skeleton.read(write(tmp_path, {"name": "person", "keypoints": names}))
    assert own.flip == skeletons.COCO.flip and own.sigmas == skeletons.COCO.sigmas
