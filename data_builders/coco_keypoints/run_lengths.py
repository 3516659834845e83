"""COCO's run lengths of an outline: pixels outside and inside by turns, by columns.

Source: the text form as pycocotools' maskApi.c documents it.
"""

from typing import Any

_FIRST = 48  # the character that stands for 0
_MORE, _SIGN, _BITS = 32, 16, 5


def fill(counts: Any, pixels: int) -> bool:
    """Whether these are run lengths of that many pixels.

    The library that draws them reads what lies behind shorter ones in memory.
    """
    if isinstance(counts, str):
        counts = _unpacked(counts)
    return (
        isinstance(counts, list)
        and all(isinstance(run, int) and run >= 0 for run in counts)
        and sum(counts) == pixels
    )


def _unpacked(text: str) -> list[int] | None:
    """The numbers of the text form; None where it breaks off or has other characters.

    A number is its bits, five a character, the lowest first. From the fourth on it is
    the difference to the last but one.
    """
    runs: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - _FIRST
        if not 0 <= bits < 2 * _MORE:
            return None
        value |= (bits % _MORE) << shift
        shift += _BITS
        if not bits & _MORE:
            if bits & _SIGN:
                value -= 1 << shift
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    return None if shift else runs
