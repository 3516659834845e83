"""A flow among the outputs: several devices, the mirror average, train, overfit."""

import json

import batches
import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import optax
import people
import pytest
from ml_collections import ConfigDict

from jaxpose import augment, config, devices, predict, train
from jaxpose.apps import overfit
from jaxpose.config import spec
from jaxpose.learners import optimizers, supervised
from jaxpose.models import density_regressor, resnet
from jaxpose.objectives import coordinates, residual_log_likelihood

SIZE = (16, 16)


def small_model(keypoints):
    return density_regressor.DensityRegressor(
        num_keypoints=keypoints,
        trunk=resnet.ResNet(blocks=(1, 1), bottleneck=False, features=(8, 16)),
        couplings=2,
        hidden=(8,),
    )


def learner():
    # Plain SGD: Adam would hide a gradient that is off by a factor.
    return supervised.Supervised(
        model=small_model(3),
        objective=residual_log_likelihood.ResidualLogLikelihood(
            encoding=coordinates.Coordinates(size=SIZE, extent=0.5)
        ),
        optimizer=optax.sgd(0.02),
    )


def run(count):
    """State, metrics and mirrored predictions after three steps on this many devices."""
    subject, mesh = learner(), devices.mesh(jax.devices()[:count])

    def step(state, batch):
        return subject.train_step(state, batch, jax.random.key(1))

    def look(state, batch):
        return predict.predict(subject, state, batch, mirror=batches.TRIO)

    compiled = devices.data_parallel(step, mesh)
    batch = batches.random_batch(8, SIZE, dtype=np.float32)
    state = jax.device_put(
        subject.init(jax.random.key(0), batch), devices.replicated(mesh)
    )
    for seed in range(3):
        batch = batches.random_batch(8, SIZE, seed=seed, dtype=np.float32)
        state, metrics = compiled(state, devices.put_batch(batch, mesh))
    canvases = devices.put_batch(batches.random_batch(8, SIZE), mesh)
    poses = devices.data_parallel(look, mesh)(state, canvases)
    return state, metrics, poses


def test_one_device_is_eight_and_the_mirror_leaves_the_flow_alone():
    """Sums of float32 in another order, through three steps."""
    one, eight = run(1), run(8)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=2e-5), one, eight
    )
    state, _, poses = one
    assert np.any(state.pose.params["flow"]["scale_kernel1"])
    assert len(np.unique(poses.scores)) == poses.scores.size
    subject, batch = learner(), batches.random_batch(8, SIZE)
    found = predict.outputs(subject, state, batch, mirror=batches.TRIO)
    image = augment.to_float(batch.image)
    ahead, behind = (subject.outputs(state, x) for x in (image, image[:, :, ::-1]))
    jax.tree.map(np.testing.assert_array_equal, found.flow, ahead.flow)
    swapped = (ahead.scale + behind.scale[:, jnp.array(batches.TRIO.flip)]) / 2
    np.testing.assert_allclose(found.scale, swapped, atol=1e-6)


@pytest.fixture
def fields(lspet, monkeypatch):
    # A fresh state is made from the host's arrays, which signatures of models forbid.
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    made = ConfigDict(people.fields(lspet[0]))
    objective = spec(
        residual_log_likelihood.ResidualLogLikelihood,
        encoding=spec(coordinates.Coordinates, size=(24, 24), extent=0.5),
    )
    made.learner.model = spec(small_model, keypoints=14)
    made.learner.objective = objective
    made.learner.optimizer = spec(
        optimizers.adamw, learning_rate=3e-3, weight_decay=0.0
    )
    return made


def test_a_run_trains_evaluates_and_saves(fields, tmp_path):
    fields.num_steps = 6
    state = train.train(**config.build(fields), workdir=tmp_path)
    assert int(state.step) == 6
    rows = [
        json.loads(x) for x in (tmp_path / "metrics.jsonl").read_text().splitlines()
    ]
    (tested,) = (row for row in rows if "test/PCK@0.2" in row)
    assert np.isfinite(tested["test/MSE"])
    trained = [row for row in rows if "train/sigma" in row]
    # It starts half sure, and Adam moves it little in six steps.
    assert 0.4 < trained[0]["train/sigma"] < 0.6
    assert "density" not in (tmp_path / "parameters.txt").read_text()
    assert "pose/flow/scale_kernel0" in (tmp_path / "parameters.txt").read_text()
    resumed = train.train(**config.build(fields) | {"num_steps": 7}, workdir=tmp_path)
    assert int(resumed.step) == 7


def test_four_examples_are_learned_by_heart(fields, tmp_path, capsys):
    built = config.build(fields)
    taken = ("learner", "data", "evals", "seed", "data_dir", "manual_dir")
    learned = overfit.overfit(
        **{name: built[name] for name in taken}, num_steps=1500, workdir=tmp_path
    )
    said = capsys.readouterr().out
    assert learned, said
    assert "outputs of its own choice come within" in said
    print(said)
