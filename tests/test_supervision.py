"""Masks of records with outlines, with boxes, and with neither."""

import cv2
import numpy as np
import pytest

from jaxpose import geometry, supervision

SIZE = (20, 30)
WHOLE = geometry.whole_image(np.array(SIZE))
NOBODY = np.zeros(0, int)


def mask(hidden, size=SIZE, **example):
    example = {"height": 20, "width": 30} | example
    to_canvas = geometry.stretch(WHOLE, size)
    return supervision.canvas_mask(example, np.array(hidden, int), to_canvas, size)


def png(whom) -> bytes:
    return cv2.imencode(".png", whom)[1].tobytes()


def test_outlines_hide_crowds_and_the_people_named():
    whom = np.random.default_rng(0).choice([0, 1, 2, 3, 255], SIZE).astype(np.uint8)
    for hidden in ([], [0], [1, 2]):
        expected = ~np.isin(whom, [255, *(np.array(hidden) + 1)])
        found = mask(hidden, instances=png(whom))
        np.testing.assert_array_equal(found, expected)


def test_boxes_hide_the_pixels_whose_centres_they_hold():
    """Without outlines; a box of nan is unknown and hides nothing."""
    crowd = np.array([[-0.5, -0.5, 4.5, 2.5], [np.nan] * 4], np.float32)
    box = np.array([[10.2, 5.0, 12.0, 7.9], [0, 0, 30, 20]], np.float32)
    expected = np.ones(SIZE, np.uint8)
    expected[:3, :5] = 0
    np.testing.assert_array_equal(mask([], crowd_box=crowd, box=box), expected)
    expected[5:8, 11:13] = 0
    np.testing.assert_array_equal(mask([0], crowd_box=crowd, box=box), expected)


def test_who_is_not_on_the_outlines_is_hidden_by_a_box():
    """Person 1 has an outline, person 2 a box alone, 3 neither, 4 is not hidden."""
    whom = np.zeros(SIZE, np.uint8)
    whom[2:4, 2:9] = 2
    box = np.array([[1, 1, 2, 2], [0, 0, 30, 20], [10, 5, 12, 7], [np.nan] * 4])
    box = np.concatenate([box, [[20, 10, 25, 15]]]).astype(np.float32)
    # Crowds are on the outlines, and so is none here.
    crowd = np.array([[0, 0, 3, 3]], np.float32)
    expected = np.ones(SIZE, np.uint8)
    expected[2:4, 2:9] = 0
    expected[5:8, 10:13] = 0
    found = mask([1, 2, 3], instances=png(whom), box=box, crowd_box=crowd)
    np.testing.assert_array_equal(found, expected)


def test_a_record_with_neither_hides_nothing():
    assert mask([0, 1]).all()


def test_a_canvas_pixel_is_seen_if_more_than_half_of_it_is():
    """Bilinear, between the nearest pixels: enlarged threefold, borders stay sharp."""
    whom = np.zeros(SIZE, np.uint8)
    whom[5:9, 7:12] = 255
    expected = np.ones((60, 90), np.uint8)
    expected[15:27, 21:36] = 0
    corners = mask(NOBODY, size=(60, 90), instances=png(whom)) != expected
    # At a corner of what is hidden, less than half of the weight may be.
    assert corners.sum() <= 4


def test_instances_that_are_no_picture_are_refused():
    with pytest.raises(ValueError, match="4 bytes of instances are not a PNG"):
        mask([], instances=b"none")
