"""Planted errors of every kind, and a slow classifier beside the fast one."""

import dataclasses
import math
import pathlib

import crowds
import numpy as np
import pytest

from jaxpose import skeletons
from jaxpose.metrics import coco, coco_errors
from jaxpose.pose_files import coco_results, coco_truth
from jaxpose.types import Annotations, Regions

COCO = skeletons.COCO
PUBLISHED = pathlib.Path(__file__).parents[3] / "shared" / "data" / "published"
AREA = 4000.0
# Keypoints 60 pixels apart: the widest peak, of sigma 0.107, falls to 0.5 at
# 0.107 sqrt(8 x 4000 ln 2) = 15.9 pixels.
GRID = 60.0 * np.stack(np.divmod(np.arange(17), 5), axis=-1)
LEFT_ARM, RIGHT_ARM = [5, 7, 9], [6, 8, 10]


def errors(poses, annotations):
    return coco_errors.Errors()(poses, annotations, COCO)


def truth(p, **fields):
    """One photograph of p people, 1000 pixels apart."""
    keypoints = GRID + 1000.0 * np.arange(p)[:, None, None] * np.array([1, 0])
    return Annotations(
        keypoints=keypoints[None],
        visibility=np.full((1, p, 17), 2),
        area=np.full((1, p), AREA),
        **fields,
    )


def reach(similarity):
    """How far off each keypoint has this similarity."""
    sigmas = np.array(COCO.sigmas)
    return sigmas * math.sqrt(-8 * AREA * math.log(similarity))


def planted():
    """Five people and what they are predicted as; the wrong keypoints by kind."""
    annotations = truth(5)
    points = annotations.keypoints[0].copy()
    wrong = {kind: np.zeros((5, 17), bool) for kind in coco_errors.KINDS}
    wrong["jitter"][0, :10] = True
    points[0, :10, 1] += reach(0.6)[:10]
    wrong["inversion"][1, LEFT_ARM + RIGHT_ARM] = True
    points[1, LEFT_ARM + RIGHT_ARM] = points[1, RIGHT_ARM + LEFT_ARM]
    wrong["swap"][2, [0, 13, 15]] = True  # nose, left knee, left ankle
    points[2, [0, 13, 15]] = annotations.keypoints[0, 3, [0, 13, 16]]
    wrong["miss"][3, 11:] = True
    points[3, 11:] += 400
    # The last is right to a similarity of 0.9, and nobody is surer than everybody.
    points[4, :, 0] += reach(0.9)
    nobody = GRID + 7000
    predicted = np.concatenate([points, nobody[None]])[None]
    scores = np.array([[0.5, 0.6, 0.55, 0.7, 0.4, 0.9]])
    return crowds.poses(predicted, scores), annotations, wrong


def test_every_planted_error_is_found():
    poses, annotations, wrong = planted()
    table = errors(poses, annotations)
    expected = {kind: where.sum() / 85 for kind, where in wrong.items()}
    expected["good"] = (85 - 10 - 6 - 3 - 6) / 85
    assert table.values == pytest.approx(expected) and list(table.values) == [
        *coco_errors.KINDS
    ]
    assert table.mean == table.values["good"] and table.name == "good@0.85"
    assert table.extra["background"] == pytest.approx(1 / 6)
    assert table.extra["not_found"] == 0
    assert "among 85 labeled keypoints of 5 people" in table.convention


def test_gains_are_those_of_average_precision():
    poses, annotations, wrong = planted()
    table = errors(poses, annotations)
    now = coco.AP()(poses, annotations, COCO).mean
    assert table.extra["AP"] == now < 0.7

    def gain(keypoints, scores=poses.person_scores):
        better = crowds.poses(keypoints, scores)
        return coco.AP()(better, annotations, COCO).mean - now

    for kind in ("jitter", "inversion", "swap", "miss"):
        mended = poses.keypoints.copy()
        mended[0, :5][wrong[kind]] = annotations.keypoints[0][wrong[kind]]
        found = table.extra[f"AP_gain_{kind}"]
        assert found == pytest.approx(gain(mended)) and found > 0.005, kind
    without = gain(poses.keypoints[:, :5], poses.person_scores[:, :5])
    assert (
        table.extra["AP_gain_background"] == pytest.approx(without) and without > 0.05
    )


