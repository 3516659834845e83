"""PyTorch's layers as our variables, found by their names."""

import re
from collections.abc import Callable, Mapping, Sequence

import jax
import numpy as np
from jaxtyping import Shaped

from jaxpose.weights import filling, torch_files

# Entries of a state dict by name.
State = Mapping[str, Shaped[np.ndarray, "..."]]
Variables = filling.Variables
# Patterns of our layers, such as "stack0/norm", and what PyTorch calls them; each is
# applied to the result of the one before.
Names = Sequence[tuple[str, str]]

_LEAVES = {
    "kernel": "weight",
    "scale": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "var": "running_var",
}


# Where checkpoints of PyTorch-Pose, hgpose and the pose proposal networks have it.
_STATE_DICTS = ("state_dict", "netHg", "net_state_dict")


def state_dict(path: str) -> dict[str, Shaped[np.ndarray, "..."]]:
    """The arrays of a file, be it of a state dict alone or of a training checkpoint.

    Of a checkpoint it is what is under one of the names that the originals use; without
    the `module.` that a network trained on several GPUs has before its names.

    Raises: ValueError or OSError if it holds no state dict or cannot be read.
    """
    content = torch_files.read(path)
    if isinstance(content, Mapping):
        content = next((content[n] for n in _STATE_DICTS if n in content), content)
    if not isinstance(content, Mapping) or not all(
        isinstance(value, np.ndarray) for value in content.values()
    ):
        raise ValueError(
            f"{path} holds no state dict; save one by torch.save(model.state_dict(), "
            "path)"
        )
    return {name.removeprefix("module."): value for name, value in content.items()}


def load(
    fresh: Variables,
    read: Callable[[], State],
    names: Names,
    *,
    wanted: Callable[[str], bool] = lambda layer: True,
    spare: str = "(?!)",
) -> Variables:
    """`fresh` with arrays of a state dict in the place of its own.

    Args:
        fresh: variables, or their shapes.
        wanted: which of our layers, such as "stack0/norm", to fill; all others stay.
        spare: pattern of the beginnings of entries that may be left over.
    Raises: ValueError if an entry is missing, has another shape, or is left over.
    """

    def arrays(shapes: filling.Shapes) -> filling.Arrays:
        state = read()
        sources = {path: _source(path, names) for path in shapes}
        _check_left(state.keys() - sources.values(), spare)
        return {
            path: _find(state, sources[path], path, shapes[path]) for path in shapes
        }

    return filling.filled(fresh, arrays, wanted=wanted)


def _source(path: str, names: Names) -> str:
    """The entry of the state dict that belongs in this place."""
    layer, kind = filling.layer(path), path.rpartition("/")[2]
    for pattern, theirs in names:
        layer = re.sub(pattern, theirs, layer)
    return f"{layer.replace('/', '.')}.{_LEAVES[kind]}"


def _find(
    state: State, name: str, path: str, shape: jax.ShapeDtypeStruct
) -> Shaped[np.ndarray, "..."]:
    if name not in state:
        raise ValueError(
            f"no entry {name} among {len(state)}, of which the first are "
            f"{', '.join(list(state)[:3])}; give a file of the same network"
        )
    value = _ordered(state[name], transposed="deconv" in path)
    if value.shape != shape.shape:
        raise ValueError(
            f"entry {name} has shape {value.shape} in our order, where the model has "
            f"{shape.shape}; change the model's fields to those of the file"
        )
    return np.ascontiguousarray(value, shape.dtype)


def _check_left(left: set[str], spare: str) -> None:
    unused = sorted(
        name
        for name in left
        if not name.endswith("num_batches_tracked") and not re.match(spare, name)
    )
    if unused:
        raise ValueError(
            f"{len(unused)} entries such as {unused[0]} have no place in the model; "
            "change its fields to those of the file"
        )


def _ordered(
    value: Shaped[np.ndarray, "..."], *, transposed: bool
) -> Shaped[np.ndarray, "..."]:
    """Kernels as (row, column, input, output); vectors as they are.

    PyTorch has (output, input, row, column), and of transposed convolutions
    (input, output, row, column).
    """
    if value.ndim != 4:
        return value
    return value.transpose(2, 3, 0, 1) if transposed else value.transpose(2, 3, 1, 0)
