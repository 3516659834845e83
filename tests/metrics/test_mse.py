import numpy as np
import pytest

from jaxpose import skeletons
from jaxpose.metrics import mse
from jaxpose.types import Annotations, Poses

LSP = skeletons.LSP


def poses(keypoints):
    return Poses(
        keypoints=keypoints,
        scores=np.ones(keypoints.shape[:3]),
        person_scores=np.ones(keypoints.shape[:2]),
    )


def split(n=20, seed=0):
    random = np.random.default_rng(seed)
    size = random.integers(50, 300, (n, 2))
    truth = random.uniform(-0.2, 1.2, (n, 1, 14, 2)) * size[:, None, None, ::-1]
    visibility = random.choice([0, 1, 2], (n, 1, 14))
    annotations = Annotations(keypoints=truth, visibility=visibility, size=size)
    return poses(truth + random.normal(0, 10, truth.shape)), annotations


@pytest.mark.parametrize("inside_only", [False, True])
def test_equals_the_slow_loop(inside_only):
    predicted, annotations = split()
    total, count, ankle = 0.0, 0, []
    for i, (height, width) in enumerate(annotations.size):
        for k in range(14):
            x, y = annotations.keypoints[i, 0, k]
            within = 0 < (x + 0.5) / width < 1 and 0 < (y + 0.5) / height < 1
            if annotations.visibility[i, 0, k] == 0 or (inside_only and not within):
                continue
            # Both points in -1..1 of the photograph, as a network predicts them.
            px, py = predicted.keypoints[i, 0, k]
            dx = ((px + 0.5) / width * 2 - 1) - ((x + 0.5) / width * 2 - 1)
            dy = ((py + 0.5) / height * 2 - 1) - ((y + 0.5) / height * 2 - 1)
            total, count = total + dx**2 + dy**2, count + 2
            if k == 0:
                ankle += [dx**2, dy**2]
    table = mse.MSE(inside_only=inside_only)(predicted, annotations, LSP)
    assert table.mean == pytest.approx(total / count)
    assert table.values["right_ankle"] == pytest.approx(np.mean(ankle))
    rmse = table.extra["RMSE in 224-grid pixels"]
    assert rmse == pytest.approx(112 * np.sqrt(total / count))
    assert f"all {count} coordinates" in table.convention


def test_height_and_width_are_not_mixed_up():
    truth = np.zeros((1, 1, 14, 2))
    annotations = Annotations(
        keypoints=truth,
        visibility=np.full((1, 1, 14), 2),
        size=np.array([[100, 200]]),
    )
    # A quarter of the width to the right is half a unit of -1..1.
    table = mse.MSE()(poses(truth + [50.0, 0.0]), annotations, LSP)
    assert table.mean == pytest.approx(0.5**2 / 2)


@pytest.mark.parametrize(
    "x, within", [(-0.5, False), (-0.4, True), (9.4, True), (9.5, False)]
)
def test_border_of_the_photograph_is_outside(x, within):
    size = np.array([[100, 10]])
    assert mse.inside(np.array([[[x, 50.0]]]), size).item() is within
    upright = mse.inside(np.array([[[50.0, x]]]), size[:, ::-1])
    assert upright.item() is within


def test_nothing_valid_gives_nan():
    predicted, annotations = split(n=2)
    none = Annotations(
        keypoints=annotations.keypoints,
        visibility=np.zeros((2, 1, 14), dtype=int),
        size=annotations.size,
    )
    table = mse.MSE()(predicted, none, LSP)
    assert np.isnan([table.mean, *table.values.values()]).all()


def test_unlabeled_nan_does_not_count():
    predicted, annotations = split()
    expected = mse.MSE()(predicted, annotations, LSP)
    unlabeled = (annotations.visibility == 0)[..., None]
    table = mse.MSE()(
        poses(np.where(unlabeled, np.nan, predicted.keypoints)),
        Annotations(
            keypoints=np.where(unlabeled, np.nan, annotations.keypoints),
            visibility=annotations.visibility,
            size=annotations.size,
        ),
        LSP,
    )
    assert table == expected


def test_missing_prediction_is_refused():
    predicted, annotations = split()
    person, keypoint = np.argwhere(annotations.visibility[:, 0] > 0)[3]
    keypoints = predicted.keypoints.copy()
    keypoints[person, 0, keypoint, 1] = np.nan
    with pytest.raises(ValueError, match=f"keypoint {keypoint} of person {person}"):
        mse.MSE()(poses(keypoints), annotations, LSP)


def test_missing_sizes_are_refused():
    predicted, annotations = split()
    without = Annotations(
        keypoints=annotations.keypoints, visibility=annotations.visibility
    )
    with pytest.raises(ValueError, match="annotations.size=None"):
        mse.MSE()(predicted, without, LSP)


def test_several_people_are_refused():
    annotations = Annotations(
        keypoints=np.zeros((3, 2, 14, 2)),
        visibility=np.full((3, 2, 14), 2),
        size=np.full((3, 2), 100),
    )
    with pytest.raises(ValueError, match="multi-person metric"):
        mse.MSE()(poses(annotations.keypoints), annotations, LSP)
