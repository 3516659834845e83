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
    with pytest.raises(ValueError, match="no `categories` of COCO's format with one"):
        coco_skeleton.read(write(tmp_path, fox, {"name": "c", "keypoints": ["tail"]}))


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"categories": []}'])
def test_a_file_of_another_format(content, tmp_path):
    path = tmp_path / "animals.json"
    path.write_text(content)
    with pytest.raises(ValueError, match="animals.json has no `categories`"):
        coco_skeleton.read(path)


def test_cocos_own_keypoints_have_its_sigmas(tmp_path):
    names = list(skeletons.COCO.keypoints)
    own = coco_skeleton.read(write(tmp_path, {"name": "person", "keypoints": names}))
    assert own.flip == skeletons.COCO.flip and own.sigmas == skeletons.COCO.sigmas
