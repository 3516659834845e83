import copy
import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import people
import pytest
from ml_collections import ConfigDict

from jaxpose import config, crops, devices, draw, evaluate, programs
from jaxpose.objectives import heatmaps
from jaxpose.skeletons import LSP


def evaluator(root, *, batch_size, mesh=None, mirror=True):
    fields = ConfigDict(people.fields(root))
    fields.evals.test.mirror = mirror
    built = config.build(fields)
    mesh = mesh or devices.mesh()
    (made,) = evaluate.open_evals(
        built["evals"],
        built["learner"],
        mesh,
        batch_size=batch_size,
        data_dir=built["data_dir"],
        manual_dir=built["manual_dir"],
    ).values()
    batch = made.examples.load(np.array([0]))
    state = programs.init_state(built["learner"], batch, 0)
    return made, jax.device_put(state, devices.replicated(mesh))


def test_every_person_is_scored_once_whatever_the_batch(lspet):
    root, truth = lspet
    results = []
    for batch_size in (8, 16):  # 16 leaves a padded batch.
        made, state = evaluator(root, batch_size=batch_size)
        results.append(made.run(state))
    a, b = results
    assert a.poses.keypoints.shape == (people.PEOPLE, 1, 14, 2)
    np.testing.assert_allclose(a.poses.keypoints, b.poses.keypoints, atol=1e-3)
    np.testing.assert_allclose(a.annotations.keypoints[:, 0], truth, atol=1e-5)
    assert a.headline("test").keys() == {"test/PCK@0.2", "test/MSE"} == made.measures()


def test_an_untrained_regressor_guesses_the_middle_of_the_photograph(lspet):
    """Poses come back in pixels of the photograph, not of the canvas."""
    made, state = evaluator(lspet[0], batch_size=8)
    result = made.run(state)
    middle = (result.annotations.size[:, ::-1] - 1) / 2
    away = np.abs(result.poses.keypoints[:, 0] - middle[:, None])
    assert (away < 0.35 * result.annotations.size[:, None, ::-1]).all()
    assert np.ptp(result.poses.keypoints[..., 0]) > 5


def test_pictures_show_the_same_people_every_time(lspet):
    made, state = evaluator(lspet[0], batch_size=8)
    result = made.run(state)
    sheet = made.picture(result)
    assert sheet.dtype == np.uint8 and sheet.shape[0] > 3 * 320
    np.testing.assert_array_equal(sheet, made.picture(result))


SIZE = (24, 24)


class State(NamedTuple):
    step: jax.Array


class Brightness:
    """A learner whose map of keypoint j is (j + 1) x the brightness of the cells."""

    objective = heatmaps.Heatmaps(size=SIZE)

    def outputs(self, state, image):
        cells = image.mean(-1).reshape(len(image), 6, 4, 6, 4).mean(axis=(2, 4))
        return (cells[..., None] * jnp.arange(1.0, 15))[None]


@pytest.fixture(scope="module", params=[8, 32])
def seen(request, lspet):
    """The evaluator, and what it found; the larger batch holds more than everybody."""
    fields = config.build(ConfigDict(people.fields(lspet[0])))
    where = {name: fields[name] for name in ("data_dir", "manual_dir")}
    (made,) = evaluate.open_evals(
        fields["evals"], Brightness(), devices.mesh(), batch_size=request.param, **where
    ).values()
    return made, made.run(State(jnp.zeros((), jnp.int32)))


def test_a_table_says_how_the_network_looked(seen):
    made, result = seen
    for table in result.tables:
        expected = "; boxes: WholeImage(); mean with the mirrored canvas; no OKS-NMS"
        assert table.convention.endswith(expected)
    wider = dataclasses.replace(made.spec.data, crop=crops.Crop(extension=(1.2, 1.2)))
    other = copy.copy(made)
    other.spec = dataclasses.replace(made.spec, data=wider, mirror=False)
    table = other._score(result.poses, result.annotations).tables[0]
    assert (
        "boxes: WholeImage() in the middle of Crop(extension=(1.2" in table.convention
    )
    assert table.convention.endswith("; no mirror; no OKS-NMS")


def test_true_heatmaps_are_those_of_the_first_people(seen):
    made, result = seen
    truth = result.heatmaps.truth
    assert truth.shape == (4, 6, 6, 14)
    batch = made.examples.load(np.arange(4))
    labeled = batch.visibility[:, 0] > 0
    # Person 1 lacks the head top.
    np.testing.assert_array_equal(np.argwhere(~labeled), [(1, 13)])
    np.testing.assert_array_equal(truth.any(axis=(1, 2)), labeled)
    highest = truth.reshape(4, 36, 14).argmax(axis=1)
    cells = np.floor((batch.keypoints[:, 0] + 0.5) / 4).astype(int)
    expected = cells[..., 1] * 6 + cells[..., 0]
    np.testing.assert_array_equal(highest[labeled], expected[labeled])


def test_predicted_heatmaps_are_those_that_were_decoded(seen):
    """The mirrored canvas gives each keypoint the map of its partner: the mean counts."""
    made, result = seen
    image = made.examples.load(np.arange(4)).image / np.float32(255)
    cells = image.mean(-1).reshape(4, 6, 4, 6, 4).mean(axis=(2, 4))
    partners = np.arange(14) + np.array(LSP.flip) + 2
    expected = cells[..., None] * partners / 2
    np.testing.assert_allclose(result.heatmaps.prediction, expected, rtol=1e-5)
    scores = result.heatmaps.prediction.max(axis=(1, 2))
    np.testing.assert_array_equal(scores, result.poses.scores[:4, 0])


def test_heatmaps_are_drawn_on_the_canvases_of_the_first_people(seen):
    made, result = seen
    sheet = made.heatmap_picture(result)
    # A panel a person: 302 pixels high, 6 between.
    assert sheet.shape == (56 + 4 * 302 + 18, 2 * (302 + 2 + 7 * 130 - 2) + 2, 3)
    for row in range(4):
        canvas = made.examples.load(np.array([row])).image[0]
        top = 56 + row * 308
        for left in (0, 2 + 1212):
            shown = sheet[top : top + 302, left : left + 302]
            large = draw.letterbox(np.asarray(canvas), (302, 302))
            np.testing.assert_array_equal(shown, large)
    captions = sheet[56 + 308 + 152 :][:22, 1212 - 128 : 1212]
    unlabeled = draw.caption(np.zeros((1, 128, 3), np.uint8), "head_top: unlabeled")
    np.testing.assert_array_equal(captions, unlabeled[:22])


def test_coordinates_have_no_heatmaps(lspet):
    made, state = evaluator(lspet[0], batch_size=8)
    result = made.run(state)
    assert result.heatmaps is None and made.heatmap_picture(result) is None


def test_padding_has_no_heatmaps(seen):
    made, _ = seen
    few = dataclasses.replace(made.examples, people=made.examples.people.take(range(3)))
    smaller = copy.copy(made)
    smaller.examples = few
    result = smaller.run(State(jnp.zeros((), jnp.int32)))
    assert result.heatmaps.truth.shape == result.heatmaps.prediction.shape
    assert result.heatmaps.truth.shape == (3, 6, 6, 14)
    assert smaller.heatmap_picture(result).shape[0] == 56 + 3 * 302 + 12
