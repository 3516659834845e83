"""What a run of ours has learned, as the start of another."""

import dataclasses
import pathlib

from jaxpose import checkpoint
from jaxpose.weights import filling, torch_layers


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """Puts a run's network, or some layers of it, into a fresh network.

    The optimizer, the step and the rate start anew.

    Attributes:
        workdir: of the run, such as `runs/hourglass_mpii`; empty leaves the network as
            it is.
        step: of the checkpoint; 0 for the latest.
        network: field of the run's state that holds the network.
        layers: beginnings of the names of layers that are taken, such as `trunk/`, as
            parameters.txt lists them; the others stay fresh. () takes all.
    """

    workdir: str = ""
    step: int = 0
    network: str = "pose"
    layers: tuple[str, ...] = ()

    def __call__(self, variables: torch_layers.Variables) -> torch_layers.Variables:
        """Raises: ValueError if the run has no such checkpoint, or does not fit."""
        if not self.workdir:
            return variables
        beginnings = self.layers or ("",)
        return filling.filled(
            variables, self._find, wanted=lambda layer: layer.startswith(beginnings)
        )

    def _find(self, shapes: filling.Shapes) -> filling.Arrays:
        if not shapes:
            raise ValueError(
                f"layers={self.layers} are no beginnings of names of layers; choose some "
                "of those in parameters.txt"
            )
        state = checkpoint.read(pathlib.Path(self.workdir), self.step)
        if self.network not in state:
            raise ValueError(
                f"{self.workdir} has no network {self.network!r}; its state has "
                f"{', '.join(state)}"
            )
        theirs = filling.by_path(state[self.network])
        for path, shape in shapes.items():
            found = theirs[path].shape if path in theirs else None
            if found != shape.shape:
                raise ValueError(
                    f"{path} has shape {found} in {self.workdir}, where the model has "
                    f"{shape.shape}; choose the same model, or leave the layer out of "
                    f"layers={self.layers}"
                )
        return {path: theirs[path].astype(shapes[path].dtype) for path in shapes}
