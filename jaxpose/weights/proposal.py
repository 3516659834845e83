"""Checkpoints of pytorch_pose_proposal_networks as our variables."""

import dataclasses
from collections.abc import Callable

from jaxpose.weights import filling, resnet, torch_layers

# Layers of `models.proposal.Proposal`, and what the original calls them: its head took
# the place of torchvision's classifier.
_NAMES = (
    ("^trunk/", ""),
    *resnet.NAMES,
    ("^hidden1$", "fc.0"),
    ("^hidden_norm$", "fc.1"),
    ("^hidden2$", "fc.3"),
    ("^proposals$", "fc.5"),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Proposal(filling.Published):
    """Puts published weights into a fresh `Proposal`.

    ImageNet's weights for the trunk alone are put there by `weights.resnet.Trunk`.

    Attributes:
        path: a checkpoint such as `checkpoint_resnet18.pth`, or a state dict alone;
            empty leaves the network as it is.
        outputs: also the last layer; without it the network may have other parts,
            limbs and window than the file.
    """

    outputs: bool = True

    def __call__(self, variables: torch_layers.Variables) -> torch_layers.Variables:
        """Raises: ValueError or OSError if the file does not fit or cannot be read."""
        if not self.path:
            return variables
        return proposal(
            lambda: torch_layers.state_dict(self.path), variables, outputs=self.outputs
        )


def proposal(
    read: Callable[[], torch_layers.State],
    fresh: torch_layers.Variables,
    *,
    outputs: bool = True,
) -> torch_layers.Variables:
    """Variables of a `models.proposal.Proposal`, by the original's names.

    Args:
        read: gives the state dict.
        fresh: the network's own variables, or their shapes.
        outputs: also the last layer.
    Raises: ValueError if the state dict is of another network.
    """
    return torch_layers.load(
        fresh,
        read,
        _NAMES,
        wanted=lambda layer: outputs or layer != "proposals",
        spare="(?!)" if outputs else r"fc\.5\.",
    )
