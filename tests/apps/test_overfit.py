import dataclasses
import inspect
import re

import cv2
import jax
import numpy as np
import people
import pytest
import scipy.io
from flax import linen as nn
from ml_collections import ConfigDict

from jaxpose import config
from jaxpose.apps import overfit
from jaxpose.apps.overfit import examples
from jaxpose.models import batch_norm, integral
from jaxpose.objectives import coordinates


def attempt(root, workdir, *, change=lambda fields: None, **replaced) -> bool:
    """`--mode overfit` of the tiny experiment, sabotaged before or after it is built."""
    fields = ConfigDict(people.fields(root))
    fields.num_steps = 30
    change(fields)
    built = config.build(fields) | replaced
    taken = inspect.signature(overfit.overfit).parameters
    given = {name: value for name, value in built.items() if name in taken}
    return overfit.overfit(**given, workdir=workdir)


def learner(root, **parts):
    made = config.build(ConfigDict(people.fields(root)))["learner"]
    return dataclasses.replace(made, **parts)


def test_a_sound_experiment_is_learned(lspet, tmp_path, capsys):
    def change(fields):
        fields.num_steps = 1500
        fields.learner.optimizer.learning_rate = 1.0

    assert attempt(lspet[0], tmp_path, change=change)
    said, bar = capsys.readouterr()
    assert "learned 4 examples by heart" in said and "verdict" not in said
    assert "0/1500" not in bar  # of which only a terminal makes sense
    assert "data       4 of 24 examples: " in said
    assert "outputs float32[4, 14, 2]" in said
    assert "outputs of its own choice come within" in said
    assert "mean              100.00" in said and "PCK@0.2 100  MSE " in said
    assert {path.name for path in tmp_path.iterdir()} == {"overfit"}
    for name in ("truth.png", "prediction.png"):
        picture = cv2.imread(str(tmp_path / "overfit" / name))
        assert picture.shape[0] > 2 * examples.SIDE and picture.std() > 20


def test_a_metric_that_is_not_perfect_is_named(lspet, tmp_path, capsys):
    def change(fields):
        fields.num_steps = 400
        fields.learner.optimizer.learning_rate = 1.0
        fields.evals.test.metrics[0].threshold = 1e-4

    assert not attempt(lspet[0], tmp_path, change=change)
    said = capsys.readouterr().out
    assert "by heart" not in said
    verdict = said[said.index("verdict") :]
    assert "metrics of the config that are not perfect:\n" in verdict
    assert re.search(r"PCK@0.0001 is [\d.]+, 100 for the truth itself: ", verdict)


def test_too_few_steps_are_said_to_be_too_few(lspet, tmp_path, capsys):
    assert not attempt(lspet[0], tmp_path)
    said = capsys.readouterr().out
    assert "not learned within 5% of the person's size:" in said
    assert "lspet/train record 0 (im00001.jpg): " in said and " px, " in said
    assert "still learning: " in said and "raise --config.num_steps" in said
    assert (tmp_path / "overfit" / "prediction.png").exists()


class Stopped(nn.Module):
    """Its stem never learns."""

    @nn.compact
    def __call__(self, image, *, train):
        x = jax.lax.stop_gradient(nn.Conv(3, (3, 3), name="stem")(image))
        regressor = integral.IntegralRegressor(14, (8, 8), (0, 1), name="rest")
        return regressor(x, train=train)


def test_parts_that_no_gradient_reaches_are_named(lspet, tmp_path, capsys):
    model = Stopped()
    assert not attempt(lspet[0], tmp_path, learner=learner(lspet[0], model=model))
    said = capsys.readouterr().out
    assert "unchanged by the first 25 steps: pose/stem; no gradient arrives" in said


@dataclasses.dataclass(frozen=True)
class Swapped:
    """Decodes x as y."""

    right: coordinates.Coordinates

    @property
    def size(self):
        return self.right.size

    def targets(self, batch, step):
        return self.right.targets(batch, step)

    def loss(self, outputs, targets):
        return self.right.loss(outputs, targets)

    def decode(self, outputs):
        return self.right.decode(outputs[..., ::-1])

    def flip(self, outputs, skeleton):
        return self.right.flip(outputs, skeleton)


def test_a_decoder_that_swaps_axes_is_found_without_a_network(lspet, tmp_path, capsys):
    objective = Swapped(coordinates.Coordinates(size=(24, 24)))
    changed = learner(lspet[0], objective=objective)
    assert not attempt(lspet[0], tmp_path, learner=changed)
    said = capsys.readouterr().out
    assert (
        "objective  targets, loss and decode cannot represent:\n  lspet/train record 0"
        in said
    )


def test_outputs_that_do_not_fit_are_refused(lspet, tmp_path, capsys):
    model = integral.IntegralRegressor(16, (8, 8), (0, 1))
    assert not attempt(lspet[0], tmp_path, learner=learner(lspet[0], model=model))
    said = capsys.readouterr().out
    assert "outputs float32[4, 16, 2] do not fit the objective: " in said


