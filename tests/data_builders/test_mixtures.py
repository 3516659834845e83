"""Data sets with different keypoints, learned together and scored each by itself."""

import dataclasses
import json
import runpy

import archives
import jax
import jax.numpy as jnp
import mixtures
import numpy as np
import people
import pytest
from flax import linen as nn
from mixtures import BOTH, SIZE
from ml_collections import ConfigDict

from jaxpose import augment, config, data, devices, evaluate, programs, train
from jaxpose.config import spec
from jaxpose.learners import optimizers, supervised
from jaxpose.metrics import coco as coco_metrics
from jaxpose.metrics import pck, pckh, pcp
from jaxpose.objectives import coordinates, heatmaps, softmax_heatmaps
from jaxpose.skeletons import COCO, LSP, MPII, Skeleton
from jaxpose.types import Poses


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """The miniature archives under manual/."""
    root = tmp_path_factory.mktemp("mixtures")
    mixtures.write(root / "manual")
    return root


def archived(name: str) -> tuple[Skeleton, np.ndarray, np.ndarray]:
    """Own skeleton, keypoints and visibility of the first person who trains.

    Straight from what the archive was written from, in pixels from 0.
    """
    if name == "lsp":
        joints = archives.stored_joints(2000)[0]
        return LSP, joints[:, :2] - 1, np.where(joints[:, 2] == 1, 1, 2)
    if name == "mpii":
        keypoints = np.zeros((16, 2))
        keypoints[:6] = [(9 + i, 19 + i) for i in range(6)]
        keypoints[8], keypoints[9] = (-4, -0.5), (4.25, 0)
        return MPII, keypoints, np.array([2, 1] * 3 + [0, 0, 2, 2] + [0] * 6)
    x, y, flag = np.array(mixtures.coco_person(1)).reshape(17, 3).T
    return COCO, np.stack([x, y], axis=-1), flag


@pytest.mark.parametrize(
    "skeleton, names",
    [
        pytest.param(MPII, ("lsp", "mpii"), id="LSP and MPII as MPII"),
        pytest.param(LSP, ("lsp", "mpii"), id="LSP and MPII as LSP"),
        pytest.param(MPII, ("mpii", "coco"), id="MPII and COCO as MPII"),
        pytest.param(COCO, ("mpii", "coco"), id="MPII and COCO as COCO"),
        pytest.param(BOTH, ("mpii", "coco"), id="MPII and COCO as both"),
    ],
)
def test_every_joint_stands_in_its_place(root, skeleton, names):
    mixed = mixtures.opened(root, skeleton, *names)
    assert len(mixed.lengths) == 2 and len(mixed) == sum(mixed.lengths)
    firsts = np.array([0, mixed.lengths[0]])
    batch = mixed.load(firsts)
    for row, first, name in zip(range(2), firsts, names, strict=True):
        own, keypoints, visibility = archived(name)
        found = mixed.people.keypoints[first], mixed.people.visibility[first]
        for k, joint in enumerate(skeleton.keypoints):
            if joint in own.keypoints:
                there = own.index(joint)
                assert found[1][k] == visibility[there], joint
                if visibility[there]:
                    np.testing.assert_allclose(found[0][k], keypoints[there], atol=1e-5)
            else:
                assert found[1][k] == 0, joint
        np.testing.assert_array_equal(batch.visibility[row, 0], found[1])
    assert batch.visibility.shape == (2, 1, len(skeleton.keypoints))


def test_a_data_set_without_any_of_the_joints_is_refused(root):
    face = Skeleton(name="face", keypoints=("nose",), flip=(0,), limbs=())
    with pytest.raises(
        ValueError, match="mpii/train has none of the keypoints of face"
    ):
        mixtures.opened(root, face, "coco", "mpii")


class Numbers(nn.Module):
    """Every pixel to the coordinates of 21 keypoints."""

    @nn.compact
    def __call__(self, image, *, train):
        return nn.Dense(2 * 21)(image.reshape(len(image), -1)).reshape(-1, 21, 2)


class Maps(nn.Module):
    """Cells of 4 x 4 pixels to a number for each keypoint."""

    num_keypoints: int = 21

    @nn.compact
    def __call__(self, image, *, train):
        return nn.Conv(self.num_keypoints, (4, 4), 4, padding="VALID")(image)[None]


