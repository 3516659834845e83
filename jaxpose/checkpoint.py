"""Checkpoints of a run: latest and best kept, checked on reading, by Orbax."""

import contextlib
import dataclasses
import json
import pathlib
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from jax.experimental import multihost_utils
from jaxtyping import PyTree
from orbax.checkpoint import checkpoint_managers

from jaxpose import saved_states


@dataclasses.dataclass(frozen=True, kw_only=True)
class Checkpoints:
    """What is kept of a run.

    Attributes:
        every: steps between checkpoints; the last step of a run is kept as well.
        keep: number of latest checkpoints.
        best: metric, such as `test/PCK@0.2`, whose best checkpoint is kept beside them.
        largest: a larger metric is better.
    """

    every: int
    keep: int = 2
    best: str
    largest: bool = True

    def score(self, metrics: Mapping[str, float]) -> float:
        """Larger is better; worst is what was not measured, or not a number."""
        value = metrics.get(self.best, np.nan) * (1 if self.largest else -1)
        return value if np.isfinite(value) else -np.inf

    def check(self, names: set[str]) -> None:
        """Raises: ValueError if training does not measure `best`."""
        if self.best not in names:
            raise ValueError(
                f"checkpoints.best={self.best!r} is not measured during training; choose "
                f"one of {', '.join(sorted(names))}"
            )


class Store:
    """The checkpoints of one workdir.

    Saving copies the state and writes in the background; a checkpoint appears under its
    step number only when it is complete.
    """

    def __init__(self, workdir: pathlib.Path, spec: Checkpoints, *, read_only=False):
        self._spec = spec
        self.path = workdir / "checkpoints"
        self._aside = workdir / "broken_checkpoints"
        self._set_aside(self._without_metrics())
        policies = checkpoint_managers.preservation_policy
        self._manager = ocp.CheckpointManager(
            self.path.absolute(),
            options=ocp.CheckpointManagerOptions(
                best_fn=spec.score,
                preservation_policy=policies.AnyPreservationPolicy(
                    [
                        policies.LatestN(spec.keep),
                        policies.BestN(get_metric_fn=spec.score, n=1),
                    ]
                ),
                create=not read_only,
                read_only=read_only,
                cleanup_tmp_directories=not read_only,
            ),
        )

    def steps(self) -> list[int]:
        return sorted(self._manager.all_steps())

    def save(self, state: Any, metrics: Mapping[str, float]) -> None:
        """Writes the state under its step number, unless that step is there already.

        Args:
            metrics: of the watched evaluations at this step, if there were any.
        Raises: OSError if this or the previous checkpoint could not be written.
        """
        step = int(state.step)
        if step in self.steps():
            return
        items = ocp.args.Composite(
            state=ocp.args.StandardSave(state),
            facts=ocp.args.JsonSave({"digest": saved_states.digest(state)}),
        )
        with _writing(self.path):
            self._manager.save(step, args=items, metrics={"step": step, **metrics})

    def check_space(self, abstract: PyTree) -> None:
        """Raises: OSError if the disk has no room for the checkpoints to come."""
        one = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(abstract))
        # The latest ones, the best one, and one being written.
        missing = max(self._spec.keep + 2 - len(self.steps()), 1)
        free = shutil.disk_usage(self.path.parent).free
        if free < one * missing:
            raise OSError(
                f"{self.path} has {free / 1e9:.1f} GB free and needs "
                f"{one * missing / 1e9:.1f} GB for {missing} checkpoints; free space, "
                "choose another --workdir, or lower checkpoints.keep"
            )

    def finish(self) -> None:
        """Waits until everything is on disk. Raises: as `save`."""
        with _writing(self.path):
            self._manager.wait_until_finished()

    def close(self) -> None:
        """Waits as `finish` does, and lets go. Raises: as `save`."""
        with _writing(self.path):
            self._manager.close()

    def resume(self, abstract: PyTree) -> PyTree | None:
        """The newest checkpoint that can be read; newer ones are moved aside, not lost.

        Several processes go back together, as soon as one of them cannot read.

        Args:
            abstract: shapes, dtypes and shardings of the state.
        Returns: None if the workdir has no checkpoint at all.
        Raises: ValueError if it has some and none can be read.
        """
        steps = self.steps()
        for step in reversed(steps):
            state, fault = None, ""
            try:
                state = self.restore(step, abstract)
            except ValueError as error:
                fault = str(error)
            if np.all(multihost_utils.process_allgather(state is not None)):
                self._set_aside([s for s in steps if s > step])
                self._manager.reload()
                return state
            print(
                f"{fault or 'another process cannot read it'}\ngoing back to the one "
                "before it",
                flush=True,
            )
        if steps:
            raise ValueError(
                f"none of the checkpoints {steps} in {self.path} can be read; choose "
                "another --workdir, or delete that folder to start anew"
            )
        return None

    def _without_metrics(self) -> list[int]:
        """Steps whose metrics a power cut has emptied; the manager trips over them."""
        broken = []
        for path in self.path.glob("[0-9]*/metrics/metrics"):
            try:
                json.loads(path.read_text())
            except ValueError:
                broken.append(int(path.parts[-3]))
        return broken

    def _set_aside(self, steps: Sequence[int]) -> None:
        if jax.process_index() == 0:
            for step in steps:
                self._aside.mkdir(exist_ok=True)
                target = self._aside / f"{step}_{time.time_ns()}"
                print(f"moving the broken checkpoint {step} to {target}", flush=True)
                (self.path / str(step)).rename(target)
        if jax.process_count() > 1:
            multihost_utils.sync_global_devices("broken checkpoints are aside")

    def restore(self, step: int, abstract: PyTree) -> PyTree:
        """Raises: ValueError if the checkpoint is missing, damaged or of another shape."""
        if step not in self.steps():
            raise ValueError(f"{self.path} has no step {step}; it has {self.steps()}")
        path = self.path / str(step)
        with saved_states.reading(path):
            items = self._manager.restore(
                step,
                args=ocp.args.Composite(
                    state=ocp.args.StandardRestore(abstract),
                    facts=ocp.args.JsonRestore(),
                ),
            )
        now = saved_states.digest(items.state)
        saved_states.check(path, now, items.facts["digest"])
        return items.state

    def choose(self, which: str) -> list[int]:
        """Steps named by `latest`, `best`, `all` or a number.

        Raises: ValueError if there is no such checkpoint.
        """
        steps = self.steps()
        if not steps:
            raise ValueError(f"{self.path} has no checkpoint; train first")
        if which == "all":
            return steps
        if which == "latest":
            return steps[-1:]
        if which == "best":
            scores = {
                step: self._spec.score(self._manager.metrics(step)) for step in steps
            }
            best = max(steps, key=lambda step: scores[step])
            if not np.isfinite(scores[best]):
                raise ValueError(
                    f"no checkpoint in {self.path} was evaluated for "
                    f"{self._spec.best!r}; choose latest, all or one of {steps}"
                )
            return [best]
        if not which.isdecimal() or int(which) not in steps:
            raise ValueError(
                f"--checkpoint={which} is not there; choose latest, best, all or one of "
                f"{steps}"
            )
        return [int(which)]


@contextlib.contextmanager
def _writing(path: pathlib.Path) -> Iterator[None]:
    """Says what to do when a checkpoint cannot be written."""
    try:
        yield
    except Exception as error:
        raise OSError(
            f"a checkpoint could not be written to {path} ({type(error).__name__}: "
            f"{str(error)[:300]}); free space or mend the disk and run the same command "
            "again: it goes on from the last complete checkpoint"
        ) from error
