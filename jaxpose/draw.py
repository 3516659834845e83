"""Poses on photographs, for people to look at; uint8 RGB in, new uint8 RGB out.

The person's left is warm (arm orange, leg red), the right is cold (arm cyan, leg blue),
what belongs to both is green. A visible keypoint is a disc, a labeled but hidden one a
ring, an unlabeled one is not there.
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

from jaxpose.skeletons import Skeleton

Color = tuple[int, int, int]

COLORS: dict[tuple[str, bool], Color] = {
    ("left", False): (255, 165, 30),
    ("left", True): (250, 60, 80),
    ("right", False): (40, 215, 255),
    ("right", True): (70, 110, 255),
    ("", False): (110, 235, 110),
    ("", True): (110, 235, 110),
}
BLACK, WHITE = (0, 0, 0), (255, 255, 255)
SHIFT = 4  # binary digits after the point in the coordinates that OpenCV is given
BAR = 22  # height of a caption, pixels


def draw_people(
    image: UInt8[np.ndarray, "h w 3"],
    keypoints: Float[np.ndarray, "p k 2"],
    visibility: Int[np.ndarray, "p k"],
    skeleton: Skeleton,
    *,
    side: int = 256,
) -> UInt8[np.ndarray, "H W 3"]:
    """Draws every limb with two labeled ends and every labeled keypoint.

    Keypoints are (x, y) in pixels of `image`. A photograph whose shorter side is below
    `side` pixels is enlarged to it first, so that lines stay thin beside the person.
    Keypoints that are not finite, or more than ten picture sizes away, are left out.
    For predictions, give 2 where the confidence suffices and 0 elsewhere.

    Raises: ValueError if the number of keypoints is not the skeleton's.
    """
    if keypoints.shape[1] != len(skeleton.keypoints):
        raise ValueError(
            f"{keypoints.shape[1]} keypoints a person, but {skeleton.name} has "
            f"{len(skeleton.keypoints)}; draw with the skeleton of the data"
        )
    canvas, keypoints = _enlarge(image, keypoints, side)
    reach = 10 * max(canvas.shape)
    near = (np.abs(np.nan_to_num(keypoints, nan=np.inf)) < reach).all(-1)
    visibility = np.where(near, visibility, 0)
    for points, seen in zip(keypoints, visibility, strict=True):
        if seen.any():
            _draw_person(canvas, points, seen, skeleton)
    return canvas


def limb_color(skeleton: Skeleton, ends: Sequence[int]) -> Color:
    """Colour by the side and part that the names of the limb's keypoints tell."""
    names = [skeleton.keypoints[end] for end in ends]
    sides = {name.split("_")[0] for name in names} & {"left", "right"}
    leg = any(part in name for name in names for part in ("hip", "knee", "ankle"))
    return COLORS[sides.pop() if len(sides) == 1 else "", leg]


def caption(image: UInt8[np.ndarray, "h w 3"], text: str) -> UInt8[np.ndarray, "H w 3"]:
    """Adds a dark bar with one line of text, shrunk to the width, above the picture."""
    bar = np.full((BAR, image.shape[1], 3), 24, np.uint8)
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, 0.45
    width = cv2.getTextSize(text, font, scale, 1)[0][0]
    scale *= min(1.0, (image.shape[1] - 8) / max(width, 1))
    cv2.putText(bar, text, (4, BAR - 7), font, scale, WHITE, 1, cv2.LINE_AA)
    return np.concatenate([bar, image])


def side_by_side(
    truth: UInt8[np.ndarray, "h w 3"], prediction: UInt8[np.ndarray, "h w 3"]
) -> UInt8[np.ndarray, "H W 3"]:
    """Truth left, prediction right, each under its caption, a thin gap between."""
    left, right = caption(truth, "truth"), caption(prediction, "prediction")
    return contact_sheet([left, right], columns=2, gap=2)


