"""Adversarial training through the loop: stopped, resumed, evaluated, and advised."""

import jax
import numpy as np
import people
import pytest
from flax import linen as nn
from ml_collections import ConfigDict

from jaxpose import config as configs
from jaxpose import train
from jaxpose.config import spec
from jaxpose.learners import adversarial, network, optimizers
from jaxpose.models import discriminator
from jaxpose.objectives import heatmaps

SIZE = (24, 24)


class OneConvolution(nn.Module):
    """Cells of 4 x 4 pixels to a number for each keypoint."""

    @nn.compact
    def __call__(self, image, *, train):
        return nn.Conv(14, (4, 4), 4, padding="VALID")(image)[None]


def experiment(root, *, gamma=0.5, start=0.2, **changes):
    fields = ConfigDict(people.fields(root))
    fields.learner = spec(
        adversarial.Adversarial,
        model=spec(OneConvolution),
        objective=spec(heatmaps.Heatmaps, size=SIZE),
        optimizer=spec(optimizers.rmsprop, learning_rate=1e-3),
        discriminator=spec(
            discriminator.Discriminator,
            num_keypoints=14,
            stacks=1,
            blocks=1,
            features=8,
            depth=1,
            stem=(8, 8, 8),
        ),
        discriminator_optimizer=spec(optimizers.adam, learning_rate=1e-3),
        gamma=gamma,
        start=start,
    )
    fields.update(changes)
    return configs.build(fields)


@pytest.fixture(scope="module")
def whole(lspet, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("whole")
    return workdir, train.train(**experiment(lspet[0]), workdir=workdir)


def test_a_run_in_two_parts_is_the_same_run(lspet, whole, tmp_path):
    _, state = whole
    train.train(**experiment(lspet[0], num_steps=7), workdir=tmp_path)
    resumed = train.train(**experiment(lspet[0]), workdir=tmp_path)
    assert int(state.step) == 12 and state.k != np.float32(0.2)
    jax.tree.map(np.testing.assert_array_equal, resumed, state)


def test_both_networks_have_their_parameters_and_pictures(whole):
    workdir, state = whole
    assert network.parameters(state).keys() == {"pose", "discriminator"}
    overview = (workdir / "parameters.txt").read_text()
    assert "pose/Conv_0" in overview and "discriminator/stem_conv" in overview
    assert (workdir / "pictures" / "test_0000012_heatmaps.jpg").exists()


def test_k_at_its_bound_is_said_once(lspet, tmp_path, capsys):
    """With gamma = 0 the balance is negative for ever, and k stays where it is."""
    changes = {"gamma": 0.0, "start": 0.0, "log_every": 1, "eval_every": 12}
    fields = experiment(lspet[0], **changes)
    train.train(**fields, workdir=tmp_path)
    told = [x for x in capsys.readouterr().out.splitlines() if "warning" in x]
    said = [text for text in told if "k stays" in text]
    assert len(said) == 1 and "step 10: k stays at 0" in said[0]
