"""A cascade through the loop: stopped in its second stage, and each stage evaluated."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import people
import pytest
from ml_collections import ConfigDict

from jaxpose import config as configs
from jaxpose import devices, evaluate, geometry, train
from jaxpose.apps import overfit
from jaxpose.config import spec
from jaxpose.learners import cascade
from jaxpose.objectives import stages
from jaxpose.skeletons import LSP

SIZE = (24, 24)


def experiment(root, **changes):
    """Four steps of stage 1, two that measure it, and stage 2."""
    fields = ConfigDict(people.fields(root))
    fields.learner = spec(
        cascade.Cascade,
        objective=spec(stages.Stages, size=SIZE),
        skeleton=LSP,
        stages=tuple(
            spec(cascade.Stage, learner=people.learner(size), steps=4)
            for size in (SIZE, (16, 16))
        ),
        crops=3,
        measured_steps=2,
    )
    fields.evals.first = fields.evals.test.copy_and_resolve_references()
    fields.evals.first.objective = spec(stages.Stages, size=SIZE, stage=1)
    fields.update(changes)
    return configs.build(fields)


@pytest.fixture(scope="module")
def whole(lspet, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("whole")
    return train.train(**experiment(lspet[0]), workdir=workdir)


def test_a_run_stopped_in_the_second_stage_is_the_same_run(lspet, whole, tmp_path):
    train.train(**experiment(lspet[0], num_steps=9), workdir=tmp_path)
    resumed = train.train(**experiment(lspet[0]), workdir=tmp_path)
    # 12 steps: 4 and 2 of them before stage 2.
    assert [int(part.step) for part in resumed.stages] == [4, 6]
    assert int(resumed.step) == 12 and resumed.errors[0].size.count == 16
    jax.tree.map(np.testing.assert_array_equal, resumed, whole)


def test_each_stage_has_its_evaluation(lspet, whole):
    fields = experiment(lspet[0])
    evaluators = evaluate.open_evals(
        fields["evals"],
        fields["learner"],
        devices.mesh(),
        batch_size=8,
        data_dir=fields["data_dir"],
        manual_dir=fields["manual_dir"],
    )
    found = {name: made.run(whole) for name, made in evaluators.items()}
    first, last = (found[name].poses.keypoints for name in ("first", "test"))
    assert first.shape == last.shape == (people.PEOPLE, 1, 14, 2)
    batch = evaluators["test"].examples.load(np.arange(4))
    image = jnp.array(batch.image / np.float32(255))
    outputs = fields["learner"].outputs(whole, image)
    mirrored = fields["learner"].outputs(whole, image[:, :, ::-1])
    flipped = fields["learner"].objective.flip(mirrored, LSP)
    both = np.asarray(outputs + flipped) / 2
    for stage, poses in enumerate((first, last)):
        expected = geometry.apply(batch.to_source, both[stage])
        np.testing.assert_allclose(poses[:4, 0], expected, atol=1e-3)
    assert np.abs(first - last).max() > 0.01
    (table, _) = found["first"].tables
    assert table.convention.endswith("read by Stages(size=(24, 24), stage=1)")
    assert "read by" not in found["test"].tables[0].convention


def test_learning_by_heart_compiles_each_phase_alone(lspet, tmp_path, monkeypatch):
    """As the loop does: XLA's branches are slow on CPU."""
    phases, whole_step = [], cascade.Cascade.train_step

    def watched(self, *args):
        phases.append(self.always)
        return whole_step(self, *args)

    monkeypatch.setattr(cascade.Cascade, "train_step", watched)
    fields = experiment(lspet[0], num_steps=7)
    taken = inspect.signature(overfit.overfit).parameters
    given = {name: value for name, value in fields.items() if name in taken}
    assert not overfit.overfit(**given, workdir=tmp_path)
    # Four steps of stage 1, two that measure it, one of stage 2.
    assert list(dict.fromkeys(phases)) == [0, 1, 2]


def test_a_reader_for_canvases_of_another_size_is_refused(lspet):
    fields = experiment(lspet[0])
    spec_of = ConfigDict(people.fields(lspet[0])).evals.test
    spec_of.objective = spec(stages.Stages, size=(16, 16), stage=1)
    with pytest.raises(ValueError, match=r"read for \(16, 16\)"):
        evaluate.open_evals(
            {"first": configs.build(spec_of)},
            fields["learner"],
            devices.mesh(),
            batch_size=8,
            data_dir=fields["data_dir"],
            manual_dir=fields["manual_dir"],
        )
