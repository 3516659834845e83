import jaxtyping
import numpy as np
import pytest

from jaxpose import skeletons
from jaxpose.metrics import pcp
from jaxpose.types import Annotations, Poses

LSP = skeletons.LSP


def poses(keypoints):
    return Poses(
        keypoints=keypoints,
        scores=np.ones(keypoints.shape[:3]),
        person_scores=np.ones(keypoints.shape[:2]),
    )


def annotated(truth, visibility=None):
    if visibility is None:
        visibility = np.full(truth.shape[:3], 2)
    return Annotations(keypoints=truth, visibility=visibility)


def split(n=40, seed=0):
    random = np.random.default_rng(seed)
    truth = random.uniform(0, 100, (n, 1, 14, 2))
    noise = random.normal(0, 1, truth.shape) * random.uniform(0, 60, (n, 1, 1, 1))
    visibility = random.choice([0, 1, 2], (n, 1, 14), p=[0.1, 0.2, 0.7])
    return poses(truth + noise), annotated(truth, visibility)


def slow(predicted, annotations, threshold, rule):
    """Percent per stick by the definition, one stick of one person at a time."""
    shares = {}
    for stick, (first, second) in pcp.STICKS.items():
        hits = []
        for p, t, v in zip(
            predicted.keypoints[:, 0],
            annotations.keypoints[:, 0],
            annotations.visibility[:, 0],
        ):
            numbers = [
                [LSP.keypoints.index(name) for name in e] for e in (first, second)
            ]
            if any(v[k] == 0 for end in numbers for k in end):
                continue
            (a, b), (c, d) = [[(x[i] + x[j]) / 2 for i, j in numbers] for x in (p, t)]
            length = np.hypot(*(c - d))
            errors = np.hypot(*(a - c)) / length, np.hypot(*(b - d)) / length
            worst = max(errors) if rule == "strict" else sum(errors) / 2
            hits.append(worst <= threshold)
        shares[stick] = 100 * np.mean(hits)
    return shares


@pytest.mark.parametrize("rule", ["strict", "relaxed"])
@pytest.mark.parametrize("threshold", [0.2, 0.5])
def test_equals_the_slow_loop(rule, threshold):
    predicted, annotations = split()
    table = pcp.PCP(threshold=threshold, rule=rule)(predicted, annotations, LSP)
    shares = slow(predicted, annotations, threshold, rule)
    assert dict(table.values) == pytest.approx(shares)
    assert table.mean == pytest.approx(np.mean(list(shares.values())))
    arm = (shares["left_upper_arm"] + shares["right_upper_arm"]) / 2
    assert table.extra["Upper arm"] == pytest.approx(arm)
    parts = pcp.PCP(threshold=threshold, rule=rule, mean="parts")
    by_parts = parts(predicted, annotations, LSP)
    mean = np.mean([table.extra[part] for part in pcp.PARTS])
    assert by_parts.mean == table.extra["Mean of parts"] == pytest.approx(mean)
    assert by_parts.extra["Mean of sticks"] == table.mean
    assert by_parts.values == table.values


def test_one_evaluation_may_have_every_convention():
    """Their means are told by name, so no two may share one."""
    predicted, annotations = split()
    found = [metric(predicted, annotations, LSP) for metric in pcp.CONVENTIONS.values()]
    assert [table.name for table in found] == [
        "PCP@0.5",
        "PCP-relaxed@0.5",
        "PCP-parts@0.5",
        "PCP-relaxed-parts@0.5",
    ]
    # Only the convention with a printed source has its row.
    assert [bool(table.row) for table in found] == [False, False, True, True]


def test_stick_of_no_length_is_a_miss_even_where_exact():
    truth = np.random.default_rng(0).uniform(0, 100, (1, 1, 14, 2))
    truth[0, 0, 12] = truth[0, 0, 13]
    table = pcp.PCP()(poses(truth), annotated(truth), LSP)
    assert table.values["head"] == 0
    assert table.mean == 90


@pytest.mark.parametrize("rule", ["strict", "relaxed"])
def test_the_threshold_itself_is_right(rule):
    truth = np.random.default_rng(0).uniform(0, 100, (1, 1, 14, 2))
    truth[0, 0, [12, 13]] = (0, 0), (30, 40)  # length 50
    predicted = truth.copy()
    predicted[0, 0, [12, 13]] += [25.0, 0.0]
    metric = pcp.PCP(rule=rule)
    assert metric(poses(predicted), annotated(truth), LSP).values["head"] == 100
    predicted[0, 0, [12, 13]] += [0.001, 0.0]
    assert metric(poses(predicted), annotated(truth), LSP).values["head"] == 0


def test_one_bad_end_fails_strict_and_passes_relaxed():
    truth = np.random.default_rng(0).uniform(0, 100, (1, 1, 14, 2))
    predicted = truth.copy()
    predicted[0, 0, 13] += 0.9 * (truth[0, 0, 13] - truth[0, 0, 12])
    strict = pcp.CONVENTIONS["strict"](poses(predicted), annotated(truth), LSP)
    relaxed = pcp.CONVENTIONS["relaxed"](poses(predicted), annotated(truth), LSP)
    assert (strict.values["head"], relaxed.values["head"]) == (0, 100)
    assert strict.convention.startswith("strict: the error of each end <= 0.5")
    assert relaxed.convention.startswith("relaxed: the mean error of both ends <= 0.5")


def test_unlabeled_end_does_not_count():
    truth = np.random.default_rng(0).uniform(0, 100, (2, 1, 14, 2))
    visibility = np.full((2, 1, 14), 2)
    visibility[:, 0, 13] = 0
    visibility[0, 0, 0] = 0
    predicted = truth.copy()
    predicted[0, 0, 0] += 1000
    table = pcp.PCP()(poses(predicted), annotated(truth, visibility), LSP)
    assert np.isnan(table.values["head"]) and np.isnan(table.extra["Head"])
    assert table.values["right_lower_leg"] == 100
    assert table.mean == 100
    assert "17 sticks with all keypoints labeled, of 2 of 2 people" in table.convention


def test_missing_prediction_is_a_miss():
    truth = np.random.default_rng(0).uniform(0, 100, (1, 1, 14, 2))
    predicted = truth.copy()
    predicted[0, 0, 6] = np.nan
    table = pcp.PCP(rule="relaxed")(poses(predicted), annotated(truth), LSP)
    assert table.values["right_lower_arm"] == 0
    assert table.mean == 90


def test_skeleton_without_the_limbs_is_refused():
    face = skeletons.Skeleton(name="face", keypoints=("nose",), flip=(0,), limbs=())
    truth = np.zeros((1, 1, 1, 2))
    with pytest.raises(ValueError, match="face has no keypoint 'head_top'"):
        pcp.PCP()(poses(truth), annotated(truth), face)


def test_several_people_are_refused():
    truth = np.zeros((3, 2, 14, 2))
    with pytest.raises(ValueError, match="multi-person metric"):
        pcp.PCP()(poses(truth), annotated(truth), LSP)


@pytest.mark.parametrize(
    "field",
    [
        {"threshold": -1.0},
        {"rule": "loose"},
        {"mean": "limbs"},
        {"torso": "belly"},
    ],
)
def test_bad_fields_are_refused(field):
    value = next(iter(field.values()))
    # With types checked at run time, that check is the first to refuse a name.
    refusals = (ValueError, jaxtyping.TypeCheckError)
    with pytest.raises(refusals, match=repr(value)):
        pcp.PCP(**field)
