import pathlib

import jaxtyping
import numpy as np
import pytest

from jaxpose import pose_files, skeletons
from jaxpose.metrics import pckh
from jaxpose.types import Annotations, Poses

MPII = skeletons.MPII
PUBLISHED = pathlib.Path(__file__).parents[3] / "shared" / "data" / "published"
# Those that measure by the box of the head.
BY_BOX = [name for name, metric in pckh.CONVENTIONS.items() if metric.head == "box"]
GROUPS = ("Head", "Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle")


def poses(keypoints):
    return Poses(
        keypoints=keypoints,
        scores=np.ones(keypoints.shape[:3]),
        person_scores=np.ones(keypoints.shape[:2]),
    )


def annotated(truth, visibility, head_box):
    return Annotations(
        keypoints=truth,
        visibility=visibility,
        head_box=head_box,
        names=tuple(f"{n}.jpg" for n in range(len(truth))),
    )


def split(n=40, seed=0):
    """People with heads of 20 to 60 pixels, predictions of every quality."""
    random = np.random.default_rng(seed)
    truth = random.uniform(0, 300, (n, 1, 16, 2))
    noise = random.normal(0, 1, truth.shape) * random.uniform(0, 30, (n, 1, 1, 1))
    # Ankles are seldom labeled, as in MPII, so that the two means differ.
    share = np.where(np.isin(np.arange(16), (0, 5)), 0.5, 0.95)
    visibility = np.where(random.uniform(size=(n, 1, 16)) < share, 2, 0)
    corner = random.uniform(0, 300, (n, 1, 2))
    box = np.concatenate([corner, corner + random.uniform(15, 45, (n, 1, 2))], axis=-1)
    return poses(truth + noise), annotated(truth, visibility, box)


def slow_hits(predicted, annotations, threshold, strict):
    """Per keypoint a list of hit or miss, by the definition, one at a time."""
    found = [[] for _ in MPII.keypoints]
    for i in range(len(annotations.keypoints)):
        x0, y0, x1, y1 = annotations.head_box[i, 0]
        head = 0.6 * np.hypot(x1 - x0, y1 - y0)
        for k in range(16):
            if annotations.visibility[i, 0, k] > 0:
                p, t = predicted.keypoints[i, 0, k], annotations.keypoints[i, 0, k]
                error = np.hypot(p[0] - t[0], p[1] - t[1]) / head
                found[k].append(error < threshold if strict else error <= threshold)
    return found


@pytest.mark.parametrize("name", BY_BOX)
def test_equals_the_slow_loop(name):
    predicted, annotations = split()
    metric = pckh.CONVENTIONS[name]
    table = metric(predicted, annotations, MPII)
    hits = slow_hits(predicted, annotations, 0.5, metric.strict)
    shares = [100 * np.mean(hit) for hit in hits]
    assert list(table.values.values()) == pytest.approx(shares)
    counted = [k for k in range(16) if MPII.keypoints[k] not in ("pelvis", "thorax")]
    if metric.mean == "keypoints":
        assert table.mean == pytest.approx(np.mean([shares[k] for k in counted]))
    else:
        pooled = np.concatenate([hits[k] for k in counted])
        assert table.mean == pytest.approx(100 * np.mean(pooled))
    assert table.extra["Ankle"] == pytest.approx((shares[0] + shares[5]) / 2)
    assert table.extra["Head"] == pytest.approx(shares[9])
    assert tuple(table.extra)[:7] == GROUPS
    fine = slow_hits(predicted, annotations, metric.fine, metric.strict)
    if metric.mean == "keypoints":
        mean = np.mean([np.mean(fine[k]) for k in counted])
    else:
        mean = np.mean(np.concatenate([fine[k] for k in counted]))
    assert table.extra[f"Mean@{metric.fine:g}"] == pytest.approx(100 * mean)


def test_conventions_differ_where_they_must():
    predicted, annotations = split(n=200)
    original, hrnet, mmpose = (
        pckh.CONVENTIONS[name](predicted, annotations, MPII) for name in BY_BOX
    )
    # No error lies at the threshold itself, so only weights and 0.11 make a difference.
    assert original.values == hrnet.values == mmpose.values
    assert hrnet.mean == mmpose.mean != original.mean
    assert hrnet.extra["Mean@0.11"] > mmpose.extra["Mean@0.1"]
    assert hrnet.extra["Ankle"] == original.extra["Ankle"]
    assert "Mean@0.11 is printed as Mean@0.1 there" in hrnet.convention
    assert "printed" not in mmpose.convention


@pytest.mark.parametrize(
    "name, hit", [("pytorch-pose", 0), ("hrnet", 100), ("mmpose", 0)]
)
def test_at_the_threshold_only_hrnet_hits(name, hit):
    truth = np.zeros((1, 1, 16, 2))
    box = np.array([[[0.0, 0.0, 30.0, 40.0]]])  # diagonal 50, size 30
    annotations = annotated(truth, np.full((1, 1, 16), 2), box)
    metric = pckh.CONVENTIONS[name]
    assert metric(poses(truth + [15.0, 0.0]), annotations, MPII).mean == hit
    assert metric(poses(truth + [14.999, 0.0]), annotations, MPII).mean == 100
    assert metric(poses(truth + [15.001, 0.0]), annotations, MPII).mean == 0


