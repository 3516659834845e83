"""The loop: a batch, a step, and now and then a line, an evaluation, a checkpoint."""

import collections
import dataclasses
import pathlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NoReturn

import jax
import jax.numpy as jnp
import numpy as np
from clu import parameter_overview
from jax.sharding import Mesh
from jaxtyping import Array, Bool, Int, PyTree

from jaxpose import (
    checkpoint,
    devices,
    evaluate,
    interrupts,
    journal,
    loading,
    programs,
)
from jaxpose.learners import network
from jaxpose.types import AdvisingLearner, Batch, Learner, Metrics


def train(
    *,
    workdir: pathlib.Path,
    learner: Learner,
    data: loading.Data,
    augment: programs.Augmentation,
    evals: Mapping[str, evaluate.Eval],
    checkpoints: checkpoint.Checkpoints,
    seed: int,
    batch_size: int,
    num_steps: int,
    log_every: int,
    eval_every: int,
    data_dir: str,
    manual_dir: str,
) -> PyTree:
    """Trains from the newest checkpoint of `workdir`, or from scratch, to `num_steps`.

    A run that was stopped, killed or extended goes on bit for bit as if it had not been:
    the step number decides batch, augmentation, dropout and learning rate.

    Args:
        batch_size: examples a step, over all devices of all processes.
        log_every: steps between lines.
        eval_every: steps between the evaluations that watch the run.
        data_dir: where prepared data sets stand.
        manual_dir: where originals lie that a person put there.
    Returns: the last state.
    Raises:
        ValueError: for settings that cannot work, before anything long starts.
        FloatingPointError: when a loss is not finite.
        OSError: when a checkpoint cannot be written.
    """
    every = {"line": log_every, "eval": eval_every, "save": checkpoints.every}
    if min(every.values()) < 1:
        raise ValueError(f"steps between {every} must be 1 or more")
    mesh = devices.mesh()
    devices.check_batch_size(batch_size, mesh)
    watched = {name: spec for name, spec in evals.items() if spec.watch}
    where = {"data_dir": data_dir, "manual_dir": manual_dir}
    examples = data.open(**where)
    batch = examples.load(np.array([0]))
    programs.check_canvas(augment, batch, data)
    evaluators = evaluate.open_evals(
        watched, learner, mesh, batch_size=batch_size, **where
    )
    checkpoints.check(set().union(*(e.measures() for e in evaluators.values())))
    store = checkpoint.Store(workdir, checkpoints)
    state = _start(learner, batch, evaluators, mesh, seed, store)
    start = int(state.step)
    if start >= num_steps:
        print(f"{workdir} is at step {start} of {num_steps} already")
    if jax.process_index() == 0:
        (workdir / "parameters.txt").write_text(_overview(state))
    loop = _Loop(
        learner=learner,
        program=programs.by_step(learner, augment, seed, mesh),
        mesh=mesh,
        examples=examples,
        evaluators=evaluators,
        store=store,
        every=every,
        journal=journal.Journal(workdir, start=start, stop=num_steps),
    )
    batches = examples.train_batches(
        seed=seed,
        batch_size=batch_size,
        start=start,
        stop=num_steps,
        part=devices.local_rows(batch_size),
    )
    try:
        return loop.run(state, batches, stop=num_steps)
    finally:
        loop.journal.close()
        store.close()


def _start(
    learner: Learner,
    batch: Batch,
    evaluators: Mapping[str, evaluate.Evaluator],
    mesh: Mesh,
    seed: int,
    store: checkpoint.Store,
) -> PyTree:
    """The newest checkpoint, or a fresh state, that everything can be done with."""
    abstract = programs.abstract_state(learner, batch, mesh)
    store.check_space(abstract)
    for evaluator in evaluators.values():
        evaluator.check(abstract)
    state = store.resume(abstract)
    if state is not None:
        return state
    return jax.device_put(
        programs.init_state(learner, batch, seed), devices.replicated(mesh)
    )


def _overview(state: PyTree) -> str:
    """Every parameter of every network: name, shape, mean and spread."""
    networks = network.parameters(state)
    return parameter_overview.get_parameter_overview(networks) + "\n"


@dataclasses.dataclass(frozen=True)
class _Step:
    """A step whose loss nobody has looked at yet."""

    number: int
    metrics: Metrics
    rows: Int[np.ndarray, "b"]


