"""The metrics of `python -m jaxpose score` that test_command.py does not try."""

import json
import pathlib

import numpy as np
import pytest

from jaxpose import pose_files, skeletons
from jaxpose.apps import command, score
from jaxpose.metrics import pck, pckh
from jaxpose.types import Annotations

LSP, MPII = skeletons.LSP, skeletons.MPII
PUBLISHED = pathlib.Path(__file__).parents[3] / "shared" / "data" / "published"
GROUPS = ("Head", "Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle")


def published(truth, predictions):
    for file in (truth, predictions):
        if not (PUBLISHED / file).exists():
            pytest.skip(f"{PUBLISHED / file} is absent")
    return [f"--truth={PUBLISHED / truth}", f"--predictions={PUBLISHED / predictions}"]


def lines(capsys, arguments, status=0):
    assert command.main(["score", *arguments]) == status
    return capsys.readouterr().out.splitlines()


def refusal(capsys, arguments):
    assert command.main(["score", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1
    return captured.err


@pytest.mark.parametrize(
    "file, convention, groups, mean",
    [
        (
            "mpii_val_ground_truth.mat",
            "pytorch-pose",
            (95.60, 92.71, 83.36, 76.74, 81.93, 73.36, 65.45),
            81.46,
        ),
        (
            "mpii_val_ground_truth.mat",
            "hrnet",
            (95.60, 92.71, 83.36, 76.74, 81.93, 73.36, 65.45),
            82.34,
        ),
        (
            "mpii_val_preds_hg_s2_b1.mat",
            "pytorch-pose",
            (95.80, 94.57, 88.12, 83.31, 86.24, 80.88, 77.44),
            86.76,
        ),
    ],
)
def test_published_pckh_is_reproduced(capsys, file, convention, groups, mean):
    """shared/data/README.md and shared/specs/hourglass.md, section 10."""
    files = published("mpii_val_ground_truth.mat", file)
    printed = lines(capsys, ["pckh", *files, "--convention", convention, "--json"])
    result = json.loads(printed[-1])
    assert tuple(round(result["extra"][group], 2) for group in GROUPS) == groups
    assert round(result["mean"], 2) == mean
    assert result["name"] == printed[0] == "PCKh@0.5"
    assert result["convention"].startswith(f"[{convention}] distance <")
    assert len(result["keypoints"]) == 16
    numbers = {row.split()[0]: float(row.split()[1]) for row in printed[1:-2]}
    assert numbers["mean"] == mean and numbers["Ankle"] == groups[-1]


def test_all_conventions_stand_side_by_side(capsys):
    files = published("mpii_val_ground_truth.mat", "mpii_val_ground_truth.mat")
    printed = lines(capsys, ["pckh", *files, "--convention", "all", "--json"])
    result = json.loads(printed[-1])
    assert list(result) == printed[0].split() == list(pckh.CONVENTIONS)
    rows = {row.split()[0]: row.split()[1:] for row in printed[1:-5]}
    # The last one recorded from the first run of our own. It asks for pelvis and thorax
    # too, which this file does not tell.
    assert rows["mean"] == ["81.46", "82.34", "82.34", "69.50"]
    assert rows["Mean@0.1"][:2] == ["28.40", "28.97"] and rows["Mean@0.11"] == ["33.14"]
    for name, line in zip(result, printed[-5:-1], strict=True):
        kind = result[name]["name"]
        assert line == f"{kind} {result[name]['convention']}"
        assert line.startswith(f"{kind} [{name}] ")
    alone = lines(capsys, ["pckh", *files, "--convention", "hrnet", "--json"])
    assert json.loads(alone[-1]) == result["hrnet"]


@pytest.fixture
def lsp_files(tmp_path):
    """Truth and predictions of five people, the left wrist of each badly wrong."""
    keypoints = np.random.default_rng(0).uniform(0, 100, (5, 14, 2))
    annotations = Annotations(
        keypoints=keypoints[:, None],
        visibility=np.full((5, 1, 14), 2),
        size=np.full((5, 2), 100),
    )
    pose_files.save_truth(tmp_path / "truth.npz", annotations, LSP)
    keypoints[:, LSP.index("left_wrist")] += 1000
    found = pose_files.Predictions(keypoints=keypoints)
    pose_files.save_predictions(tmp_path / "predicted.csv", found, LSP)
    return [f"--truth={tmp_path}/truth.npz", f"--predictions={tmp_path}/predicted.csv"]


@pytest.mark.parametrize("metric", ["pck", "pcp", "mse"])
def test_every_metric_has_all_its_conventions(capsys, lsp_files, metric):
    printed = lines(capsys, [metric, *lsp_files, "--convention", "all", "--json"])
    result = json.loads(printed[-1])
    assert list(result) == list(score._KINDS[metric].conventions)
    assert printed[0].split() == list(result)
    if metric == "pck":
        assert result["flic"]["mean"] == 75
        assert result["lsp"]["mean"] == pytest.approx(1300 / 14)
        assert result["box"]["name"] == "PCK-box@0.1"


def test_threshold_goes_to_all(capsys, lsp_files):
    arguments = ["pck", *lsp_files, "--convention", "all", "--threshold", "0.3"]
    result = json.loads(lines(capsys, [*arguments, "--json"])[-1])
    assert [table["name"] for table in result.values()] == [
        "PCK@0.3",
        "PCK@0.3",
        "PCK-box@0.3",
        "PCK@0.3",
    ]
    assert list(result) == list(pck.CONVENTIONS)


def test_pck_of_other_keypoints(capsys):
    """PCK takes LSP's keypoints unless it is told that there are MPII's."""
    files = published("mpii_val_ground_truth.mat", "mpii_val_preds_hg_s2_b1.mat")
    assert "the 14 keypoints of LSP" in refusal(capsys, ["pck", *files])
    printed = lines(capsys, ["pck", *files, "--skeleton", "mpii", "--json"])
    result = json.loads(printed[-1])
    assert list(result["keypoints"]) == list(MPII.keypoints)
    # Nobody published this one: recorded from the first run of our own.
    assert round(result["mean"], 2) == 86.58


def test_every_skeleton_has_its_name():
    assert score.SKELETONS["mpii"] is MPII and score.SKELETONS["lsp"] is LSP
    assert score.SKELETONS["coco"] is skeletons.COCO


def test_truth_without_head_boxes_is_refused(capsys, lsp_files):
    message = refusal(capsys, ["pckh", *lsp_files, "--skeleton", "lsp"])
    assert "use a source with head boxes" in message and "deeppose-tf" in message


def test_truth_without_head_boxes_is_measured_by_the_head_stick(capsys, lsp_files):
    arguments = ["pckh", *lsp_files, "--skeleton", "lsp", "--convention"]
    alone = lines(capsys, [*arguments, "deeppose-tf", "--json"])
    result = json.loads(alone[-1])
    # The left wrists are wrong: half of one of eight groups, one of 14 keypoints.
    assert result["mean"] == pytest.approx(100 - 50 / 8)
    assert result["extra"]["Mean of keypoints"] == pytest.approx(1300 / 14)
    assert "Head\tNeck\tShoulder\tElbow\tWrist\tHip\tKnee\tAnkle" in alone
    assert "1.000\t1.000\t1.000\t1.000\t0.500\t1.000\t1.000\t1.000" in alone
    together = lines(capsys, [*arguments, "all", "--json"])
    assert json.loads(together[-1]) == {"deeppose-tf": result}
    said = [line for line in together if line.startswith("no ")]
    assert len(said) == 1
    assert said[0].startswith("no pytorch-pose, hrnet, mmpose: annotations.head_box=")


def test_pcp_of_mpii_runs_from_thorax_to_pelvis(capsys):
    files = published("mpii_val_ground_truth.mat", "mpii_val_preds_hg_s2_b1.mat")
    arguments = ["pcp", *files, "--skeleton", "mpii", "--convention", "all", "--json"]
    result = json.loads(lines(capsys, arguments)[-1])
    assert "torso from thorax to pelvis" in result["deeppose-tf"]["convention"]
    assert "torso from mid-shoulders" in result["strict"]["convention"]
    # Nobody published them: recorded from the first run of our own.
    parts = {"Head": 0.968, "Torso": 0.972, "U Arm": 0.868, "L Arm": 0.748}
    parts |= {"U Leg": 0.859, "L Leg": 0.803, "mean": 0.870}
    row = {k: round(v / 100, 3) for k, v in result["deeppose-tf"]["row"].items()}
    assert row == parts


def test_published_coco_score_is_reproduced(capsys):
    """shared/data/README.md: AP .861 AP50 .993 AP75 .911 APm .776 APl .937 AR .875."""
    files = published("coco_4_images_ground_truth.json", "coco_4_images_preds.json")
    printed = lines(capsys, ["coco", *files, "--json"])
    result = json.loads(printed[-1])
    stated = {"AP": 0.861, "AP50": 0.993, "AP75": 0.911, "APm": 0.776, "APl": 0.937}
    for name, value in (stated | {"AR": 0.875}).items():
        assert round(result["extra"][name], 3) == value
    assert printed[0] == result["name"] == "AP"
    assert printed[-2] == result["convention"]
    assert "DONE" not in "".join(printed)  # of pycocotools


def test_errors_of_published_predictions(capsys):
    """Share of good keypoints and AP as in tests/metrics/test_coco_errors.py."""
    files = published("coco_4_images_ground_truth.json", "coco_4_images_preds.json")
    printed = lines(capsys, ["coco-errors", *files, "--json"])
    assert printed[0] == "good@0.85" and "swap                 0.02210" in printed
    data = json.loads(printed[-1])
    assert round(181 * data["mean"]) == 163 and round(data["extra"]["AP"], 3) == 0.861


@pytest.fixture
def dogs(tmp_path):
    """One dog of two keypoints in each of two photographs, one found and one not."""
    truth = {
        "images": [{"id": 1}, {"id": 2}],
        "categories": [{"id": 1, "name": "dog", "keypoints": ["nose", "tail"]}],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 1, "area": 5000, "iscrowd": 0}
            | {"bbox": [0, 0, 100, 50], "keypoints": [10, 20, 2, 90, 40, 1]}
            for n in (1, 2)
        ],
    }
    found = {"image_id": 1, "category_id": 1, "score": 0.5}
    results = [found | {"keypoints": [10, 20, 1, 90, 40, 1]}]
    for name, content in (("truth", truth), ("found", results)):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    return [f"--truth={tmp_path}/truth.json", f"--predictions={tmp_path}/found.json"]


def test_any_keypoints_are_scored_once_they_have_sigmas(capsys, dogs):
    message = refusal(capsys, ["coco", *dogs])
    assert "dog has sigmas (), OKS needs 2" in message and "--sigmas" in message
    for sigmas in (["0.1"], ["0.1", "0.2"]):
        printed = lines(capsys, ["coco", *dogs, "--json", "--sigmas", *sigmas])
        result = json.loads(printed[-1])
        assert result["extra"]["AR"] == 0.5
        assert result["keypoints"] == {"nose": 1, "tail": 1}
        assert result["extra"]["APm"] == result["mean"]
        assert result["extra"]["APl"] is None
    message = refusal(capsys, ["coco", *dogs, "--sigmas", "0.1", "0.1", "0.1"])
    assert "3 sigmas for the 2 keypoints" in message


def test_swapped_files_are_refused(capsys, dogs):
    swapped = [dogs[0].replace("truth.json", "found.json"), dogs[1]]
    assert "truth and results differ" in refusal(capsys, ["coco", *swapped])
