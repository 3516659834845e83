"""Keypoint sets: what a skeleton promises, and the constants."""

import pytest

from jaxpose import skeletons
from jaxpose.skeletons import Skeleton

ALL = [value for value in vars(skeletons).values() if isinstance(value, Skeleton)]


@pytest.mark.parametrize("skeleton", ALL, ids=lambda skeleton: skeleton.name)
def test_a_mirror_exchanges_left_and_right_by_name(skeleton):
    exchange = {"left": "right", "right": "left"}
    for i, name in enumerate(skeleton.keypoints):
        side, _, part = name.partition("_")
        mirrored = f"{exchange[side]}_{part}" if side in exchange else name
        assert skeleton.keypoints[skeleton.flip[i]] == mirrored


@pytest.mark.parametrize("skeleton", ALL, ids=lambda skeleton: skeleton.name)
def test_limbs_come_in_mirrored_pairs_and_reach_every_keypoint(skeleton):
    limbs = {frozenset(limb) for limb in skeleton.limbs}
    mirrored = {frozenset(skeleton.flip[end] for end in limb) for limb in limbs}
    assert mirrored == limbs
    assert len(limbs) == len(skeleton.limbs)
    assert set().union(*limbs) == set(range(len(skeleton.keypoints)))


def test_lsp_stands_in_the_order_of_its_readme():
    assert skeletons.LSP.keypoints[:3] == ("right_ankle", "right_knee", "right_hip")
    assert skeletons.LSP.keypoints[-2:] == ("neck", "head_top")
    assert skeletons.LSP.index("left_wrist") == 11


def test_an_unknown_keypoint_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="LSP has no keypoint 'nose'.*right_ankle"):
        skeletons.LSP.index("nose")


@pytest.mark.parametrize(
    "field, value, message",
    [
        ("keypoints", ("a", "a"), "names repeat"),
        ("flip", (0,), "not a permutation of 2"),
        ("flip", (0, 0), "not a permutation of 2"),
        ("limbs", ((0, 2),), "leaves the 2 keypoints"),
        ("limbs", ((-1, 1),), "leaves the 2 keypoints"),
    ],
)
def test_what_cannot_be_is_refused(field, value, message):
    fields = {"name": "x", "keypoints": ("a", "b"), "flip": (1, 0), "limbs": ((0, 1),)}
    Skeleton(**fields)
    with pytest.raises(ValueError, match=message):
        Skeleton(**{**fields, field: value})


def test_a_flip_that_does_not_undo_itself_is_refused():
    with pytest.raises(ValueError, match="undoes itself"):
        Skeleton(name="x", keypoints=("a", "b", "c"), flip=(1, 2, 0), limbs=())
