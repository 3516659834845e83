"""MPII's average precision of several people: slow loops, and cases made by hand."""

import dataclasses
import math

import numpy as np
import pytest

from jaxpose import skeletons
from jaxpose.metrics import multiperson
from jaxpose.types import Annotations, Poses, Regions

MPII = skeletons.MPII
K = len(MPII.keypoints)
COUNTED = [k for k in range(K) if MPII.keypoints[k] not in ("pelvis", "thorax")]


def crowd(n=25, p=4, seed=0):
    """Photographs of people who are near each other, and predictions of every quality."""
    random = np.random.default_rng(seed)
    truth = random.uniform(0, 120, (n, p, K, 2)) + 60 * np.arange(p)[:, None, None]
    visibility = random.choice([0, 1, 2], (n, p, K), p=[0.2, 0.3, 0.5])
    visibility[random.uniform(size=(n, p)) < 0.3] = 0
    corner = random.uniform(0, 300, (n, p, 2))
    side = random.uniform(20, 60, (n, p, 2))
    noise = random.normal(0, 1, truth.shape) * random.uniform(0, 10, (n, p, 1, 1))
    # A second prediction of everybody, often of somebody who is not there.
    both = np.concatenate([truth + noise, truth + 2 * noise[::-1]], axis=1)
    both[random.uniform(size=both.shape[:3]) < 0.2] = np.nan
    both[random.uniform(size=both.shape[:2]) < 0.2] = np.nan
    poses = Poses(
        keypoints=both,
        scores=random.uniform(0, 1, both.shape[:3]).round(1),
        person_scores=random.uniform(0, 1, both.shape[:2]),
    )
    annotations = Annotations(
        keypoints=truth,
        visibility=visibility,
        head_box=np.concatenate([corner, corner + side], axis=-1),
    )
    return poses, annotations


def slow_ap(poses, annotations, threshold):
    """By the definition, one prediction and one keypoint at a time."""
    judged, labels = [[] for _ in range(K)], [0] * K
    for i, visibility in enumerate(annotations.visibility):
        for k in range(K):
            labels[k] += (visibility[:, k] > 0).sum()
        for d, owner in slow_owners(poses, annotations, i, threshold).items():
            for k in range(K):
                if np.isfinite(poses.keypoints[i, d, k]).all():
                    right = owner is not None and is_close(
                        poses, annotations, i, d, owner, k, threshold
                    )
                    place = (-poses.scores[i, d, k], -poses.person_scores[i, d])
                    judged[k].append((*place, right))
    return [slow_area(sorted(rows), n) for rows, n in zip(judged, labels, strict=True)]


def slow_owners(poses, annotations, i, threshold):
    """The true person of everybody predicted on a photograph, or None."""

    def share(d, j):
        there = [k for k in COUNTED if annotations.visibility[i, j, k] > 0]
        right = [is_close(poses, annotations, i, d, j, k, threshold) for k in there]
        return sum(right) / max(len(there), 1)

    predicted = poses.keypoints[i]
    somebody = [d for d in range(len(predicted)) if np.isfinite(predicted[d]).any()]
    somebody.sort(key=lambda d: -poses.person_scores[i, d])
    people = np.flatnonzero(annotations.visibility[i].any(axis=-1)).tolist()
    owner = dict.fromkeys(somebody)
    chosen = {d: max(people, key=lambda j: share(d, j), default=None) for d in somebody}
    for j in people:
        # max takes the first of equals.
        mine = [d for d in somebody if chosen[d] == j]
        best = max(mine, key=lambda d: share(d, j), default=None)
        if best is not None and share(best, j) > 0:
            owner[best] = j
    return owner


def is_close(poses, annotations, i, d, j, k, threshold):
    x0, y0, x1, y1 = annotations.head_box[i, j]
    head = 0.6 * math.hypot(x1 - x0, y1 - y0)
    apart = math.dist(poses.keypoints[i, d, k], annotations.keypoints[i, j, k])
    return bool(annotations.visibility[i, j, k] > 0 and apart <= threshold * head)


def slow_area(rows, total):
    curve, hits = [(0.0, 0.0)], 0
    for seen, (*_, right) in enumerate(rows, start=1):
        hits += right
        curve.append((hits / total, hits / seen))
    area = 0.0
    for n in range(1, len(curve)):
        step = curve[n][0] - curve[n - 1][0]
        area += step * max(precision for _, precision in curve[n:])
    return 100 * area


