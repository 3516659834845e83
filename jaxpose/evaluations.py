"""What evaluations leave in a run's folder: tables and pictures by split and step.

evaluations/<split>_<step>.json and .txt hold the tables, for programs and for people,
pictures/<split>_<step>.jpg shows truth beside prediction.
"""

import dataclasses
import json
import pathlib
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import UInt8

from jaxpose import atomic, tables
from jaxpose.types import Table


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One checkpoint on one split."""

    split: str
    step: int
    tables: tuple[Table, ...]
    picture: pathlib.Path


def save(
    workdir: pathlib.Path,
    split: str,
    step: int,
    found: Sequence[Table],
    picture: UInt8[np.ndarray, "h w 3"],
) -> None:
    """Writes tables and RGB picture; evaluating a step again replaces them."""
    stem = f"{split}_{step:07d}"
    for folder in ("evaluations", "pictures"):
        (workdir / folder).mkdir(exist_ok=True)
    sheet = cv2.imencode(".jpg", picture[..., ::-1])[1]
    atomic.write(workdir / "pictures" / f"{stem}.jpg", sheet.tobytes())
    text = "\n\n".join(map(tables.text, found))
    atomic.write(workdir / "evaluations" / f"{stem}.txt", text + "\n")
    data = {"split": split, "step": step, "tables": [*map(tables.as_data, found)]}
    content = json.dumps(data, indent=1, allow_nan=False)
    atomic.write(workdir / "evaluations" / f"{stem}.json", content + "\n")


def load(workdir: pathlib.Path) -> list[Evaluation]:
    """All of a run, by split and step."""
    found = []
    for path in sorted((workdir / "evaluations").glob("*.json")):
        data = json.loads(path.read_text())
        found.append(
            Evaluation(
                split=data["split"],
                step=data["step"],
                tables=tuple(map(tables.from_data, data["tables"])),
                picture=workdir / "pictures" / f"{path.stem}.jpg",
            )
        )
    return found


def drop_after(workdir: pathlib.Path, step: int) -> None:
    """Removes what later steps left, those of a run that goes on from `step`."""
    for evaluation in load(workdir):
        if evaluation.step > step:
            stem = evaluation.picture.stem
            evaluation.picture.unlink(missing_ok=True)
            for ending in ("txt", "json"):
                path = workdir / "evaluations" / f"{stem}.{ending}"
                path.unlink(missing_ok=True)
