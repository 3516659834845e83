"""Who is not scored: crowds, and people without keypoints."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from jaxpose.types import Regions


def of_record(
    example: Mapping[str, Any], number: int, among: Bool[np.ndarray, "p"]
) -> Regions | None:
    """Crowds, and of some people those without keypoints; None without boxes."""
    if "box" not in example:
        return None
    alone = among & (example["visibility"] == 0).all(axis=1)
    alone &= np.isfinite(example["box"]).all(axis=1)
    crowds = example.get("crowd_box", np.zeros((0, 4), np.float32))
    unknown = np.full(len(alone), np.nan, np.float32)
    area = example.get("area", unknown)[alone]
    return Regions(
        image_id=np.full(int(alone.sum()) + len(crowds), number),
        box=np.concatenate([example["box"][alone], crowds]),
        area=np.concatenate([area, np.full(len(crowds), np.nan)]),
        crowd=np.arange(int(alone.sum()) + len(crowds)) >= int(alone.sum()),
    )


def renumber(
    regions: Regions, old: Int[np.ndarray, "m"], new: Int[np.ndarray, "m"]
) -> Regions:
    """Regions of the photographs that people are on, under their other numbers."""
    there = np.isin(regions.image_id, old)
    order = np.argsort(old, kind="stable")
    place = np.searchsorted(old[order], regions.image_id[there])
    return Regions(
        image_id=new[order][place],
        box=regions.box[there],
        area=regions.area[there],
        crowd=regions.crowd[there],
    )


def join(parts: Sequence[Regions | None]) -> Regions | None:
    """All of them, None where no part has any."""
    known = [dataclasses.asdict(part) for part in parts if part is not None]
    if not known:
        return None
    return Regions(
        **{name: np.concatenate([part[name] for part in known]) for name in known[0]}
    )