def slowly(found, person, k, people, annotations):
    """The kind of one keypoint, by the definition."""

    def alike(other, j):
        if not annotations.visibility[0, other, j]:
            return 0.0
        distance = math.dist(found[k], annotations.keypoints[0, other, j])
        area = annotations.area[0, other]
        return math.exp(-(distance**2) / (8 * COCO.sigmas[k] ** 2 * area))

    own, flip = alike(person, k), COCO.flip[k]
    if own >= 0.85:
        return "good"
    others = [alike(q, j) for q in range(people) if q != person for j in (k, flip)]
    near = {"jitter": own, "inversion": alike(person, flip), "swap": max(others)}
    best = max(near, key=near.get)  # The first of equals, as for a nose.
    return best if near[best] >= 0.5 else "miss"


def test_crowded_people_as_a_slow_classifier_sees_them():
    """Three people on one another, some keypoints unlabeled, guesses near any of them."""
    random = np.random.default_rng(0)
    counts = dict.fromkeys(coco_errors.KINDS, 0)
    n = 60
    points = GRID / 4 + random.uniform(0, 40, (n, 3, 1, 2))
    visibility = random.choice([0, 2], (n, 3, 17), p=[0.2, 0.8])
    area = random.uniform(2000, 6000, (n, 3))
    guess = points + random.normal(0, 4, points.shape)
    stray = random.random((n, 3, 17)) < 0.2
    guess[stray] = random.permuted(points, axis=1)[stray]
    annotations = Annotations(keypoints=points, visibility=visibility, area=area)
    for i in range(n):
        one = annotations.take(slice(i, i + 1))
        pairs = [
            (predicted, true)
            for predicted, true in np.ndindex(3, 3)
            if predicted == true
        ]
        found, people, _ = _parts(guess[i], one)
        kinds = coco_errors._kinds(people, found, np.array(pairs), COCO)
        for p, k in np.argwhere(visibility[i] > 0):
            kind = slowly(guess[i, p], p, k, 3, one)
            assert coco_errors.KINDS[kinds[p, k]] == kind, (i, p, k)
            counts[kind] += 1
        assert (kinds[visibility[i] == 0] == -1).all()
    assert min(counts.values()) > 20, counts


def _parts(guess, annotations):
    people, ignored, found = coco.people(crowds.poses(guess[None]), annotations, COCO)
    return found, people, ignored


def test_a_bad_prediction_takes_nobody_from_a_good_one():
    """A second prediction of person 0 is surer than the one of the neighbour, to whom it
    is similar by more than 0.1."""
    annotations = truth(2)
    annotations.keypoints[0, 1] = annotations.keypoints[0, 0]
    annotations.keypoints[0, 1, 3:] += 500  # 3 of 17 keypoints are person 0's, 0.18
    first, second = annotations.keypoints[0]
    poses = crowds.poses(np.stack([first, first, second])[None], np.array([[3, 2, 1]]))
    table = errors(poses, annotations)
    assert table.mean == 1 and table.extra["not_found"] == 0
    assert table.extra["background"] == pytest.approx(1 / 3)


def test_who_is_found_badly_is_still_meant():
    """OKS of 5/17 = 0.29: no match for AP, but not background either."""
    annotations = truth(1)
    points = annotations.keypoints.copy()
    points[0, 0, 5:] += 400
    table = errors(crowds.poses(points), annotations)
    assert table.values["miss"] == pytest.approx(12 / 17)
    assert table.extra["background"] == 0 == table.extra["AP"]
    assert table.extra["AP_gain_miss"] == pytest.approx(1)