def test_head_stick_equals_the_slow_loop():
    predicted, annotations = split()
    table = pckh.CONVENTIONS["deeppose-tf"](predicted, annotations, MPII)
    hits = [[] for _ in MPII.keypoints]
    for p, t, labeled in zip(
        predicted.keypoints[:, 0], annotations.keypoints[:, 0], annotations.labeled
    ):
        if labeled[0, 8] and labeled[0, 9]:  # both ends of the stick
            length = np.hypot(*(t[9] - t[8]))
            for k in np.flatnonzero(labeled):
                hits[k].append(np.hypot(*(p[k] - t[k])) <= 0.5 * length)
    shares = [100 * np.mean(hit) for hit in hits]
    assert list(table.values.values()) == pytest.approx(shares)
    pairs = [(0, 5), (1, 4), (2, 3), (10, 15), (11, 14), (12, 13)]
    groups = [(shares[a] + shares[b]) / 2 for a, b in pairs]
    groups += [shares[k] for k in (6, 7, 8, 9)]
    assert table.mean == pytest.approx(np.mean(groups))
    assert table.extra["Mean of keypoints"] == pytest.approx(np.mean(shares))
    people = sum(labeled[0, [8, 9]].all() for labeled in annotations.labeled)
    assert 0 < people < 40 and f"of {people} of 40 people" in table.convention


def test_head_stick_of_no_length_is_a_miss_even_where_exact():
    """As the original counts it: nothing is near by a head without length."""
    truth = np.random.default_rng(0).uniform(0, 100, (2, 1, 14, 2))
    truth[1, 0, 13] = truth[1, 0, 12]
    visibility = np.full((2, 1, 14), 2)
    visibility[1, 0, 0] = 0
    annotations = annotated(truth, visibility, None)
    table = pckh.PCKh(head="stick")(poses(truth), annotations, skeletons.LSP)
    assert table.name == "PCKh-stick@0.5"
    assert [*table.values.values()] == [100] + 13 * [50]
    lost = "of 2 of 2 people; 13 keypoints without a prediction or a head stick are"
    assert lost in table.convention
    visibility[1, 0, 12] = 0
    unknown = annotated(truth, visibility, None)
    table = pckh.PCKh(head="stick")(poses(truth), unknown, skeletons.LSP)
    assert table.mean == 100 and "of 1 of 2 people" in table.convention


def test_at_the_threshold_of_a_head_stick():
    """The original counts the threshold itself as near."""
    truth = np.zeros((1, 1, 16, 2))
    truth[0, 0, 9] = 30, 40  # length 50
    annotations = annotated(truth, np.full((1, 1, 16), 2), None)
    metric = pckh.CONVENTIONS["deeppose-tf"]
    assert metric(poses(truth + [25.0, 0.0]), annotations, MPII).mean == 100
    assert metric(poses(truth + [25.001, 0.0]), annotations, MPII).mean == 0


def test_groups_without_a_label_are_outside_their_mean():
    predicted, annotations = split()
    visibility = annotations.visibility.copy()
    visibility[:, :, [6, 0, 5]] = 0
    part = annotated(annotations.keypoints, visibility, annotations.head_box)
    table = pckh.PCKh(mean="groups")(predicted, part, MPII)
    known = [table.extra[name] for name in (*GROUPS[:-1], "Neck", "Thorax")]
    assert table.mean == pytest.approx(np.mean(known)) and len(known) == 8
    assert "over 8 groups (Head, Neck, Shoulder," in table.convention
    assert list(table.row) == [*table.extra][:10] and np.isnan(table.row["Pelvis"])


def published(predictions):
    for file in ("mpii_val_ground_truth.mat", predictions):
        if not (PUBLISHED / file).exists():
            pytest.skip(f"{PUBLISHED / file} is absent")
    truth = pose_files.read_truth(PUBLISHED / "mpii_val_ground_truth.mat", MPII)
    found = pose_files.read_predictions(PUBLISHED / predictions, MPII)
    return poses(found.keypoints[:, None]), truth


TOMPSON = (95.60, 92.71, 83.36, 76.74, 81.93, 73.36, 65.45)
HOURGLASS = (95.80, 94.57, 88.12, 83.31, 86.24, 80.88, 77.44)


@pytest.mark.parametrize(
    "file, convention, groups, mean",
    [
        ("mpii_val_ground_truth.mat", "pytorch-pose", TOMPSON, 81.46),
        ("mpii_val_ground_truth.mat", "hrnet", TOMPSON, 82.34),
        ("mpii_val_ground_truth.mat", "mmpose", TOMPSON, 82.34),
        ("mpii_val_preds_hg_s2_b1.mat", "pytorch-pose", HOURGLASS, 86.76),
    ],
)
def test_golden_published_predictions(file, convention, groups, mean):
    """shared/data/README.md; 82.34 in shared/specs/hourglass.md, section 10."""
    predicted, truth = published(file)
    table = pckh.CONVENTIONS[convention](predicted, truth, MPII)
    assert tuple(round(table.extra[group], 2) for group in GROUPS) == groups
    assert round(table.mean, 2) == mean


