"""COCO's outlines of people as one picture: whom each pixel shows."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from pycocotools import mask

from . import annotations, checks, run_lengths

if TYPE_CHECKING or __name__.startswith("data_builders."):
    from data_builders.parts import contract
else:  # `tfds build` imports `coco_keypoints.instances`, from inside data_builders.
    from parts import contract

_NUMBERS_IN_A_CORNER = 2
_CORNERS = 3  # of the simplest polygon


def check(
    photograph: annotations.Photograph, size: tuple[int, int], where: str
) -> None:
    """Refuses what `png` cannot draw.

    Args:
        size: (height, width) of the photograph.
        where: the annotation file's name, for messages.

    Raises:
        ValueError: more people than numbers for them, or an outline that is none.
    """
    if len(photograph.people) >= contract.CROWD:
        raise ValueError(
            f"{where}: image {photograph.image_id} has {len(photograph.people)} people; "
            f"a record holds less than {contract.CROWD}; split the image, or mark some "
            "of them as a crowd"
        )
    for annotation in (*photograph.people, *photograph.crowds):
        outline = annotation.get("segmentation") or []
        if not _drawable(outline, size):
            raise ValueError(
                f"{where}: the segmentation of annotation {annotation['id']} must be a "
                f"list of polygons, or run lengths of size {list(size)}, that of the "
                f"photograph, which add up to it, not {outline!r:.80}; {checks.REMEDY}"
            )


def _drawable(outline: Any, size: tuple[int, int]) -> bool:
    """Whether it is polygons, or run lengths of that size."""
    if isinstance(outline, Mapping):
        height, width = size
        stated, counts = outline.get("size"), outline.get("counts")
        return stated == [*size] and run_lengths.fill(counts, height * width)
    return isinstance(outline, list) and all(
        isinstance(corners, list)
        and len(corners) % _NUMBERS_IN_A_CORNER == 0
        and all(map(checks.near, corners))
        for corners in outline
    )


def png(photograph: annotations.Photograph, size: tuple[int, int]) -> bytes:
    """The picture of size (height, width) as a PNG file of 8 bits.

    People without an outline are not on it, crowds without one fill their boxes. Where
    outlines overlap, people lie over crowds, and a small person over a larger one.
    """
    whom = np.zeros(size, np.uint8)
    for crowd in photograph.crowds:
        if not _draw(whom, crowd, contract.CROWD) and crowd.get("bbox"):
            x, y, width, height = crowd["bbox"]
            sides = np.rint([x, y, x + width, y + height]).astype(int)
            left, top, right, bottom = sides.clip(0).tolist()
            whom[top:bottom, left:right] = contract.CROWD
    areas = [person.get("area") or 0 for person in photograph.people]
    for i in np.argsort([-area for area in areas], kind="stable").tolist():
        _draw(whom, photograph.people[i], i + 1)
    return cv2.imencode(".png", whom)[1].tobytes()


def _draw(whom: np.ndarray, annotation: Mapping[str, Any], value: int) -> bool:
    """Draws one outline; False where the annotation has none."""
    outline = annotation.get("segmentation") or []
    if isinstance(outline, list):
        # What has less corners than a triangle covers nothing; the library would
        # take four numbers for a box.
        least = _CORNERS * _NUMBERS_IN_A_CORNER
        outline = [corners for corners in outline if len(corners) >= least]
        if not outline:
            return False
    if not isinstance(outline, Mapping) or isinstance(outline["counts"], list):
        outline = mask.frPyObjects(outline, *whom.shape)
    runs = mask.merge(outline) if isinstance(outline, list) else outline
    whom[mask.decode(runs).astype(bool)] = value
    return True
