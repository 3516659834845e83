"""What a run of ours has learned, as the start of another."""

import dataclasses
import pathlib

from jaxpose import saved_states
from jaxpose.weights import filling


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """Puts a run's network, or some layers of it, into a fresh network.

    The optimizer, the step and the rate start anew.

    Attributes:
        workdir: of the run, such as `runs/hourglass_mpii`; empty leaves the network as
            it is.
        step: of the checkpoint; 0 for the latest. Give a number if the run goes on.
        network: field of the run's state that holds the network.
        layers: beginnings of the names of layers that are taken, such as `trunk/`, as
            parameters.txt lists them after the network's own name; the others stay
            fresh. () takes all.
    """

    workdir: str = ""
    step: int = 0
    network: str = "pose"
    layers: tuple[str, ...] = ()

    def check(self) -> None:
        """Raises: ValueError if the run has no such checkpoint."""
        if self.workdir:
            saved_states.find(pathlib.Path(self.workdir), self.step)

    def __call__(self, variables: filling.Variables) -> filling.Variables:
        """Raises: ValueError if the run has no such checkpoint, or does not fit."""
        if not self.workdir:
            return variables
        names = {f"{filling.layer(path)}/" for path in filling.by_path(variables)}
        for beginning in self.layers:
            if not any(name.startswith(beginning) for name in names):
                raise ValueError(
                    f"layers={self.layers}: no layer begins with {beginning!r}; choose of "
                    f"{', '.join(sorted(names))}"
                )
        return filling.filled(variables, self._find, wanted=self._is_taken)

    def _is_taken(self, layer: str) -> bool:
        return f"{layer}/".startswith(self.layers or ("",))

    def _find(self, shapes: filling.Shapes) -> filling.Arrays:
        state = saved_states.read(pathlib.Path(self.workdir), self.step)
        if self.network not in state:
            raise ValueError(
                f"network={self.network!r} is not in {self.workdir}, whose state has "
                f"{', '.join(state)}; choose one of these"
            )
        theirs = filling.by_path(state[self.network])
        for path, shape in shapes.items():
            self._check_shape(
                path, theirs[path].shape if path in theirs else None, shape.shape
            )
        print(f"begins with step {state['step']} of {self.workdir}", flush=True)
        return {path: theirs[path].astype(shapes[path].dtype) for path in shapes}

    def _check_shape(
        self, path: str, theirs: tuple[int, ...] | None, own: tuple[int, ...]
    ) -> None:
        if theirs != own:
            found = f"of shape {theirs}" if theirs else "not there"
            raise ValueError(
                f"{path} is {found} in {self.workdir}, and of shape {own} in the model; "
                "choose the same model, or name in `layers` those that it shares"
            )
