"""Pairs of keypoints whose left and right were exchanged in all annotations."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Float

# Fewer people than this do not tell whether a left and a right keypoint are exchanged.
CROWD = 30


def find(
    x: Float[np.ndarray, "n k"],
    labeled: Bool[np.ndarray, "n k"],
    names: Sequence[str],
    flip: Sequence[int],
) -> Iterator[str]:
    """Pairs whose left and right lie the other way round than those of other pairs.

    Whoever faces the camera has the left of every pair on the same side of the picture,
    and crossed limbs are the exception. The sentences end with a question.

    Args:
        flip: number of each keypoint's partner; its own where it has none.
    """
    pairs = [(k, other) for k, other in enumerate(flip) if k < other]
    if len(pairs) < 3:
        return
    left, right = np.array(pairs).T
    side = np.sign(x[:, left] - x[:, right])
    side = np.where(labeled[:, left] & labeled[:, right], side, 0)
    for (a, b), own in zip(pairs, side.T, strict=True):
        agreement = own * np.sign(side.sum(axis=1) - own)
        people, against = (agreement != 0).sum(), (agreement < 0).sum()
        if people >= CROWD and against > 0.6 * people:
            yield (
                f"{names[a]} and {names[b]} lie the other way round than the other pairs "
                f"in {against / people:.0%} of {people} people: are they exchanged?"
            )
