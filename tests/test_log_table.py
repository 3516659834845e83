import json

from jaxpose import log_table


def trained(step, **numbers):
    speed = {"images_per_second": 100.0, "seconds_per_step": 0.25}
    named = {f"train/{name}": value for name, value in {**numbers, **speed}.items()}
    return {"step": step, "time": 1.5} | named


def measured(step, **numbers):
    return {"step": step, "time": 2.5} | {f"test/{k}": v for k, v in numbers.items()}


def table(lines):
    return [row.split("\t") for row in log_table.text(lines).splitlines()]


def test_a_row_an_evaluation():
    lines = [
        trained(50, learning_rate=0.5, loss=2.0, accuracy=0.25),
        trained(60, learning_rate=0.25, loss=8.0, accuracy=0.5),
        measured(60, AP=12.5, MSE=100.0),
        trained(100, learning_rate=2.5e-6, loss=1.0, accuracy=0.75),
        measured(100, AP=25.0, MSE=99.0),
    ]
    assert log_table.text(lines).endswith("\n")
    assert table(lines) == [
        [
            "step",
            "learning_rate",
            "train/loss",
            "train/accuracy",
            "test/AP",
            "test/MSE",
        ],
        # 50 steps of loss 2 and 10 of 8: 180 / 60; accuracy 17.5 / 60.
        ["60", "0.2500000", "3.000000", "0.2916667", "12.50000", "100.0000"],
        ["100", "2.500000e-06", "1.000000", "0.7500000", "25.00000", "99.00000"],
    ]


def test_columns_stand_straight_at_tab_stops_of_eight():
    lines = [trained(5, learning_rate=3e-6, loss=1 / 3, accuracy=1 / 7)]
    lines += [{"step": 5, "time": 0.0, "test/PCK@0.2": 100.0, "test/MSE": 1e-9}]
    head, row = (line.expandtabs(8) for line in log_table.text(lines).splitlines())
    starts = [head.index(name) for name in table(lines)[0]]
    assert starts == [0, 8, 24, 40, 56, 72]
    assert all(row[n - 1 : n] in ("", " ") and row[n] != " " for n in starts)


def test_what_is_not_there_is_empty():
    lines = [
        measured(10, AP=None),
        trained(20, loss=4.0, mse=1.0),
        measured(20, AP=50.0),
        {"step": 20, "time": 3.0, "train/PCK@0.2": 75.0},
    ]
    assert table(lines) == [
        ["step", "test/AP", "train/loss", "train/PCK@0.2"],
        ["10", "", "", ""],
        ["20", "50.00000", "4.000000", ""],
        # A split may be called train.
        ["20", "", "", "75.00000"],
    ]
    never = [trained(10, loss=1.0, accuracy=None), measured(10, AP=1.0)]
    assert table(never)[0] == ["step", "train/loss", "test/AP"]


def test_before_the_first_evaluation_there_are_no_rows(tmp_path):
    assert table([trained(10, loss=1.0)]) == [["step"]]
    log_table.write(tmp_path)
    assert (tmp_path / "log.txt").read_text() == "step\n"


def test_the_file_is_that_of_the_record(tmp_path):
    lines = [trained(10, loss=1.0), measured(10, AP=1.0)]
    record = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "metrics.jsonl").write_text(record)
    for _ in range(2):
        log_table.write(tmp_path)
        assert (tmp_path / "log.txt").read_text() == log_table.text(lines)