WAYS = {
    "coordinates": (Numbers(), coordinates.Coordinates(size=SIZE)),
    "heatmaps": (Maps(), heatmaps.Heatmaps(size=SIZE)),
    "probabilities": (Maps(), softmax_heatmaps.SoftmaxHeatmaps(size=SIZE)),
}
SGD = optimizers.sgd(learning_rate=0.1, momentum=0.9, weight_decay=0.0)


@pytest.fixture(params=WAYS)
def learner(request):
    """Of both data sets' keypoints."""
    model, objective = WAYS[request.param]
    return supervised.Supervised(model=model, objective=objective, optimizer=SGD)


def moved(batch, where, value):
    keypoints = np.where(where[..., None], value, batch.keypoints)
    return dataclasses.replace(batch, keypoints=keypoints.astype(np.float32))


def test_absent_joints_reach_neither_loss_nor_step(root, learner):
    """Through the augmentation and the compiled step that `train` runs."""
    mixed = mixtures.opened(root, BOTH, "mpii", "coco")
    first = mixed.lengths[0]
    batch = mixed.load(np.array([0, 1, first, first + 1]))
    absent = np.asarray(batch.visibility) == 0
    # MPII has no faces, COCO no trunk, and both are absent somewhere.
    assert absent[:2, 0, :5].all() and absent[2:, 0, 17:].all()
    mesh = devices.mesh(jax.devices()[:1])
    changes = augment.Augment(skeleton=BOTH, flip=0.5, scale=0.1, rotation=20.0)
    step = programs.train_step(learner, changes, 0, mesh)

    def after(batch):
        state = jax.device_put(
            programs.init_state(learner, batch, 0), devices.replicated(mesh)
        )
        state, metrics = step(state, devices.put_batch(batch, mesh))
        return jax.device_get((state.pose.params, metrics["loss"]))

    expected = after(batch)
    assert np.isfinite(expected[1]) and expected[1] > 0
    for value in (1e6, np.nan):
        found = after(moved(batch, absent, value))
        jax.tree.map(np.testing.assert_array_equal, found, expected)
    # A joint that is labeled does count.
    labeled = np.zeros_like(absent)
    labeled[2, 0, 5] = True
    assert after(moved(batch, labeled, 20.0))[1] != expected[1]


def test_no_gradient_reaches_what_is_said_of_absent_joints(root, learner):
    """An empty map would be a lesson too: that nobody of MPII has a nose."""
    mixed = mixtures.opened(root, BOTH, "mpii", "coco")
    batch = mixed.load(np.array([0, mixed.lengths[0]]))

    def loss(outputs):
        targets = learner.objective.targets(batch, jnp.array(0))
        return learner.objective.loss(outputs, targets)[0]

    shape = {Numbers: (2, 21, 2), Maps: (1, 2, 8, 8, 21)}[type(learner.model)]
    outputs = jnp.array(np.random.default_rng(0).normal(size=shape), jnp.float32)
    gradient = jnp.abs(jax.jit(jax.grad(loss))(outputs))
    axes = {Numbers: 2, Maps: (0, 2, 3)}[type(learner.model)]
    gradient, seen = gradient.sum(axis=axes), batch.visibility[:, 0] > 0
    np.testing.assert_array_equal(gradient[~seen], 0)
    # All joints of COCO's person lie on the canvas.
    assert (gradient[1][seen[1]] > 0).all() and seen[1].sum() == 17


def guesses(examples: data.Examples, skeleton: Skeleton, seed=0) -> Poses:
    """Predictions by name, so that every skeleton gets the same ones."""
    truth = examples.people.keypoints
    own = np.random.default_rng(seed).normal(0, 2, (len(truth), len(BOTH.keypoints), 2))
    order = [BOTH.index(name) for name in skeleton.keypoints]
    keypoints = np.where(
        (examples.people.visibility > 0)[..., None], truth + own[:, order], 1e4
    )[:, None]
    ones = np.ones(keypoints.shape[:-1])
    return Poses(keypoints=keypoints, scores=ones, person_scores=ones[..., 0])


