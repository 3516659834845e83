"""A run as the start of another: all of it, or some layers."""

import dataclasses
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxpose import checkpoint, devices, saved_states
from jaxpose.learners import supervised
from jaxpose.models import pose_resnet, resnet
from jaxpose.objectives import heatmaps
from jaxpose.weights import (
    alexnet,
    associative,
    filling,
    proposal,
    pytorch_pose,
    run,
    torchvision,
)
from jaxpose.weights import resnet as resnet_weights

SIZE = (32, 32)


def learner(keypoints: int = 3, **fields) -> supervised.Supervised:
    return supervised.Supervised(
        model=pose_resnet.PoseResNet(
            num_keypoints=keypoints,
            trunk=resnet.ResNet(blocks=(1, 1), bottleneck=False, features=(8, 8)),
            deconvolutions=(8,),
        ),
        objective=heatmaps.Heatmaps(size=SIZE),
        optimizer=optax.adam(0.1),
        pretrained=run.Run(**fields) if fields else (),
    )


def variables(state: supervised.State) -> dict[str, np.ndarray]:
    pose = state.pose
    return filling.by_path({"params": pose.params, "batch_stats": pose.batch_stats})


class Shaped:
    """As much of a batch as a fresh state needs."""

    image = jnp.zeros((1, *SIZE, 3))


def fresh(key: int, **fields) -> supervised.State:
    return learner(**fields).init(jax.random.key(key), Shaped)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The workdir of a run, and its state; another state was saved before."""
    folder = tmp_path_factory.mktemp("saved")
    spec = checkpoint.Checkpoints(every=1, keep=2, best="none")
    store = checkpoint.Store(folder, spec)
    for step in (1, 2):
        state = fresh(step)
        state = supervised.State(state.step + step, state.pose)
        store.save(jax.device_put(state, devices.replicated(devices.mesh())), {})
    store.finish()
    return folder, variables(state)


def test_a_run_is_the_start_of_another(saved):
    folder, theirs = saved
    state = fresh(9, workdir=str(folder))
    jax.tree.map(np.testing.assert_array_equal, variables(state), theirs)
    assert state.step == 0
    other = variables(fresh(9, workdir=str(folder), step=1))
    jax.tree.map(np.testing.assert_array_equal, other, variables(fresh(1)))
    untouched = variables(fresh(9, workdir="", step=1))
    jax.tree.map(np.testing.assert_array_equal, untouched, variables(fresh(9)))


def test_layers_alone_leave_room_for_other_outputs(saved):
    folder, theirs = saved
    given = {"keypoints": 5, "workdir": str(folder)}
    mine = variables(fresh(9, layers=("trunk/", "deconv1/"), **given))
    own = variables(fresh(9, keypoints=5))
    taken = [
        path for path in mine if filling.layer(path).startswith(("trunk/", "deconv1"))
    ]
    assert 0 < len(taken) < len(mine)
    for path, value in mine.items():
        source = theirs if path in taken else own
        np.testing.assert_array_equal(value, source[path])
    with pytest.raises(
        ValueError, match=r"of shape \(3,\) in .*, and of shape \(5,\) in the model"
    ):
        fresh(9, **given)


def test_what_cannot_be_read_is_refused(saved, tmp_path):
    folder, _ = saved
    shapes = jax.eval_shape(lambda: fresh(9, workdir=str(tmp_path)))
    assert jax.tree.structure(shapes) == jax.tree.structure(fresh(9))
    for fields, message in (
        (
            {"workdir": str(tmp_path)},
            r"has no checkpoint; it has \[\]; choose one",
        ),
        ({"workdir": str(folder), "step": 7}, r"no checkpoint 7; it has \[1, 2\]"),
        (
            {"workdir": str(folder), "network": "critic"},
            "'critic' is not in .* has pose, step",
        ),
        (
            {"workdir": str(folder), "layers": ("trunk/", "head")},
            "no layer begins with 'head'; choose of .*trunk/stem_conv/",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            fresh(9, **fields)


def test_a_start_is_looked_for_before_it_is_read(saved, tmp_path):
    folder, _ = saved
    for fields in ({}, {"workdir": str(folder)}, {"workdir": str(folder), "step": 1}):
        run.Run(**fields).check()
    with pytest.raises(ValueError, match="has no checkpoint; it has"):
        run.Run(workdir=str(tmp_path)).check()
    with pytest.raises(ValueError, match="no checkpoint 3; it has"):
        run.Run(workdir=str(folder), step=3).check()


@pytest.mark.parametrize(
    "weights",
    [
        alexnet.Trunk,
        associative.AssociativeHourglass,
        proposal.Proposal,
        pytorch_pose.Hourglass,
        pytorch_pose.PoseResNet,
        resnet_weights.Trunk,
        torchvision.VGGFeatures,
    ],
)
def test_a_file_of_weights_is_looked_for(weights, tmp_path):
    weights().check()
    there = tmp_path / "weights.pth"
    with pytest.raises(
        FileNotFoundError, match=r"weights\.pth' of .* is no file, seen"
    ):
        weights(path=str(there)).check()
    there.touch()
    weights(path=str(there)).check()


def test_layers_that_a_run_lacks_are_named(saved):
    folder, _ = saved
    deeper = dataclasses.replace(
        learner(workdir=str(folder)),
        model=pose_resnet.PoseResNet(
            num_keypoints=3,
            trunk=resnet.ResNet(blocks=(1, 2), bottleneck=False, features=(8, 8)),
            deconvolutions=(8,),
        ),
    )
    with pytest.raises(ValueError, match="stage2_1/.* is not there in .* name in `lay"):
        deeper.init(jax.random.key(0), Shaped)


def test_a_damaged_checkpoint_is_refused(saved, tmp_path):
    folder, _ = saved
    shutil.copytree(folder, tmp_path / "copy")
    facts = tmp_path / "copy" / "checkpoints" / "1" / "facts" / "metadata"
    facts.write_text(facts.read_text().replace("[", "[7, "))
    with pytest.raises(ValueError, match="has changed since it was written"):
        saved_states.read(tmp_path / "copy", 1)
    facts.unlink()
    with pytest.raises(ValueError, match="checkpoints/1 cannot be read"):
        saved_states.read(tmp_path / "copy", 1)
