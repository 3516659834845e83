"""Boxes that canvases show."""

import numpy as np
import pytest

from jaxpose import regions

KEYPOINTS = np.array([[[10.0, 20.0], [30.0, 60.0], [-99.0, 500.0]]])
LABELED = np.array([[True, True, False]])
SIZE = np.array([[64, 48]])


def box(region):
    (found,) = region(KEYPOINTS, LABELED, SIZE)
    return found.tolist()


def test_whole_image():
    assert box(regions.WholeImage()) == [-0.5, -0.5, 47.5, 63.5]


def test_person_box_pads_its_sides_about_the_centre():
    # The tight box is 20 x 40 about (20, 40).
    assert box(regions.PersonBox(padding=1.0)) == [10, 20, 30, 60]
    assert box(regions.PersonBox(padding=1.5)) == [5, 10, 35, 70]
    assert box(regions.PersonBox()) == [7.5, 15, 32.5, 65]


def test_margin_is_added_before_the_padding():
    assert box(regions.PersonBox(padding=1.5, margin=2.0)) == [2, 7, 38, 73]


def test_aspect_grows_the_short_side():
    assert box(regions.PersonBox(padding=1.0, aspect=1.0)) == [0, 20, 40, 60]
    assert box(regions.PersonBox(padding=1.0, aspect=0.25)) == [10, 0, 30, 80]


def test_inside_cuts_at_the_border_after_everything():
    region = regions.PersonBox(padding=1.5, margin=2.0, inside=True)
    assert box(region) == [2, 7, 38, 63.5]


def test_a_person_without_labels_has_no_box():
    with pytest.raises(ValueError, match="no labeled keypoint"):
        regions.PersonBox()(KEYPOINTS, np.zeros((1, 3), bool), SIZE)