@pytest.mark.parametrize("rank, found", [(20, True), (21, False)])
def test_only_twenty_predictions_of_a_photograph_count(rank, found):
    """Of 25 people predicted, one is right: AP is the precision when it is reached."""
    annotations = truth(1)
    points = np.repeat(annotations.keypoints, 25, axis=1)
    points += 5000.0 * np.arange(25)[:, None, None]
    scores = -np.arange(25.0)[None] - 100
    scores[0, 0] = -100 - rank + 0.5  # after rank - 1 others
    poses = crowds.poses(points, scores)
    assert coco.AP()(poses, annotations, COCO).mean == pytest.approx(found / 20)
    table = errors(poses, annotations)
    assert table.extra["background"] == (0.95 if found else 1)
    assert table.extra["not_found"] == 1 - found
    assert table.mean == 1 if found else np.isnan(table.mean)


def crowd(*box):
    return Regions(
        image_id=np.array([0]),
        box=np.array([box], float),
        area=np.array([np.nan]),
        crowd=np.array([True]),
    )


def test_predictions_in_a_crowd_are_no_background():
    poses, annotations, _ = planted()
    region = crowd(6900, 6900, 7400, 7400)
    table = errors(poses, dataclasses.replace(annotations, ignored=region))
    assert table.extra["background"] == 0 == table.extra["AP_gain_background"]


def test_predictions_beside_a_crowd_are_background_as_average_precision_counts():
    """COCO looks at three times the box, where 5 of 17 keypoints are: an OKS of 0.29."""
    poses, annotations, _ = planted()
    region = crowd(6990, 6990, 7010, 7130)
    table = errors(poses, dataclasses.replace(annotations, ignored=region))
    assert table.extra["background"] == pytest.approx(1 / 6)
    assert table.extra["AP_gain_background"] > 0.05


def test_keypoints_not_predicted_are_missed_and_unlabeled_ones_do_not_count():
    annotations = truth(2)
    points = annotations.keypoints.copy()
    points[0, 0, 3] = np.nan
    annotations.visibility[0, :, 4:6] = 0
    points[0, :, 4:6] += 500
    table = errors(crowds.poses(points), annotations)
    assert table.values["miss"] == pytest.approx(1 / 30)
    assert table.mean == pytest.approx(29 / 30)


def test_nobody_predicted_or_nobody_there():
    annotations = truth(2)
    nobody = crowds.poses(np.full((1, 0, 17, 2), np.nan))
    table = errors(nobody, annotations)
    assert np.isnan([*table.values.values(), table.mean]).all()
    assert table.extra["not_found"] == 1 and np.isnan(table.extra["background"])
    assert table.extra["AP"] == 0 == table.extra["AP_gain_miss"]
    empty = dataclasses.replace(annotations, visibility=np.zeros((1, 2, 17), int))
    table = errors(crowds.poses(annotations.keypoints), empty)
    assert table.extra["background"] == 1 and np.isnan(table.extra["not_found"])
    assert np.isnan([table.mean, table.extra["AP_gain_swap"]]).all()


def test_published_predictions():
    """Four photographs of shared/data: 12 people, all found, of whom 181 keypoints are
    labeled; AP is that of shared/data/README.md."""
    path = PUBLISHED / "coco_4_images_ground_truth.json"
    if not path.exists():
        pytest.skip(f"{path} is absent")
    annotations = coco_truth.annotations_of(coco_truth.read(path), COCO)
    results = PUBLISHED / "coco_4_images_preds.json"
    poses = coco_results.read(results, annotations.image_id, COCO)
    table = errors(poses, annotations)
    assert [round(181 * share) for share in table.values.values()] == [163, 8, 3, 4, 3]
    assert round(table.extra["AP"], 3) == 0.861 and table.extra["not_found"] == 0
    assert min(v for k, v in table.extra.items() if k.startswith("AP_gain")) > 0


def test_what_average_precision_refuses_is_refused():
    poses, annotations, _ = planted()
    with pytest.raises(ValueError, match="annotations.area=None"):
        errors(poses, dataclasses.replace(annotations, area=None))
