import json

import cv2

from jaxpose.apps import command


def write_run(folder, scores):
    folder.mkdir()
    rows = [{"step": i, "time": 1.0, "test/PCK@0.2": s} for i, s in enumerate(scores)]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "metrics.jsonl").write_text(text)
    return str(folder)


def test_runs_share_a_picture(tmp_path):
    runs = [
        write_run(tmp_path / "a", [1.0, 5.0]),
        write_run(tmp_path / "b", [2.0, None, 9.0]),
    ]
    out = tmp_path / "curves.png"
    arguments = ["curves", *runs, "--metric", "test/PCK@0.2", "--out", str(out)]
    assert command.main(arguments) == 0
    colors = cv2.imread(str(out)).reshape(-1, 3)
    # Two lines of two colours on white.
    assert len({tuple(c) for c in colors if max(c) - min(c) > 120}) >= 2


def test_unknown_metrics_and_folders_are_refused(tmp_path, capsys):
    run = write_run(tmp_path / "a", [1.0])
    assert command.main(["curves", run, "--metric", "test/AP"]) == 2
    assert "no run measured 'test/AP'; there is test/PCK@0.2" in capsys.readouterr().err
    assert command.main(["curves", str(tmp_path)]) == 2
    assert "metrics.jsonl" in capsys.readouterr().err
