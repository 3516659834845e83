"""Heatmaps laid over canvases, truth beside prediction, for people to look at.

The colour of a cell tells its value: blue is 0 or less, then come azure, pale yellow at
half, and orange, up to red, which is the highest value of all true maps in the picture,
or more. Both sides share this scale, so that an unsure prediction looks faint.
PyTorch-Pose, whose colours these are, stretches every map to its own range instead.

Where a discriminator reconstructs heatmaps, what it makes of both kinds stands below.
"""

import dataclasses
import math
from collections.abc import Sequence

import cv2
import jax
import numpy as np
from jaxtyping import Array, Bool, Float, UInt8

from jaxpose import draw

# Share of the canvas in a tile; the rest is colour.
CANVAS = 0.3
# Longer side of a tile, and height of the bar of colours, pixels.
TILE, SCALE = 128, 12
# Between the tiles of keypoints and the reconstructions, pixels.
GAP = 12


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Reconstructed:
    """What a discriminator makes of true and of predicted maps."""

    truth: Float[Array | np.ndarray, "n h w k"]
    prediction: Float[Array | np.ndarray, "n h w k"]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Maps:
    """One map a keypoint over each of n canvases, both kinds of one unit.

    Attributes:
        labeled: keypoints whose truth is known; the true maps of others are empty.
        reconstructed: by the discriminator; None without one.
    """

    canvas: UInt8[Array | np.ndarray, "n H W 3"]
    labeled: Bool[Array | np.ndarray, "n k"]
    truth: Float[Array | np.ndarray, "n h w k"]
    prediction: Float[Array | np.ndarray, "n h w k"]
    reconstructed: Reconstructed | None = None


def montage(maps: Maps, names: Sequence[str]) -> UInt8[np.ndarray, "h w 3"]:
    """A row an example: canvas and a tile for each true map, then the same predicted.

    A bar of colours stands above. Tiles bear the names of their keypoints, and those of
    predicted maps the highest value. Reconstructions have rows of their own below.
    """
    truth, prediction = np.asarray(maps.truth), np.asarray(maps.prediction)
    top = float(truth.max()) or 1.0
    left, right = [], []
    for canvas, true, found, known in zip(
        np.asarray(maps.canvas), truth, prediction, maps.labeled, strict=True
    ):
        unlabeled = ["" if seen else ": unlabeled" for seen in known]
        values = [f" {value:#.2g}" for value in found.max(axis=(0, 1))]
        left.append(_panel(canvas, true / top, _joined(names, unlabeled)))
        right.append(_panel(canvas, found / top, _joined(names, values)))
    sheet = draw.side_by_side(
        draw.contact_sheet(left, columns=1), draw.contact_sheet(right, columns=1)
    )
    sheet = np.concatenate([_scale(sheet.shape[1], top), sheet])
    if maps.reconstructed is None:
        return sheet
    return _stacked(sheet, reconstructions(maps, maps.reconstructed))


def reconstructions(
    maps: Maps, reconstructed: Reconstructed
) -> UInt8[np.ndarray, "h w 3"]:
    """A row an example: canvas, then maps, reconstructions and errors of both kinds.

    A tile shows the highest value over the keypoints, on the scale of the montage. An
    error is the distance of a reconstruction from its map; its tile bears the mean over
    all cells and keypoints of its square.
    """
    kinds = (
        ("true", np.asarray(maps.truth), np.asarray(reconstructed.truth)),
        (
            "predicted",
            np.asarray(maps.prediction),
            np.asarray(reconstructed.prediction),
        ),
    )
    top = float(kinds[0][1].max()) or 1.0
    tiles = []
    for n, canvas in enumerate(np.asarray(maps.canvas)):
        large = _shrunk(canvas, 2 * TILE)
        tiles.append(draw.caption(large, "canvas"))
        for name, given, made in kinds:
            error = np.abs(made[n] - given[n])
            shown = {
                f"{name} maps": given[n],
                f"{name}, reconstructed": made[n],
                f"{name}, error: mean square {np.mean(error**2):.2g}": error,
            }
            tiles += [
                draw.caption(overlay(large, values.max(axis=-1) / top), text)
                for text, values in shown.items()
            ]
    return draw.contact_sheet(tiles, columns=7)


