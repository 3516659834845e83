"""Numbers and printed rows of DeepPose's TensorFlow version, for LSP and for MPII.

64 people each, recorded from the original: sticks and heads of no length are among
them, and predictions outside the box.
"""

import dataclasses
import re

import numpy as np
import pytest

from jaxpose import evaluations, skeletons
from jaxpose.metrics import pckh, pcp
from jaxpose.types import Annotations, Poses

SKELETONS = {"lsp": skeletons.LSP, "mpii": skeletons.MPII}
# The order in which the original measures keypoints: shared/specs/deeppose.md, 3.7.
ORDER = {
    "LSP": [13, 12, 8, 7, 6, 2, 1, 0, 9, 10, 11, 3, 4, 5],
    "MPII": [9, 8, 12, 11, 10, 2, 1, 0, 13, 14, 15, 3, 4, 5, 7, 6],
}
THRESHOLDS = {0.1: "_t0.1", 0.2: "_t0.2", 0.3: "_t0.3", 0.5: ""}
METRICS = {
    "pcp": pcp.CONVENTIONS["deeppose-tf"],
    "rpcp": pcp.CONVENTIONS["deeppose-tf-relaxed"],
    "pckh": pckh.CONVENTIONS["deeppose-tf"],
}


@pytest.fixture(params=SKELETONS)
def people(request, reference):
    """Vectors of one data set, without its name, poses, truth and skeleton."""
    golden = reference("deeppose_tf_metrics")
    prefix = f"{request.param}_"
    golden = {
        name.removeprefix(prefix): golden[name]
        for name in golden
        if name.startswith(prefix)
    }
    box = golden["bbox"][:, None].astype(np.float32)
    # The original moves predictions into the box before it measures them.
    share = golden["pred"].clip(-0.5, 0.5) + np.float32(0.5)
    keypoints = (share * box[..., 2:] + box[..., :2])[:, None]
    scores = np.ones(keypoints.shape[:3])
    poses = Poses(keypoints=keypoints, scores=scores, person_scores=scores.mean(axis=2))
    truth = Annotations(
        keypoints=golden["gt_px"][:, None],
        visibility=np.full(keypoints.shape[:3], 2),
    )
    return golden, poses, truth, SKELETONS[request.param]


@pytest.mark.parametrize("threshold", THRESHOLDS)
@pytest.mark.parametrize("name", ["pcp", "rpcp"])
def test_sticks(people, name, threshold):
    golden, *rest = people
    table = dataclasses.replace(METRICS[name], threshold=threshold)(*rest)
    # Shares of 64 people: no float rounds them, in percent or not.
    expected = 100 * golden[f"{name}_stick{THRESHOLDS[threshold]}"]
    np.testing.assert_array_equal([*table.values.values()], expected)


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_keypoints(people, threshold):
    golden, poses, truth, skeleton = people
    metric = dataclasses.replace(METRICS["pckh"], threshold=threshold)
    table = metric(poses, truth, skeleton)
    measured = np.array([*table.values.values()])[ORDER[skeleton.name]]
    expected = 100 * golden[f"pckh_joint{THRESHOLDS[threshold]}"]
    np.testing.assert_array_equal(measured, expected)


@pytest.mark.parametrize("name", ["pcp", "rpcp"])
def test_parts_and_their_mean(people, name):
    golden, *rest = people
    table = METRICS[name](*rest)
    expected = 100 * golden[f"{name}_part"]
    assert [*table.row] == golden["part_names"].astype(str).tolist()
    np.testing.assert_array_equal([*table.row.values()][:6], expected[:6])
    assert [*table.extra.values()][:6] == [*table.row.values()][:6]
    # Six numbers are added in another order: a few roundings of 2**-53.
    assert table.row["mean"] == table.mean == pytest.approx(expected[6], rel=1e-15)
    sticks = np.mean(100 * golden[f"{name}_stick"])
    assert table.extra["Mean of sticks"] == pytest.approx(sticks, rel=1e-15)


def test_symmetric_groups_and_their_mean(people):
    golden, *rest = people
    table = METRICS["pckh"](*rest)
    names = golden["sym_names"].astype(str).tolist()
    assert [*table.row] == names == [*table.extra][: len(names)]
    np.testing.assert_array_equal([*table.row.values()], 100 * golden["pckh_sym"])
    assert table.mean == pytest.approx(100 * golden["pckh_sym"].mean(), rel=1e-15)
    keypoints = 100 * golden["pckh_joint"].mean()
    assert table.extra["Mean of keypoints"] == pytest.approx(keypoints, rel=1e-15)


def test_printed_rows(people, tmp_path):
    """What people read holds the original's rows to the letter, and its means."""
    golden, *rest = people
    found = [metric(*rest) for metric in METRICS.values()]
    evaluations.save(tmp_path, "test", 1250, found, np.zeros((8, 8, 3), np.uint8))
    written = (tmp_path / "evaluations" / "test_0001250.txt").read_text()
    printed = golden["printed"].item().decode()
    rows = re.findall(r"parts_\w+:\n(.+\n.+\n)", printed)
    assert len(rows) == len(found) == 3
    for row, part in zip(rows, written.split("\n\n"), strict=True):
        assert f"\n{row}" in part
    strict, relaxed, near = found
    means = {
        "mPCP": strict.mean,
        "mRelaxedPCP": relaxed.mean,
        "mPCKh": near.extra["Mean of keypoints"],
        "mSymmetricPCKh": near.mean,
    }
    lines = [
        f"Step\t 1250\t test/{name}\t {mean / 100:.3f}" for name, mean in means.items()
    ]
    assert re.findall(r"Step\t.+", printed) == lines


def test_the_torso_is_the_spine_where_there_is_one(people):
    *_, skeleton = people
    metric = METRICS["pcp"]
    said = "from thorax to pelvis" if "pelvis" in skeleton.keypoints else "mid-hips"
    assert said in metric(*people[1:]).convention
    midpoints = dataclasses.replace(metric, torso="midpoints")(*people[1:])
    assert "torso from mid-shoulders to mid-hips" in midpoints.convention
    differs = midpoints.values["torso"] != metric(*people[1:]).values["torso"]
    assert differs == (skeleton is skeletons.MPII)