@pytest.mark.parametrize("threshold", [0.2, 0.5])
def test_equals_the_slow_loops(threshold):
    poses, annotations = crowd()
    table = multiperson.MeanAP(threshold=threshold)(poses, annotations, MPII)
    expected = slow_ap(poses, annotations, threshold)
    assert 5 < min(expected) and max(expected) < 80
    assert list(table.values.values()) == pytest.approx(expected)
    assert table.mean == pytest.approx(np.mean([expected[k] for k in COUNTED]))
    assert table.name == f"mAP@{threshold}"
    assert table.extra["Ankle"] == pytest.approx((expected[0] + expected[5]) / 2)
    assert table.extra["Head"] == pytest.approx((expected[8] + expected[9]) / 2)
    groups = ("Head", "Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle", "Total")
    assert tuple(table.row) == groups and table.row["Total"] == table.mean


def two_people(**fields):
    """200 pixels apart, on one photograph, with heads of 30 pixels."""
    truth = np.random.default_rng(0).uniform(0, 100, (1, 2, K, 2))
    truth[:, 1] += 300
    box = np.array([0, 0, 30, 40.0])
    annotations = Annotations(
        keypoints=truth,
        visibility=np.full((1, 2, K), 2),
        head_box=np.broadcast_to(box, (1, 2, 4)),
    )
    return dataclasses.replace(annotations, **fields)


def predicted(people, scores):
    """One photograph; all keypoints of a person have the person's score."""
    keypoints = np.stack(people)[None]
    return Poses(
        keypoints=keypoints,
        scores=np.broadcast_to(np.array(scores)[None, :, None], keypoints.shape[:3]),
        person_scores=np.array(scores)[None],
    )


def mean(poses, annotations, skeleton=MPII):
    return multiperson.MeanAP()(poses, annotations, skeleton).mean


def test_cases_by_hand():
    annotations = two_people()
    first, second = annotations.keypoints[0]
    nobody = first + 2000
    for people, scores, expected in (
        ([first, second], [0.9, 0.8], 100),
        # Missing.
        ([first], [0.9], 50),
        # A duplicate is wrong: precision is 1, 1/2, 2/3 at recalls 1/2, 1/2, 1.
        ([first, first + 3, second], [0.9, 0.8, 0.7], 50 + 50 * 2 / 3),
        # Surer than all that is right, and less sure than all of it.
        ([nobody, first, second], [0.9, 0.8, 0.7], 200 / 3),
        ([nobody, first, second], [0.1, 0.8, 0.7], 100),
        ([nobody], [0.9], 0),
    ):
        assert mean(predicted(people, scores), annotations) == pytest.approx(expected)


def test_the_worse_duplicate_is_the_wrong_one_though_surer():
    annotations = two_people()
    first, _ = annotations.keypoints[0]
    half = np.where(np.arange(K)[:, None] % 2, first + 400, first)
    better = multiperson.MeanAP()(
        predicted([half, first], [0.9, 0.8]), annotations, MPII
    )
    # Even of those of its keypoints that are right.
    assert set(better.values.values()) == {25.0}
    # Of equals, the surer.
    assert mean(predicted([first, first], [0.3, 0.8]), annotations) == 50


def test_distance_is_measured_in_head_sizes():
    """Half of 0.6 x a diagonal of 50 pixels."""
    annotations = two_people()
    for apart, expected in ((14.9, 100), (15.1, 0)):
        moved = annotations.keypoints[0] + [apart, 0]
        assert mean(predicted([*moved], [0.9, 0.8]), annotations) == expected


def test_a_keypoint_without_label_is_wrong():
    visibility = np.full((1, 2, K), 2)
    visibility[0, 1, 0] = 0
    annotations = two_people(visibility=visibility)
    both = [*annotations.keypoints[0]]
    for scores, expected in (([0.9, 0.8], 100), ([0.8, 0.9], 50)):
        table = multiperson.MeanAP()(predicted(both, scores), annotations, MPII)
        assert table.values["right_ankle"] == expected
        assert table.values["right_knee"] == 100


def test_what_is_ignored_is_not_wrong():
    first, second = two_people().keypoints[0]
    poses = predicted([second, first], [0.9, 0.8])
    box = np.array([290, 290, 410, 410.0])
    without = np.full((1, 2, K), 2)
    without[0, 1] = 0
    alone = two_people(visibility=without)
    assert mean(poses, alone) == 50
    boxes = np.full((1, 2, 4), np.nan)
    boxes[0, 1] = box
    assert mean(poses, dataclasses.replace(alone, box=boxes)) == 100
    for image, expected in ((0, 100), (1, 50)):
        regions = Regions(
            image_id=np.array([image]),
            box=box[None],
            area=np.array([1e4]),
            crowd=np.array([True]),
        )
        assert mean(poses, dataclasses.replace(alone, ignored=regions)) == expected
    # Who is found there is found.
    found = two_people(ignored=dataclasses.replace(regions, image_id=np.array([0])))
    assert mean(poses, found) == 100


