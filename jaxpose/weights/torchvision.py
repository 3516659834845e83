"""torchvision's VGG networks with batch normalization as our variables."""

import dataclasses
import functools
import re
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jaxtyping import Float, PyTree, Shaped

from jaxpose.weights import filling, torch_files

# {"params": {layer: {name: array}}, "batch_stats": likewise}
Variables = dict[str, dict[str, dict[str, Any]]]
State = Mapping[str, Shaped[np.ndarray, "..."]]


def vgg16_bn(state: State, *, size: tuple[int, int]) -> Variables:
    """Every variable of `models.vgg.VGG16BN` from a PyTorch state dict.

    Takes torchvision's names, also behind the `model.` that the weighted-loss DeepPose
    puts before them.

    Args:
        size: (height, width) of the images that the dense layers take.

    Raises: ValueError if an entry is missing, or if the first dense layer belongs to
        images of another size.
    """
    state = _unprefixed(state)
    variables = features(state)
    stages = max(int(name[4]) for name in variables["params"] if name[:4] == "conv")
    grid = (size[0] >> stages, size[1] >> stages)
    kernel = _entry(state, "classifier.0.weight")
    if kernel.shape[1] % (grid[0] * grid[1]):
        raise ValueError(
            f"classifier.0.weight takes {kernel.shape[1]} numbers, which is no multiple "
            f"of the {grid[0]} x {grid[1]} cells of images of size {size}"
        )
    # PyTorch flattens channels, rows, columns; this network rows, columns, channels.
    first = kernel.reshape(len(kernel), -1, *grid).transpose(2, 3, 1, 0)
    kernels = (
        first.reshape(-1, len(kernel)),
        _entry(state, "classifier.3.weight").T,
        _entry(state, "classifier.6.weight").T,
    )
    for i, dense in enumerate(kernels):
        bias = _entry(state, f"classifier.{3 * i}.bias")
        variables["params"][f"fc{i + 6}"] = {"kernel": dense, "bias": bias}
    return variables


def features(state: State) -> Variables:
    """The convolutions and normalizations alone, of any depth of VGG.

    Raises: ValueError if there are none, or if an entry is missing.
    """
    state = _unprefixed(state)
    params: dict[str, dict[str, Any]] = {}
    batch_stats: dict[str, dict[str, Any]] = {}
    for number, place in _places(state).items():
        conv, norm = f"features.{number}", f"features.{number + 1}"
        params[f"conv{place}"] = {
            "kernel": _entry(state, f"{conv}.weight").transpose(2, 3, 1, 0),
            "bias": _entry(state, f"{conv}.bias"),
        }
        params[f"bn{place}"] = {
            "scale": _entry(state, f"{norm}.weight"),
            "bias": _entry(state, f"{norm}.bias"),
        }
        batch_stats[f"bn{place}"] = {
            "mean": _entry(state, f"{norm}.running_mean"),
            "var": _entry(state, f"{norm}.running_var"),
        }
    return {"params": params, "batch_stats": batch_stats}


def _places(state: State) -> dict[int, str]:
    """Number in torchvision's list of layers -> stage_place of each convolution."""
    matches = (re.fullmatch(r"features\.(\d+)\.weight", name) for name in state)
    numbers = sorted(int(m[1]) for m in matches if m and state[m[0]].ndim == 4)
    if not numbers:
        raise ValueError(
            "no convolution features.N.weight among the entries "
            f"{', '.join(list(state)[:3])}, ...; give a VGG of torchvision"
        )
    places: dict[int, str] = {}
    stage, column, before = 1, 0, -3
    for number in numbers:
        # Convolution, normalization, ReLU make three; a fourth is a pooling.
        stage, column = (stage, column + 1) if number - before == 3 else (stage + 1, 1)
        places[number] = f"{stage}_{column}"
        before = number
    return places


def _unprefixed(state: State) -> dict[str, Shaped[np.ndarray, "..."]]:
    return {name.removeprefix("model."): value for name, value in state.items()}


def _entry(state: State, name: str) -> Float[np.ndarray, "..."]:
    if name not in state:
        raise ValueError(
            f"no entry {name} among {len(state)}; give a VGG with batch normalization"
        )
    return state[name]


@dataclasses.dataclass(frozen=True, kw_only=True)
class VGGFeatures(filling.Published):
    """Puts published convolutions into a fresh `VGG16BN`; its dense layers stay fresh.

    Running statistics come along, as in the weighted-loss DeepPose.

    Attributes:
        path: PyTorch's file of the state dict, such as `vgg16_bn-6c64b313.pth`; empty
            leaves the network as it is.
    """

    def __call__(self, variables: Variables) -> Variables:
        """Raises: ValueError or OSError if the file does not fit or cannot be read."""
        if not self.path:
            return variables
        shapes = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype),
            {
                collection: {n: v for n, v in layers.items() if not n.startswith("fc")}
                for collection, layers in variables.items()
            },
        )
        read = functools.partial(self._read, shapes)
        # Where only shapes are asked for, by jax.eval_shape, no file is needed.
        traced = any(isinstance(x, jax.core.Tracer) for x in jax.tree.leaves(variables))
        loaded = jax.pure_callback(read, shapes) if traced else read()
        return {name: {**variables[name], **loaded[name]} for name in variables}

    def _read(self, shapes: PyTree) -> Variables:
        loaded = features(torch_files.read(self.path))
        expected, found = _describe(shapes), _describe(loaded)
        if expected != found:
            wrong = sorted(expected.items() ^ found.items())
            raise ValueError(
                f"{self.path} has other features than the model; the first to differ "
                f"is {wrong[0][0]}: {found.get(wrong[0][0])}, must be "
                f"{expected.get(wrong[0][0])}"
            )
        return jax.tree.map(
            lambda x, s: np.ascontiguousarray(x, s.dtype), loaded, shapes
        )


def _describe(variables: PyTree) -> dict[str, tuple[int, ...]]:
    leaves = jax.tree_util.tree_leaves_with_path(variables)
    return {jax.tree_util.keystr(path): leaf.shape for path, leaf in leaves}
