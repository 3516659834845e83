import pathlib

import numpy as np
import pytest
import scipy.io

from jaxpose import pose_files, skeletons

LSP, MPII = skeletons.LSP, skeletons.MPII
SHARED = pathlib.Path(__file__).parents[3] / "shared"
PUBLISHED = SHARED / "data" / "published"


def points(n=4, dtype=np.float32):
    return np.random.default_rng(0).uniform(-20, 500, (n, 14, 2)).astype(dtype)


def mat(folder, **arrays):
    file = folder / "file.mat"
    scipy.io.savemat(file, arrays)
    return file


@pytest.mark.parametrize("n", [1, 2, 3, 14])
def test_lsp_and_lspet_joints_are_told_apart(tmp_path, n):
    keypoints, flag = points(n, np.float64), np.arange(n * 14).reshape(n, 14) % 2
    joints = np.concatenate([keypoints, flag[..., None]], axis=-1)  # n k 3
    lsp = pose_files.read_truth(mat(tmp_path, joints=joints.transpose(2, 1, 0)), LSP)
    np.testing.assert_array_equal(lsp.keypoints[:, 0], keypoints - 1)
    np.testing.assert_array_equal(lsp.visibility[:, 0], np.where(flag, 1, 2))
    lspet = pose_files.read_truth(mat(tmp_path, joints=joints.transpose(1, 2, 0)), LSP)
    np.testing.assert_array_equal(lspet.keypoints[:, 0], keypoints - 1)
    np.testing.assert_array_equal(lspet.visibility[:, 0], np.where(flag, 2, 0))


@pytest.mark.parametrize("n", [1, 2, 3, 14])
def test_layouts_of_published_predictions(tmp_path, n):
    keypoints = np.random.default_rng(0).integers(0, 255, (n, 14, 2), dtype=np.uint8)
    expected = keypoints.astype(float) - 1  # 0 must become -1, not 255
    for arrays in (
        {"preds": keypoints},
        {"prediction_all": keypoints.transpose(1, 2, 0)},
        {"pos_pred_src": keypoints.transpose(1, 2, 0)},
    ):
        found = pose_files.read_predictions(mat(tmp_path, **arrays), LSP)
        np.testing.assert_array_equal(found.keypoints, expected)


def test_layout_of_tompson_truth(tmp_path):
    keypoints, missing = points(3, np.float64), np.zeros((3, 14), dtype=np.uint8)
    missing[1, 2] = 1
    keypoints[1, 2] = np.nan
    file = mat(tmp_path, pos_gt_src=keypoints.transpose(1, 2, 0), jnt_missing=missing.T)
    found = pose_files.read_truth(file, LSP)
    np.testing.assert_array_equal(found.keypoints[:, 0], keypoints - 1)
    np.testing.assert_array_equal(found.visibility[:, 0], np.where(missing, 0, 2))


@pytest.mark.parametrize(
    "file, n, labeled",
    [("lsp_dataset", 2000, 28000), ("lspet_dataset", 8000, None)],
)
def test_real_joints(file, n, labeled):
    path = SHARED / "data" / file / "joints.mat"
    if not path.exists():
        pytest.skip(f"{path} is absent")
    found = pose_files.read_truth(path, LSP)
    joints = scipy.io.loadmat(path)["joints"]
    assert found.keypoints.shape == (n, 1, 14, 2)
    if labeled is None:  # in LSPET, flag 0 stands at coordinates that are no pixels
        labeled = (joints[:, 2] == 1).sum()
        assert (found.keypoints[found.visibility == 0] < 0).all()
    assert found.labeled.sum() == labeled


def test_real_published_predictions_are_not_confused():
    folder = SHARED / "data" / "published"
    if not folder.exists():
        pytest.skip(f"{folder} is absent")
    file = folder / "lsp_test_preds_cpm_mpii_lsp.mat"
    assert pose_files.read_predictions(file, LSP).keypoints.shape == (1000, 14, 2)
    with pytest.raises(ValueError, match=r"\['prediction_all'\].*truth and pred"):
        pose_files.read_truth(file, LSP)
    with pytest.raises(ValueError, match=r"shape \(2958, 16, 2\), must be .* 14, 2"):
        pose_files.read_predictions(folder / "mpii_val_preds_hg_s2_b1.mat", LSP)


@pytest.mark.parametrize(
    "arrays, message",
    [
        ({"joints": np.zeros((14, 2, 5))}, r"\(14, 2, 5\), must be \(3, 14, n\)"),
        ({"joints": np.zeros(5)}, r"must be \(3, 14, n\)"),
        ({"joints": np.full((3, 14, 5), 7.0)}, "must be 0 or 1: occluded in LSP"),
        ({"joints": np.full((3, 14, 5), np.nan)}, "must be 0 or 1: occluded in LSP"),
        ({"pos_gt_src": np.zeros((14, 2, 5))}, "without jnt_missing"),
        (
            {"pos_gt_src": np.zeros((14, 2, 5)), "jnt_missing": np.zeros((14, 4))},
            r"visibility are int64 of shape \(4, 14\), must be .*\(5, 14\)",
        ),
        ({"preds": np.zeros((5, 14, 2))}, r"joints, pos_gt_src, there are \['preds'\]"),
    ],
)
def test_bad_mat_truth_is_refused(tmp_path, arrays, message):
    with pytest.raises(ValueError, match=message):
        pose_files.read_truth(mat(tmp_path, **arrays), LSP)


