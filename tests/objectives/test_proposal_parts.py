"""Parts of people and trees of limbs: the original's, and what is refused."""

import dataclasses

import batches
import proposing
import pytest

from jaxpose.objectives import proposal_parts
from jaxpose.objectives.proposal_parts import Part


def test_the_originals_parts_and_limbs():
    """As specs/ppn.md lists them: two keypoints each, limbs, and mirrored parts."""
    first = [9, 9, 8, 12, 11, 10, 13, 14, 15, 2, 1, 0, 3, 4, 5, 6]
    second = [8, 9, 8, 12, 11, 10, 13, 14, 15, 2, 1, 0, 3, 4, 5, 7]
    parts = proposal_parts.MPII
    assert [part.keypoints[0] for part in parts.parts] == first
    assert [part.keypoints[-1] for part in parts.parts] == second
    assert [part.size for part in parts.parts] == [2.0] + 15 * [0.5]
    assert [start for start, _ in parts.limbs] == list(range(1, 16))
    ends = [0, 0, 2, 3, 4, 2, 6, 7, 15, 9, 10, 15, 12, 13, 2]
    assert [end for _, end in parts.limbs] == ends
    right, left = [3, 4, 5, 9, 10, 11], [6, 7, 8, 12, 13, 14]
    assert [parts.flip[k] for k in right] == left
    assert [parts.flip[k] for k in left] == right
    assert [parts.flip[k] for k in (0, 1, 2, 15)] == [0, 1, 2, 15]


@pytest.mark.parametrize("parts", [proposal_parts.MPII, proposal_parts.COCO])
def test_mirrors_undo_themselves_and_keep_names_and_limbs(parts):
    names = [part.name for part in parts.parts]
    for k, mirrored in enumerate(parts.flip):
        assert parts.flip[mirrored] == k
        swapped = names[k].replace("left", "?").replace("right", "left")
        assert names[mirrored] == swapped.replace("?", "right")
    for limb, mirrored in enumerate(parts.limb_flip):
        start, end = parts.limbs[limb]
        assert parts.limbs[mirrored] == (parts.flip[start], parts.flip[end])


def test_keypoints_that_are_parts_by_themselves():
    pelvis_and_thorax = (6, 7)
    for i, part in enumerate(proposal_parts.MPII.part_of):
        alone = i not in pelvis_and_thorax
        assert (part >= 0) == alone
        if alone:
            name = proposal_parts.MPII.skeleton.keypoints[i]
            assert proposal_parts.MPII.parts[part].name == name
    assert proposal_parts.COCO.part_of == tuple(range(1, 18))


def test_limbs_of_coco_lead_down_from_the_person():
    parts = proposal_parts.COCO
    names = [part.name for part in parts.parts]
    limbs = {names[start]: names[end] for start, end in parts.limbs}
    assert limbs["left_shoulder"] == limbs["right_hip"] == limbs["nose"] == "person"
    for side in ("left", "right"):
        for outer, inner in (
            ("wrist", "elbow"),
            ("elbow", "shoulder"),
            ("ankle", "knee"),
            ("knee", "hip"),
            ("ear", "eye"),
        ):
            assert limbs[f"{side}_{outer}"] == f"{side}_{inner}"
        assert limbs[f"{side}_eye"] == "nose"


TOP = Part(name="top", keypoints=(2,), size=0.5)


@pytest.mark.parametrize(
    "change, message",
    [
        (
            {"limbs": ((1, 3), (2, 3))},
            r"at \[1, 2\], must .* root 0, once: \[1, 2, 3\]",
        ),
        (
            {"limbs": ((1, 3), (2, 3), (3, 0), (3, 0))},
            "must at every part but the root",
        ),
        (
            {"limbs": ((1, 3), (2, 3), (3, 1))},
            "from part 1 no limbs lead to the root 0",
        ),
        ({"limbs": ((1, 3), (2, 3), (3, 7))}, "no limbs lead to the root"),
        ({"limbs": ((1, 3), (2, 0), (3, 0))}, r"\(1, 3\) has no mirror image"),
        ({"root": 7}, "at every part but the root 7"),
        (
            {"parts": (*proposing.TRIO.parts[:2], TOP, TOP)},
            "two parts are called 'top'",
        ),
        (
            {
                "parts": (
                    *proposing.TRIO.parts[:2],
                    TOP,
                    dataclasses.replace(TOP, name="t"),
                )
            },
            r"two parts are made of the keypoints \[2\]",
        ),
        (
            {"parts": (*proposing.TRIO.parts[:3], dataclasses.replace(TOP, size=0.0))},
            "has no size",
        ),
        (
            {
                "parts": (
                    *proposing.TRIO.parts[:3],
                    dataclasses.replace(TOP, keypoints=()),
                )
            },
            "one or more of the 3 keypoints of trio",
        ),
        (
            {
                "parts": (
                    *proposing.TRIO.parts[:3],
                    dataclasses.replace(TOP, keypoints=(3,)),
                )
            },
            "one or more of the 3 keypoints of trio",
        ),
    ],
)
def test_refusals(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(proposing.TRIO, **change)


def test_a_part_without_its_mirror_is_refused():
    parts = proposing.TRIO.parts
    with pytest.raises(ValueError, match=r"trio: .*'right'.* has no mirror image; add"):
        proposal_parts.Parts(
            name="trio",
            skeleton=batches.TRIO,
            parts=(parts[0], parts[1]),
            limbs=((1, 0),),
        )


def test_tables_can_say_which_parts():
    """Not their whole skeleton: a table says how its poses were read."""
    assert repr(proposing.TRIO) == "Parts(trio)"
    assert len(repr(proposing.objective_of(parts=proposal_parts.MPII))) < 700
