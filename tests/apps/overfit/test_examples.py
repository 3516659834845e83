import dataclasses

import numpy as np
import people
import pytest
from goals import goal_of
from ml_collections import ConfigDict

from jaxpose import config
from jaxpose.apps.overfit import examples
from jaxpose.apps.overfit.goal import Goal
from jaxpose.skeletons import LSP
from jaxpose.types import Annotations


def everybody(goal: Goal) -> Annotations:
    return Annotations(keypoints=goal.keypoints, visibility=goal.visibility)


def test_examples_are_of_different_photographs_spread_over_the_data(lspet):
    fields = config.build(ConfigDict(people.fields(lspet[0])))
    opened = fields["data"].open(fields["data_dir"], fields["manual_dir"])
    assert examples.choose(opened).tolist() == [0, 8, 15, 23]
    doubled = opened.people.take(np.array([0] * 9 + [5, 6, 7, 8]))
    chosen = examples.choose(dataclasses.replace(opened, people=doubled))
    assert len(set(doubled.record[chosen])) == 4
    nobody = dataclasses.replace(
        opened.people, visibility=np.zeros_like(opened.people.visibility)
    )
    with pytest.raises(ValueError, match="none of the 24 examples has a labeled"):
        examples.choose(dataclasses.replace(opened, people=nobody))


def test_alike_and_empty_examples_are_told():
    keypoints = np.random.default_rng(1).uniform(0, 99, (4, 1, 14, 2))
    keypoints[3] = keypoints[2]
    goal = goal_of(keypoints)
    goal.image[1] = goal.image[0]
    goal.keypoints[0] = 5
    goal.image[3] = 7
    said = "\n".join(examples.doubts(goal, everybody(goal)))
    assert "example 0 and example 1 are the same canvas with different keyp" in said
    assert "example 2 and example 3 have the same keypoints on different" in said
    assert "example 3: the canvas is of one colour" in said
    assert "example 0: all keypoints of a person are in one place" in said


def test_wrong_flips_and_missing_keypoints_are_told():
    goal = goal_of(np.random.default_rng(1).uniform(0, 99, (4, 1, 14, 2)))
    goal.visibility[:, :, 13] = 0
    flip = (4, 5, 3, 2, 0, 1, *LSP.flip[6:])
    wrong = dataclasses.replace(goal, skeleton=dataclasses.replace(LSP, flip=flip))
    said = examples.doubts(wrong, everybody(goal))
    assert said[0].startswith("never labeled in 4 examples: head_top;")
    assert "LSP.flip turns right_ankle into left_knee, not into left_ankle" in said
    assert len(said) == 5
