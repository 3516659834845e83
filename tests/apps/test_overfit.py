import dataclasses
import inspect

import cv2
import jax
import numpy as np
import people
import pytest
import scipy.io
from flax import linen as nn
from ml_collections import ConfigDict

from jaxpose import config, skeletons
from jaxpose.apps import overfit
from jaxpose.apps.overfit import examples, free_outputs, motion
from jaxpose.apps.overfit.goal import Goal
from jaxpose.models import batch_norm, integral
from jaxpose.objectives import coordinates
from jaxpose.types import Annotations, Poses

LSP = skeletons.LSP


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
    said = capsys.readouterr().out
    assert "learned 4 examples by heart" in said and "verdict" not in said
    assert "data       4 of 24: " in said and "outputs float32[4, 14, 2]" in said
    assert "outputs of its own choice come within" in said
    assert "mean              100.00" in said and "PCK@0.2 100  MSE " in said
    assert {path.name for path in tmp_path.iterdir()} == {"overfit"}
    for name in ("truth.png", "prediction.png"):
        picture = cv2.imread(str(tmp_path / "overfit" / name))
        assert picture.shape[0] > 2 * examples.SIDE and picture.std() > 20


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
    assert "no gradient reaches pose/stem: unchanged in the first 25 steps" in said


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


def test_exchanged_sides_are_told(elsewhere, tmp_path, capsys):
    def exchange(joints):
        joints[[6, 11]] = joints[[11, 6]]

    assert not attempt(elsewhere(exchange, 40), tmp_path)
    said = capsys.readouterr().out
    assert "right_wrist and left_wrist lie the other way round than the other" in said
    assert "in 100% of 40 people" in said and said.count("other way round") == 1


def test_examples_are_of_different_photographs_spread_over_the_data(lspet):
    fields = config.build(ConfigDict(people.fields(lspet[0])))
    opened = fields["data"].open(fields["data_dir"], fields["manual_dir"])
    assert examples.choose(opened).tolist() == [0, 8, 15, 23]
    doubled = opened.people.take(np.array([0] * 9 + [5, 6, 7, 8]))
    chosen = examples.choose(dataclasses.replace(opened, people=doubled))
    assert len(set(doubled.record[chosen])) == 4
    nobody = dataclasses.replace(
        opened.people, visibility=np.zeros_like(opened.people.visibility)
    )
    with pytest.raises(ValueError, match="none of the 24 examples has a labeled"):
        examples.choose(dataclasses.replace(opened, people=nobody))


def goal_of(keypoints, visibility=None, image=None) -> Goal:
    e, p, k, _ = keypoints.shape
    if visibility is None:
        visibility = np.full((e, p, k), 2)
    if image is None:
        image = np.random.default_rng(0).integers(0, 255, (e, 100, 100, 3), np.uint8)
    names = tuple(f"example {n}" for n in range(e))
    return Goal(
        image=image.astype(np.uint8),
        keypoints=keypoints,
        visibility=visibility,
        asked=visibility > 0,
        names=names,
        skeleton=LSP,
    )


def everybody(goal: Goal) -> Annotations:
    return Annotations(keypoints=goal.keypoints, visibility=goal.visibility)


def test_alike_and_empty_examples_are_told():
    keypoints = np.random.default_rng(1).uniform(0, 99, (4, 1, 14, 2))
    keypoints[3] = keypoints[2]
    goal = goal_of(keypoints)
    goal.image[1] = goal.image[0]
    goal.keypoints[0] = 5
    goal.image[3] = 7
    said = "\n".join(examples.doubts(goal, everybody(goal)))
    assert "example 0 and example 1 are the same canvas with different keyp" in said
    assert "example 2 and example 3 have the same keypoints on different" in said
    assert "example 3: the canvas is of one colour" in said
    assert "example 0: all keypoints of a person are in one place" in said


def test_wrong_flips_and_missing_keypoints_are_told():
    goal = goal_of(np.random.default_rng(1).uniform(0, 99, (4, 1, 14, 2)))
    goal.visibility[:, :, 13] = 0
    flip = (4, 5, 3, 2, 0, 1, *LSP.flip[6:])
    wrong = dataclasses.replace(goal, skeleton=dataclasses.replace(LSP, flip=flip))
    said = examples.doubts(wrong, everybody(goal))
    assert said[0].startswith("never labeled in 4 examples: head_top;")
    assert "LSP.flip turns right_ankle into left_knee, not into left_ankle" in said
    assert len(said) == 5


def test_people_are_matched_with_the_nearest_predictions():
    generator = np.random.default_rng(2)
    truth = generator.uniform(0, 99, (2, 3, 14, 2))
    visibility = np.full((2, 3, 14), 2)
    visibility[1, 2] = 0  # padding
    visibility[0, 0, 3] = 0
    goal = goal_of(truth, visibility)
    predicted = truth[:, [2, 0, 1]] + 1
    predicted[0, 1, 3] = np.nan
    predicted[0, 0, 5] += 50
    poses = Poses(
        keypoints=np.concatenate([predicted, predicted + 300], axis=1),
        scores=np.ones((2, 6, 14)),
        person_scores=np.ones((2, 6)),
    )
    reached = goal.reached_by(poses)
    np.testing.assert_allclose(reached.keypoints[1, :2], truth[1, :2] + 1)
    assert np.argwhere(reached.wrong).tolist() == [[0, 2, 5]]
    assert goal.tell(reached.wrong, reached.distance) == [
        "example 0: left_ankle of person 2 72.1 px"
    ]


def test_people_without_a_prediction_are_missed():
    truth = np.random.default_rng(2).uniform(0, 99, (1, 2, 14, 2))
    poses = Poses(
        keypoints=truth[:, 1:] + 0.5,
        scores=np.ones((1, 1, 14)),
        person_scores=np.ones((1, 1)),
    )
    reached = goal_of(truth).reached_by(poses)
    assert reached.wrong[0, 0].all() and not reached.wrong[0, 1].any()
    with pytest.raises(ValueError, match="decode gives 13 keypoints.*LSP has 14"):
        goal_of(truth).reached_by(
            dataclasses.replace(poses, keypoints=poses.keypoints[:, :, :13])
        )


def test_weight_decay_is_no_motion_and_a_gradient_is():
    before = {
        "a": {
            "kernel": np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32),
            "bias": np.zeros(4, np.float32),
        },
        "b": {"kernel": np.ones(4, np.float32), "scale": np.ones(1, np.float32)},
    }
    after = jax.tree.map(lambda x: (x * np.float32(0.997)).astype(np.float32), before)
    assert motion.motionless(before, after) == ["a", "b/kernel"]
    after["a"]["bias"] = np.full(4, 1e-9, np.float32)
    assert motion.motionless(before, after) == ["a/kernel", "b/kernel"]
    after["b"]["kernel"] = np.array([1, 1, 1, np.nan])
    assert motion.spoilt(after) == ["b/kernel"]


def test_an_objective_that_repels_equal_outputs_still_descends():
    """At equal numbers the gradient of |a - b| vanishes; a random start leaves them."""

    class Apart:
        def targets(self, batch, step):
            return batch

        def loss(self, outputs, targets):
            gap = outputs["a"] - outputs["b"]
            return jax.numpy.exp(-(gap**2)).sum(), {}

    shapes = {n: jax.ShapeDtypeStruct((3,), np.float32) for n in ("a", "b")}
    found = free_outputs.descend(Apart(), free_outputs.start(shapes, 0), {})
    assert (np.abs(found["a"] - found["b"]) > 2).all()
