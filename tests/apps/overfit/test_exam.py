import dataclasses
import types

import numpy as np
import pytest

from jaxpose.apps.overfit import exam
from jaxpose.metrics import coco, mse, pck, pckh, pcp
from jaxpose.skeletons import LSP
from jaxpose.types import Annotations, Poses, Regions

STANDING = np.array(
    [(0.3, 1), (0.3, 0.75), (0.35, 0.5), (0.65, 0.5), (0.7, 0.75), (0.7, 1)]
    + [(0, 0.5), (0.1, 0.35), (0.3, 0.2), (0.7, 0.2), (0.9, 0.35), (1, 0.5)]
    + [(0.5, 0.18), (0.5, 0)]
)
# Canvas pixels are half a source pixel wide, and start at (10, 20).
TO_SOURCE = np.array([[0.5, 0, 10], [0, 0.5, 20]])
SKELETON = dataclasses.replace(LSP, sigmas=(0.05,) * 14)
CANVAS = np.stack([STANDING * side for side in (100, 120, 140, 160)])[:, None]


def annotations() -> Annotations:
    return Annotations(
        keypoints=CANVAS * 0.5 + (10, 20),
        visibility=np.full((4, 1, 14), 2),
        size=np.full((4, 2), 200),
        image_id=np.arange(4),
        area=np.full((4, 1), 900.0),
        ignored=Regions(
            image_id=np.array([2, 7]),
            box=np.array([(0, 0, 9, 9.0), (0, 0, 9, 9.0)]),
            area=np.full(2, 81.0),
            crowd=np.ones(2, bool),
        ),
    )


def prepare(*metrics, truth=None) -> exam.Exam:
    spec = types.SimpleNamespace(
        metrics=metrics, data=types.SimpleNamespace(skeleton=SKELETON)
    )
    batch = types.SimpleNamespace(to_source=np.stack([TO_SOURCE] * 4))
    return exam.prepare(truth or annotations(), batch, [spec, spec])


def poses(canvas) -> Poses:
    """As many examples more as fill the devices."""
    twice = np.concatenate([canvas, canvas])
    ones = np.ones(twice.shape[:3])
    return Poses(keypoints=twice, scores=ones, person_scores=ones[..., 0])


@pytest.mark.parametrize("metric", [pck.PCK(), pcp.PCP(), coco.AP()])
def test_the_truth_is_perfect_and_what_is_far_from_it_is_not(metric):
    made = prepare(metric)
    assert made.short(poses(CANVAS)) == ()
    (line,) = made.short(poses(CANVAS + 70))
    name = made.questions[0].perfect.name
    assert line.startswith(f"{name} is 0, {100 if name != 'AP' else 1} for the truth")


def test_the_rows_that_are_short_are_named():
    wrong = CANVAS.copy()
    wrong[0, 0, 0] += 50
    wrong[:2, 0, 6] += 50
    (line,) = prepare(pck.PCK(threshold=0.02)).short(poses(wrong))
    assert line == (
        "PCK@0.02 is 94.64, 100 for the truth itself: right_wrist 50, right_ankle 75"
    )


def test_perfect_is_what_the_truth_gets():
    truth = annotations()
    truth.keypoints[:, 0, 13] = truth.keypoints[:, 0, 12]  # a head of no length
    made = prepare(pcp.PCP(), truth=truth)
    assert made.questions[0].perfect.mean == pytest.approx(90)
    canvas = (truth.keypoints - (10, 20)) / 0.5
    assert made.short(poses(canvas)) == ()


def test_errors_and_metrics_that_refuse_are_told_but_not_required():
    made = prepare(mse.MSE(), pckh.PCKh())
    assert made.short(poses(CANVAS + 70)) == ()
    said = made.text(poses(CANVAS))
    assert "MSE 0" in said
    assert said.count("no PCKh of 4 examples: annotations.head_box=None") == 1


def test_a_metric_that_gives_nan_is_not_required():
    truth = annotations()
    truth.visibility[:, 0, LSP.index("right_hip")] = 0
    made = prepare(pck.PCK(), truth=truth)
    assert made.questions[0].perfect is None and made.short(poses(CANVAS)) == ()


def test_keypoints_that_are_not_asked_for_count_as_right():
    made = prepare(pck.PCK())
    wrong = CANVAS.copy()
    wrong[0, 0, 6] += 50
    asked = np.ones((4, 1, 14), bool)
    asked[0, 0, 6] = False
    assert made.short(poses(wrong), asked) == () and made.short(poses(wrong))


def test_what_a_diverging_network_says_is_no_accident():
    (line,) = prepare(pck.PCK()).short(poses(np.full(CANVAS.shape, np.inf)))
    assert line.startswith("PCK@0.2 is 0, 100 for the truth itself: right_ankle 0")
    assert line.endswith(", and 8 more")


def test_a_required_metric_that_refuses_the_prediction_is_not_perfect():
    two = np.concatenate([CANVAS, CANVAS], axis=1)
    (line,) = prepare(pck.PCK()).short(poses(two))
    assert line.startswith("no PCK@0.2: predicted keypoints have shape (4, 2, 14, 2)")


def test_metrics_are_asked_once_and_without_the_crowds_of_other_photographs():
    made = prepare(coco.AP())
    assert len(made.questions) == 1
    assert made.annotations.ignored.image_id.tolist() == [2]
