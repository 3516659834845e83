import pathlib

import jaxtyping
import numpy as np
import pytest
import scipy.io

from jaxpose import skeletons
from jaxpose.metrics import pck
from jaxpose.types import Annotations, Poses

LSP = skeletons.LSP
SHARED = pathlib.Path(__file__).parents[3] / "shared"
REFERENCE = SHARED / "reference" / "deeppose_tf_metrics.npz"
PUBLISHED = SHARED / "data" / "published" / "lsp_test_preds_cpm_mpii_lsp.mat"


def split(n=30, p=1, seed=0):
    """People, some keypoints unlabeled, predictions of every quality."""
    random = np.random.default_rng(seed)
    truth = random.uniform(0, 100, (n, p, 14, 2))
    noise = random.normal(0, 1, truth.shape) * random.uniform(0, 40, (n, p, 1, 1))
    visibility = random.choice([0, 1, 2], (n, p, 14), p=[0.1, 0.2, 0.7])
    return poses(truth + noise), Annotations(keypoints=truth, visibility=visibility)


def poses(keypoints):
    return Poses(
        keypoints=keypoints,
        scores=np.ones(keypoints.shape[:3]),
        person_scores=np.ones(keypoints.shape[:2]),
    )


def slow_hits(predicted, annotations, threshold, reference):
    """Per keypoint a list of hit or miss, by the definition, one at a time."""
    found = {name: [] for name in LSP.keypoints}
    for p, t, v in zip(
        predicted.keypoints[:, 0],
        annotations.keypoints[:, 0],
        annotations.visibility[:, 0],
    ):
        if reference == "torso":
            if v[9] == 0 or v[2] == 0:
                continue
            length = np.hypot(*(t[9] - t[2]))
        else:
            x, y = zip(*[t[k] for k in range(14) if v[k] > 0])
            length = max(max(x) - min(x), max(y) - min(y))
        for k, name in enumerate(LSP.keypoints):
            if v[k] > 0:
                found[name].append(np.hypot(*(p[k] - t[k])) <= threshold * length)
    return found


@pytest.mark.parametrize("reference", ["torso", "box"])
@pytest.mark.parametrize("threshold", [0.05, 0.2, 0.5])
def test_equals_the_slow_loop(reference, threshold):
    predicted, annotations = split()
    metric = pck.PCK(threshold=threshold, reference=reference)
    table = metric(predicted, annotations, LSP)
    hits = slow_hits(predicted, annotations, threshold, reference)
    shares = {name: 100 * np.mean(hit) for name, hit in hits.items()}
    assert dict(table.values) == pytest.approx(shares)
    assert table.mean == pytest.approx(np.mean(list(shares.values())))
    elbow = (shares["left_elbow"] + shares["right_elbow"]) / 2
    assert table.extra["Elbow"] == pytest.approx(elbow)


def test_mean_over_labels_weights_labels():
    predicted, annotations = split()
    hits = slow_hits(predicted, annotations, 0.2, "torso")
    table = pck.PCK(mean="labels")(predicted, annotations, LSP)
    assert table.mean == pytest.approx(
        100 * np.mean(np.concatenate(list(hits.values())))
    )
    wrist = hits["left_wrist"] + hits["right_wrist"]
    assert table.extra["Wrist"] == pytest.approx(100 * np.mean(wrist))
    assert table.mean != pck.PCK()(predicted, annotations, LSP).mean


def test_area_under_the_curve_is_the_trapezoid_of_means():
    predicted, annotations = split()
    grid = [step / 100 for step in range(1, 21)]
    means = [pck.PCK(threshold=t)(predicted, annotations, LSP).mean for t in grid]
    area = (sum(means) - means[-1] / 2) / 20  # at threshold 0 only exact ones count
    table = pck.PCK(threshold=0.2)(predicted, annotations, LSP)
    assert table.extra["AUC"] == pytest.approx(area)
    assert "AUC: trapezoids over 21 thresholds, 0 to 0.2" in table.convention


def test_flic_averages_elbows_and_wrists():
    """As Sapp and Taskar 2013 and later work tell results, by the same torso as LSP's."""
    predicted, annotations = split()
    lsp = pck.CONVENTIONS["lsp"](predicted, annotations, LSP)
    flic = pck.CONVENTIONS["flic"](predicted, annotations, LSP)
    assert flic.values == lsp.values and flic.name == lsp.name
    assert flic.mean == pytest.approx((lsp.extra["Elbow"] + lsp.extra["Wrist"]) / 2)
    assert flic.mean != lsp.mean and flic.extra["AUC"] != lsp.extra["AUC"]
    assert "4 keypoints (left_elbow, right_elbow, left_w" in flic.convention


def test_flic_on_the_keypoints_of_flic():
    """Rows without legs and head top."""
    truth = np.random.default_rng(0).uniform(0, 100, (9, 1, 11, 2))
    annotations = Annotations(keypoints=truth, visibility=np.full((9, 1, 11), 2))
    predicted = truth.copy()
    predicted[..., skeletons.FLIC.index("left_wrist"), :] += 1000
    table = pck.CONVENTIONS["flic"](poses(predicted), annotations, skeletons.FLIC)
    assert table.mean == 75 and table.extra["Wrist"] == 50
    assert list(table.extra) == ["Shoulder", "Elbow", "Wrist", "Hip", "AUC"]


def test_comparison_is_inclusive():
    truth = np.zeros((1, 1, 14, 2))
    truth[0, 0, 9] = (0, 10)  # the torso is 10 long
    annotations = Annotations(
        keypoints=truth, visibility=np.full((1, 1, 14), 2, dtype=int)
    )
    at, behind = poses(truth + [2.0, 0.0]), poses(truth + [2.0001, 0.0])
    assert pck.PCK(threshold=0.2)(at, annotations, LSP).mean == 100
    assert pck.PCK(threshold=0.2)(behind, annotations, LSP).mean == 0


