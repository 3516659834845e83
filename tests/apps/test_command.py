import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import scipy.io

from jaxpose import pose_files, skeletons
from jaxpose.apps import command
from jaxpose.types import Annotations

LSP = skeletons.LSP
DATA = pathlib.Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture
def files(tmp_path):
    """Truth and predictions of five people, one keypoint of each badly wrong."""
    keypoints = np.random.default_rng(0).uniform(0, 100, (5, 14, 2))
    truth, predicted = tmp_path / "truth.npz", tmp_path / "predicted.csv"
    annotations = Annotations(
        keypoints=keypoints[:, None],
        visibility=np.full((5, 1, 14), 2),
        size=np.full((5, 2), 100),
        names=tuple("abcde"),
    )
    pose_files.save_truth(truth, annotations, LSP)
    keypoints[:, 13] += 1000
    save(predicted, keypoints, names=tuple("abcde"))
    return ["--truth", str(truth), "--predictions", str(predicted)]


def save(file, keypoints, names=()):
    found = pose_files.Predictions(keypoints=keypoints, names=names)
    pose_files.save_predictions(file, found, LSP)


def last_line(capsys):
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_published_score_is_reproduced(capsys):
    """CPM on LSP test scores PCK@0.2 90.5: shared/data/README.md."""
    truth = DATA / "lsp_dataset" / "joints.mat"
    found = DATA / "published" / "lsp_test_preds_cpm_mpii_lsp.mat"
    if not found.exists():
        pytest.skip(f"{found} is absent")
    arguments = ["--truth", str(truth), "--predictions", str(found), "--json"]
    assert command.main(["score", "pck", "--threshold", "0.2", *arguments]) == 0
    result = last_line(capsys)
    assert result["mean"] == 90.5
    assert result["keypoints"]["head_top"] == 97.4
    assert result["convention"].startswith("[lsp] distance <= 0.2 x the torso (left sh")
    assert "official test half of LSP, people 1001-2000" in result["convention"]
    # Nobody published this one: recorded from the first run of our own.
    assert command.main(["score", "pcp", *arguments]) == 0
    assert last_line(capsys)["mean"] == pytest.approx(88.29)


def test_table_and_json_say_the_same(capsys, files):
    assert command.main(["score", "pck", *files, "--json"]) == 0
    *table, line = capsys.readouterr().out.splitlines()
    result = json.loads(line)
    assert result["name"] == "PCK@0.2" and table[0] == "PCK@0.2"
    assert list(result["keypoints"]) == list(LSP.keypoints)
    assert result["keypoints"]["head_top"] == 0
    assert result["mean"] == pytest.approx(1300 / 14)
    numbers = {row.split()[0]: float(row.split()[1]) for row in table[1:-1]}
    assert numbers["mean"] == 92.86 and numbers["neck"] == 100
    assert table[-1] == result["convention"]
    assert "5 of 5 people" in table[-1]
    assert len({len(row) for row in table[1:-1]}) == 1  # aligned


def test_without_json_the_table_is_all(capsys, files):
    assert command.main(["score", "pck", *files]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("[lsp] distance <=")


@pytest.mark.parametrize(
    "arguments, name, mean",
    [
        (["pck", "--threshold", "0.5"], "PCK@0.5", 1300 / 14),
        (["pck", "--convention", "box"], "PCK-box@0.1", 1300 / 14),
        (["pcp"], "PCP@0.5", 90),
        (
            ["pcp", "--convention", "relaxed", "--threshold", "0.1"],
            "PCP-relaxed@0.1",
            90,
        ),
        (["pcp", "--convention", "deeppose-tf"], "PCP-parts@0.5", 500 / 6),
        (["mse"], "MSE", (20**2) / 14),
        (["mse", "--convention", "deeppose-wl"], "MSE", None),
    ],
)
def test_conventions_and_thresholds(capsys, files, arguments, name, mean):
    assert command.main(["score", *arguments, *files, "--json"]) == 0
    result = last_line(capsys)
    assert result["name"] == name
    if mean is not None:
        assert result["mean"] == pytest.approx(mean)
    if "--convention" in arguments:
        assert result["convention"].startswith(f"[{arguments[2]}] ")


def test_nan_is_null_in_json(capsys, files, tmp_path):
    truth = pose_files.read_truth(files[1], LSP)
    visibility = truth.visibility.copy()
    visibility[..., 0] = 0
    unlabeled = Annotations(keypoints=truth.keypoints, visibility=visibility)
    pose_files.save_truth(tmp_path / "truth.csv", unlabeled, LSP)
    files[1] = str(tmp_path / "truth.csv")
    assert command.main(["score", "pck", *files, "--json"]) == 0
    assert last_line(capsys)["keypoints"]["right_ankle"] is None


def test_official_half_is_taken(capsys, tmp_path):
    joints = np.random.default_rng(0).uniform(1, 100, (14, 3, 2000))
    joints[:, 2] = 1
    scipy.io.savemat(tmp_path / "joints.mat", {"joints": joints})
    preds = joints[:, :2, 1000:].transpose(2, 0, 1)
    scipy.io.savemat(tmp_path / "preds.mat", {"preds": preds})
    files = ["--truth", f"{tmp_path}/joints.mat"]
    files += ["--predictions", f"{tmp_path}/preds.mat"]
    assert command.main(["score", "pck", *files, "--json"]) == 0
    result = last_line(capsys)
    assert result["mean"] == 100
    assert result["convention"].endswith("half of LSP, people 1001-2000 of 2000")


def refusal(capsys, arguments):
    assert command.main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1
    return captured.err


def test_other_counts_are_refused(capsys, files, tmp_path):
    save(tmp_path / "predicted.npz", np.zeros((4, 14, 2)))
    files[3] = str(tmp_path / "predicted.npz")
    message = refusal(capsys, ["score", "pck", *files])
    assert "5 people in the truth, 4 in the predictions" in message


def test_other_names_are_refused(capsys, files, tmp_path):
    save(tmp_path / "predicted.npz", np.zeros((5, 14, 2)), names=tuple("abdce"))
    files[3] = str(tmp_path / "predicted.npz")
    message = refusal(capsys, ["score", "pck", *files])
    assert "person 2 is 'c' in the truth, 'd' in the predictions" in message


def test_user_errors_are_one_line(capsys, files):
    absent = [*files[:3], "absent.npz"]
    assert "No such file" in refusal(capsys, ["score", "pck", *absent])
    bad = ["score", "pck", *files, "--threshold", "-1"]
    assert "threshold=-1.0 must be" in refusal(capsys, bad)
    swapped = ["score", "pck", "--truth", files[3], "--predictions", files[1]]
    assert "visibility is missing" in refusal(capsys, swapped)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["score", "pck"], "required: --truth, --predictions"),
        (["score"], "required: METRIC"),
        (["score", "pck", "--convention", "none"], "invalid choice: 'none'"),
        (["score", "mse", "--threshold", "1"], "required: --truth"),
    ],
)
def test_usage_errors_exit_2(capsys, arguments, message):
    with pytest.raises(SystemExit, match="2"):
        command.main(arguments)
    assert message in capsys.readouterr().err


def test_alone_it_prints_help_and_starts_without_training_code():
    code = (
        "import runpy, sys; sys.argv = ['jaxpose']\n"
        "try: runpy.run_module('jaxpose', run_name='__main__')\n"
        "except SystemExit as end: status = end.code\n"
        "heavy = {'flax', 'orbax', 'tensorflow_datasets', 'grain', 'tensorflow'}\n"
        "print(status, sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("usage: jaxpose")
    assert done.stdout.splitlines()[-1] == "0 []"
