import dataclasses

import numpy as np
import pytest
from goals import goal_of

from jaxpose.types import Poses


def test_people_are_matched_with_the_nearest_predictions():
    generator = np.random.default_rng(2)
    truth = generator.uniform(0, 99, (2, 3, 14, 2))
    visibility = np.full((2, 3, 14), 2)
    visibility[1, 2] = 0  # padding
    visibility[0, 0, 3] = 0
    goal = goal_of(truth, visibility)
    predicted = truth[:, [2, 0, 1]] + 1
    predicted[0, 1, 3] = np.nan
    predicted[0, 0, 5] += 50
    poses = Poses(
        keypoints=np.concatenate([predicted, predicted + 300], axis=1),
        scores=np.ones((2, 6, 14)),
        person_scores=np.ones((2, 6)),
    )
    reached = goal.reached_by(poses)
    np.testing.assert_allclose(reached.keypoints[1, :2], truth[1, :2] + 1)
    assert np.argwhere(reached.wrong).tolist() == [[0, 2, 5]]
    assert goal.tell(reached.wrong, reached.distance) == [
        "example 0: left_ankle of person 2 72.1 px"
    ]


def test_people_without_a_prediction_are_missed():
    truth = np.random.default_rng(2).uniform(0, 99, (1, 2, 14, 2))
    poses = Poses(
        keypoints=truth[:, 1:] + 0.5,
        scores=np.ones((1, 1, 14)),
        person_scores=np.ones((1, 1)),
    )
    reached = goal_of(truth).reached_by(poses)
    assert reached.wrong[0, 0].all() and not reached.wrong[0, 1].any()
    with pytest.raises(ValueError, match="decode gives 13 keypoints.*LSP has 14"):
        goal_of(truth).reached_by(
            dataclasses.replace(poses, keypoints=poses.keypoints[:, :, :13])
        )
