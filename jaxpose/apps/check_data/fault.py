"""What is wrong in a file, where, and what to do about it."""

import dataclasses
from collections.abc import Mapping
from typing import Any

Annotation = Mapping[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing wrong.

    Attributes:
        kind: what many faults have in common, such as `num_keypoints`.
        where: the annotation, image or category, so that it can be found.
        text: what is wrong, with the value.
        remedy: what to do about it.
        certain: whether it is wrong by the format, or only looks so.
    """

    kind: str
    where: str
    text: str
    remedy: str
    certain: bool = True

    def __str__(self) -> str:
        return f"{self.where}: {self.text}; {self.remedy}"


def name(annotation: Annotation, images: Mapping[Any, Mapping[str, Any]]) -> str:
    """An annotation as a person finds it: its id, and the photograph's file."""
    image = images.get(annotation.get("image_id"), {})
    file = f", {image['file_name']}" if "file_name" in image else ""
    number, shown = annotation.get("id"), annotation.get("image_id")
    return f"annotation {number} (image {shown}{file})"
