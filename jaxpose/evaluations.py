"""What evaluations leave in a run's folder: tables and pictures by split and step.

evaluations/<split>_<step>.json and .txt hold the tables, for programs and for people,
pictures/<split>_<step>.jpg shows true beside predicted poses, and
<split>_<step>_heatmaps.jpg heatmaps, where the objective has any.
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
    """One checkpoint on one split; a picture may not be there."""

    split: str
    step: int
    tables: tuple[Table, ...]
    picture: pathlib.Path
    heatmaps: pathlib.Path


def save(
    workdir: pathlib.Path,
    split: str,
    step: int,
    found: Sequence[Table],
    picture: UInt8[np.ndarray, "h w 3"],
    heatmaps: UInt8[np.ndarray, "h w 3"] | None = None,
) -> None:
    """Writes tables and RGB pictures; evaluating a step again replaces them."""
    stem = f"{split}_{step:07d}"
    for folder in ("evaluations", "pictures"):
        (workdir / folder).mkdir(exist_ok=True)
    _write_picture(workdir / "pictures" / f"{stem}.jpg", picture)
    if heatmaps is not None:
        _write_picture(workdir / "pictures" / f"{stem}_heatmaps.jpg", heatmaps)
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
                heatmaps=workdir / "pictures" / f"{path.stem}_heatmaps.jpg",
            )
        )
    return found


def drop_after(workdir: pathlib.Path, step: int) -> None:
    """Removes what later steps left, those of a run that goes on from `step`."""
    for evaluation in load(workdir):
        if evaluation.step > step:
            stem = evaluation.picture.stem
            evaluation.picture.unlink(missing_ok=True)
            evaluation.heatmaps.unlink(missing_ok=True)
            for ending in ("txt", "json"):
                path = workdir / "evaluations" / f"{stem}.{ending}"
                path.unlink(missing_ok=True)


def _write_picture(path: pathlib.Path, picture: UInt8[np.ndarray, "h w 3"]) -> None:
    atomic.write(path, cv2.imencode(".jpg", picture[..., ::-1])[1].tobytes())