def test_a_learning_rate_of_zero_is_recognized(lspet, tmp_path, capsys):
    def change(fields):
        fields.num_steps = 1000
        fields.learner.optimizer.learning_rate = 0.0

    assert not attempt(lspet[0], tmp_path, change=change)
    said = capsys.readouterr().out
    assert "not one parameter moved in 25 steps (learning rate 0)" in said


class Linear(nn.Module):
    """Nothing keeps its outputs small."""

    @nn.compact
    def __call__(self, image, *, train):
        return nn.Dense(28)(image.reshape(len(image), -1)).reshape(-1, 14, 2)


def test_what_is_near_enough_trains_on_until_the_metric_is_perfect(
    lspet, tmp_path, capsys
):
    def steps(threshold) -> int:
        def change(fields):
            fields.num_steps = 1500
            fields.learner.model = ConfigDict({"fn": Linear})
            fields.learner.optimizer.learning_rate = 1e-3
            fields.evals.test.metrics[0].threshold = threshold

        assert attempt(lspet[0], tmp_path, change=change)
        said = capsys.readouterr().out
        assert f"PCK@{threshold:g} 100  MSE " in said
        return int(re.search(r"by heart in (\d+) steps", said)[1])

    assert steps(0.2) < steps(0.05)


@pytest.mark.parametrize("rate", [1e9, float("inf")])
def test_a_learning_rate_too_high_is_recognized(lspet, tmp_path, capsys, rate):
    def change(fields):
        fields.learner.model = ConfigDict({"fn": Linear})
        fields.learner.optimizer.learning_rate = rate

    assert not attempt(lspet[0], tmp_path, change=change)
    said = capsys.readouterr().out
    if np.isfinite(rate):
        assert "the learning rate is too high; try a tenth of it" in said
    else:
        assert "the first step made parameters that are not finite: pose" in said


def test_a_loss_that_does_not_fall_is_recognized(lspet, tmp_path, capsys):
    def change(fields):
        fields.learner.optimizer.learning_rate = 1e-4

    assert not attempt(lspet[0], tmp_path, change=change)
    assert "the loss does not fall: loss 0." in capsys.readouterr().out


class Lagging(nn.Module):
    """Its running statistics hardly leave where they start."""

    @nn.compact
    def __call__(self, image, *, train):
        x = nn.Conv(8, (5, 5), strides=2)(image * 5)
        x = nn.relu(batch_norm.BatchNorm(momentum=0.99999)(x, train=train))
        return integral.expectation(nn.Conv(14, (5, 5))(x))


def test_running_statistics_that_lag_are_recognized(lspet, tmp_path, capsys):
    def change(fields):
        fields.num_steps = 200
        fields.learner.model = ConfigDict({"fn": Lagging})
        fields.learner.optimizer.learning_rate = 1.0

    assert not attempt(lspet[0], tmp_path, change=change)
    said = capsys.readouterr().out
    assert "BatchNorm's running statistics do not follow" in said


@pytest.fixture
def elsewhere(lspet, tmp_path):
    """Changes the annotations of another copy of the miniature LSPET."""

    def make(change, count=people.PEOPLE):
        root = tmp_path / "elsewhere"
        people.write_lspet(root / "manual", count)
        path = root / "manual" / "lspet_dataset" / "joints.mat"
        joints = scipy.io.loadmat(path)["joints"]
        change(joints)
        scipy.io.savemat(path, {"joints": joints})
        return root

    return make


def test_labels_outside_the_canvas_are_told_and_not_asked_for(
    elsewhere, tmp_path, capsys
):
    def far_off(joints):
        joints[6, 0, 0] = 500

    def change(fields):
        fields.learner.objective.inside_only = True

    root = elsewhere(far_off)
    assert not attempt(root, tmp_path, change=change)
    said = capsys.readouterr().out
    place = "lspet/train record 0 (im00001.jpg): outside its canvas of 24 x 24 px: "
    assert f"{place}right_wrist at (187, " in said
    assert (
        "its loss does not ask for labeled keypoints:\n  lspet/train record 0" in said
    )
    assert "cannot represent" not in said


def test_labels_that_are_not_asked_for_keep_the_metric_from_being_perfect(
    elsewhere, tmp_path, capsys
):
    def far_off(joints):
        joints[6, 0, 0] = 500

    def change(fields):
        fields.num_steps = 1500
        fields.learner.objective.inside_only = True
        fields.learner.optimizer.learning_rate = 1.0

    assert not attempt(elsewhere(far_off), tmp_path, change=change)
    said = capsys.readouterr().out
    assert "learned 4 examples by heart" in said
    assert "verdict    the objective; its loss leaves out what counts here:" in said
    assert "for the truth itself: right_wrist 75" in said


def test_exchanged_sides_are_told(elsewhere, tmp_path, capsys):
    def exchange(joints):
        joints[[6, 11]] = joints[[11, 6]]

    assert not attempt(elsewhere(exchange, 40), tmp_path)
    said = capsys.readouterr().out
    assert "right_wrist and left_wrist lie the other way round than the other" in said
    assert "in 100% of 40 people" in said and said.count("other way round") == 1
