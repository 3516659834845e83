"""Which parts of a network training does not move, and which it spoils."""

from collections.abc import Callable

import jax
import numpy as np
from jaxtyping import PyTree

# Parameters that leave their direction by less have not moved: float32 rounds a step to
# 6e-8 of them, and weight decay keeps the direction.
ROUNDING = 1e-6


def spoilt(parameters: PyTree) -> list[str]:
    """Parts of which every parameter holds numbers that are not finite."""
    return _parts(parameters, lambda leaf: not np.isfinite(leaf).all())


def motionless(before: PyTree, after: PyTree) -> list[str]:
    """Parts that are what they were, or that times a number: weight decay does that."""

    def share_that_moved(old: np.ndarray, new: np.ndarray) -> float:
        old, new = old.astype(np.float64).ravel(), new.astype(np.float64).ravel()
        length = np.linalg.norm(old)
        if not length:
            return float(new.any())
        if old.size > 1:
            old = old * (old @ new) / length**2
        return float(np.linalg.norm(new - old) / length)

    moved = jax.tree.map(share_that_moved, before, after)
    return _parts(moved, lambda share: share <= ROUNDING)


def _parts(tree: PyTree, marked: Callable[..., bool]) -> list[str]:
    """The outermost modules of which every leaf is marked, such as pose/stem."""
    leaves = {
        jax.tree_util.keystr(path, simple=True, separator="/"): marked(np.asarray(leaf))
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }
    found = []
    for path in leaves:
        names = path.split("/")
        ancestors = ("/".join(names[:n]) for n in range(1, len(names) + 1))
        whole = (part for part in ancestors if _all_below(part, leaves))
        found += [part for part in [next(whole, None)] if part]
    return list(dict.fromkeys(found))


def _all_below(part: str, leaves: dict[str, bool]) -> bool:
    return all(
        mark for path, mark in leaves.items() if f"{path}/".startswith(f"{part}/")
    )
