"""Whole pictures: the same everywhere, and records that agree with their pixels."""

import dataclasses

import cv2
import numpy as np
import pytest
from scipy import stats

from data_builders.figures import figures_dataset_builder as figures
from data_builders.figures import places, poses, scenes, workers
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
        around = np.zeros(instances.shape, bool)
        for box in record["crowd_box"]:
            x0, y0, x1, y1 = np.rint(box + 0.5).astype(int)
            around[y0:y1, x0:x1] = True
        assert around[instances == 255].all()
        assert record["crowd_area"].sum() == (instances == 255).sum()
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


def test_each_person_has_the_density_of_their_own_pose(pictures):
    for number, record in enumerate(pictures):
        rng = np.random.default_rng([MULTI.seed, *b"train", number, 0])
        angles, _ = poses.sample(rng, rng.integers(1, 9))
        expected = poses.log_density(angles).astype(np.float32)
        if len(expected) == len(record["log_density"]):
            np.testing.assert_array_equal(record["log_density"], expected)
        else:  # Somebody is hidden; the others keep their order.
            kept = [d in record["log_density"] for d in expected]
            np.testing.assert_array_equal(record["log_density"], expected[kept])


def test_the_tall_stand_before_the_small(pictures):
    """People come from the farthest to the nearest, and the nearer one is on top."""
    ranks = []
    for record in pictures:
        heads = np.ptp(record["head_box"].reshape(-1, 2, 2), axis=1).max(axis=-1)
        if len(heads) > 2:
            ranks.append(stats.spearmanr(heads, np.arange(len(heads))).statistic)
    assert np.mean(ranks) > 0.7


def test_some_are_cut_off_and_things_cover_some_keypoints():
    cut, covered = 0, 0
    for number in range(60):
        record = scenes.record(SINGLE, "test", number)
        (visibility,), (points,) = record["visibility"], record["keypoints"]
        cut += (visibility == 0).any()
        instances = decoded(record["instances"])
        x, y = np.rint(points[visibility == 1]).astype(int).T
        # Hidden, and not by the person themselves.
        covered += (instances[y, x] == 0).sum()
    assert 2 <= cut <= 18
    assert covered > 10


def test_a_camera_has_noise_and_its_own_exposure():
    grey = np.full((64, 64, 3), 128, np.uint8)
    means, spreads = [], []
    for seed in range(8):
        jpeg = places.photograph(np.random.default_rng(seed), grey)
        image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        means.append(image.mean())
        spreads.append(image.std(axis=(0, 1)).mean())
    assert np.ptp(means) > 20
    assert np.median(spreads) > 0.5
    assert max(spreads) > 3


@pytest.mark.parametrize(
    "field, value, message",
    [
        ("sizes", ((2000, 2000),), "sides of 32 to 1024 pixels"),
        ("people", (0, 2), "people=.* must be 1 to 100, fewest first"),
        ("stature", (1.0, 0.5), "least first"),
        ("crowd", 2.0, "must be a chance"),
    ],
)
def test_an_impossible_recipe_is_refused(field, value, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(SINGLE, **{field: value})


def test_a_killed_worker_is_reported_with_a_remedy(monkeypatch):
    """As the kernel ends one for want of memory, in the middle of a picture."""
    program = (
        "import os, pickle, signal, sys\n"
        "sys.stdout.buffer.write(pickle.dumps({'image': b'x' * 100})[:50])\n"
        "sys.stdout.buffer.flush()\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    monkeypatch.setattr(workers, "_PROGRAM", program)
    with pytest.raises(ChildProcessError, match="killed by signal 9.*taskset"):
        list(workers.records(SINGLE, "train", 4, processes=2))


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
