"""A run on one page: `report.html` in its folder, a single file that can be sent."""

import datetime
import io
import json
import pathlib
import shlex
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from jaxpose import atomic, tables
from jaxpose.apps import curves, page, runs
from jaxpose.types import Table

# Of the machine, not of the network: told in words instead of a curve. Every line about
# training has them, and no line about an evaluation.
SPEED, WAIT, SECONDS = (
    f"train/{name}" for name in ("images_per_second", "input_wait", "seconds_per_step")
)
LOSS = "train/loss"
# Flags of a training command that its evaluation has no use for.
OTHER_FLAGS = ("mode", "checkpoint", "split", "distributed")


def write(workdir: pathlib.Path) -> pathlib.Path:
    """Writes the page of a run, finished or not.

    Returns: its path.
    Raises: as `runs.read`.
    """
    run = runs.read(workdir)
    path = workdir / "report.html"
    parts = [_summary(run), *_results(run), *_pictures(run), *_keypoints(run)]
    parts += [*_curves(run), *_origin(run)]
    atomic.write(path, page.document(workdir.absolute().name, *parts))
    return path


def text(workdir: pathlib.Path) -> str:
    """The latest numbers of every keypoint, for a terminal. Raises: as `runs.read`."""
    parts = []
    for split, found in runs.read(workdir).splits.items():
        # Tables of other rows, such as limbs, are left to the page.
        first = tables.same_rows(found[max(found)].tables)[:1]
        parts += [f"{split}, step {max(found)}", *map(tables.joined_text, first)]
    return "\n".join(parts)


def _summary(run: runs.Run) -> str:
    """How far, how fast, on what."""
    trained = [line for line in run.lines if SECONDS in line]
    starts = [0, *(line["step"] for line in trained)]
    seconds = sum(
        (line["step"] - start) * line[SECONDS] for start, line in zip(starts, trained)
    )
    speed = statistics.median([line[SPEED] for line in trained] or [0])
    wait = statistics.median([line[WAIT] for line in trained] or [0])
    session = run.sessions[-1]
    return page.paragraph(
        f"Step {run.lines[-1]['step']} of {run.config['num_steps']}, "
        f"{run.config['batch_size']} examples a step; "
        f"{datetime.timedelta(seconds=round(seconds))} of training at {speed:.1f} "
        f"images/s, {wait:.0%} of it waiting for input; sessions: {len(run.sessions)}; "
        f"devices of the last one: {', '.join(session['devices'])}; "
        f"cores: {session['cores']}."
    )


def _results(run: runs.Run) -> list[str]:
    """The mean of every metric, at the last and at the best evaluation."""
    measured = {line["step"]: line for line in run.lines if SECONDS not in line}
    if not measured:
        return [page.paragraph("Nothing was evaluated yet.")]
    shown = run.worth_showing(measured)
    names = dict.fromkeys(name for step in shown.values() for name in measured[step])
    cells = {
        name: [_number(measured[step].get(name)) for step in shown.values()]
        for name in names
        if name not in ("step", "time")
    }
    best = run.config["checkpoints"].get("best")
    return [
        page.heading("Results"),
        page.table([*shown], cells),
        page.note(f"The best checkpoint is chosen by {best}."),
    ]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _pictures(run: runs.Run) -> list[str]:
    """Truth beside prediction, poses and heatmaps, of each split's best evaluation."""
    figures = []
    for split, found in run.splits.items():
        label, step = next(iter(run.worth_showing(found).items()))
        caption = f"{split}, {label}: truth left, prediction right"
        for path in (found[step].picture, found[step].heatmaps):
            if path.exists():
                content = path.read_bytes()
                figures.append(page.picture(content, "jpeg", split, caption))
    return [page.heading("Pictures"), *figures] if figures else []


def _keypoints(run: runs.Run) -> list[str]:
    """A table for each split and kind of rows, with the conventions they follow."""
    parts = []
    for split, found in run.splits.items():
        shown = {
            label: {table.name: table for table in found[step].tables}
            for label, step in run.worth_showing(found).items()
        }
        groups = tables.same_rows(found[max(found)].tables)
        parts.append(page.heading(f"Every keypoint: {split}"))
        parts.append(page.row(*(_section(shown, group) for group in groups)))
    return parts


def _section(shown: Mapping[str, Mapping[str, Table]], group: Sequence[Table]) -> str:
    """Metrics of the same rows, each at all evaluations that are shown."""
    columns = [
        (f"{table.name}, {label}", measured[table.name])
        for table in group
        for label, measured in shown.items()
        if table.name in measured
    ]
    # Said once where the best and the last evaluation follow the same convention.
    conventions = dict.fromkeys(f"{t.name}: {t.convention}" for _, t in columns)
    return page.section(
        page.table([name for name, _ in columns], tables.rows([t for _, t in columns])),
        *map(page.note, conventions),
    )


def _curves(run: runs.Run) -> list[str]:
    """One picture a metric, so that they fill a window of any width."""
    numbers = {name for line in run.lines for name in line if line[name] is not None}
    names = numbers - {"step", "time", SPEED, WAIT, SECONDS}
    figures = []
    # The loss, what is evaluated, and the rest of training.
    for name in sorted(names, key=lambda n: (n != LOSS, n.startswith("train/"), n)):
        stream = io.BytesIO()
        curves.draw([run.workdir], [name], stream)
        figures.append(page.picture(stream.getvalue(), "png", name))
    return [page.heading("Learning curves"), page.row(*figures)]


def _origin(run: runs.Run) -> list[str]:
    """How to evaluate it again, and what it was made from."""
    command = _evaluation_command(run.sessions[-1]["command"])
    parameters = run.workdir / "parameters.txt"
    parts = [page.heading("Origin")]
    if command:
        parts += [
            page.paragraph("To evaluate its best checkpoint:"),
            page.code(command),
        ]
    parts.append(page.folded("Config", "\n".join(_fields(run.config))))
    versions = json.dumps(run.sessions[-1], indent=2)
    parts.append(page.folded("Versions and machine of the last session", versions))
    if parameters.exists():
        parts.append(page.folded("Parameters", parameters.read_text()))
    return parts


def _evaluation_command(command: Sequence[str]) -> str | None:
    """The training command, made to evaluate; None if main.py did not train."""
    if not command or pathlib.Path(command[0]).name != "main.py":
        return None
    kept, skip = [], False
    for argument in command:
        name, equals, _ = argument.lstrip("-").partition("=")
        if skip or (argument.startswith("-") and name in OTHER_FLAGS):
            # The value of a flag without `=` is the next argument.
            skip = not skip and not equals
        else:
            kept.append(argument)
    return shlex.join(["python", *kept, "--mode", "evaluate", "--checkpoint", "best"])


def _fields(value: Any, path: str = "") -> list[str]:
    """One field a line, under the name that `--config.` gives it."""
    if isinstance(value, dict):
        lines = [f"{path} = {value['fn']}(...)"] if "fn" in value else []
        for name, item in value.items():
            if name != "fn":
                lines += _fields(item, f"{path}.{name}" if path else name)
        return lines
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return [
            x for i, item in enumerate(value) for x in _fields(item, f"{path}[{i}]")
        ]
    return [f"{path} = {json.dumps(value)}"]
