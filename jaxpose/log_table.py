"""log.txt: a run as a table, one row an evaluation, as PyTorch-Pose leaves one.

It is made anew from metrics.jsonl every time, so that a run that goes on after a stop
has every row once.
"""

import json
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jaxpose import atomic

# Every line of metrics.jsonl about training has it, and no line about an evaluation.
LOSS = "train/loss"
# Means over the steps since the evaluation before, where they are logged.
MEANS = (LOSS, "train/accuracy")


def write(workdir: pathlib.Path) -> None:
    """Makes log.txt of metrics.jsonl, each of whose lines must be whole."""
    path = workdir / "metrics.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    atomic.write(workdir / "log.txt", text([json.loads(line) for line in lines]))


def text(lines: Sequence[Mapping[str, Any]]) -> str:
    """Tabs between the cells, headings first; a number that is not there is empty.

    A line about training counts by the steps since the one before. The learning rate is
    that of the last of them.
    """
    rows = [*_rows(lines)]
    names = dict.fromkeys(["step", *(name for row in rows for name in row)])
    table = [[*names], *([_cell(row.get(name)) for name in names] for row in rows)]
    return "".join("\t".join(cells) + "\n" for cells in table)


def _rows(lines: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """The numbers of each evaluation, after those of training since the last one."""
    trained: list[tuple[int, Mapping[str, Any]]] = []
    before = 0
    for line in lines:
        if LOSS in line:
            trained.append((line["step"] - before, line))
            before = line["step"]
        else:
            measured = {k: v for k, v in line.items() if k not in ("step", "time")}
            yield {"step": line["step"]} | _training(trained) | measured
            trained = []


def _training(trained: Sequence[tuple[int, Mapping[str, Any]]]) -> dict[str, float]:
    """From lines, each with the number of steps that it tells of."""
    found = {}
    if trained and "train/learning_rate" in trained[-1][1]:
        found["learning_rate"] = trained[-1][1]["train/learning_rate"]
    for name in MEANS:
        known = [(n, line[name]) for n, line in trained if line.get(name) is not None]
        if known:
            found[name] = sum(n * x for n, x in known) / sum(n for n, _ in known)
    return found


def _cell(value: float | None) -> str:
    if value is None or isinstance(value, int):
        return "" if value is None else str(value)
    # 8 to 15 characters, as most headings, so that columns stand straight at tab stops.
    return f"{value:#.7g}"
