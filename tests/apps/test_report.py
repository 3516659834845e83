import base64
import html
import json
import re

import cv2
import numpy as np
import pytest

from jaxpose import evaluations
from jaxpose.apps import command, report, runs
from jaxpose.types import Table

SCORES = {10: 20.0, 20: 60.0, 30: 40.0}
COMMAND = ["/somewhere/main.py", "--config", "configs/a b.py", "--mode=train"]


def keypoints(step: int) -> Table:
    return Table(
        name="PCK@0.2",
        convention="distance <= 0.2 <torso>",
        values={"left_knee": SCORES[step] + 0.25, "neck": float("nan")},
        mean=SCORES[step],
        extra={"AUC": 3.5},
    )


def limbs(step: int) -> Table:
    return Table(name="PCP@0.5", convention="strict", values={"arm": 7.0}, mean=7.0)


@pytest.fixture
def run(tmp_path):
    """A run of 30 steps, best at step 20, as train leaves it."""
    workdir = tmp_path / "tiny & <small>"
    workdir.mkdir()
    lines = []
    for step in (5, 10, 15, 20, 25, 30):
        speed = {
            "images_per_second": 100.0,
            "input_wait": 0.25,
            "seconds_per_step": 2.0,
        }
        numbers = {"loss": 1 / step, "learning_rate": 0.1, **speed}
        lines.append({"step": step} | {f"train/{k}": v for k, v in numbers.items()})
        if step in SCORES:
            lines.append({"step": step, "test/PCK@0.2": SCORES[step], "test/AP": None})
            sheet = np.full((40, 60, 3), 2 * step, np.uint8)
            found = [keypoints(step), limbs(step)]
            evaluations.save(workdir, "test", step, found, sheet)
    write_lines(workdir, lines)
    config = {
        "num_steps": 30,
        "batch_size": 8,
        "checkpoints": {"fn": "Checkpoints", "best": "test/PCK@0.2"},
        "data": {"fn": "Data", "sources": [{"fn": "Split", "split": "train"}]},
    }
    (workdir / "config.json").write_text(json.dumps(config))
    session = {"command": COMMAND, "devices": ["cpu", "cpu"], "cores": 2}
    (workdir / "versions.json").write_text(json.dumps([session, session]))
    (workdir / "parameters.txt").write_text("Total: 42")
    return workdir


def write_lines(workdir, lines) -> None:
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (workdir / "metrics.jsonl").write_text(text)


def test_the_page_holds_the_whole_run(run):
    page = report.write(run).read_text()
    assert "<h1>tiny &amp; &lt;small&gt;</h1>" in page
    assert "Step 30 of 30, 8 examples a step; 0:01:00 of training" in page
    assert "at 100.0 images/s, 25% of it waiting" in page
    assert "<th>best, step 20</th><th>last, step 30</th>" in page
    assert "<td>test/PCK@0.2</td><td>60</td><td>40</td>" in page
    assert "<th>PCK@0.2, best, step 20</th><th>PCK@0.2, last, step 30</th>" in page
    assert "<td>left_knee</td><td>60.25</td><td>40.25</td>" in page
    assert '<tr class="mean"><td>mean</td><td>60.00</td><td>40.00</td></tr>' in page
    assert "<td>neck</td><td>nan</td>" in page and "<td>arm</td><td>7.00</td>" in page
    assert page.count("PCK@0.2: distance &lt;= 0.2 &lt;torso&gt;") == 1
    assert "data.sources[0].split = &quot;train&quot;" in page
    assert "Total: 42" in page


def test_the_page_is_one_file(run):
    page = report.write(run).read_text()
    sources = re.findall(r'src="([^"]{30})', page)
    assert sources and all(source.startswith("data:image/") for source in sources)
    assert not re.search(r'(href|src)="(?!data:)', page)
    kinds = re.findall(r'data:image/(\w+);base64,[^"]+" alt="([^"]*)"', page)
    # Never measured AP has no curve, and the machine's speed needs none.
    names = ["train/loss", "test/PCK@0.2", "train/learning_rate"]
    assert kinds == [("jpeg", "test"), *(("png", name) for name in names)]
    content = base64.b64decode(re.search(r'jpeg;base64,([^"]+)', page)[1])
    sheet = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_allclose(sheet, 40, atol=3)  # the best evaluation, not the last


