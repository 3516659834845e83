"""Crops around one person with everybody in them, of the photographs of `crowded.py`."""

import dataclasses

import crowded
import numpy as np
import pytest

from jaxpose import evaluate, geometry, regions, scenes


@pytest.fixture(scope="module")
def format(tmp_path_factory):
    return crowded.write(tmp_path_factory.mktemp("crowded") / "manual")


@pytest.fixture(scope="module")
def opened(format, tmp_path_factory):
    """Opens people of the five photographs in boxes four times their own."""
    root = str(tmp_path_factory.mktemp("prepared"))
    region = regions.KnownBox(padding=4.0)

    def open(**fields):
        fields = {"around": "person"} | fields
        source = dataclasses.replace(crowded.split(format), region=region)
        data = scenes.Scenes(
            **{
                "sources": (source,),
                "skeleton": crowded.TRIO,
                "size": (64, 64),
                "people": 4,
                "threads": 1,
            }
            | fields
        )
        return data.open(root, root)

    return open


def test_an_example_is_a_person_in_the_middle_of_the_canvas(opened):
    """Five people with labels, though three of them share a photograph."""
    examples = opened()
    assert examples.record.tolist() == [0, 0, 0, 1, 4]
    batch = examples.load(np.arange(5))
    # Boxes are a square of 8, 16, 8, 20 and 12 pixels, less half a pixel, times four.
    sides = np.array([8, 16, 8, 20, 12]) * 4
    np.testing.assert_allclose(batch.to_source[:, 0, 0], sides / 64)
    corner = np.array([[8, 8], [8, 24], [24, 8], [10, 10], [4, 4]]) - 0.5
    middle = np.full((5, 1, 2), 31.5)
    found = geometry.apply(batch.to_source, middle)[:, 0]
    np.testing.assert_allclose(found, corner + sides[:, None] / 8, atol=1e-5)


def test_the_own_person_comes_first_and_then_whoever_is_inside(opened):
    """Row 0 shows x and y of -4.5..27.5 at twice its size."""
    examples = opened()
    batch = examples.load(np.array([0, 1]))
    seen = batch.visibility[0]
    # Own: two labels. The person at (8, 24): all; at (24, 8): of three one is inside.
    assert seen.tolist() == [[2, 1, 0], [2, 1, 2], [2, 0, 0], [0, 0, 0]]
    np.testing.assert_allclose(
        batch.keypoints[0, [0, 1, 2], 0],
        (np.array([[8, 8], [8, 24], [24, 8]]) + 4.5) * 2 - 0.5,
        atol=1e-5,
    )
    # Extents of 8, 16 and 8 pixels.
    assert batch.scale[0].tolist() == [16, 32, 16, 1]
    # The second row, at its size, is of the person at (8, 24), who is first there.
    np.testing.assert_allclose(batch.keypoints[1, 0, 0], [24, 24], atol=1e-5)


def test_the_own_person_stays_where_there_is_room_for_one(opened):
    """Though others have more labels."""
    batch = opened(people=1).load(np.array([0]))
    assert batch.visibility[0].tolist() == [[2, 1, 0]]
    # Whoever found no room is hidden: (12, 26) is on the person at (8, 24).
    mask = opened(people=1, unlabeled="shown").load(np.array([0])).mask[0]
    (x, y), own = (np.array([[12, 26], [12, 12]]) + 4.5) * 2
    assert mask[int(y), int(x)] == 0 and mask[tuple(own.astype(int))] == 1


def test_every_canvas_is_a_picture_of_its_own_for_metrics(opened):
    examples = opened()
    truth = examples.annotations()
    assert truth.image_id.tolist() == [0, 1, 2, 3, 4]
    assert truth.names == ("0.jpg", "0.jpg", "0.jpg", "1.jpg", "4.jpg")
    assert truth.labeled.sum(axis=-1)[0].tolist() == [2, 3, 1]
    for row in range(5):
        points, visibility = examples.shown(row)
        n = len(points)
        np.testing.assert_array_equal(truth.keypoints[row, :n], points)
        np.testing.assert_array_equal(truth.visibility[row, :n], visibility)
        assert not truth.visibility[row, n:].any()
    # The unlabeled person and the crowd of photograph 0, once for each of its crops.
    assert truth.ignored.image_id.tolist() == [0, 0, 1, 1, 2, 2]
    assert truth.ignored.crowd.tolist() == [False, True] * 3


def test_some_rows_have_the_truth_of_those(opened):
    examples = opened()
    some = examples.take(np.array([3, 1]))
    assert some.annotations().names == ("1.jpg", "0.jpg")
    np.testing.assert_array_equal(
        some.load(np.array([1])).image, examples.load(np.array([1])).image
    )
    index = [b.index for b in some.eval_batches(batch_size=2, part=slice(None))]
    assert np.concatenate(index).tolist() == [0, 1]


def test_training_draws_everybody(opened):
    batches = opened().train_batches(
        seed=0, batch_size=5, start=0, stop=2, part=slice(None)
    )
    assert [sorted(batch.index.tolist()) for batch in batches] == [[0, 1, 2, 3, 4]] * 2


def test_training_canvases_with_a_margin_show_what_is_beside(opened):
    """Row 0 at margin 1.5 shows x and y of -12.5..35.5, and evaluation as ever."""
    examples = opened(margin=1.5)
    (batch,) = examples.train_batches(
        seed=0, batch_size=5, start=0, stop=1, part=slice(None)
    )
    height, width = examples.data.size
    assert batch.image.shape[1:3] == (height * 1.5, width * 1.5)
    row = batch.index.tolist().index(0)
    same = examples.load(np.array([0]))
    edge = height // 4
    # In whole grey values, rounded.
    np.testing.assert_allclose(
        batch.image[row, edge:-edge, edge:-edge], same.image[0], atol=1
    )
    np.testing.assert_array_equal(batch.mask[row, edge:-edge, edge:-edge], same.mask[0])
    np.testing.assert_allclose(
        batch.keypoints[row, 0, :2], same.keypoints[0, 0, :2] + edge, atol=1e-5
    )
    # At (24, 8) the keypoints at x = 28 and 32 were beside the canvas.
    assert batch.visibility[row].tolist() == [
        [2, 1, 0],
        [2, 1, 2],
        [2, 1, 2],
        [0, 0, 0],
    ]
    (whole,) = examples.eval_batches(batch_size=5, part=slice(None))
    assert whole.image.shape[1:3] == (height, width)


def test_what_cannot_be_is_refused(opened):
    with pytest.raises(ValueError, match="are for whole photographs alone"):
        opened(buckets=((64, 32),))
    with pytest.raises(ValueError, match="margin=0.5 must be 1 or more"):
        opened(margin=0.5)


def test_a_table_says_that_it_is_of_crops(opened):
    said = evaluate._canvases(opened().data)
    assert said.startswith("each person with everybody around on 64 x 64, a picture")
    assert "KnownBox(" in said
