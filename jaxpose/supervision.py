"""Where on a photograph a loss may look: not at crowds, nor at others who are no target."""

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

# In `instances`; data_builders/README.md has its meaning.
_CROWD = 255


def canvas_mask(
    example: Mapping[str, Any],
    hidden: Int[np.ndarray, "m"],
    to_canvas: Float[np.ndarray, "2 3"],
    size: tuple[int, int],
) -> UInt8[np.ndarray, "h w"]:
    """1 where a loss may look; what lies outside the photograph is like its border.

    People are left out by their outlines where the record has `instances` and they are
    on them, else by their boxes, and who has neither, not at all.

    Args:
        example: a record, as it is read.
        hidden: which people of the record are left out beside the crowds, from 0.
        size: (height, width) of the canvas.

    Raises: ValueError if `instances` cannot be decoded.
    """
    if "instances" in example:
        seen = _outlined(example, hidden)
    else:
        crowds = example.get("crowd_box", np.zeros((0, 4), np.float32))
        boxes = np.concatenate([crowds, _boxes(example, hidden)])
        seen = _boxed(example, boxes)
    warped = cv2.warpAffine(
        seen,
        to_canvas,
        size[::-1],
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return (warped > 127).astype(np.uint8)


def _outlined(
    example: Mapping[str, Any], hidden: Int[np.ndarray, "m"]
) -> UInt8[np.ndarray, "h w"]:
    """255 where a loss may look, 0 elsewhere."""
    content = np.frombuffer(example["instances"], np.uint8)
    whom = cv2.imdecode(content, cv2.IMREAD_UNCHANGED)
    if whom is None:
        raise ValueError(
            f"{len(content)} bytes of instances are not a PNG that can be decoded; "
            "delete the prepared data set, and the next run builds it again"
        )
    seen = np.full(_CROWD + 1, 255, np.uint8)
    seen[[_CROWD, *(hidden + 1)]] = 0
    drawn = np.bincount(whom.ravel(), minlength=_CROWD + 1) > 0
    others = _boxes(example, hidden[~drawn[hidden + 1]])
    outlined = cv2.LUT(whom, seen)
    return np.minimum(outlined, _boxed(example, others)) if len(others) else outlined


def _boxes(
    example: Mapping[str, Any], people: Int[np.ndarray, "m"]
) -> Float[np.ndarray, "n 4"]:
    """Those of some people; none where the record has no boxes."""
    if "box" not in example:
        return np.zeros((0, 4), np.float32)
    return example["box"][people]


def _boxed(
    example: Mapping[str, Any], box: Float[np.ndarray, "n 4"]
) -> UInt8[np.ndarray, "h w"]:
    """255 where a loss may look, 0 in boxes. Of an unknown one, nan, nothing is inside."""
    rows = np.arange(int(example["height"]))
    columns = np.arange(int(example["width"]))
    high = (rows >= box[:, 1:2]) & (rows <= box[:, 3:])
    wide = (columns >= box[:, :1]) & (columns <= box[:, 2:3])
    count = high.T.astype(np.int32) @ wide.astype(np.int32)
    return np.where(count > 0, np.uint8(0), np.uint8(255))