def test_rows_of_one_photograph_are_joined():
    poses, annotations = crowd()
    n, p = annotations.visibility.shape[:2]
    single = Annotations(
        keypoints=annotations.keypoints.reshape(n * p, 1, K, 2),
        visibility=annotations.visibility.reshape(n * p, 1, K),
        head_box=annotations.head_box.reshape(n * p, 1, 4),
        image_id=np.repeat(np.arange(n) * 7, p),
    )
    rows = Poses(
        keypoints=poses.keypoints.reshape(n * p, 2, K, 2),
        scores=poses.scores.reshape(n * p, 2, K),
        person_scores=poses.person_scores.reshape(n * p, 2),
    )
    together = multiperson.MeanAP()(poses, annotations, MPII)
    apart = multiperson.MeanAP()(rows, single, MPII)
    assert apart.values == pytest.approx(together.values)


def test_without_head_boxes():
    """By the head stick of 40 pixels, or a fifth of the longer side, 100 pixels."""
    truth = np.zeros((1, 2, K, 2))
    truth[0, 0, MPII.index("head_top"), 1] = 40
    truth[0, 1, 0] = 400, 400
    truth[0, 1, 1:] = 500, 410
    visibility = np.full((1, 2, K), 2)
    visibility[0, 1, MPII.index("neck")] = 0
    for first, second, expected in (
        (19.9, 9.9, 100),
        (20.1, 9.9, 25),  # The wrong one comes first.
        (19.9, 10.1, 50),
    ):
        annotations = Annotations(keypoints=truth, visibility=visibility)
        moved = truth[0] + np.array([first, second])[:, None, None] * [0, 1]
        table = multiperson.MeanAP()(predicted([*moved], [1, 1]), annotations, MPII)
        assert table.values["left_knee"] == expected
    assert "head stick (head top to neck) of 1, the box of labeled" in table.convention
    # Boxes that are there come first, person by person.
    boxes = np.array([[[np.nan] * 4, [0, 0, 30, 40]]])
    boxed = dataclasses.replace(annotations, head_box=boxes)
    assert mean(predicted([*moved], [1, 1]), boxed) == 100
    assert "diagonal) of 1, the head stick" in (
        multiperson.MeanAP()(predicted([*moved], [1, 1]), boxed, MPII).convention
    )


def test_who_has_no_size_does_not_count():
    annotations = two_people(head_box=None)
    one = annotations.visibility.copy()
    one[0, 1, 1:] = 0
    table = multiperson.MeanAP()(
        predicted([annotations.keypoints[0, 0]], [1]),
        dataclasses.replace(annotations, visibility=one),
        MPII,
    )
    assert table.mean == 100 and "(1 without any do not count)" in table.convention


def test_other_skeletons():
    coco = skeletons.COCO
    keypoints = np.random.default_rng(0).uniform(0, 100, (1, 1, 17, 2))
    annotations = Annotations(keypoints=keypoints, visibility=np.full((1, 1, 17), 2))
    poses = Poses(
        keypoints=keypoints, scores=np.ones((1, 1, 17)), person_scores=np.ones((1, 1))
    )
    table = multiperson.MeanAP()(poses, annotations, coco)
    assert table.mean == 100 and "Head" not in table.row and table.row["Wrist"] == 100


def test_nobody():
    """Slots of nan or without a score are no predictions; no truth is nan."""
    annotations = two_people()
    nothing = np.full((2, K, 2), np.nan)
    assert mean(predicted([*nothing], [0.9, 0.8]), annotations) == 0
    lost = predicted([*annotations.keypoints[0]], [np.nan, np.nan])
    assert mean(lost, annotations) == 0
    empty = two_people(visibility=np.zeros((1, 2, K), int))
    assert math.isnan(mean(predicted([*annotations.keypoints[0]], [1, 1]), empty))


def test_errors():
    with pytest.raises(ValueError, match="threshold=0.0"):
        multiperson.MeanAP(threshold=0.0)
    annotations = two_people()
    poses = predicted([*annotations.keypoints[0]], [1, 1])
    with pytest.raises(ValueError, match=r"must be \(1, people, 17, 2\)"):
        mean(poses, annotations, skeletons.COCO)
