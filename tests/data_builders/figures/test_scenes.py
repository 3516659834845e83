"""Whole pictures: the same everywhere, and records that agree with their pixels."""

import dataclasses

import cv2
import numpy as np
import pytest

from data_builders.figures import figures_dataset_builder as figures
from data_builders.figures import scenes, workers
from data_builders.figures.keypoints import KEYPOINTS

MULTI = figures.MULTI.recipe
SINGLE = figures.SINGLE.recipe


@pytest.fixture(scope="module")
def pictures():
    return [scenes.record(MULTI, "train", number) for number in range(25)]


def decoded(png: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)


def equal(a, b) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)


def test_a_picture_is_the_same_whatever_was_drawn_before(pictures):
    assert equal(scenes.record(MULTI, "train", 7), pictures[7])


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_the_number_of_processes_changes_nothing(pictures, processes):
    drawn = list(workers.records(MULTI, "train", 5, processes=processes))
    assert len(drawn) == 5
    assert all(equal(a, b) for a, b in zip(drawn, pictures[:5], strict=True))


def test_seed_split_and_number_each_change_the_picture(pictures):
    others = (
        scenes.record(dataclasses.replace(MULTI, seed=1), "train", 0),
        scenes.record(MULTI, "test", 0),
        scenes.record(MULTI, "train", 1),
    )
    assert len({r["image"] for r in (*others, pictures[0])}) == 4


def test_a_worker_that_dies_is_reported(capfd):
    broken = dataclasses.replace(SINGLE, in_sight=22)
    with pytest.raises(ChildProcessError, match="draws picture 0 ended with status 1"):
        list(workers.records(broken, "train", 2, processes=2))
    assert "lower in_sight in its recipe" in capfd.readouterr().err


def test_sizes_and_people_are_as_the_recipe_says(pictures):
    for record in pictures:
        image = cv2.imdecode(np.frombuffer(record["image"], np.uint8), cv2.IMREAD_COLOR)
        assert image.shape == (record["height"], record["width"], 3)
        assert image.shape[:2] in MULTI.sizes
        assert decoded(record["instances"]).shape == image.shape[:2]
        assert 1 <= len(record["keypoints"]) <= 8
    assert len({len(record["keypoints"]) for record in pictures}) > 4
    single = [scenes.record(SINGLE, "test", number) for number in range(6)]
    assert all(record["keypoints"].shape == (1, 21, 2) for record in single)
    assert all((record["visibility"] == 2).sum() >= 8 for record in single)


def test_masks_boxes_and_areas_agree(pictures):
    crowds = 0
    for record in pictures:
        instances = decoded(record["instances"])
        for n, (box, area) in enumerate(
            zip(record["box"], record["area"], strict=True)
        ):
            rows, columns = np.nonzero(instances == n + 1)
            assert len(rows) == area >= 40
            around = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            np.testing.assert_array_equal(box, np.array(around) - 0.5)
        people = len(record["keypoints"])
        assert set(np.unique(instances)) <= {*range(people + 1), 255}
        assert len(record["crowd_box"]) == int((instances == 255).any())
        crowds += len(record["crowd_box"])
    assert crowds > 2


def test_a_keypoint_in_sight_is_on_its_person_and_a_hidden_one_is_inside(pictures):
    counts = np.zeros(3, int)
    for record in pictures:
        instances = decoded(record["instances"])
        size = instances.shape[::-1]
        for n, (points, visibility) in enumerate(
            zip(record["keypoints"], record["visibility"], strict=True)
        ):
            pixel = np.rint(points).astype(int)
            inside = np.all((pixel >= 0) & (pixel < size), axis=-1)
            np.testing.assert_array_equal(visibility > 0, inside)
            x, y = pixel[visibility == 2].T
            assert (instances[y, x] == n + 1).all()
            counts += np.bincount(visibility, minlength=3)
    # Some are beyond the border, many are hidden, most are in sight.
    assert 0 < counts[0] < counts[1] < counts[2]


def test_the_order_is_cocos_and_then_what_mpii_has_beyond_it():
    assert KEYPOINTS[:3] == ("nose", "left_eye", "right_eye")
    assert KEYPOINTS[16:] == ("right_ankle", "pelvis", "thorax", "neck", "head_top")


def test_pictures_differ_in_what_makes_them_hard(pictures):
    """Light, contrast, sharpness and compression are not the same everywhere."""
    grey = [
        cv2.imdecode(np.frombuffer(r["image"], np.uint8), cv2.IMREAD_GRAYSCALE)
        for r in pictures
    ]
    brightness = [g.mean() for g in grey]
    sharpness = [cv2.Laplacian(g, cv2.CV_64F).var() for g in grey]
    bytes_a_pixel = [len(r["image"]) / g.size for r, g in zip(pictures, grey, strict=True)]  # fmt: skip
    assert max(brightness) > 2 * min(brightness)
    assert max(sharpness) > 5 * min(sharpness)
    assert max(bytes_a_pixel) > 2 * min(bytes_a_pixel)
