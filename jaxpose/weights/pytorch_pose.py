"""Checkpoints of PyTorch-Pose, and of Simple Baselines itself, as our variables."""

import dataclasses
import re
from collections.abc import Callable

from jaxpose.weights import filling, torch_layers
from jaxpose.weights import resnet as resnets

# Layers of `models.hourglass.StackedHourglass`, and what PyTorch-Pose calls them.
_HOURGLASS = (
    ("stem_conv", "conv1"),
    ("stem_norm", "bn1"),
    (r"stem_(\d)", r"layer\1.0"),
    (r"stack(\d+)/hourglass/bottom_(\d+)", r"hg.\1.hg.0.3.\2"),
    (r"stack(\d+)/hourglass/level(\d+)_skip_(\d+)", r"hg.\1.hg.\2.0.\3"),
    (r"stack(\d+)/hourglass/level(\d+)_down_(\d+)", r"hg.\1.hg.\2.1.\3"),
    (r"stack(\d+)/hourglass/level(\d+)_up_(\d+)", r"hg.\1.hg.\2.2.\3"),
    (r"stack(\d+)/after_(\d+)", r"res.\1.\2"),
    (r"stack(\d+)/mix", r"fc.\1.0"),
    (r"stack(\d+)/norm", r"fc.\1.1"),
    (r"stack(\d+)/maps", r"score.\1"),
    (r"stack(\d+)/merge_maps", r"score_.\1"),
    (r"stack(\d+)/merge", r"fc_.\1"),
    (r"norm(\d)", r"bn\1"),
    ("skip$", "downsample.0"),
)
# The head of `models.pose_resnet.PoseResNet` by Simple Baselines' names; the trunk's
# come after, when no `norm` of the head is left to take for one of theirs.
_POSE_RESNET = (
    *((f"^deconv{i}", f"deconv_layers.{3 * i - 3}") for i in range(1, 10)),
    *((f"^norm{i}", f"deconv_layers.{3 * i - 2}") for i in range(1, 10)),
    ("^maps", "final_layer"),
    ("^trunk/", ""),
    *resnets.NAMES,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Hourglass(filling.Published):
    """Puts published weights into a fresh `StackedHourglass`.

    Its `mean` has to be that of the data set on which they were trained.

    Attributes:
        path: a checkpoint of PyTorch-Pose such as `model_best.pth.tar`; empty leaves
            the network as it is.
        heads: also those that make heatmaps, and read them; without these the network
            may have other keypoints than the file.
    """

    heads: bool = True

    def __call__(self, variables: torch_layers.Variables) -> torch_layers.Variables:
        """Raises: ValueError or OSError if the file does not fit or cannot be read."""
        if not self.path:
            return variables
        return hourglass(
            lambda: torch_layers.state_dict(self.path), variables, heads=self.heads
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class PoseResNet(filling.Published):
    """Puts published weights into a fresh `PoseResNet`.

    The file does not tell what its images looked like; the trunk has to be told. Simple
    Baselines normalizes by ImageNet, as the trunk does by itself. PyTorch-Pose subtracts
    the mean of its data set and divides by nothing: its checkpoints want a trunk with
    `mean` such as `models.hourglass.MPII_MEAN`, and `std` (1.0, 1.0, 1.0).

    Attributes:
        path: a checkpoint of PyTorch-Pose, or `pose_resnet_50_256x256.pth.tar` and the
            like of Simple Baselines; empty leaves the network as it is.
        heads: also the last convolution; without it the network may have other
            keypoints than the file.
    """

    heads: bool = True

    def __call__(self, variables: torch_layers.Variables) -> torch_layers.Variables:
        """Raises: ValueError or OSError if the file does not fit or cannot be read."""
        if not self.path:
            return variables
        return pose_resnet(
            lambda: torch_layers.state_dict(self.path), variables, heads=self.heads
        )


def hourglass(
    read: Callable[[], torch_layers.State],
    fresh: torch_layers.Variables,
    *,
    heads: bool = True,
) -> torch_layers.Variables:
    """Variables of a `models.hourglass.StackedHourglass`, with either normalization.

    Args:
        read: gives PyTorch-Pose's state dict.
        fresh: the network's own variables, or their shapes.
        heads: also the layers that depend on the keypoints.
    Raises: ValueError if the state dict is of another network.
    """
    return torch_layers.load(
        fresh,
        read,
        _HOURGLASS,
        wanted=lambda layer: heads or not layer.endswith("maps"),
        spare="(?!)" if heads else r"score_?\.",
    )


def pose_resnet(
    read: Callable[[], torch_layers.State],
    fresh: torch_layers.Variables,
    *,
    heads: bool = True,
) -> torch_layers.Variables:
    """Variables of a `models.pose_resnet.PoseResNet`, by either project's names.

    Arguments and errors are those of `hourglass`.
    """
    return torch_layers.load(
        fresh,
        lambda: _simple_baselines(read()),
        _POSE_RESNET,
        wanted=lambda layer: heads or layer != "maps",
        spare="(?!)" if heads else r"final_layer\.",
    )


def _simple_baselines(state: torch_layers.State) -> torch_layers.State:
    """By the names of Simple Baselines; of its head's layers the last has no number."""
    numbers = [re.match(r"head\.features\.(\d+)\.", name) for name in state]
    final = max((int(m[1]) for m in numbers if m), default=-1)
    names = (
        (r"^backbone\.", ""),
        (rf"^head\.features\.{final}\.", "final_layer."),
        (r"^head\.features\.", "deconv_layers."),
    )
    renamed = {}
    for name, value in state.items():
        for pattern, theirs in names:
            name = re.sub(pattern, theirs, name)
        renamed[name] = value
    return renamed
