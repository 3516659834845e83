import os

import numpy as np
import pytest
import scipy.io

from jaxpose import pose_files, skeletons
from jaxpose.types import Annotations

LSP = skeletons.LSP
NAMES = ("im1.jpg", "a, b.jpg", "ü.jpg", "im4.jpg")


def points(n=4, dtype=np.float32):
    return np.random.default_rng(0).uniform(-20, 500, (n, 14, 2)).astype(dtype)


def predictions(n=4, dtype=np.float32):
    keypoints = points(n, dtype)
    keypoints[1, 3] = np.nan
    scores = np.random.default_rng(1).uniform(size=(n, 14)).astype(dtype)
    return pose_files.Predictions(keypoints=keypoints, scores=scores, names=NAMES[:n])


def truth(n=4):
    visibility = np.arange(n * 14).reshape(n, 1, 14) % 3
    keypoints = points(n, np.float64)[:, None]
    keypoints[visibility == 0] = np.nan
    size = np.array([[100, 200]] * n) + np.arange(n)[:, None]
    return Annotations(
        keypoints=keypoints,
        visibility=visibility,
        size=size,
        head_box=np.random.default_rng(2).uniform(0, 99, (n, 1, 4)),
        names=NAMES[:n],
    )


@pytest.mark.parametrize("ending", ["npz", "csv", "mat"])
@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_predictions_come_back_as_the_same_float32(tmp_path, ending, n):
    file, saved = tmp_path / f"file.{ending}", predictions(max(n, 2))
    saved = pose_files.Predictions(
        keypoints=saved.keypoints[-n:],
        scores=saved.scores[-n:],
        names=saved.names[-n:],
    )
    pose_files.save_predictions(file, saved, LSP)
    found = pose_files.read_predictions(file, LSP)
    np.testing.assert_array_equal(found.keypoints.astype(np.float32), saved.keypoints)
    np.testing.assert_array_equal(found.scores.astype(np.float32), saved.scores)
    assert found.names == saved.names
    assert os.listdir(tmp_path) == [file.name]


@pytest.mark.parametrize("ending", ["npz", "csv", "mat"])
def test_predictions_without_scores_and_names(tmp_path, ending):
    file, saved = tmp_path / f"file.{ending}", points(14)
    pose_files.save_predictions(file, pose_files.Predictions(keypoints=saved), LSP)
    found = pose_files.read_predictions(file, LSP)
    np.testing.assert_array_equal(found.keypoints.astype(np.float32), saved)
    assert found.scores is None and found.names == ()


def test_csv_is_zero_based_and_mat_one_based(tmp_path):
    saved = predictions()
    pose_files.save_predictions(tmp_path / "file.csv", saved, LSP)
    pose_files.save_predictions(tmp_path / "file.mat", saved, LSP)
    header, first = (tmp_path / "file.csv").read_text().splitlines()[:2]
    assert header.startswith("name,right_ankle_x,right_ankle_y,right_ankle_score,")
    name, x = first.split(",")[:2]
    assert name == "im1.jpg"
    assert np.float32(x) == saved.keypoints[0, 0, 0]
    assert len(x) < 12  # the shortest text of a float32, not of a float64
    preds = scipy.io.loadmat(tmp_path / "file.mat")["preds"]
    np.testing.assert_array_equal(preds, saved.keypoints.astype(np.float64) + 1)


@pytest.mark.parametrize("ending", ["npz", "csv"])
def test_truth_comes_back_exactly(tmp_path, ending):
    file, saved = tmp_path / f"file.{ending}", truth()
    pose_files.save_truth(file, saved, LSP)
    found = pose_files.read_truth(file, LSP)
    np.testing.assert_array_equal(found.keypoints, saved.keypoints)
    np.testing.assert_array_equal(found.visibility, saved.visibility)
    np.testing.assert_array_equal(found.size, saved.size)
    np.testing.assert_array_equal(found.head_box, saved.head_box)
    assert found.names == saved.names


@pytest.mark.parametrize("ending", ["npz", "csv"])
def test_truth_without_sizes_and_names(tmp_path, ending):
    file, saved = tmp_path / f"file.{ending}", truth()
    bare = Annotations(keypoints=saved.keypoints, visibility=saved.visibility)
    pose_files.save_truth(file, bare, LSP)
    found = pose_files.read_truth(file, LSP)
    assert found.size is None and found.head_box is None and found.names == ()
    np.testing.assert_array_equal(found.visibility, saved.visibility)


