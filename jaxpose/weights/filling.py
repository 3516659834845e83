"""Arrays from elsewhere in the places of a fresh network's own."""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree, Shaped

# {"params": ..., "batch_stats": ...}
Variables = Mapping[str, Any]
# By paths such as "params/stack0/norm/scale".
Arrays = dict[str, Shaped[np.ndarray, "..."]]
Shapes = dict[str, jax.ShapeDtypeStruct]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Published:
    """Weights in a file, on the disk.

    Attributes:
        path: of the file; empty leaves the network as it is.
    """

    path: str = ""

    def check(self) -> None:
        """Raises: FileNotFoundError if there is no such file."""
        if self.path and not pathlib.Path(self.path).is_file():
            raise FileNotFoundError(
                f"path={self.path!r} of published weights is no file, seen from "
                f"{pathlib.Path.cwd()}; give the path of one, or none to begin without"
            )


def filled(
    fresh: Variables,
    read: Callable[[Shapes], Arrays],
    *,
    wanted: Callable[[str], bool] = lambda layer: True,
) -> Variables:
    """`fresh` with what is read in the place of its own.

    Where only shapes are asked for, by jax.eval_shape, nothing is read.

    Args:
        fresh: variables, or their shapes.
        read: an array for each of these paths, of the shape that belongs there.
        wanted: which layers, such as "stack0/norm", to fill; all others stay.
    """
    shapes = {
        path: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype)
        for path, leaf in by_path(fresh).items()
        if wanted(layer(path))
    }
    traced = any(isinstance(x, jax.core.Tracer) for x in jax.tree.leaves(fresh))
    loaded = jax.pure_callback(lambda: read(shapes), shapes) if traced else read(shapes)
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: loaded.get(_joined(path), leaf), fresh
    )


def by_path(tree: PyTree) -> dict[str, Any]:
    """Leaves by paths such as "params/stack0/norm/scale"."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {_joined(path): leaf for path, leaf in leaves}


def layer(path: str) -> str:
    """Such as "stack0/norm", of "params/stack0/norm/scale"."""
    return path.partition("/")[2].rpartition("/")[0]


def _joined(path: tuple) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")
