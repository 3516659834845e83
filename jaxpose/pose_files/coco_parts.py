"""What files of COCO's format share: JSON, and people who share photographs."""

import json
import pathlib
from typing import Any

import numpy as np
from jaxtyping import Int


def read(file: pathlib.Path) -> Any:
    """The whole content. Raises: ValueError if it is no JSON; OSError if unreadable."""
    try:
        with open(file, encoding="utf-8") as stream:
            return json.load(stream)
    except ValueError as error:
        raise ValueError(f"{file} is no JSON file that can be read: {error}") from error


def places(
    row: Int[np.ndarray, "m"], n: int
) -> tuple[tuple[Int[np.ndarray, "m"], Int[np.ndarray, "m"]], tuple[int, int]]:
    """Where each person goes in an array of n rows, and the shape that it needs."""
    order = np.argsort(row, kind="stable")
    ordered = row[order]
    slot = np.empty_like(row)
    slot[order] = np.arange(len(row)) - np.searchsorted(ordered, ordered)
    return (row, slot), (n, int(slot.max(initial=0)) + 1)
