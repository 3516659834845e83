"""Faults of images: their fields, and the photographs in a folder."""

import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from jaxpose.apps.check_data.fault import Fault

# Markers of a JPEG: its start, and the headers that tell its size.
_START = b"\xff\xd8"
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}


def check(
    images: list[Mapping[str, Any]], folder: pathlib.Path | None
) -> Iterator[Fault]:
    """Missing fields, ids and files that two images share, files that are not there."""
    seen: dict[str, set[Any]] = {"id": set(), "file_name": set()}
    for number, image in enumerate(images):
        where = f"image {image.get('id', f'number {number} of the list')}"
        yield from _fields(image, where)
        for field, kind in (("id", int), ("file_name", str)):
            value = image.get(field)
            if not isinstance(value, kind):
                continue
            if value in seen[field]:
                yield Fault(
                    kind=f"same {field} of images",
                    where=where,
                    text=f"another image has the {field} {value!r} too",
                    remedy="give one another, or take it out and let its people refer "
                    "to the other image",
                )
            seen[field].add(value)
        if folder is not None and isinstance(image.get("file_name"), str):
            yield from _photograph(image, folder, where)


def _fields(image: Mapping[str, Any], where: str) -> Iterator[Fault]:
    kinds: dict[str, type] = {"id": int, "file_name": str, "height": int, "width": int}
    missing = kinds.keys() - image.keys()
    remedy = "write {}; height and width are those of the stored pixels"
    if missing:
        yield Fault(
            kind="image fields",
            where=where,
            text=f"{', '.join(sorted(missing))} missing",
            remedy=remedy.format("them"),
        )
    for field, kind in kinds.items():
        value = image.get(field)
        flat = field in ("height", "width") and value == 0
        if field in image and (flat or not isinstance(value, kind)):
            what = "a file's name" if kind is str else "a whole number"
            yield Fault(
                kind="image fields",
                where=where,
                text=f"{field} is {value!r}",
                remedy=remedy.format(what),
            )


def _photograph(
    image: Mapping[str, Any], folder: pathlib.Path, where: str
) -> Iterator[Fault]:
    """A file that is not there, is no JPEG, or of another size."""
    name = image["file_name"]
    text, remedy = "", ""
    if not (folder / name).is_file():
        text = f"{name} is not in {folder}"
        remedy = "put the photograph there, or take the image and its people out"
    elif (size := _jpeg_size(folder / name)) is None:
        text = f"{name} is no JPEG file"
        remedy = "convert it to JPEG, or export it again"
    elif size != (image.get("height", size[0]), image.get("width", size[1])):
        text = f"height and width are {image.get('height')} and {image.get('width')}, "
        text += f"but {name} is {size[0]} pixels high and {size[1]} wide"
        remedy = "take the photograph that the annotations were made on, unturned"
    if text:
        yield Fault(kind="photograph", where=where, text=text, remedy=remedy)


def _jpeg_size(path: pathlib.Path) -> tuple[int, int] | None:
    """(height, width) of the stored pixels; None if it is no JPEG."""
    with path.open("rb") as file:
        if file.read(2) != _START:
            return None
        while (marker := file.read(1)) == b"\xff":
            while marker == b"\xff":  # Padding before a marker.
                marker = file.read(1)
            header = file.read(7)
            if len(header) < 7 or not marker:
                return None
            if marker[0] in _FRAMES:
                return int.from_bytes(header[3:5]), int.from_bytes(header[5:7])
            file.seek(int.from_bytes(header[:2]) - len(header), 1)
    return None
