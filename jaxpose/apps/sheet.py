"""Photographs with their true poses, side by side: the first look at a data set."""

import pathlib
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from jaxpose import atomic, draw, loading
from jaxpose import config as configs

# (height, width) of a photograph in the sheet, pixels.
TILE = (224, 224)


def write(
    config: str,
    out: pathlib.Path,
    *,
    split: str | None = None,
    count: int = 64,
    **where: str,
) -> None:
    """Draws what an experiment trains on, or one of its `evals`, into a picture.

    Args:
        config: its file, with `:` and what a config that asks for something is given.
        count: photographs, spread over the data.
        where: `data_dir` or `manual_dir` instead of the config's.

    Raises: ValueError for a split that the config lacks, or a picture that cannot be
        written.
    """
    if not (out.parent.is_dir() and cv2.haveImageWriter(str(out))):
        raise ValueError(
            f"{out} cannot be written; give a folder that exists, and .png or .jpg"
        )
    fields = configs.build(configs.load(config)) | where
    examples = _data(fields, split).open(fields["data_dir"], fields["manual_dir"])
    picture = sheet(examples, count)[..., ::-1]
    atomic.write(out, cv2.imencode(out.suffix, picture)[1].tobytes())


def _data(fields: dict[str, Any], split: str | None) -> loading.Data:
    if split is None:
        return fields["data"]
    if split not in fields["evals"]:
        raise ValueError(
            f"the config has no split {split!r}; it has {', '.join(fields['evals'])}, "
            "and what it trains on without --split"
        )
    return fields["evals"][split].data


def sheet(examples: loading.Examples, count: int) -> UInt8[np.ndarray, "h w 3"]:
    """`count` photographs spread over the data, each with everybody in it.

    Raises: ValueError if `count` is not positive.
    """
    if count < 1:
        raise ValueError(f"count={count} photographs; ask for 1 or more")
    records = np.unique(examples.record)
    spread = np.linspace(0, len(records) - 1, min(count, len(records))).astype(int)
    tiles = [_tile(examples, int(record)) for record in records[spread]]
    return draw.contact_sheet(tiles, columns=int(np.ceil(np.sqrt(len(tiles)))), gap=2)


def _tile(examples: loading.Examples, record: int) -> UInt8[np.ndarray, "h w 3"]:
    rows = np.flatnonzero(examples.record == record)
    keypoints, visibility = zip(*(examples.shown(int(row)) for row in rows))
    drawn = draw.draw_people(
        examples.photograph(int(rows[0])),
        np.concatenate(keypoints),
        np.concatenate(visibility),
        examples.data.skeleton,
    )
    return draw.letterbox(drawn, TILE)
