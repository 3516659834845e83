import json

import cv2
import numpy as np
import pytest

from jaxpose import evaluations, journal
from jaxpose.types import Table


def lines(path):
    return [
        json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()
    ]


def test_scalars_become_lines(tmp_path):
    book = journal.Journal(tmp_path, start=0, stop=10)
    book.scalars(3, {"test/PCK@0.2": 41.5, "test/MSE": float("nan")})
    book.close()
    (line,) = lines(tmp_path)
    assert line.pop("time") > 0
    # JSON has no nan.
    assert line == {"step": 3, "test/PCK@0.2": 41.5, "test/MSE": None}


def test_a_resumed_run_goes_on_where_its_checkpoint_was(tmp_path):
    book = journal.Journal(tmp_path, start=0, stop=10)
    for step in (2, 4, 6):
        book.scalars(step, {"a": float(step)})
    book.close()
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3, "cut sh')
    book = journal.Journal(tmp_path, start=4, stop=10)
    book.scalars(6, {"a": 60.0})
    book.close()
    assert [(line["step"], line["a"]) for line in lines(tmp_path)] == [
        (2, 2.0),
        (4, 4.0),
        (6, 60.0),
    ]


def test_a_training_line_tells_speed_and_waiting(tmp_path, capsys, monkeypatch):
    now = 100.0
    monkeypatch.setattr(journal.time, "perf_counter", lambda: now)
    book = journal.Journal(tmp_path, start=0, stop=10)
    book.waited(0.5)
    for _ in range(2):
        book.stepped(16)
    now = 102.0
    with book.paused():
        now = 202.0
    book.train(2, {"loss": 0.25})
    book.close()
    (line,) = lines(tmp_path)
    assert line["train/loss"] == 0.25
    assert line["train/images_per_second"] == pytest.approx(16)
    assert line["train/input_wait"] == pytest.approx(0.25)
    said = capsys.readouterr().out
    assert "step 2/10  loss 0.25  16.0 images/s  waiting for input 25%" in said
    assert "0:00:08 left" in said


def test_an_evaluation_leaves_tables_and_pictures(tmp_path):
    book = journal.Journal(tmp_path, start=0, stop=1)
    table = Table(name="PCK@0.2", convention="<=", values={"ankle": 5.0}, mean=5.0)
    sheet = np.zeros((8, 8, 3), np.uint8)
    book.evaluation(1, "test", [table], sheet, np.full((40, 8, 3), 9, np.uint8))
    book.close()
    (found,) = evaluations.load(tmp_path)
    assert cv2.imread(str(found.heatmaps)).shape == (40, 8, 3)
    assert (found.split, found.step, found.tables) == ("test", 1, (table,))
    assert found.picture.stat().st_size > 100
    assert list((tmp_path / "tensorboard").iterdir())


def test_evaluations_after_the_checkpoint_are_dropped(tmp_path):
    book = journal.Journal(tmp_path, start=0, stop=10)
    table = Table(name="PCK@0.2", convention="<=", values={}, mean=5.0)
    for step in (4, 6):
        book.evaluation(step, "test", [table], np.zeros((8, 8, 3), np.uint8))
    book.close()
    journal.Journal(tmp_path, start=4, stop=10).close()
    assert [found.step for found in evaluations.load(tmp_path)] == [4]
    for folder in ("evaluations", "pictures"):
        assert {path.stem for path in (tmp_path / folder).iterdir()} == {"test_0000004"}


def test_the_table_of_a_resumed_run_has_every_row_once(tmp_path):
    book = journal.Journal(tmp_path, start=0, stop=10)
    for step in (2, 4, 6):
        book.train(step, {"loss": float(step)})
        book.headline(step, {"test/MSE": 10.0 * step})
    book.close()
    rows = ["2\t2.000000\t20.00000", "4\t4.000000\t40.00000"]
    head, path = "step\ttrain/loss\ttest/MSE", tmp_path / "log.txt"
    assert path.read_text().splitlines() == [head, *rows, "6\t6.000000\t60.00000"]
    book = journal.Journal(tmp_path, start=4, stop=10)
    assert path.read_text().splitlines() == [head, *rows]
    book.train(6, {"loss": 5.0})
    book.headline(6, {"test/MSE": 50.0})
    book.close()
    assert path.read_text().splitlines() == [head, *rows, "6\t5.000000\t50.00000"]


def test_a_headline_is_a_line_on_the_console_and_in_the_record(tmp_path, capsys):
    book = journal.Journal(tmp_path, start=0, stop=10)
    book.headline(3, {"test/PCK@0.2": 41.5, "test/MSE": 0.0123456})
    book.close()
    assert "step 3  test/PCK@0.2 41.5  test/MSE 0.01235\n" in capsys.readouterr().out
    (line,) = lines(tmp_path)
    assert line["test/MSE"] == 0.0123456
