"""Whole photographs of several people, from the network's canvases to the tables."""

import dataclasses
import types

import jax.numpy as jnp
import lights
import numpy as np
import people
import pytest

from jaxpose import config, devices, draw, evaluate
from jaxpose.metrics import coco, coco_errors
from jaxpose.objectives import coordinates

METRICS = (coco.AP(), coco_errors.Errors())
STATE = lights.State(jnp.zeros((), jnp.int32))


def evaluator(learner=lights.LEARNER, **fields):
    spec = evaluate.Eval(**{"data": lights.data(), "metrics": METRICS} | fields)
    where = {"batch_size": 8, "data_dir": "", "manual_dir": ""}
    return evaluate.Evaluator("val", spec, learner, devices.mesh(), **where)


@pytest.fixture(scope="module")
def seen():
    made = evaluator()
    return made, made.run(STATE)


def test_everybody_is_found_and_nobody_else(seen):
    """11 photographs of 0, 1, 2, 3, 0, ... people: 15."""
    made, result = seen
    ap, errors = result.tables
    assert ap.mean == pytest.approx(1) and errors.mean == 1
    assert errors.extra["background"] == errors.extra["not_found"] == 0
    assert "15 people with labels in 8 photographs" in ap.convention
    assert result.headline("val").keys() == {"val/AP", "val/good@0.85"}
    assert made.measures() == {"val/AP", "val/good@0.85"}


def test_a_table_says_how_the_network_looked(seen):
    _, result = seen
    said = "; whole photographs as they fit 16 x 16, cropped; no mirror; no OKS-NMS"
    assert all(table.convention.endswith(said) for table in result.tables)
    whole = dataclasses.replace(lights.data(), buckets=())
    made = evaluator(data=whole, mirror=True, scales=(2.0, 1.0, 0.5))
    said = made._score(result.poses, result.annotations).tables[0].convention
    assert said.endswith(
        "; whole photographs as they fit 16 x 16; mean with the mirrored canvas; "
        "scales 2, 1, 0.5; no OKS-NMS"
    )


def test_canvases_are_cut_for_the_largest_scale():
    data = evaluator(scales=(1.0, 2.0, 0.5)).examples.data
    assert (data.size, data.buckets) == ((32, 32), ((24, 32),))


def test_pictures_show_everybody_who_may_be_there(seen):
    """Of row 3 the third person is found with a score of 20 / 255, which is not sure."""
    made, result = seen
    image = made.examples.photograph(3)

    def drawn(people):
        points = made.examples.points[3, :people]
        visible = np.full(points.shape[:2], 2)
        poses = draw.draw_people(image, points, visible, lights.SKELETON)
        return draw.letterbox(poses, evaluate.TILE)

    # Pictures are in pixels of the photograph, whose poses here are 30 further right.
    shifted = np.asarray(result.poses.keypoints) - [30, 0]
    poses = dataclasses.replace(result.poses, keypoints=shifted)
    tile = made._tile(dataclasses.replace(result, poses=poses), 3)
    np.testing.assert_array_equal(tile, draw.side_by_side(drawn(3), drawn(2)))
    assert not np.array_equal(drawn(3), drawn(2))
    assert made.picture(result).ndim == 3


def test_one_person_a_canvas_is_always_drawn():
    np.testing.assert_array_equal(evaluate._sure(np.array([0.01])), [True])
    np.testing.assert_array_equal(evaluate._sure(np.array([np.nan])), [False])
    scores = np.array([0.01, 0.3, np.nan])
    np.testing.assert_array_equal(evaluate._sure(scores), [False, True, False])


def test_scores_of_boxes_multiply_those_of_everybody(seen):
    _, result = seen
    detected = evaluator()
    detected.examples.box_scores = np.linspace(0, 1, 11)
    found = detected.run(STATE).poses.person_scores
    expected = result.poses.person_scores * np.linspace(0, 1, 11)[:, None]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_heatmaps_are_drawn_for_photographs_of_any_bucket(seen):
    made, result = seen
    sheet = made.heatmap_picture(result)
    assert result.heatmaps.canvas.shape == (4, 12, 16, 3)
    # A row a photograph: tiles of 128 x 96 under captions of 22.
    assert sheet.shape[0] == 56 + 4 * 118 + 18


@pytest.mark.parametrize(
    "fields, said",
    [
        ({"scales": (2.0, 0.3)}, r"\(32, 32\) at the largest scale of 2 would be"),
        (
            {
                "scales": (2.0, 1.0, 0.5),
                "data": dataclasses.replace(lights.data(), buckets=((12, 15),)),
            },
            r"\(24, 30\) at the largest scale of 2 would be",
        ),
        ({"scales": ()}, "must be positive, and one or more"),
        (
            {"scales": (2.0, 1.0), "objective": coordinates.Coordinates(size=(16, 16))},
            "Coordinates cannot merge views of several sizes",
        ),
        ({"objective": lights.Lights(size=(8, 8))}, "give all the same size"),
    ],
)
def test_views_that_cannot_be_are_refused_first(fields, said):
    with pytest.raises(ValueError, match=said):
        evaluator(**fields)


def taking(lowest, highest):
    """A learner whose network takes images of so many pixels' height."""

    def outputs(state, image):
        if not lowest <= image.shape[1] <= highest:
            raise ValueError(f"an image {image.shape[1]} pixels high")
        return image[None]

    return types.SimpleNamespace(objective=lights.Lights(), outputs=outputs)


@pytest.mark.parametrize(
    "lowest, highest, scales, said",
    [
        (13, 16, (1.0,), r"\(12, 16\): an image 12 "),
        (12, 15, (1.0,), r"\(16, 16\): an image 16 "),
        (12, 24, (1.0, 2.0), r"\(32, 32\): an image 32 "),
        (12, 32, (0.5, 1.0), r"\(16, 16\): an image 8 "),
        (12, 32, (1.0, 0.5), r"\(16, 16\): an image 8 "),
    ],
)
def test_canvases_that_the_network_cannot_take_are_refused_first(
    lowest, highest, scales, said
):
    """Every bucket, enlarged for the largest scale, at every scale."""
    with pytest.raises(ValueError, match=rf"evals\.val, canvases of {said}"):
        evaluator(learner=taking(lowest, highest), scales=scales).check(STATE)
    evaluator(learner=taking(6, 32), scales=scales).check(STATE)


def test_metrics_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two metrics have one name: .*leave one out"):
        evaluator(metrics=METRICS[:1] * 2).measures()


def test_larger_canvases_are_of_whole_photographs(lspet):
    cut = config.build(people.canvases((16, 16)))
    with pytest.raises(ValueError, match="are of whole photographs; give scenes.Sce"):
        evaluator(data=cut, scales=(2.0, 1.0))