@pytest.mark.parametrize(
    "arrays, message",
    [
        ({"joints": np.zeros((3, 14, 5))}, r"preds, prediction_all, pos_pred_src, the"),
        ({"prediction_all": np.zeros((5, 14, 2, 1, 2))}, "must have three axes"),
        ({"prediction_all": np.zeros((5, 14, 2))}, r"\(5, 14, 2\), must be"),
        ({"preds": np.zeros((5, 16, 2))}, r"\(5, 16, 2\), must be .*\(5, 14, 2\)"),
        ({"preds": np.full((5, 14, 2), np.inf)}, "right_ankle of person 0 is infinite"),
        ({"preds": np.zeros((0, 14, 2))}, "no people"),
    ],
)
def test_bad_mat_predictions_are_refused(tmp_path, arrays, message):
    with pytest.raises(ValueError, match=message):
        pose_files.read_predictions(mat(tmp_path, **arrays), LSP)


def test_a_mat_that_ends_early_is_named(tmp_path):
    path = tmp_path / "predictions.mat"
    random = np.random.default_rng(0).normal(size=(50, 14, 2))
    scipy.io.savemat(path, {"preds": random, "scores": random[..., 0]})
    content = path.read_bytes()
    for size in (len(content) // 2, 200, 130, 60, 0):
        path.write_bytes(content[:size])
        with pytest.raises(
            ValueError, match="predictions.mat is no MATLAB file that c"
        ):
            pose_files.read_predictions(path, LSP)


def test_hdf5_mat_is_refused_with_the_remedy(tmp_path):
    file = tmp_path / "file.mat"
    header = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
    file.write_bytes(header + bytes(600))
    with pytest.raises(ValueError, match="save it again with -v7"):
        pose_files.read_truth(file, LSP)


def truth(folder, head_box):
    """A file as in the MPII evaluation of Tompson et al., corners row by row."""
    n = len(head_box)
    keypoints = np.random.default_rng(0).uniform(1, 100, (16, 2, n))
    corners = np.array([[[b[0], b[1]], [b[2], b[3]]] for b in head_box])
    arrays = {"pos_gt_src": keypoints, "jnt_missing": np.zeros((16, n))}
    arrays["headboxes_src"] = corners.transpose(1, 2, 0)
    scipy.io.savemat(folder / "truth.mat", arrays)
    return folder / "truth.mat"


@pytest.mark.parametrize("n", [1, 2, 3])
def test_head_boxes_are_shifted_to_zero_based(tmp_path, n):
    boxes = np.array([(1, 1, 31, 41), (5, 6, 7, 9), (10, 20, 30, 50)])[:n]
    found = pose_files.read_truth(truth(tmp_path, boxes), MPII)
    np.testing.assert_array_equal(found.head_box[:, 0], boxes - 1)


def test_other_shapes_of_head_boxes_are_refused(tmp_path):
    file = truth(tmp_path, np.zeros((3, 4)))
    found = scipy.io.loadmat(file)
    arrays = {key: found[key] for key in ("pos_gt_src", "jnt_missing")}
    for boxes in (np.zeros((2, 2, 2)), np.zeros((3, 2, 3))):
        scipy.io.savemat(file, arrays | {"headboxes_src": boxes})
        with pytest.raises(ValueError, match=r"truth.mat: head_box are .*\(3, 4\)"):
            pose_files.read_truth(file, MPII)
    scipy.io.savemat(file, arrays | {"headboxes_src": np.zeros((2, 4, 3))})
    with pytest.raises(ValueError, match="headboxes_src has shape"):
        pose_files.read_truth(file, MPII)


def test_head_boxes_of_the_real_file_have_corners_in_order():
    file = PUBLISHED / "mpii_val_ground_truth.mat"
    if not file.exists():
        pytest.skip(f"{file} is absent")
    found = pose_files.read_truth(file, MPII)
    box = found.head_box[:, 0]
    assert box.shape == (2958, 4) and (box[:, 2:] > box[:, :2]).all()
    # Where the head top is labeled, most boxes hold it or touch it.
    top, labeled = found.keypoints[:, 0, 9], found.labeled[:, 0, 9]
    margin = 0.25 * (box[:, 2:] - box[:, :2])
    inside = (top > box[:, :2] - margin) & (top < box[:, 2:] + margin)
    assert inside.all(axis=1)[labeled].mean() > 0.95


def test_published_predictions_are_one_based():
    file = PUBLISHED / "mpii_val_preds_hg_s2_b1.mat"
    if not file.exists():
        pytest.skip(f"{file} is absent")
    found = pose_files.read_predictions(file, MPII)
    preds = scipy.io.loadmat(file)["preds"]
    np.testing.assert_array_equal(found.keypoints, preds.astype(float) - 1)