def test_csv_columns_may_stand_in_any_order(tmp_path):
    file = tmp_path / "file.csv"
    pose_files.save_predictions(file, predictions(), LSP)
    expected = pose_files.read_predictions(file, LSP)
    rows = np.array([line.split(",") for line in file.read_text().splitlines()[:2]])
    mixed = rows[:, np.random.default_rng(0).permutation(rows.shape[1])]
    file.write_text("\n".join(",".join(row) for row in mixed), encoding="utf-8-sig")
    found = pose_files.read_predictions(file, LSP)
    np.testing.assert_array_equal(found.keypoints, expected.keypoints[:1])
    np.testing.assert_array_equal(found.scores, expected.scores[:1])


@pytest.mark.parametrize(
    "change, message",
    [
        ({"keypoints": None}, r"keypoints is missing, there are \['visibility'\]"),
        ({"visibility": None}, r"visibility is missing, there are \['keypoints'\]"),
        ({"visibility": np.full((4, 14), 3)}, r"visibility holds \[3\]"),
        ({"visibility": np.zeros((4, 13))}, r"\(4, 13\), must be .*\(4, 14\)"),
        ({"keypoints": np.full((4, 14, 2), np.nan)}, r"labeled, but at \[nan, nan\]"),
        ({"keypoints": np.full((4, 14, 2), "1")}, "must be numbers"),
        ({"names": np.array(["a", "b"])}, r"names are <U1 of shape \(2,\), must be"),
        ({"size": np.zeros((4, 3))}, r"size are float64 of shape \(4, 3\), must be"),
        ({"names": np.array([None] * 4)}, "no npz of plain arrays"),
    ],
)
def test_bad_npz_truth_is_refused(tmp_path, change, message):
    arrays = {"keypoints": points(), "visibility": np.full((4, 14), 2)} | change
    file = tmp_path / "file.npz"
    np.savez(file, **{k: v for k, v in arrays.items() if v is not None})
    with pytest.raises(ValueError, match=message):
        pose_files.read_truth(file, LSP)


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("neck_x", "nose_x", "no column neck_x among"),
        ("neck_score", "score", "no column neck_score among"),
        ("neck_x", "neck_y", "column names repeat"),
        ("im1.jpg,", "im1.jpg,,", "line 2 has 44 fields, the header has 43"),
        ("nan,nan", "nan,", "column left_hip_y: .*write a number, or nan"),
        ("nan,nan", "nan,inf", "left_hip of person 1 is infinite"),
    ],
)
def test_bad_csv_is_refused(tmp_path, old, new, message):
    file = tmp_path / "file.csv"
    pose_files.save_predictions(file, predictions(), LSP)
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    with pytest.raises(ValueError, match=message):
        pose_files.read_predictions(file, LSP)


@pytest.mark.parametrize("ending", ["npz", "csv", "mat"])
@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00 no such format\n\x81"])
def test_files_of_other_formats_are_refused(tmp_path, ending, content):
    file = tmp_path / f"file.{ending}"
    file.write_bytes(content)
    with pytest.raises(ValueError, match="file"):
        pose_files.read_predictions(file, LSP)


def test_other_endings_are_refused(tmp_path):
    with pytest.raises(ValueError, match="ending '.txt' names no format"):
        pose_files.read_truth(tmp_path / "file.txt", LSP)
    with pytest.raises(ValueError, match="use one of .npz, .csv, .mat"):
        pose_files.save_predictions(tmp_path / "file.txt", predictions(), LSP)
    with pytest.raises(ValueError, match="use one of .npz, .csv"):
        pose_files.save_truth(tmp_path / "file.mat", truth(), LSP)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("ending", ["npz", "csv", "mat"])
def test_absent_file_is_an_os_error(tmp_path, ending):
    with pytest.raises(FileNotFoundError):
        pose_files.read_predictions(tmp_path / f"file.{ending}", LSP)


def test_what_could_not_be_read_is_not_written(tmp_path):
    infinite = pose_files.Predictions(keypoints=np.full((2, 14, 2), np.inf))
    with pytest.raises(ValueError, match="is infinite"):
        pose_files.save_predictions(tmp_path / "file.npz", infinite, LSP)
    several = Annotations(
        keypoints=np.zeros((2, 3, 14, 2)), visibility=np.zeros((2, 3, 14), dtype=int)
    )
    with pytest.raises(ValueError, match="3 people a photograph"):
        pose_files.save_truth(tmp_path / "file.npz", several, LSP)
    assert os.listdir(tmp_path) == []


def test_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    file = tmp_path / "file.npz"
    pose_files.save_predictions(file, predictions(), LSP)
    before = file.read_bytes()

    def fail(stream, **arrays):
        stream.write(b"half a file")
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez_compressed", fail)
    with pytest.raises(OSError, match="disk full"):
        pose_files.save_predictions(file, predictions(3), LSP)
    assert file.read_bytes() == before
    assert os.listdir(tmp_path) == [file.name]
