"""The program from outside: what it leaves, survives and refuses."""

import json
import pathlib
import resource
import signal
import time
from collections.abc import Callable

import numpy as np
import people
import pytest
from program import CONFIG, environment, run, start, start_pair

from jaxpose import config as configs
from jaxpose.apps import command, launch


def final_state(workdir: pathlib.Path, step: int = 12) -> dict[str, list[int]]:
    """The digest of every array: equal digests are equal bits.

    Those of an untrained and a trained network are told apart in test_checkpoint.
    """
    (facts,) = (workdir / "checkpoints" / str(step) / "facts").glob("metadata")
    return json.loads(facts.read_text())


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> pathlib.Path:
    """A folder with data, and the run that was never stopped in runs/tiny."""
    folder = tmp_path_factory.mktemp("home")
    people.write_lspet(folder / "manual")
    # A TensorFlow that cannot be imported proves that nothing imports it.
    trap = folder / "trap" / "tensorflow"
    trap.mkdir(parents=True)
    (trap / "__init__.py").write_text("import os; os._exit(77)")
    said = run(folder, env=environment(PYTHONPATH=str(trap.parent)))
    assert "test, step 12\n" in said and "right_ankle " in said
    assert "report: runs/tiny/report.html" in said
    return folder


def test_training_leaves_everything_in_runs(home):
    workdir = home / "runs" / "tiny"
    names = {path.name for path in workdir.iterdir()}
    assert names == {
        "checkpoints",
        ".lock",
        "config.json",
        "evaluations",
        "log.txt",
        "metrics.jsonl",
        "parameters.txt",
        "pictures",
        "report.html",
        "tensorboard",
        "versions.json",
    }
    final_state(workdir)


@pytest.fixture
def refusal(home, capsys, monkeypatch) -> Callable[..., str]:
    """What main.py says when it refuses, here without its start.

    That it ends with 1 and without a traceback: test_a_mended_command.
    """
    monkeypatch.chdir(home)

    def said(workdir="runs/tiny", mode="train", which="latest", split=None, **changes):
        config = configs.load(str(CONFIG))
        config.update(changes)
        with pytest.raises((ValueError, OSError)) as caught:
            place = pathlib.Path(workdir)
            launch.run(config, place, mode=mode, which=which, split=split)
        launch.report_error(caught.type, caught.value, caught.tb)
        return capsys.readouterr().err

    return said


def newest_step(workdir: pathlib.Path) -> int:
    names = [path.name for path in (workdir / "checkpoints").glob("*")]
    return max((int(name) for name in names if name.isdecimal()), default=0)


def test_killed_at_any_moment_it_ends_bit_for_bit_the_same(home):
    generator = np.random.default_rng()
    longer = "--config.num_steps=60"
    whole, killed = home / "runs" / "whole", home / "runs" / "killed"
    run(home, "--workdir", str(whole), longer)
    for _ in range(3):
        before = newest_step(killed)
        process = start(home, "--workdir", str(killed), longer)
        # At a random moment after the next checkpoint; often while one is written.
        while newest_step(killed) == before:
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(generator.uniform(0, 0.5))
        process.kill()
        process.communicate()
        assert newest_step(killed) < 60
    run(home, "--workdir", str(killed), longer)
    assert final_state(killed, 60) == final_state(whole, 60)


def test_sigterm_saves_and_exits_cleanly(home):
    workdir = home / "runs" / "stopped"
    arguments = ("--workdir", str(workdir), "--config.num_steps=100000")
    process = start(home, *arguments)
    while not (workdir / "checkpoints" / "8").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert "stopped by a signal" in said and "goes on from there" in said
    assert f"step {newest_step(workdir)} is saved" in said


def test_two_processes_give_the_losses_of_one(home):
    workdir = home / "runs" / "two"
    pair = start_pair(home, workdir)
    said = [process.communicate(timeout=300)[0] for process in pair]
    assert [process.returncode for process in pair] == [0, 0], said

    def losses(path: pathlib.Path) -> list[float]:
        rows = map(json.loads, (path / "metrics.jsonl").read_text().splitlines())
        return [
            row[name]
            for row in rows
            for name in ("train/loss", "test/MSE")
            if name in row
        ]

    one = losses(home / "runs" / "tiny")
    assert len(one) == 8
    # Sums in another order: rounding of float32, amplified over 12 steps.
    np.testing.assert_allclose(losses(workdir), one, rtol=1e-3)


