"""Learning curves of one or several runs in one picture."""

import pathlib
from collections.abc import Sequence
from typing import IO

import matplotlib.figure

from jaxpose.apps import runs


def draw(
    workdirs: Sequence[pathlib.Path],
    metrics: Sequence[str],
    out: pathlib.Path | IO[bytes],
) -> None:
    """One panel a metric, one line a run, steps below; the file's ending decides.

    A stream without a name gets PNG.

    Raises:
        OSError: if a folder holds no `metrics.jsonl`.
        ValueError: if no run ever measured one of the metrics.
    """
    curves = {path: runs.read_lines(path) for path in workdirs}
    figure = matplotlib.figure.Figure(
        figsize=(4.5 * len(metrics), 3.2), layout="constrained"
    )
    panels = figure.subplots(1, len(metrics), squeeze=False)[0]
    for panel, metric in zip(panels, metrics, strict=True):
        known = {name for rows in curves.values() for row in rows for name in row}
        if metric not in known:
            raise ValueError(
                f"no run measured {metric!r}; there is "
                f"{', '.join(sorted(known - {'step', 'time'}))}"
            )
        for rows in curves.values():
            points = [(r["step"], r[metric]) for r in rows if r.get(metric) is not None]
            panel.plot(*zip(*points), marker="o" if len(points) < 30 else "", ms=3)
        panel.set(xlabel="step", title=metric)
        panel.grid(alpha=0.3)
    if len(curves) > 1:
        figure.legend([str(path) for path in curves], loc="outside lower center")
    figure.savefig(out, dpi=150)
