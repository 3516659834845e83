"""Checkpoints of the associative embedding originals as our variables.

Source: names of pose-ae-train's `PoseNet` and of hgpose-ae's `HourglassAENet`.
"""

import dataclasses
import re
from collections.abc import Callable

from jaxpose.weights import filling, torch_layers

# Layers of `models.associative.AssociativeHourglass`, and what `HourglassAENet` calls
# them: each level of an hourglass has the next one inside as its `low2`.
_NAMES = (
    *((f"^stem{i}$", f"head.{theirs}") for i, theirs in enumerate((0, 2, 5, 7))),
    (r"^stack(\d+)/hourglass/(.+)", r"features.\1.0.\2.0.0"),
    (r"\bskip\b", "up1"),
    (r"\bdown\b", "low1"),
    (r"\binner\b", "low2"),
    (r"\bup\b", "low3"),
    (r"^stack(\d+)/after_0", r"features.\1.1"),
    (r"^stack(\d+)/after_1", r"features.\1.3"),
    (r"^stack(\d+)/maps", r"outs.\1"),
    (r"^stack(\d+)/merge_maps", r"merge_preds.\1.conv"),
    (r"^stack(\d+)/merge", r"merge_features.\1.conv"),
)
# `PoseNet`'s names as `HourglassAENet`'s: a ReLU has no number of its own there, and
# each convolution is the `conv` of a module.
_POSE_NET = (
    (r"^(model\.)?(module\.)?", ""),
    *(
        (rf"^pre\.{i}\.conv\.", f"head.{n}.")
        for i, n in ((0, 0), (1, 2), (3, 5), (4, 7))
    ),
    (r"^(features\.\d+)\.1\.conv\.", r"\1.1."),
    (r"^(features\.\d+)\.2\.conv\.", r"\1.3."),
    (r"(up1|low\d)\.conv\.", r"\1.0.0."),
    (r"^(outs\.\d+)\.conv\.", r"\1."),
    (r"\.conv\.conv\.", ".conv."),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class AssociativeHourglass(filling.Published):
    """Puts published weights into a fresh `AssociativeHourglass`.

    The originals compute 68 channels for 17 keypoints with tags of one number: such
    files want a network with `channels=68`.

    Attributes:
        path: a checkpoint such as pose-ae-train's `checkpoint.pth.tar`, or hgpose-ae's
            `model_ep150.pth`; empty leaves the network as it is.
        heads: also those that make heatmaps and tags, and read them; without these the
            network may have other keypoints and channels than the file.
    """

    heads: bool = True

    def __call__(self, variables: torch_layers.Variables) -> torch_layers.Variables:
        """Raises: ValueError or OSError if the file does not fit or cannot be read."""
        if not self.path:
            return variables
        return associative_hourglass(
            lambda: torch_layers.state_dict(self.path), variables, heads=self.heads
        )


def associative_hourglass(
    read: Callable[[], torch_layers.State],
    fresh: torch_layers.Variables,
    *,
    heads: bool = True,
) -> torch_layers.Variables:
    """Variables of a `models.associative.AssociativeHourglass`, by either's names.

    Args:
        read: gives the state dict of a `PoseNet` or a `HourglassAENet`.
        fresh: the network's own variables, or their shapes.
        heads: also the layers that depend on the keypoints.
    Raises: ValueError if the state dict is of another network.
    """
    return torch_layers.load(
        fresh,
        lambda: _of_hourglass_ae_net(read()),
        _NAMES,
        wanted=lambda layer: heads or not layer.endswith("maps"),
        spare="(?!)" if heads else r"outs\.|merge_preds\.",
    )


def _of_hourglass_ae_net(state: torch_layers.State) -> torch_layers.State:
    renamed = {}
    for name, value in state.items():
        for pattern, theirs in _POSE_NET:
            name = re.sub(pattern, theirs, name)
        renamed[name] = value
    return renamed