def letterbox(
    image: UInt8[np.ndarray, "h w 3"], size: tuple[int, int]
) -> UInt8[np.ndarray, "H W 3"]:
    """Fits the whole picture into (height, width) pixels, centred on dark grey."""
    factor = min(size[0] / image.shape[0], size[1] / image.shape[1])
    height = max(1, round(image.shape[0] * factor))
    width = max(1, round(image.shape[1] * factor))
    tile = np.full((*size, 3), 48, np.uint8)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    tile[top : top + height, left : left + width] = _resize(image, (height, width))
    return tile


def contact_sheet(
    tiles: Sequence[UInt8[np.ndarray, "h w 3"]], *, columns: int, gap: int = 6
) -> UInt8[np.ndarray, "H W 3"]:
    """Lays tiles of one size out row by row, `gap` white pixels between them.

    The last row may be short. Raises: ValueError without tiles or if sizes differ.
    """
    sizes = {tile.shape for tile in tiles}
    if len(sizes) != 1 or columns < 1:
        raise ValueError(
            f"{len(tiles)} tiles of sizes {sorted(sizes)} in {columns} columns; give at "
            "least one tile and column, and one size: letterbox(image, size)"
        )
    height, width, _ = sizes.pop()
    columns = min(columns, len(tiles))
    rows = math.ceil(len(tiles) / columns)
    shape = rows * (height + gap) - gap, columns * (width + gap) - gap, 3
    sheet = np.full(shape, 255, np.uint8)
    for n, tile in enumerate(tiles):
        top, left = n // columns * (height + gap), n % columns * (width + gap)
        sheet[top : top + height, left : left + width] = tile
    return sheet


def _draw_person(
    canvas: np.ndarray, points: np.ndarray, seen: np.ndarray, skeleton: Skeleton
) -> None:
    extent = np.linalg.norm(np.ptp(points[seen > 0], axis=0))
    thickest = max(1.5, math.sqrt(canvas.shape[0] * canvas.shape[1]) / 100)
    width = float(np.clip(extent / 70, 1.5, thickest))
    limbs = [limb for limb in skeleton.limbs if seen[list(limb)].all()]
    # Dark edges first, of all limbs: they must not cut through another limb's colour.
    for grow, edge in (1.6, True), (0.0, False):
        for limb in limbs:
            color = BLACK if edge else limb_color(skeleton, limb)
            _line(canvas, points[limb[0]], points[limb[1]], color, width + grow)
    for k in np.flatnonzero(seen):
        color = limb_color(skeleton, [int(k)])
        _disc(canvas, points[k], BLACK, 1.3 * width + 1.4)
        _disc(canvas, points[k], WHITE if seen[k] > 1 else color, 1.3 * width + 0.6)
        _disc(canvas, points[k], color if seen[k] > 1 else BLACK, 1.3 * width - 0.6)


def _line(canvas, start, end, color: Color, width: float) -> None:
    start, end = _fixed(start), _fixed(end)
    cv2.line(canvas, start, end, color, max(1, round(width)), cv2.LINE_AA, SHIFT)


def _disc(canvas, center, color: Color, radius: float) -> None:
    fixed = round(radius * 2**SHIFT)
    cv2.circle(canvas, _fixed(center), fixed, color, cv2.FILLED, cv2.LINE_AA, SHIFT)


def _fixed(point: np.ndarray) -> tuple[int, int]:
    x, y = np.rint(point * 2**SHIFT).astype(int).tolist()
    return x, y


def _enlarge(
    image: np.ndarray, keypoints: np.ndarray, side: int
) -> tuple[np.ndarray, np.ndarray]:
    """Copies of both; pixel centres stay where they are in the scene."""
    height, width = image.shape[:2]
    factor = max(1.0, side / min(height, width))
    size = round(height * factor), round(width * factor)
    scale = np.array([size[1] / width, size[0] / height])
    return _resize(image, size), (keypoints + 0.5) * scale - 0.5


def _resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """To (height, width), always a copy; cubic where pixels grow, else averaged."""
    grows = size[0] > image.shape[0]
    method = cv2.INTER_CUBIC if grows else cv2.INTER_AREA
    return cv2.resize(np.ascontiguousarray(image), size[::-1], interpolation=method)