def overlay(
    image: UInt8[np.ndarray, "h w 3"], values: Float[np.ndarray, "m n"]
) -> UInt8[np.ndarray, "h w 3"]:
    """A map with values in 0..1 over the picture, both reaching to the same edges."""
    height, width = image.shape[:2]
    fine = cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.rint(CANVAS * image + (1 - CANVAS) * colors(fine)).astype(np.uint8)


def colors(values: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n 3"]:
    """RGB in 0..255; values beyond 0..1 are those of the nearer end.

    Source: PyTorch-Pose.
    """
    x = np.clip(values, 0, 1)

    def hill(center: float, width: float) -> np.ndarray:
        return np.exp(-((x - center) ** 2) / (2 * width**2))

    red = hill(0.6, 0.2) / 2 + hill(0.8, 0.3)
    return 255 * np.minimum(np.stack([red, hill(0.5, 0.3), hill(0.2, 0.3)], -1), 1)


def _panel(
    canvas: UInt8[np.ndarray, "H W 3"],
    maps: Float[np.ndarray, "m n k"],
    captions: Sequence[str],
) -> UInt8[np.ndarray, "h w 3"]:
    """The canvas, as high as the grid of tiles beside it."""
    height, width = canvas.shape[:2]
    small = _shrunk(canvas, TILE)
    tiles = [
        draw.caption(overlay(small, values), text)
        for values, text in zip(np.moveaxis(maps, -1, 0), captions, strict=True)
    ]
    # Two of eight for 16 keypoints, as in PyTorch-Pose.
    rows = max(1, math.isqrt(len(tiles) // 2))
    grid = draw.contact_sheet(tiles, columns=math.ceil(len(tiles) / rows), gap=2)
    beside = len(grid), max(1, round(len(grid) * width / height))
    large = draw.letterbox(canvas, beside)
    gap = np.full((len(grid), 2, 3), 255, np.uint8)
    return np.concatenate([large, gap, grid], axis=1)


def _shrunk(
    canvas: UInt8[np.ndarray, "H W 3"], side: int
) -> UInt8[np.ndarray, "h w 3"]:
    """The canvas with a longer side of so many pixels."""
    height, width = canvas.shape[:2]
    shrink = side / max(height, width)
    size = max(1, round(height * shrink)), max(1, round(width * shrink))
    return draw.letterbox(canvas, size)


def _stacked(
    upper: UInt8[np.ndarray, "h w 3"], lower: UInt8[np.ndarray, "i v 3"]
) -> UInt8[np.ndarray, "j x 3"]:
    """One above the other, with white right of the narrower one."""
    width = max(upper.shape[1], lower.shape[1])
    sheets = [
        np.pad(
            sheet, ((0, 0), (0, width - sheet.shape[1]), (0, 0)), constant_values=255
        )
        for sheet in (upper, lower)
    ]
    return np.concatenate(
        [sheets[0], np.full((GAP, width, 3), 255, np.uint8), sheets[1]]
    )


def _joined(names: Sequence[str], more: Sequence[str]) -> list[str]:
    return [name + text for name, text in zip(names, more, strict=True)]


def _scale(width: int, top: float) -> UInt8[np.ndarray, "h w 3"]:
    """The bar of colours, under what its ends mean."""
    bar = colors(np.broadcast_to(np.linspace(0, 1, width), (SCALE, width)))
    text = (
        f"colours: 0 or less at the left, {top:.2g} or more at the right; numbers: the "
        "highest value of each predicted map"
    )
    return draw.caption(np.rint(bar).astype(np.uint8), text)
