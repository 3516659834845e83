"""What a discriminator makes of heatmaps, from the checkpoint to the picture."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import people
import pytest
from ml_collections import ConfigDict

from jaxpose import config, devices, draw, evaluate, heatmap_pictures, workdir
from jaxpose.objectives import heatmaps
from jaxpose.types import ReconstructingLearner

SIZE = (24, 24)


class State(NamedTuple):
    step: jax.Array


class Halving:
    """Reconstructs half of a map, plus the brightness of the image in the cell."""

    objective = heatmaps.Heatmaps(size=SIZE)

    def outputs(self, state, image):
        return jnp.broadcast_to(cells_of(image)[..., None], (1, len(image), 6, 6, 14))

    def reconstruct(self, state, image, maps):
        return maps / 2 + cells_of(image)[..., None]

    def init(self, key, batch): ...

    def train_step(self, state, batch, key): ...


def cells_of(image):
    return image.mean(-1).reshape(len(image), 6, 4, 6, 4).mean(axis=(2, 4))


def result_of(root, **changes):
    """The evaluator, and what it found."""
    fields = config.build(ConfigDict(people.fields(root)))
    evals = {"test": dataclasses.replace(fields["evals"]["test"], **changes)}
    where = {name: fields[name] for name in ("data_dir", "manual_dir")}
    (made,) = evaluate.open_evals(
        evals, Halving(), devices.mesh(), batch_size=8, **where
    ).values()
    return made, made.run(State(jnp.zeros((), jnp.int32)))


def test_an_evaluation_holds_what_the_discriminator_makes_of_its_maps(lspet):
    assert isinstance(Halving(), ReconstructingLearner)
    made, result = result_of(lspet[0])
    maps = result.heatmaps
    image = made.examples.load(np.arange(4)).image / np.float32(255)
    bright = np.asarray(cells_of(image))[..., None]
    for kind in ("truth", "prediction"):
        expected = getattr(maps, kind) / 2 + bright
        found = getattr(maps.reconstructed, kind)
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    plain = heatmap_pictures.montage(
        dataclasses.replace(maps, reconstructed=None), made.skeleton.keypoints
    )
    sheet = made.heatmap_picture(result)
    # Below, after 12 pixels, four rows of 256 pixels under captions, 6 between.
    assert sheet.shape == (len(plain) + 12 + 4 * (256 + 22) + 18, *plain.shape[1:])
    np.testing.assert_array_equal(sheet[: len(plain)], plain)


def test_maps_that_another_objective_reads_are_not_the_discriminators(lspet):
    wider = heatmaps.Heatmaps(size=SIZE, sigma=2.0)
    _, result = result_of(lspet[0], objective=wider)
    assert result.heatmaps.reconstructed is None


@pytest.fixture
def rows():
    """One person, two keypoints, uniform maps, and reconstructions off by 0.2 and 0.4."""
    truth, prediction = np.zeros((1, 4, 4, 2)), np.full((1, 4, 4, 2), 0.1)
    truth[..., 1], prediction[..., 0] = 0.4, 0.2
    return heatmap_pictures.reconstructions(
        heatmap_pictures.Maps(
            canvas=np.full((1, 64, 64, 3), 101, np.uint8),
            labeled=np.ones((1, 2), bool),
            truth=np.float32(truth),
            prediction=np.float32(prediction),
        ),
        heatmap_pictures.Reconstructed(
            truth=np.float32(truth - [0, 0.2]),
            prediction=np.float32(prediction + [0, 0.4]),
        ),
    )


def test_tiles_show_the_highest_of_all_keypoints_on_the_scale_of_the_truth(rows):
    """Shares of the scale: 1, 1/2 and an error of 1/2, then 1/2, 1 and an error of 1."""
    assert rows.shape == (256 + 22, 7 * 256 + 6 * 6, 3)
    middles = rows[150, 128 :: 256 + 6]
    shares = np.array([1, 0.5, 0.5, 0.5, 1, 1])
    colors = 0.3 * 101 + 0.7 * heatmap_pictures.colors(shares)
    np.testing.assert_array_equal(middles[0], [101] * 3)
    np.testing.assert_allclose(middles[1:], colors, atol=0.51)


def test_captions_tell_which_tile_is_which(rows):
    texts = (
        "canvas",
        "true maps",
        "true, reconstructed",
        # 0.2^2 and 0.4^2 of one keypoint of two.
        "true, error: mean square 0.02",
        "predicted maps",
        "predicted, reconstructed",
        "predicted, error: mean square 0.08",
    )
    for n, text in enumerate(texts):
        left = n * (256 + 6)
        bar = draw.caption(np.zeros((1, 256, 3), np.uint8), text)[:22]
        np.testing.assert_array_equal(rows[:22, left : left + 256], bar)


def test_evaluation_may_name_another_optimizer_of_the_discriminator(tmp_path):
    one, other = (
        ConfigDict({"learner": {"discriminator_optimizer": {"learning_rate": rate}}})
        for rate in (1e-3, 1e-4)
    )
    workdir.claim(tmp_path, one).close()
    workdir.check(tmp_path, other, free=workdir.FREE_IN_EVALUATION)
    with pytest.raises(ValueError, match="discriminator_optimizer"):
        workdir.check(tmp_path, other, free=workdir.FREE)