def test_heatmaps_are_shown_below_the_poses(run):
    content = b"heatmaps of step 20"
    for found in evaluations.load(run):
        found.heatmaps.write_bytes(content if found.step == 20 else b"others")
    page = report.write(run).read_text()
    _, heatmaps = re.findall(r'jpeg;base64,([^"]+)" alt="test"', page)
    assert base64.b64decode(heatmaps) == content
    assert page.count("test, best, step 20: truth left, prediction right") == 2


def test_the_page_tells_how_to_evaluate(run):
    page = html.unescape(report.write(run).read_text())
    wanted = "python /somewhere/main.py --config 'configs/a b.py' --mode evaluate"
    assert f"<pre>{wanted} --checkpoint best</pre>" in page


@pytest.mark.parametrize(
    "arguments, kept",
    [
        (["--mode", "train", "--workdir", "w"], ["--workdir", "w"]),
        (["--distributed=auto", "--config.seed=1"], ["--config.seed=1"]),
        (["-split", "test", "--config.mode=2"], ["--config.mode=2"]),
    ],
)
def test_flags_of_training_are_left_out(run, arguments, kept):
    sessions = [{"command": ["main.py", *arguments], "devices": [], "cores": 1}]
    (run / "versions.json").write_text(json.dumps(sessions))
    page = html.unescape(report.write(run).read_text())
    words = ["python", "main.py", *kept, "--mode", "evaluate", "--checkpoint", "best"]
    assert f"<pre>{' '.join(words)}</pre>" in page


def test_other_programs_have_no_command_to_evaluate(run):
    sessions = [{"command": ["/bin/pytest"], "devices": [], "cores": 1}]
    (run / "versions.json").write_text(json.dumps(sessions))
    assert "To evaluate" not in report.write(run).read_text()


def test_a_smaller_error_is_better_where_the_config_says_so(run):
    config = json.loads((run / "config.json").read_text())
    config["checkpoints"]["largest"] = False
    (run / "config.json").write_text(json.dumps(config))
    assert runs.read(run).best == 10


def test_the_terminal_gets_the_latest_keypoints(run):
    assert report.text(run).splitlines() == [
        "test, step 30",
        "PCK@0.2",
        "left_knee     40.25",
        "neck            nan",
        "mean          40.00",
    ]


def test_a_run_that_was_never_evaluated_has_a_page(run):
    write_lines(run, [line for line in runs.read_lines(run) if "train/loss" in line])
    evaluations.drop_after(run, 0)
    page = report.write(run).read_text()
    assert "Nothing was evaluated yet." in page and "train/loss" in page
    assert report.text(run) == ""


def test_the_command_prints_where_the_page_is(run, capsys):
    assert command.main(["report", str(run)]) == 0
    assert capsys.readouterr().out == f"{run / 'report.html'}\n"
    assert command.main(["report", str(run.parent)]) == 2
    assert "holds no run (no config.json)" in capsys.readouterr().err
    (run / "metrics.jsonl").write_text("")
    assert command.main(["report", str(run)]) == 2
    assert "metrics.jsonl is empty; train for longer" in capsys.readouterr().err


def test_a_last_line_that_a_kill_cut_short_is_left_out(run, tmp_path):
    whole = runs.read_lines(run)
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 9, "trai')
    assert runs.read_lines(run) == whole
    assert command.main(["report", str(run)]) == 0
    out = str(tmp_path / "curves.png")
    assert command.main(["curves", str(run), "--out", out]) == 0


@pytest.mark.parametrize("arguments", [["report"], ["curves"]])
def test_another_broken_line_is_told_with_its_place(run, arguments, capsys):
    path = run / "metrics.jsonl"
    lines = path.read_text().splitlines()
    lines[2] = lines[2][:17]
    path.write_text("\n".join(lines))
    assert command.main([*arguments, str(run)]) == 2
    said = capsys.readouterr().err
    assert f"{path}, line 3 of {len(lines)} is not JSON (" in said
    assert "remove that line" in said
