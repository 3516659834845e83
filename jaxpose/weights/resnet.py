"""torchvision's residual networks as trunks of ours."""

import dataclasses

from jaxpose.weights import filling, torch_layers

# Layers of `models.resnet.ResNet`, and what torchvision calls them.
NAMES = (
    ("stem_conv", "conv1"),
    ("stem_norm", "bn1"),
    (r"stage(\d+)_(\d+)", r"layer\1.\2"),
    (r"norm(\d)", r"bn\1"),
    ("skip_conv", "downsample.0"),
    ("skip_norm", "downsample.1"),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trunk(filling.Published):
    """Puts published weights into the layer `trunk` of a fresh network.

    Attributes:
        path: PyTorch's file of the state dict, such as `resnet50-19c8e357.pth`; empty
            leaves the network as it is.
    """

    def __call__(self, variables: torch_layers.Variables) -> torch_layers.Variables:
        """Raises: ValueError or OSError if the file does not fit or cannot be read."""
        if not self.path:
            return variables
        return torch_layers.load(
            variables,
            lambda: torch_layers.state_dict(self.path),
            (("^trunk/", ""), *NAMES),
            wanted=lambda layer: layer.startswith("trunk/"),
            spare=r"fc\.",
        )
