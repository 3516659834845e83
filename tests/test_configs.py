"""Every experiment at full size, through shapes: no network is computed, no data read."""

import inspect
import json
import pathlib
import re

import batches
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from jaxpose import config as configs
from jaxpose import devices, predict, programs, scenes, train
from jaxpose.apps import launch, overfit
from jaxpose.models import imagenet
from jaxpose.types import Batch
from jaxpose.weights import run

FOLDER = pathlib.Path(__file__).parents[1] / "configs"
FILES = sorted(FOLDER.glob("*.py"))
FIELDS = set(inspect.signature(train.train).parameters) - {"workdir"}
# Full size but for the number of examples, which no shape of a network depends on.
EXAMPLES = 2
HEATMAPS = [path for path in FILES if re.match("hourglass|pose_resnet", path.stem)]
PRETRAINED = [path for path in FILES if "pretrained=spec(" in path.read_text()]
# The others keep sigma and decoder at their defaults, which agree.
ONE_SIGMA = [path for path in HEATMAPS if "heatmaps.Heatmaps," in path.read_text()]


@pytest.fixture(scope="module", params=FILES, ids=lambda path: path.stem)
def config(request, animals):
    return made(request.param, animals)


@pytest.fixture(scope="module")
def animals(tmp_path_factory):
    """An annotation file, for the config that asks for one."""
    file = tmp_path_factory.mktemp("own") / "animals.json"
    fox = {"id": 1, "name": "fox", "keypoints": ["nose", "back", "tail"]}
    file.write_text(json.dumps({"categories": [fox]}))
    return file


def made(path, animals) -> ConfigDict:
    if path.stem == "own_keypoints":
        return configs.load(f"{path}:{animals},{animals},{animals.parent}")
    return configs.load(str(path))


@pytest.fixture(scope="module")
def fields(config):
    return configs.build(config)


def batch_of(data, size=None) -> Batch:
    """Shapes and dtypes of what this pipeline loads, on canvases of its `size`."""
    size, k, n = size or data.size, len(data.skeleton.keypoints), EXAMPLES
    p = data.people if isinstance(data, scenes.Scenes) else 1
    return Batch(
        image=jax.ShapeDtypeStruct((n, *size, 3), np.uint8),
        keypoints=jax.ShapeDtypeStruct((n, p, k, 2), np.float32),
        visibility=jax.ShapeDtypeStruct((n, p, k), np.int32),
        scale=jax.ShapeDtypeStruct((n, p), np.float32),
        weight=jax.ShapeDtypeStruct((n,), np.float32),
        mask=jax.ShapeDtypeStruct((n, *size), np.uint8),
        to_source=jax.ShapeDtypeStruct((n, 2, 3), np.float32),
        index=jax.ShapeDtypeStruct((n,), np.int32),
    )


def shapes(tree):
    return jax.tree.map(lambda x: (x.shape, str(x.dtype)), tree)


@pytest.fixture(scope="module")
def state(fields):
    """Its shapes: tracing a large network takes seconds."""
    mesh = devices.mesh(jax.devices()[:1])
    return programs.abstract_state(fields["learner"], batch_of(fields["data"]), mesh)


def test_fields_are_the_arguments_of_train(config):
    assert isinstance(config, ConfigDict)
    assert set(config) == FIELDS
    assert {"seed", "batch_size", "num_steps", "data_dir", "manual_dir"} <= FIELDS


@pytest.mark.parametrize("mode", ["train", "overfit"])
@pytest.mark.parametrize("path", PRETRAINED, ids=lambda path: path.stem)
def test_a_start_that_is_not_there_is_refused_first(
    path, mode, animals, tmp_path, monkeypatch
):
    config = made(path, animals)
    given = config.learner.pretrained
    given["workdir" if "workdir" in given else "path"] = "nowhere"
    refuse(config, mode, tmp_path, monkeypatch)


def test_so_it_is_by_learners_whose_configs_begin_fresh(tmp_path, monkeypatch):
    config = configs.load(str(FOLDER / "adversarial_figures.py"))
    config.learner.pretrained = configs.spec(run.Run, workdir="nowhere")
    refuse(config, "train", tmp_path, monkeypatch)


def refuse(config, mode, folder, monkeypatch) -> None:
    """Has main.py refuse a start called `nowhere`, begin nothing and leave nothing."""
    monkeypatch.chdir(folder)
    # What would come next, and takes long.
    monkeypatch.setattr(train, "train", None)
    monkeypatch.setattr(overfit, "overfit", None)
    with pytest.raises(
        (ValueError, FileNotFoundError), match="nowhere.* (?:no|has no) "
    ):
        launch.run(config, pathlib.Path("run"), mode=mode, which="latest", split=None)
    assert not any(folder.iterdir())


def test_a_config_is_made_anew_each_time(config, request, animals):
    again = made(FOLDER / f"{request.node.callspec.id}.py", animals)
    assert configs.describe(again) == configs.describe(config)
    again.num_steps += 1
    assert again.num_steps != config.num_steps


