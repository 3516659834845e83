"""Who is not scored: crowds, and people with too few keypoints."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from jaxpose.types import Regions


def of_record(
    example: Mapping[str, Any], number: int, among: Bool[np.ndarray, "p"]
) -> Regions | None:
    """Crowds, and those of the people whose boxes are known; None without boxes.

    Args:
        among: who is left out of a split, for want of labeled keypoints.
    """
    if "box" not in example:
        return None
    alone = among & np.isfinite(example["box"]).all(axis=1)
    crowds = example.get("crowd_box", np.zeros((0, 4), np.float32))
    area, crowd_area = (
        example.get(name, np.full(len(people), np.nan, np.float32))
        for name, people in (("area", alone), ("crowd_area", crowds))
    )
    return Regions(
        image_id=np.full(int(alone.sum()) + len(crowds), number),
        box=np.concatenate([example["box"][alone], crowds]),
        area=np.concatenate([area[alone], crowd_area]),
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
