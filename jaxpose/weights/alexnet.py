"""Caffe's AlexNet (bvlc_alexnet) as a trunk of ours."""

import dataclasses
import pathlib

import numpy as np
from jaxtyping import Float, Shaped

from jaxpose.pose_files import arrays
from jaxpose.weights import filling, torch_layers

LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trunk(filling.Published):
    """Puts Caffe's weights into the layer `trunk` of a fresh network: conv1 to fc7.

    The first convolution must take blue, green, red, as Caffe's does. By the shape of
    its kernel the file's order of axes is recognized: (row, column, input, output), with
    (input, output) of dense layers and fc6 reading rows, columns, channels, as in
    TensorFlow; or (output, input, row, column), with (output, input) and fc6 reading
    channels, rows, columns, as in Caffe and PyTorch.

    Attributes:
        path: an `.npz` of plain arrays `conv1/weight`, `conv1/bias` to `fc7/bias`, or
            PyTorch's file of a state dict with `conv1.weight` and so on; empty leaves
            the network as it is.
    """

    def __call__(self, variables: torch_layers.Variables) -> torch_layers.Variables:
        """Raises: ValueError or OSError if the file does not fit or cannot be read."""
        if not self.path:
            return variables
        try:
            return torch_layers.load(
                variables,
                lambda: _rearranged(_read(self.path)),
                (("^trunk/", ""),),
                wanted=lambda layer: layer.startswith("trunk/"),
                # The classifier, and what DeepPose's checkpoints have beside the trunk.
                spare=r"fc8\.|fc_regression\.|global_iter_counter",
            )
        except ValueError as error:
            error.add_note(
                "Caffe's AlexNet, as an .npz of conv1/weight, conv1/bias to fc7/bias or "
                "as PyTorch's file, fits the default fields of alexnet.AlexNet, on a "
                "canvas of 227 x 227 pixels"
            )
            raise


def _read(path: str) -> torch_layers.State:
    """Entries by PyTorch's names, in the file's order of axes."""
    if not path.endswith(".npz"):
        return torch_layers.state_dict(path)
    entries = arrays.read_npz(pathlib.Path(path))
    return {name.replace("/", "."): value for name, value in entries.items()}


def _rearranged(state: torch_layers.State) -> torch_layers.State:
    """Convolutions in PyTorch's order of axes, dense layers in ours."""
    wanted = {f"{layer}.{kind}" for layer in LAYERS for kind in ("weight", "bias")}
    missing = sorted(wanted - state.keys())
    if missing:
        raise ValueError(
            f"no entry {missing[0]} among {', '.join(list(state)[:3])}, ...; weight and "
            f"bias of {', '.join(LAYERS)} are needed"
        )
    kernel = state["conv1.weight"]
    if kernel.ndim != 4 or 3 not in kernel.shape[1:3]:
        raise ValueError(
            f"conv1.weight has shape {kernel.shape}, and must be (row, column, 3, output) "
            "or (output, 3, row, column)"
        )
    tensorflow = kernel.shape[2] == 3
    if tensorflow:
        return {
            name: value.transpose(3, 2, 0, 1) if value.ndim == 4 else value
            for name, value in state.items()
        }
    channels = len(state["conv5.bias"])
    fc6 = _rows_first(state["fc6.weight"], channels).T
    return {**state, "fc6.weight": fc6, "fc7.weight": state["fc7.weight"].T}


def _rows_first(
    kernel: Shaped[np.ndarray, "..."], channels: int
) -> Float[np.ndarray, "o i"]:
    """Inputs by rows, columns, channels instead of channels, rows, columns."""
    return (
        kernel.reshape(len(kernel), channels, -1)
        .swapaxes(1, 2)
        .reshape(len(kernel), -1)
    )