@dataclasses.dataclass(kw_only=True)
class _Loop:
    """One session of a run; the state is passed along, never kept."""

    learner: Learner
    program: Callable[[int], programs.TrainStep]
    mesh: Mesh
    examples: loading.Examples
    evaluators: Mapping[str, evaluate.Evaluator]
    store: checkpoint.Store
    every: Mapping[str, int]
    journal: journal.Journal
    lines: list[dict[str, float]] = dataclasses.field(default_factory=list)
    told: tuple[str, ...] = ()

    def run(self, state: PyTree, batches: Iterator[Batch], *, stop: int) -> PyTree:
        recent: list[Metrics] = []
        unchecked: collections.deque[_Step] = collections.deque()
        with interrupts.StopSignal() as signals:
            for number in range(int(state.step) + 1, stop + 1):
                batch, rows = self._next(batches)
                state, metrics = self.program(number - 1)(state, batch)
                recent.append(metrics)
                leaving = signals.received(number)
                due = self._due(number, stop, leaving=leaving)
                unchecked.append(_Step(number, metrics, rows))
                while len(unchecked) > (0 if due else _steps_ahead(self.mesh)):
                    self._check_loss(unchecked.popleft())
                self.journal.stepped(len(rows) * jax.process_count())
                self._housekeep(state, rows=rows, recent=recent, due=due)
                if leaving:
                    self.journal.say(
                        f"stopped by a signal; step {number} is saved, and the same "
                        "command goes on from there"
                    )
                    break
            self.store.finish()
        return state

    def _next(self, batches: Iterator[Batch]) -> tuple[Batch, Int[np.ndarray, "b"]]:
        """A batch on the devices, and this process's record numbers in it."""
        before = time.perf_counter()
        local = next(batches)
        batch = devices.put_batch(local, self.mesh)
        self.journal.waited(time.perf_counter() - before)
        return batch, np.asarray(local.index)

    def _due(self, number: int, stop: int, *, leaving: bool) -> set[str]:
        """What comes after this step: a line, an evaluation, a checkpoint."""
        if leaving and number < stop:
            # Whoever sends SIGTERM waits seconds, not for an evaluation.
            return {"line", "save"}
        return {
            what for what, n in self.every.items() if number % n == 0 or number == stop
        }

    def _check_loss(self, step: _Step) -> None:
        loss = float(step.metrics["loss"])
        if not np.isfinite(loss):
            self._refuse(f"the loss of step {step.number} is {loss}", step.rows)

    def _refuse(self, what: str, rows: Int[np.ndarray, "b"]) -> NoReturn:
        names = "\n  ".join(f"{row}: {self.examples.describe(row)}" for row in rows)
        raise FloatingPointError(
            f"{what}. Its batch held\n  {names}\n"
            f"Checkpoints {self.store.steps()} are intact; lower the learning rate or "
            "mend these records, and start again"
        )

    def _housekeep(
        self,
        state: PyTree,
        *,
        rows: Int[np.ndarray, "b"],
        recent: list[Metrics],
        due: set[str],
    ) -> None:
        """What is due after a step, evaluation before checkpoint."""
        if not due:
            return
        step = int(state.step)
        if "line" in due:
            self._write_line(step, _mean(recent))
            recent.clear()
        if due == {"line"}:
            return
        # A step of finite loss may make parameters that are not.
        if not _is_finite(state):
            self._refuse(f"step {step} made parameters that are not finite", rows)
        with self.journal.paused():
            headline: dict[str, float] = {}
            try:
                if "eval" in due:
                    headline = self._evaluate(state, step)
            finally:
                # Also when the evaluation fails: what was trained is not lost.
                self.store.save(state, headline)

    def _write_line(self, step: int, line: dict[str, float]) -> None:
        """And what the learner has to say about the lines so far."""
        self.journal.train(step, line)
        if not isinstance(self.learner, AdvisingLearner):
            return
        self.lines.append(line)
        advice = self.learner.advice(self.lines)
        for text in advice:
            if text not in self.told:
                self.journal.say(f"warning: step {step}: {text}")
        self.told = advice

    def _evaluate(self, state: PyTree, step: int) -> dict[str, float]:
        headline: dict[str, float] = {}
        for name, evaluator in self.evaluators.items():
            result = evaluator.run(state)
            headline |= result.headline(name)
            pictures = evaluator.picture(result), evaluator.heatmap_picture(result)
            self.journal.evaluation(step, name, result.tables, *pictures)
        self.journal.headline(step, headline)
        return headline


def _steps_ahead(mesh: Mesh) -> int:
    """How many steps may be under way unseen, to hide the host's work behind them.

    On CPU devices nothing is gained, and the collectives of two steps at once have been
    seen to wait for each other for ever.
    """
    return 0 if mesh.devices.flat[0].platform == "cpu" else 2


@jax.jit
def _is_finite(state: PyTree) -> Bool[Array, ""]:
    leaves = [
        x for x in jax.tree.leaves(state) if jnp.issubdtype(x.dtype, jnp.floating)
    ]
    return jnp.all(jnp.stack([jnp.isfinite(leaf).all() for leaf in leaves]))


def _mean(metrics: Sequence[Metrics]) -> dict[str, float]:
    values = jax.device_get(list(metrics))
    return {name: float(np.mean([v[name] for v in values])) for name in values[0]}
