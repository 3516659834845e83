"""Photographs with several people, trained and evaluated by two processes as by one."""

import json
import pathlib

import crowded
import numpy as np
from program import ROOT, run, start_pair

CONFIG = ROOT / "tests" / "experiments" / "tiny_scenes.py"


def losses(workdir: pathlib.Path) -> list[float]:
    rows = map(json.loads, (workdir / "metrics.jsonl").read_text().splitlines())
    return [row["train/loss"] for row in rows if "train/loss" in row]


def people(workdir: pathlib.Path) -> np.ndarray:
    """Photograph, keypoints and score of everybody found, a row each."""
    (path,) = (workdir / "predictions").glob("*.json")
    found = json.loads(path.read_text())
    rows = [[p["image_id"], *p["keypoints"], p["score"]] for p in found]
    # By place: scores that are almost alike may be in another order.
    return np.array(sorted(rows))


def run_pair(folder, workdir: pathlib.Path, *arguments: str) -> None:
    pair = start_pair(folder, workdir, *arguments, config=CONFIG)
    said = [process.communicate(timeout=300)[0] for process in pair]
    assert [process.returncode for process in pair] == [0, 0], said


def test_two_processes_see_the_scenes_of_one(tmp_path):
    crowded.write(tmp_path / "crowded")
    one, two = tmp_path / "one", tmp_path / "two"
    run(tmp_path, "--workdir", str(one), config=CONFIG)
    evaluate = "--mode", "evaluate"
    run_pair(tmp_path, two)
    run_pair(tmp_path, two, *evaluate)
    run(tmp_path, "--workdir", str(one), *evaluate, config=CONFIG)
    assert len(losses(one)) == 6
    # Sums in another order: rounding of float32, amplified over 6 steps.
    np.testing.assert_allclose(losses(two), losses(one), rtol=1e-3)
    assert len(people(one)) > 5
    np.testing.assert_allclose(people(two), people(one), rtol=1e-3)


def test_two_processes_begin_with_a_run_as_one_does(tmp_path):
    crowded.write(tmp_path / "crowded")
    one, two, first = tmp_path / "one", tmp_path / "two", tmp_path / "first"
    run(tmp_path, "--workdir", str(first), config=CONFIG)
    begun = "--config.learner.pretrained.workdir=first"
    run(tmp_path, "--workdir", str(one), begun, config=CONFIG)
    run_pair(tmp_path, two, begun)
    # As above: rounding, amplified over 6 steps.
    np.testing.assert_allclose(losses(two), losses(one), rtol=1e-3)
    # It goes on from there: a fresh start is far behind.
    assert losses(one)[0] < 0.95 * losses(first)[0]
    # Once it has begun, its start may be gone.
    first.rename(tmp_path / "elsewhere")
    longer = "--config.num_steps=8", "--config.eval_every=8"
    run(tmp_path, "--workdir", str(one), begun, *longer, config=CONFIG)
    assert len(losses(one)) == 8