def test_a_signal_to_one_of_two_processes_stops_both_at_one_step(home):
    workdir = home / "runs" / "two_stopped"
    pair = start_pair(home, workdir, "--config.num_steps=100000")
    while not (workdir / "checkpoints" / "4").exists():
        assert [process.poll() for process in pair] == [None, None]
        time.sleep(0.05)
    pair[1].send_signal(signal.SIGTERM)
    said = [process.communicate(timeout=120)[0] for process in pair]
    assert [process.returncode for process in pair] == [0, 0], said
    assert "stopped by a signal" in said[0]


def test_a_fault_in_one_of_two_processes_ends_both_at_once(home):
    pair = start_pair(
        home,
        home / "runs" / "two_failed",
        second=("--config.checkpoints.best=nothing",),
    )
    said = [process.communicate(timeout=60)[0] for process in pair]
    assert [process.returncode for process in pair] == [1, 1], said
    assert "checkpoints.best='nothing' is not measured" in said[1]


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--config.batch_sise=4", "no field 'batch_sise'; did you mean batch_size"),
        ("--config.learner.optimizer.momentun=0", "mean learner.optimizer.momentum"),
        ("--config.batch_size=many", "invalid literal for int"),
    ],
)
def test_wrong_fields_are_refused_by_name(home, argument, message):
    said = run(home, argument, code=1)
    assert message in said and "Traceback" not in said


def test_wrong_settings_are_refused_before_anything_starts(home, refusal):
    said = refusal("runs/seven", batch_size=7)
    assert "batch_size=7 does not divide over 8 devices; use a multiple of 8" in said
    assert "Traceback" not in said and newest_step(home / "runs" / "seven") == 0


def test_a_mended_command_may_use_the_same_workdir(home):
    arguments = ("--workdir", str(home / "runs" / "mended"), "--config.num_steps=1")
    said = run(home, *arguments, "--config.checkpoints.best=nothing", code=1)
    assert "choose one of test/MSE, test/PCK@0.2" in said and "Traceback" not in said
    run(home, *arguments)


def test_one_override_changes_a_size_everywhere(home):
    place = ("--workdir", str(home / "runs" / "size"))
    run(home, *place, "--config.num_steps=1", "--config.data.size=16,32")


def test_a_workdir_of_another_config_is_refused(refusal):
    said = refusal(seed=5)
    assert "seed: 0 -> 5" in said and "Traceback" not in said


def test_a_workdir_that_cannot_be_written_is_refused(refusal):
    said = refusal("/proc/nowhere/run")
    assert "cannot be written" in said and "Traceback" not in said


def test_a_full_disk_loses_nothing_that_was_saved(home):
    """A limit on file sizes stands for the disk: writing fails in the middle."""
    workdir = home / "runs" / "full"
    run(home, "--workdir", str(workdir), "--config.num_steps=4")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (9000, resource.RLIM_INFINITY))

    said = run(home, "--workdir", str(workdir), code=1, preexec_fn=limit)
    assert "could not be written" in said and "run the same command again" in said
    run(home, "--workdir", str(workdir))
    assert final_state(workdir) == final_state(home / "runs" / "tiny")


def test_evaluation_leaves_tables_pictures_and_poses(home, capsys):
    workdir = home / "runs" / "tiny"
    said = run(home, "--mode=evaluate", "--checkpoint=all", "--split=test")
    assert "PCK@0.2" in said and "torso" in said and "24 people" in said
    rows = (workdir / "evaluations" / "test.csv").read_text().splitlines()
    assert rows[0] == "step,test/PCK@0.2,test/MSE" and len(rows) >= 3
    truth = home / "manual" / "lspet_dataset" / "joints.mat"
    for ending in ("npz", "csv", "mat"):
        found = workdir / "predictions" / f"test_0000012.{ending}"
        files = [f"--truth={truth}", f"--predictions={found}"]
        assert command.main(["score", "pck", "--threshold=0.2", *files, "--json"]) == 0
        mean = json.loads(capsys.readouterr().out.splitlines()[-1])["mean"]
        assert mean == pytest.approx(float(rows[-1].split(",")[1]), abs=1e-9)


def test_evaluation_refuses_what_is_not_there(refusal):
    said = refusal(mode="evaluate", which="7")
    assert "--checkpoint=7 is not there" in said and "Traceback" not in said
    assert "--split=val is not one of test" in refusal(mode="evaluate", split="val")


def test_four_examples_are_learned_by_heart(home):
    fast = ("--config.num_steps=1500", "--config.learner.optimizer.learning_rate=1.0")
    said = run(home, "--mode=overfit", *fast)
    assert "learned 4 examples by heart" in said
    assert "runs/tiny/overfit/prediction.png" in said
    said = run(home, "--mode=overfit", "--config.num_steps=2", code=1)
    assert "not learned within 5%" in said and "lspet/train record 0" in said
