"""Checks of photographs as their files lie on the disk."""

import concurrent.futures
import functools
import hashlib
import os
from collections.abc import Sequence

import cv2
import numpy as np

from . import sources

_START = b"\xff\xd8"
_END = b"\xff\xd9"
_SCAN = 0xDA
_REMEDY = "unpack the archive again, or download it again"


def check(source: sources.Source, names: Sequence[str]) -> tuple[np.ndarray, bytes]:
    """Decodes photographs of an archive from end to end.

    Returns:
        int32 (photographs, 2), the (height, width) of each as `image_size` tells it,
        and their SHA-256 digests in a row.

    Raises:
        ValueError: one is no complete JPEG file; it is named.
    """
    check_one = functools.partial(_check_one, source)
    # Decoding and hashing run outside Python's lock, so threads use every core.
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        checked = list(pool.map(check_one, names))
    sizes = np.asarray([size for size, _ in checked], np.int32)
    return sizes.reshape(-1, 2), b"".join(digest for _, digest in checked)


def _check_one(source: sources.Source, name: str) -> tuple[tuple[int, int], bytes]:
    """The (height, width) and the SHA-256 of one photograph."""
    jpeg = source.read(name)
    return image_size(jpeg, where=source.where(name)), hashlib.sha256(jpeg).digest()


def image_size(jpeg: bytes, *, where: str) -> tuple[int, int]:
    """The (height, width) in pixels of a JPEG file that decodes from end to end.

    The size is that of the stored pixels: an orientation tag does not turn them,
    because annotations were made on the stored pixels.

    Args:
        jpeg: the file's content.
        where: the file's name, for messages.

    Raises:
        ValueError: no JPEG, cut short, or not decodable.
    """
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    if not jpeg.startswith(_START):
        # A sound PNG, say, need not be fetched again.
        other = _decode(jpeg, flags) is not None
        raise ValueError(
            f"{where} begins with {jpeg[:4].hex() or 'nothing'}; a photograph must be "
            f"a JPEG file, which begins with {_START.hex()}; "
            f"{'convert the picture to JPEG' if other else _REMEDY}"
        )
    # OpenCV fills what a truncated file lacks with grey, and says nothing.
    if not reaches_end(jpeg):
        raise ValueError(
            f"{where} ends after {len(jpeg)} bytes without JPEG's end marker "
            f"{_END.hex()}; a photograph must be complete; {_REMEDY}"
        )
    pixels = _decode(jpeg, flags)
    if pixels is None:
        raise ValueError(
            f"{where} ({len(jpeg)} bytes) cannot be decoded; a photograph must be a "
            f"JPEG file that OpenCV reads; {_REMEDY}"
        )
    return pixels.shape[0], pixels.shape[1]


def reaches_end(jpeg: bytes) -> bool:
    """Whether JPEG's end marker follows the pixels; bytes behind it do not matter.

    The headers are stepped over, since a thumbnail in them has an end marker of its
    own. Inside the pixels the marker cannot occur: a 0xff there is followed by 0.
    """
    position = len(_START)
    while position + 4 <= len(jpeg) and jpeg[position] == 0xFF:
        if jpeg[position + 1] == 0xFF:  # Padding before a marker.
            position += 1
        elif jpeg[position + 1] == _SCAN:
            return jpeg.find(_END, position) >= 0
        else:
            length = int.from_bytes(jpeg[position + 2 : position + 4], "big")
            position += 2 + length
    return False


def _decode(jpeg: bytes, flags: int) -> np.ndarray | None:
    """The pixels, or None where OpenCV refuses, by None or by an exception."""
    try:
        return cv2.imdecode(np.frombuffer(jpeg, np.uint8), flags)
    except cv2.error:
        return None