def test_a_training_step_keeps_the_state_in_shape(fields, state):
    mesh = devices.mesh(jax.devices()[:1])
    step = programs.train_step(
        fields["learner"], fields["augment"], fields["seed"], mesh
    )
    data = fields["data"]
    after, metrics = jax.eval_shape(step, state, batch_of(data, data.training_size))
    assert shapes(after) == shapes(state)
    assert shapes(state.step) == ((), "int32")
    assert {"loss", "learning_rate"} <= metrics.keys()
    assert set(jax.tree.leaves(shapes(metrics))) == {"float32"}
    assert all(value.shape == () for value in metrics.values())
    assert not {"float64", "int64"} & set(jax.tree.leaves(shapes(state)))


def test_augmented_canvases_are_those_of_the_network(fields):
    data = fields["data"]
    programs.check_canvas(fields["augment"], batch_of(data), data)


def test_every_evaluation_predicts_people_of_every_image(fields, state):
    learner = fields["learner"]
    for evaluation in fields["evals"].values():
        data, p = evaluation.data, 1
        objective = evaluation.objective or learner.objective
        if isinstance(data, scenes.Scenes):
            data = data.enlarged(max(evaluation.scales))
            p = objective.decoder.people
        views = {
            "mirror": data.skeleton if evaluation.mirror else None,
            "scales": evaluation.scales,
        }

        def poses(state, batch, objective=objective, views=views):
            found = predict.outputs(learner, state, batch, objective=objective, **views)
            return predict.decode(objective, found, batch, scales=views["scales"])

        found = jax.eval_shape(poses, state, batch_of(data))
        k = len(data.skeleton.keypoints)
        assert found.keypoints.shape == (EXAMPLES, p, k, 2)
        assert found.scores.shape == (EXAMPLES, p, k)
        assert found.person_scores.shape == (EXAMPLES, p)


def test_training_and_evaluation_agree_on_skeleton_and_best(fields):
    best = fields["checkpoints"].best
    watched = {name for name, e in fields["evals"].items() if e.watch}
    assert not best or best.partition("/")[0] in watched
    for evaluation in fields["evals"].values():
        assert evaluation.data.skeleton == fields["data"].skeleton
        assert evaluation.metrics


@pytest.mark.parametrize("path", HEATMAPS, ids=lambda path: path.stem)
def test_the_decoder_reads_what_the_objective_draws(path):
    assert_read_as_drawn(configs.load(str(path)))


@pytest.mark.parametrize("path", ONE_SIGMA, ids=lambda path: path.stem)
def test_the_decoder_follows_another_sigma(path):
    """As --config.learner.objective.sigma=3 sets it."""
    config = configs.load(str(path))
    config.learner.objective.sigma = 3.0
    assert_read_as_drawn(config)


def assert_read_as_drawn(config):
    """To half a cell at the border; a Gaussian is read exactly away from it."""
    made = configs.build(config.learner.objective)
    k = len(config.data.skeleton.keypoints)
    batch = batches.random_batch(16, made.size, k=k, seed=1)
    maps = made.true_heatmaps(made.targets(batch, jnp.array(0)))
    points = (made.decoder(maps) + 0.5) * made.stride - 0.5
    labeled = np.array(batch.visibility[:, 0] > 0)
    truth = np.array(batch.keypoints[:, 0])[labeled]
    error = np.abs(np.array(points)[labeled] - truth).max(axis=-1)
    assert error.max() <= made.stride / 2
    # Three sigma and a cell, in pixels.
    margin = (3 * made.sigma + 1) * made.stride
    height, width = made.size
    inside = (truth > margin) & (truth < np.array([width, height]) - 1 - margin)
    inside = inside.all(axis=-1)
    assert inside.sum() > 20
    assert error[inside].max() < 1e-3 * made.stride


@pytest.mark.parametrize("name", ["pose_resnet_mpii", "pose_resnet_coco"])
def test_what_the_trunk_takes_out_of_the_image_is_a_field(name):
    config = configs.load(str(FOLDER / f"{name}.py"))
    trunk = configs.build(config.learner.model).trunk
    assert (trunk.mean, trunk.std) == (imagenet.MEAN, imagenet.STD)
    config.lock()
    config.learner.model.trunk.std = (1.0, 1.0, 1.0)
    assert configs.build(config.learner.model).trunk.std == (1.0, 1.0, 1.0)


def test_every_field_that_readme_names_is_one_of_a_config():
    text = (FOLDER.parent / "README.md").read_text()
    named = set(re.findall(r"--config\.([a-z][a-z_.0-9]*[a-z_0-9])", text))
    assert len(named) > 30
    known = set()
    for path in FOLDER.glob("*.py"):
        if path.stem != "own_keypoints":
            known |= set(launch._fields(configs.load(str(path))))
    assert named <= known, sorted(named - known)
