"""People whose left and right seem exchanged.

Who mirrors a person exchanges left and right: the turn from the line between two
partners, left and right eye say, to a third point changes its direction. Of most
triples both directions are seen, since people turn around; of a few only one.
"""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxpose.apps import exchanged_pairs
from jaxpose.apps.check_data.fault import Fault

_VISIBLE = 2
_CLEAR = 0.3  # sine of the angle; flatter triples may tip over by chance
_NEAR = 3.0  # pixels; nearer points are not told apart well
# When all people may serve as the measure, and how many of them must agree.
_ENOUGH, _AGREE = 50, 0.99
# People of whom most seem mirrored, so that the whole file does.
_FILE = 5


def check(
    points: Float[np.ndarray, "m k 3"],
    names: Sequence[str],
    flip: Sequence[int],
    where: Sequence[str],
) -> Iterator[Fault]:
    """Faults of people, or one of the file where most people look exchanged.

    Args:
        points: (x, y, visibility).
        flip: number of each keypoint's partner; its own where it has none.
        where: the people's names.
    """
    face = _face(names)
    wrong = np.zeros(len(points), bool)
    if face is not None:
        turn = _turn(points, *face)
        wrong = turn < 0
        known = int((turn != 0).sum())
        if known >= _FILE and wrong.sum() > known / 2:
            yield Fault(
                kind="left and right",
                where="the whole file",
                text=f"of {known} people whose eyes and nose are visible, "
                f"{int(wrong.sum())} have the left eye where the right one must be",
                remedy="exchange left and right in `keypoints` of the category, or in "
                "all annotations; left is the person's own",
            )
            return
        for person in np.flatnonzero(wrong).tolist():
            yield _exchanged(where[person], "eyes and nose are those of a mirror image")
    for text in exchanged_pairs.find(points[..., 0], points[..., 2] > 0, names, flip):
        yield Fault(
            kind="left and right",
            where="the whole file",
            text=text,
            remedy="look at some people, and exchange the two in `keypoints` of the "
            "category if it is so; left is the person's own",
            certain=False,
        )
    yield from _unlike_others(points, names, flip, where, wrong)


def _exchanged(where: str, text: str) -> Fault:
    return Fault(
        kind="left and right",
        where=where,
        text=f"left and right seem exchanged: {text}",
        remedy="look at it, and exchange left and right of this person; left is the "
        "person's own, not the viewer's",
        certain=False,
    )


def _face(names: Sequence[str]) -> tuple[int, int, tuple[int, ...]] | None:
    """Left eye, right eye and nose, whose turn is a law of nature."""
    lower = [name.lower() for name in names]
    needed = ("left_eye", "right_eye", "nose")
    if not set(needed) <= set(lower):
        return None
    left, right, nose = (lower.index(name) for name in needed)
    return left, right, (nose,)


def _turn(
    points: Float[np.ndarray, "m k 3"], left: int, right: int, third: Sequence[int]
) -> Float[np.ndarray, "m"]:
    """Sine of the turn from right-to-left to the third point; 0 where not clear."""
    there = (points[:, [left, right, *third], 2] == _VISIBLE).all(axis=1)
    across = points[:, left, :2] - points[:, right, :2]
    middle = (points[:, left, :2] + points[:, right, :2]) / 2
    along = points[:, list(third), :2].mean(axis=1) - middle
    lengths = np.linalg.norm(across, axis=1), np.linalg.norm(along, axis=1)
    cross = across[:, 0] * along[:, 1] - across[:, 1] * along[:, 0]
    sine = cross / np.maximum(lengths[0] * lengths[1], _NEAR**2)
    clear = there & (np.minimum(*lengths) >= _NEAR) & (np.abs(sine) > _CLEAR)
    return np.where(clear, sine, 0.0)


def _unlike_others(
    points: Float[np.ndarray, "m k 3"],
    names: Sequence[str],
    flip: Sequence[int],
    where: Sequence[str],
    known: Bool[np.ndarray, "m"],
) -> Iterator[Fault]:
    """Pairs that lie the other way round than those of nearly all other people."""
    pairs = [(i, other) for i, other in enumerate(flip) if i < other]
    single = [(i,) for i, other in enumerate(flip) if i == other]
    against: dict[int, list[int]] = {}
    for (left, right), third in itertools.product(pairs, [*single, *pairs]):
        if third == (left, right):
            continue
        turn = np.sign(_turn(points, left, right, third))
        for person in _outvoted(turn):
            against.setdefault(int(person), []).append(left)
    for person, found in sorted(against.items()):
        if not known[person]:
            pair = names[max(found, key=found.count)]
            text = f"{pair} and its partner lie the other way round than those of "
            text += f"{_AGREE:.0%} of the people"
            yield _exchanged(where[person], text)


def _outvoted(turn: Float[np.ndarray, "m"]) -> Int[np.ndarray, "n"]:
    """People who turn otherwise than nearly everybody."""
    count, side = int((turn != 0).sum()), np.sign(turn.sum())
    against = np.flatnonzero(turn == -side) if side else np.array([], int)
    if count < _ENOUGH or len(against) > (1 - _AGREE) * count:
        return np.array([], int)
    return against