def test_golden_curve_of_the_original(reference):
    """Recorded from eval_PCKh: 51 thresholds of all 16 keypoints, and head sizes."""
    golden = reference("hg_pckh_tompson")
    predicted, truth = published("mpii_val_ground_truth.mat")
    sizes = pckh.head_size(truth.head_box[:, 0])
    np.testing.assert_array_equal(sizes, golden["headsize_x06"])
    np.testing.assert_array_equal(truth.labeled.sum(axis=(0, 1)), golden["jnt_count"])
    for threshold, shares in zip(golden["thresholds"], golden["pck_all_matlab_grid"]):
        if threshold > 0:
            metric = pckh.PCKh(threshold=float(threshold))
            values = metric(predicted, truth, MPII).values
            np.testing.assert_allclose(list(values.values()), shares, atol=1e-10)
    table = pckh.PCKh()(predicted, truth, MPII)
    assert table.mean == pytest.approx(float(golden["mean14"]), abs=1e-10)


def test_golden_means_at_smaller_thresholds():
    """shared/specs/hourglass.md, section 11: 28.3976 57.4549 71.0030 77.6298."""
    predicted, truth = published("mpii_val_ground_truth.mat")
    means = (28.3976, 57.4549, 71.0030, 77.6298)
    for threshold, mean in zip((0.1, 0.2, 0.3, 0.4), means):
        table = pckh.PCKh(threshold=threshold)(predicted, truth, MPII)
        assert table.mean == pytest.approx(mean, abs=5e-5)
        assert table.name == f"PCKh@{threshold}"


def test_lsp_has_no_row_to_leave_out():
    random = np.random.default_rng(0)
    truth = random.uniform(0, 100, (3, 1, 14, 2))
    box = np.tile([0.0, 0.0, 30.0, 40.0], (3, 1, 1))
    annotations = annotated(truth, np.full((3, 1, 14), 2), box)
    table = pckh.PCKh()(poses(truth), annotations, skeletons.LSP)
    assert table.mean == 100 and tuple(table.extra)[:7] == GROUPS
    assert "mean over 14 keypoints" in table.convention


def test_never_labeled_keypoint_is_nan_and_outside_the_mean():
    predicted, annotations = split()
    visibility = annotations.visibility.copy()
    visibility[:, :, 0] = 0
    table = pckh.PCKh()(
        predicted,
        annotated(annotations.keypoints, visibility, annotations.head_box),
        MPII,
    )
    assert np.isnan(table.values["right_ankle"])
    assert table.extra["Ankle"] == table.values["left_ankle"]
    assert "over 13 keypoints" in table.convention


@pytest.mark.parametrize("name", pckh.CONVENTIONS)
def test_nothing_labeled_gives_nan(name):
    predicted, annotations = split(n=2)
    boxes = np.full((2, 1, 4), np.nan)  # nobody asks for the size of no label
    nobody = annotated(annotations.keypoints, np.zeros((2, 1, 16), int), boxes)
    table = pckh.CONVENTIONS[name](predicted, nobody, MPII)
    assert np.isnan([table.mean, *table.values.values(), *table.extra.values()]).all()
    assert "0 of 2 people" in table.convention


def test_missing_prediction_is_a_miss():
    _, annotations = split()
    predicted = annotations.keypoints.copy()
    predicted[:, :, 9] = np.nan
    table = pckh.PCKh()(poses(predicted), annotations, MPII)
    assert table.extra["Head"] == 0 and table.extra["Hip"] == 100
    assert "keypoints without a prediction are misses" in table.convention


@pytest.mark.parametrize("box, size", [((7, 8, 7, 8), "0"), ((np.nan, 0, 9, 9), "nan")])
def test_head_of_no_size_is_refused_by_record(box, size):
    predicted, annotations = split(n=5)
    annotations.head_box[3, 0] = box
    with pytest.raises(ValueError, match=rf"record 3 \(3.jpg\) .* of size {size}, fir"):
        pckh.PCKh()(predicted, annotations, MPII)


def test_truth_without_head_boxes_is_refused():
    predicted, annotations = split(n=2)
    bare = annotated(annotations.keypoints, annotations.visibility, None)
    with pytest.raises(ValueError, match="a mat file with headboxes_src"):
        pckh.PCKh()(predicted, bare, MPII)


@pytest.mark.parametrize(
    "field",
    [{"threshold": 0.0}, {"fine": np.nan}, {"mean": "counts"}, {"head": "hat"}],
)
def test_bad_fields_are_refused(field):
    value = next(iter(field.values()))
    # With types checked at run time, that check is the first to refuse a name.
    refusals = (ValueError, jaxtyping.TypeCheckError)
    with pytest.raises(refusals, match=repr(value)):
        pckh.PCKh(**field)