@pytest.mark.parametrize(
    "name, split, own, mixed, metrics",
    [
        ("lsp", "test", LSP, MPII, (pck.PCK(threshold=0.5), pcp.PCP())),
        ("lsp", "test", LSP, BOTH, (pck.PCK(threshold=0.5), pcp.PCP())),
        ("mpii", "validation", MPII, BOTH, (pckh.PCKh(threshold=0.1),)),
        ("coco", "train", COCO, BOTH, (coco_metrics.AP(),)),
    ],
    ids=["LSP as MPII", "LSP as both", "MPII as both", "COCO as both"],
)
def test_a_score_counts_only_what_its_data_set_labels(
    root, name, split, own, mixed, metrics
):
    """The same predictions have the same scores under the mixture's skeleton."""
    alone = mixtures.opened(root, own, name, split=split)
    among = mixtures.opened(root, mixed, name, split=split)
    # OKS of people of a few pixels would be all or nothing.
    area = {"area": np.full((len(alone), 1), 400.0)} if name == "coco" else {}
    for metric in metrics:
        expected, found = (
            metric(
                guesses(examples, skeleton),
                dataclasses.replace(examples.annotations(), **area),
                skeleton,
            )
            for examples, skeleton in ((alone, own), (among, mixed))
        )
        assert 0 < expected.mean < (1 if name == "coco" else 100)
        assert found.mean == pytest.approx(expected.mean, abs=1e-9)
        values = {k: v for k, v in found.values.items() if not np.isnan(v)}
        assert values == pytest.approx(dict(expected.values), abs=1e-9)
        extra = {k: v for k, v in found.extra.items() if k in expected.extra}
        assert extra == pytest.approx(dict(expected.extra), abs=1e-9, nan_ok=True)


def headlines(workdir) -> dict[str, float]:
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return {k: v for line in map(json.loads, lines) for k, v in line.items()}


def test_lsp_and_mpii_train_by_the_config(root, tmp_path):
    """Its data, objective and metrics, with a minute network and two steps."""
    path = archives.ROOT / "configs" / "hourglass_lsp_mpii.py"
    fields = runpy.run_path(str(path))["get_config"]()
    # One reference: data, objective and tests follow.
    fields.data.size = SIZE
    fields.update(
        {
            "num_steps": 2,
            "batch_size": 8,
            "log_every": 1,
            "eval_every": 2,
            "data_dir": str(root / "data"),
            "manual_dir": str(root / "manual"),
        }
    )
    fields.learner.model = spec(Maps, num_keypoints=16)
    train.train(**config.build(fields), workdir=tmp_path)
    found = headlines(tmp_path)
    assert {"lsp/PCK@0.2", "lsp/PCP@0.5", "mpii/PCKh@0.5"} <= found.keys()
    assert np.isfinite(list(found.values())).all()


def test_mpii_and_coco_train_on_all_their_joints(root, tmp_path):
    sources = tuple(mixtures.source(root, name) for name in ("mpii", "coco"))
    some = {"skeleton": BOTH, "size": SIZE}
    tests = {
        "mpii": (mixtures.source(root, "mpii", "validation"), pckh.PCKh()),
        "coco": (mixtures.source(root, "coco"), coco_metrics.AP()),
    }
    fields = ConfigDict(people.fields(root))
    fields.update({"num_steps": 2, "eval_every": 2, "checkpoints": {"best": "coco/AP"}})
    built = config.build(fields) | {
        "data": data.Data(sources=sources, mixture=(0.5, 0.5), **some),
        "augment": augment.Augment(skeleton=BOTH, flip=0.5),
        "learner": supervised.Supervised(
            model=Maps(), objective=heatmaps.Heatmaps(size=SIZE), optimizer=SGD
        ),
        "evals": {
            name: evaluate.Eval(
                data=data.Data(sources=(split,), **some),
                metrics=(metric,),
                mirror=True,
            )
            for name, (split, metric) in tests.items()
        },
    }
    train.train(**built, workdir=tmp_path)
    found = headlines(tmp_path)
    assert {"mpii/PCKh@0.5", "coco/AP"} <= found.keys()
    assert np.isfinite(list(found.values())).all()