def test_people_without_torso_are_left_out_and_counted():
    predicted, annotations = split(n=6)
    visibility = np.full((6, 1, 14), 2)
    visibility[0, 0, 9] = 0
    truth = annotations.keypoints.copy()
    truth[1, 0, 2] = truth[1, 0, 9]
    table = pck.PCK()(
        predicted, Annotations(keypoints=truth, visibility=visibility), LSP
    )
    rest = pck.PCK()(
        poses(predicted.keypoints[2:]),
        Annotations(keypoints=truth[2:], visibility=visibility[2:]),
        LSP,
    )
    assert table.values == rest.values
    assert "4 of 6 people, the others lack a label or a length" in table.convention
    assert "4 of 4 people; AUC" in rest.convention


def test_never_labeled_keypoint_is_nan_and_outside_the_mean():
    predicted, annotations = split()
    visibility = annotations.visibility.copy()
    visibility[:, :, 13] = 0
    truth = annotations.keypoints.copy()
    truth[:, :, 13] = np.nan
    table = pck.PCK()(
        predicted, Annotations(keypoints=truth, visibility=visibility), LSP
    )
    assert np.isnan(table.values["head_top"])
    others = [v for name, v in table.values.items() if name != "head_top"]
    assert table.mean == pytest.approx(np.mean(others))
    assert "over 13 keypoints" in table.convention


@pytest.mark.parametrize("mean", ["keypoints", "labels"])
def test_nothing_labeled_gives_nan(mean):
    predicted, annotations = split(n=2)
    none = Annotations(
        keypoints=annotations.keypoints, visibility=np.zeros((2, 1, 14), dtype=int)
    )
    table = pck.PCK(mean=mean, reference="box")(predicted, none, LSP)
    assert np.isnan([table.mean, table.extra["AUC"], *table.values.values()]).all()


@pytest.mark.parametrize("missing", [np.nan, np.inf])
def test_missing_prediction_is_a_miss(missing):
    _, annotations = split()
    predicted = annotations.keypoints.copy()
    predicted[:, :, 3] = missing
    table = pck.PCK(threshold=1e9, reference="box")(poses(predicted), annotations, LSP)
    assert table.values["left_hip"] == 0
    assert table.values["right_hip"] == 100
    lost = (annotations.visibility[:, 0, 3] > 0).sum()
    assert f"{lost} keypoints without a prediction are misses" in table.convention


def test_golden_head_lengths_of_deeppose_tf():
    """Recorded from the TensorFlow original: errors in head-stick lengths, <=."""
    if not REFERENCE.exists():
        pytest.skip(f"{REFERENCE} is absent")
    golden = np.load(REFERENCE, allow_pickle=False)
    box = golden["lsp_bbox"][:, None].astype(np.float32)
    clipped = golden["lsp_pred"].clip(-0.5, 0.5)
    predicted = (clipped + np.float32(0.5)) * box[..., 2:] + box[..., :2]
    truth = golden["lsp_gt_px"]
    head = np.linalg.norm(truth[:, 13] - truth[:, 12], axis=-1)
    labeled = np.ones(truth.shape[:2], dtype=bool)
    order = [13, 12, 8, 7, 6, 2, 1, 0, 9, 10, 11, 3, 4, 5]
    # Unlike the original, we leave out people of no length; there they are misses.
    has_head = (head > 0).mean()
    error = pck.relative_error(predicted, truth, labeled, head)
    for key, threshold in (("", 0.5), ("_t0.3", 0.3), ("_t0.2", 0.2), ("_t0.1", 0.1)):
        shares = pck.pck(error, threshold)[order] / 100 * has_head
        np.testing.assert_allclose(shares, golden[f"lsp_pckh_joint{key}"], rtol=1e-12)


def test_golden_published_predictions():
    """Convolutional Pose Machines on LSP test: 90.5, in shared/data/README.md."""
    if not PUBLISHED.exists():
        pytest.skip(f"{PUBLISHED} is absent")
    joints = scipy.io.loadmat(SHARED / "data" / "lsp_dataset" / "joints.mat")["joints"]
    truth = joints[:2, :, 1000:].transpose(2, 1, 0)[:, None]
    predicted = scipy.io.loadmat(PUBLISHED)["prediction_all"].transpose(2, 0, 1)
    annotations = Annotations(
        keypoints=truth, visibility=np.full((1000, 1, 14), 2, dtype=int)
    )
    found = poses(predicted[:, None].astype(float))
    # All keypoints are labeled, so both means agree.
    for name in ("lsp", "lsp-labels"):
        table = pck.CONVENTIONS[name](found, annotations, LSP)
        assert table.mean == pytest.approx(90.5, abs=1e-9)
    assert table.values["head_top"] == pytest.approx(97.4)


def test_several_people_are_refused():
    with pytest.raises(ValueError, match="multi-person metric"):
        pck.PCK()(*split(p=2), LSP)


def test_other_number_of_images_is_refused():
    predicted, _ = split(n=3)
    _, annotations = split(n=4)
    with pytest.raises(ValueError, match=r"shape \(3, 1, 14, 2\), must be \(4, 1"):
        pck.PCK()(predicted, annotations, LSP)


@pytest.mark.parametrize(
    "field",
    [{"threshold": 0.0}, {"threshold": np.nan}, {"reference": "head"}, {"mean": "all"}],
)
def test_bad_fields_are_refused(field):
    value = next(iter(field.values()))
    # With types checked at run time, that check is the first to refuse a name.
    refusals = (ValueError, jaxtyping.TypeCheckError)
    with pytest.raises(refusals, match=repr(value)):
        pck.PCK(**field)
