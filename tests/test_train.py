import dataclasses
import inspect
import json
import os
import pathlib
import signal

import jax
import jax.numpy as jnp
import numpy as np
import optax
import people
import pytest
from flax import linen as nn
from ml_collections import ConfigDict

from jaxpose import config, devices, evaluate, evaluations, programs, train
from jaxpose.apps import checkpoint_scores
from jaxpose.config import spec
from jaxpose.learners import optimizers
from jaxpose.objectives import softmax_heatmaps
from jaxpose.types import Table


def experiment(root, **changes) -> dict:
    fields = ConfigDict(people.fields(root))
    fields.update(changes)
    return config.build(fields)


def run(root, workdir: pathlib.Path, **changes):
    workdir.mkdir(exist_ok=True)
    return train.train(**experiment(root, **changes), workdir=workdir)


def same(a, b) -> bool:
    return all(jax.tree.leaves(jax.tree.map(np.array_equal, a, b)))


def lines(workdir):
    return [json.loads(x) for x in (workdir / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def whole(lspet, tmp_path_factory):
    """The run that was never stopped."""
    workdir = tmp_path_factory.mktemp("whole")
    return workdir, run(lspet[0], workdir)


def test_a_run_leaves_its_record(whole):
    workdir, state = whole
    assert int(state.step) == 12
    rows = lines(workdir)
    trained = [row for row in rows if "train/loss" in row]
    assert [row["step"] for row in trained] == [2, 4, 6, 8, 10, 12]
    assert trained[-1]["train/loss"] < trained[0]["train/loss"]
    assert trained[0]["train/learning_rate"] == pytest.approx(0.2)
    tested = [row for row in rows if "test/PCK@0.2" in row]
    assert [row["step"] for row in tested] == [6, 12]
    assert {p.name for p in (workdir / "pictures").iterdir()} == {
        "test_0000006.jpg",
        "test_0000012.jpg",
    }
    last = evaluations.load(workdir)[-1]
    assert [table.name for table in last.tables] == ["PCK@0.2", "MSE"]
    assert last.step == 12 and last.tables[0].mean == tested[-1]["test/PCK@0.2"]
    assert {"8", "12"} <= {p.name for p in (workdir / "checkpoints").iterdir()}


def test_a_run_leaves_its_table(whole):
    workdir, _ = whole
    head, *rows = (workdir / "log.txt").read_text().splitlines()
    names = ["step", "learning_rate", "train/loss", "test/PCK@0.2", "test/MSE"]
    assert head.split("\t") == names
    found = [[float(cell) for cell in row.split("\t")] for row in rows]
    for row, (first, last) in zip(found, [(0, 6), (6, 12)], strict=True):
        by_step = [x for x in lines(workdir) if first < x["step"] <= last]
        *trained, tested = by_step
        loss = np.mean([line["train/loss"] for line in trained])
        rate = trained[-1]["train/learning_rate"]
        expected = [last, rate, loss, *(tested[name] for name in names[3:])]
        np.testing.assert_allclose(row, expected, rtol=1e-6)


def test_canvases_that_the_network_cannot_take_end_a_run_first(
    lspet, tmp_path, monkeypatch
):
    """Of training and of scoring: nothing is trained, saved or looked at."""

    def refuse(self, state):
        assert all(isinstance(x, jax.ShapeDtypeStruct) for x in jax.tree.leaves(state))
        raise ValueError(f"evals.{self.name} cannot be")

    monkeypatch.setattr(evaluate.Evaluator, "check", refuse)
    with pytest.raises(ValueError, match=r"evals\.test cannot be"):
        run(lspet[0], tmp_path / "run")
    assert not list((tmp_path / "run").glob("checkpoints/[0-9]*"))
    monkeypatch.undo()
    run(lspet[0], tmp_path / "run", num_steps=1)
    monkeypatch.setattr(evaluate.Evaluator, "check", refuse)
    built = experiment(lspet[0])
    parameters = inspect.signature(checkpoint_scores.score).parameters
    chosen = {name: built[name] for name in parameters if name in built}
    with pytest.raises(ValueError, match=r"evals\.test cannot be"):
        checkpoint_scores.score(
            workdir=tmp_path / "run", which="latest", split=None, **chosen
        )


class OneConvolution(nn.Module):
    """Cells of 4 x 4 pixels to a number for each keypoint."""

    @nn.compact
    def __call__(self, image, *, train):
        return nn.Conv(14, (4, 4), 4, padding="VALID")(image)[None]


def test_a_run_of_heatmaps_leaves_their_pictures(lspet, tmp_path):
    fields = ConfigDict(people.fields(lspet[0]))
    fields.learner.model = spec(OneConvolution)
    fields.learner.objective = spec(softmax_heatmaps.SoftmaxHeatmaps, size=(24, 24))
    fields.update(num_steps=2, eval_every=1)
    built = config.build(fields)
    train.train(**built, workdir=tmp_path)
    sheets = [found.heatmaps for found in evaluations.load(tmp_path)]
    names = ["test_0000001_heatmaps.jpg", "test_0000002_heatmaps.jpg"]
    assert [path.name for path in sheets] == names
    first, last = (path.read_bytes() for path in sheets)
    assert first != last
    for path in sheets:
        path.unlink()
    parameters = inspect.signature(checkpoint_scores.score).parameters
    chosen = {name: built[name] for name in parameters if name in built}
    checkpoint_scores.score(workdir=tmp_path, which="latest", split=None, **chosen)
    # The same network sees the same people.
    assert sheets[1].read_bytes() == last and not sheets[0].exists()


def test_a_run_in_two_parts_is_the_same_run(lspet, whole, tmp_path):
    workdir, state = whole
    run(lspet[0], tmp_path, num_steps=7)
    resumed = run(lspet[0], tmp_path)
    assert same(resumed, state)

    def numbers(path):
        return [
            {k: v for k, v in row.items() if k in ("step", "train/loss", "test/MSE")}
            for row in lines(path)
            if row["step"] > 8
        ]

    assert numbers(tmp_path) == numbers(workdir)


def test_a_finished_run_is_left_alone(lspet, whole, capsys):
    workdir, state = whole
    before = (workdir / "metrics.jsonl").read_text()
    assert same(run(lspet[0], workdir), state)
    assert (workdir / "metrics.jsonl").read_text() == before
    assert "is at step 12 of 12 already" in capsys.readouterr().out


def test_a_failing_evaluation_does_not_lose_the_training(lspet, tmp_path):
    fields = experiment(lspet[0])

    class Failing:
        """A metric that takes the truth and trips over predictions."""

        def __call__(self, poses, annotations, skeleton):
            if not np.array_equal(poses.keypoints, annotations.keypoints):
                raise ValueError("no metric today")
            return Table(name="PCK@0.2", convention="", values={}, mean=100.0)

    evals = {
        name: dataclasses.replace(spec, metrics=(Failing(),))
        for name, spec in fields["evals"].items()
    }
    with pytest.raises(ValueError, match="no metric today"):
        train.train(**fields | {"evals": evals}, workdir=tmp_path)
    assert "6" in os.listdir(tmp_path / "checkpoints")


def test_canvases_of_another_size_are_refused_in_evaluation(lspet, tmp_path):
    fields = experiment(lspet[0])
    spec = fields["evals"]["test"]
    smaller = dataclasses.replace(
        spec, data=dataclasses.replace(spec.data, size=(16, 16))
    )
    with pytest.raises(
        ValueError, match=r"evals.test.data.size=\(16, 16\).*\(24, 24\)"
    ):
        train.train(**fields | {"evals": {"test": smaller}}, workdir=tmp_path)


def test_two_metrics_of_one_name_are_refused(lspet, tmp_path):
    fields = experiment(lspet[0])
    spec = fields["evals"]["test"]
    twice = dataclasses.replace(spec, metrics=spec.metrics * 2)
    with pytest.raises(ValueError, match="two metrics have one name"):
        train.train(**fields | {"evals": {"test": twice}}, workdir=tmp_path)


def test_any_optax_optimizer_will_do(lspet, tmp_path):
    changed = ConfigDict(people.fields(lspet[0]))
    changed.learner.optimizer = spec(optax.sgd, learning_rate=0.1)
    train.train(**config.build(changed), workdir=tmp_path)
    assert "train/learning_rate" not in lines(tmp_path)[0]


def test_sigterm_saves_and_the_run_goes_on(lspet, whole, tmp_path, monkeypatch):
    """The signal arrives while step 5 runs; nothing of it is lost."""
    fields = experiment(lspet[0])
    seen = []

    class Interrupting:
        """Calls the learner, and the process's own signal handler now and then."""

        def __init__(self, learner):
            self.objective = learner.objective
            self.init, self.outputs = learner.init, learner.outputs
            self._step = learner.train_step

        def train_step(self, state, batch, key):
            def tell(step):
                seen.append(int(step))
                if int(step) == 4:
                    os.kill(os.getpid(), signal.SIGTERM)

            jax.debug.callback(tell, state.step)
            return self._step(state, batch, key)

    before = signal.getsignal(signal.SIGTERM)
    stopped = train.train(
        **fields | {"learner": Interrupting(fields["learner"])}, workdir=tmp_path
    )
    assert int(stopped.step) in (5, 6, 7)
    assert signal.getsignal(signal.SIGTERM) is before
    assert str(int(stopped.step)) in os.listdir(tmp_path / "checkpoints")
    assert same(run(lspet[0], tmp_path), whole[1])


def test_what_is_not_finite_names_step_and_records(lspet, tmp_path):
    """A rate of infinity at step 6 spoils its parameters, and the loss of step 7."""
    root, _ = lspet
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    rate = ConfigDict({"fn": _exploding})
    changed = ConfigDict(people.fields(root))
    changed.learner.optimizer = ConfigDict(
        {"fn": optimizers.sgd, "momentum": 0.0, "weight_decay": 0.0}
    )
    changed.learner.optimizer["learning_rate"] = rate
    with pytest.raises(FloatingPointError) as caught:
        train.train(**config.build(changed), workdir=tmp_path / "a")
    message = str(caught.value)
    assert "step 6 made parameters that are not finite" in message
    assert message.count("lspet/train record") == 8
    assert "Checkpoints [4] are intact" in message
    changed.eval_every = changed.checkpoints.every = 100
    with pytest.raises(FloatingPointError, match="the loss of step 7 is nan"):
        train.train(**config.build(changed), workdir=tmp_path / "b")


def _exploding():
    """Sane for five updates, then nothing is."""
    return lambda count: jnp.where(count < 5, 0.1, jnp.inf)


def test_batch_size_must_divide_over_the_devices(lspet, tmp_path):
    with pytest.raises(ValueError, match="batch_size=7 does not divide over 8 devices"):
        run(lspet[0], tmp_path, batch_size=7)
    assert not list(tmp_path.iterdir())


def test_the_best_checkpoint_needs_a_measured_metric(lspet, tmp_path):
    fields = experiment(lspet[0])
    wrong = dataclasses.replace(fields["checkpoints"], best="test/PCK@0.5")
    with pytest.raises(ValueError, match="not measured.*test/PCK@0.2"):
        train.train(**fields | {"checkpoints": wrong}, workdir=tmp_path)


def test_one_device_equals_eight(lspet):
    """Five steps with augmentation; sums in another order differ by rounding."""
    fields = experiment(lspet[0])
    examples = fields["data"].open(fields["data_dir"], fields["manual_dir"])
    results = []
    for count in (1, 8):
        mesh = devices.mesh(jax.devices()[:count])
        step = programs.train_step(fields["learner"], fields["augment"], 0, mesh)
        state = jax.device_put(
            programs.init_state(fields["learner"], examples.load(np.array([0])), 0),
            devices.replicated(mesh),
        )
        for batch in examples.train_batches(
            seed=0, batch_size=8, start=0, stop=5, part=slice(None)
        ):
            state, metrics = step(state, devices.put_batch(batch, mesh))
        results.append((state, metrics))
    # Eight sums of 3e-8 relative rounding, amplified by five steps at a high rate.
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5), *results
    )
