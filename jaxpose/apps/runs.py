"""A run as its folder tells it."""

import dataclasses
import json
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jaxpose import evaluations


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """What a workdir tells about its run.

    Attributes:
        lines: of metrics.jsonl.
        config: as described by `config.describe`.
        sessions: of versions.json, one each time the run was started.
        splits: evaluations of each split by step; never empty for a split that is there.
        best: step with the best value of the config's `checkpoints.best`; None if that
            was never measured.
    """

    workdir: pathlib.Path
    lines: list[dict[str, Any]]
    config: dict[str, Any]
    sessions: list[dict[str, Any]]
    splits: dict[str, dict[int, evaluations.Evaluation]]
    best: int | None

    def worth_showing(self, steps: Iterable[int]) -> dict[str, int]:
        """Of evaluated steps the best, where it is among them, and the last, by label."""
        last = max(steps)
        if self.best in (None, last) or self.best not in steps:
            return {f"step {last}": last}
        return {f"best, step {self.best}": self.best, f"last, step {last}": last}


def read(workdir: pathlib.Path) -> Run:
    """Raises: ValueError if no run is there, or before its first line, or a broken one."""
    for name in ("config.json", "versions.json", "metrics.jsonl"):
        if not (workdir / name).exists():
            raise ValueError(
                f"{workdir} holds no run (no {name}); give the --workdir of a training"
            )
    lines = read_lines(workdir)
    if not lines:
        raise ValueError(f"{workdir}/metrics.jsonl is empty; train for longer")
    config = json.loads((workdir / "config.json").read_text())
    splits: dict[str, dict[int, evaluations.Evaluation]] = {}
    for evaluation in evaluations.load(workdir):
        splits.setdefault(evaluation.split, {})[evaluation.step] = evaluation
    return Run(
        workdir=workdir,
        lines=lines,
        config=config,
        sessions=json.loads((workdir / "versions.json").read_text()),
        splits=splits,
        best=_best(lines, config["checkpoints"]),
    )


def read_lines(workdir: pathlib.Path) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl by step.

    A broken last line is left out: the run was killed while it wrote, or writes now.

    Raises:
        OSError: if the file is not there.
        ValueError: if another line is broken.
    """
    path = workdir / "metrics.jsonl"
    texts = path.read_text().splitlines()
    lines = []
    for number, text in enumerate(texts, start=1):
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError as error:
            if number < len(texts):
                raise ValueError(
                    f"{path}, line {number} of {len(texts)} is not JSON ({error}); "
                    "remove that line"
                ) from None
    return lines


def _best(
    lines: Sequence[Mapping[str, Any]], checkpoints: Mapping[str, Any]
) -> int | None:
    name = checkpoints.get("best", "")
    sign = 1 if checkpoints.get("largest", True) else -1
    measured = [line for line in lines if line.get(name) is not None]
    if not measured:
        return None
    # The earliest of equals, as `--checkpoint best` takes.
    return max(measured, key=lambda line: sign * line[name])["step"]
