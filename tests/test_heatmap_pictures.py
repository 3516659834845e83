"""Pixels of heatmap pictures, derived by hand from the formulas of PyTorch-Pose.

With a canvas of grey 101 a pixel is 0.3 x 101 + 0.7 x 255 x colour. The colours are
    0    e^-4.5 / 2 + e^(-32/9) = 0.03412, e^(-25/18) = 0.24935, e^(-2/9) = 0.80074
    1/2  e^-0.125 / 2 + e^-0.5 = 1.05 cut to 1, 1, e^-0.5 = 0.60653
    1    e^-2 / 2 + e^(-2/9) = 0.86840, 0.24935, e^(-32/9) = 0.02857
"""

import numpy as np
import pytest

from jaxpose import draw, heatmap_pictures

GREY = 101
BLUE, YELLOW, RED = (36, 75, 173), (209, 209, 139), (185, 75, 35)


def grey(*size):
    return np.full((*size, 3), GREY, np.uint8)


def maps(canvas, truth, prediction, labeled):
    return heatmap_pictures.Maps(
        canvas=canvas,
        labeled=np.array(labeled),
        truth=np.float32(truth),
        prediction=np.float32(prediction),
    )


@pytest.mark.parametrize("value, color", [(0, BLUE), (0.5, YELLOW), (1, RED)])
def test_colors_over_a_canvas(value, color):
    values = np.full((2, 3), value, np.float32)
    tile = heatmap_pictures.overlay(grey(8, 12), values)
    assert tile.dtype == np.uint8 and tile.shape == (8, 12, 3)
    np.testing.assert_array_equal(tile, np.broadcast_to(color, (8, 12, 3)))


def test_values_beyond_the_scale_have_the_colors_of_its_ends():
    found = heatmap_pictures.colors(np.array([-3, 0, 1, np.inf]))
    np.testing.assert_array_equal(found[[0, 3]], found[[1, 2]])


def test_cells_are_squares_of_pixels():
    """A cell of 4 x 4 pixels is centred between its second and third; ends are flat."""
    values = np.array([[0, 0], [0, 1]], np.float32)
    tile = heatmap_pictures.overlay(np.zeros((8, 8, 3), np.uint8), values)
    # Pixel c lies at (c + 0.5) / 4 - 0.5 cells: pixels 2 to 5 are 1/8, 3/8, 5/8, 7/8.
    shares = np.array([0, 0, 1, 3, 5, 7, 8, 8]) / 8
    wanted = 0.7 * heatmap_pictures.colors(shares[:, None] * shares)
    np.testing.assert_allclose(tile, wanted, atol=0.5)


# Of one person on a canvas of 64 x 32 with two keypoints: tiles of 128 x 64 under captions
# of 22, beside a canvas of 150 x 75; 2 pixels between, and two such panels of 207. Above
# are the scale of 22 + 12 and the captions of the panels.
TOP, LEFT = 22 + 12 + 22, 75 + 2
TILES = {"truth": (LEFT, LEFT + 66), "prediction": (209 + LEFT, 209 + LEFT + 66)}


@pytest.fixture
def picture():
    """Two uniform maps: the first a true 0.4 and a predicted 0.2, the second unlabeled."""
    truth, prediction = np.zeros((1, 16, 8, 2)), np.full((1, 16, 8, 2), 0.2)
    truth[..., 0], prediction[..., 1] = 0.4, -7
    return heatmap_pictures.montage(
        maps(grey(64, 32)[None], truth, prediction, [[True, False]]), ("hip", "knee")
    )


def test_both_sides_share_the_scale_of_the_truth(picture):
    assert picture.shape == (TOP + 150, 2 * 207 + 2, 3)
    middles = {side: [picture[TOP + 86, x + 32] for x in TILES[side]] for side in TILES}
    np.testing.assert_array_equal(middles["truth"], [RED, BLUE])
    np.testing.assert_array_equal(middles["prediction"], [YELLOW, BLUE])
    for x in (0, 74, 209, 209 + 74):
        np.testing.assert_array_equal(picture[TOP : TOP + 150, x], grey(150))


def test_captions_tell_keypoint_value_and_what_is_unlabeled(picture):
    texts = {
        "truth": ("hip", "knee: unlabeled"),
        "prediction": ("hip 0.20", "knee -7.0"),
    }
    for side, columns in TILES.items():
        for x, text in zip(columns, texts[side]):
            bar = draw.caption(grey(1, 64), text)[:22]
            np.testing.assert_array_equal(picture[TOP : TOP + 22, x : x + 64], bar)


def test_the_scale_stands_above(picture):
    ends = picture[28, [0, -1]]
    colors = 255 * np.array([[0.03412, 0.24935, 0.80074], [0.86840, 0.24935, 0.02857]])
    np.testing.assert_allclose(ends, colors, atol=0.51)
    text = "colours: 0 or less at the left, 0.4 or more at the right; numbers: the "
    bar = draw.caption(grey(1, 416), f"{text}highest value of each predicted map")[:22]
    np.testing.assert_array_equal(picture[:22], bar)


def test_nobody_labeled_is_drawn_on_a_scale_to_one():
    sheet = heatmap_pictures.montage(
        maps(
            grey(64, 32)[None],
            np.zeros((1, 4, 2, 1)),
            np.ones((1, 4, 2, 1)),
            [[False]],
        ),
        ("hip",),
    )
    # One tile a panel: the second panel begins at 75 + 2 + 64 + 2.
    np.testing.assert_array_equal(sheet[TOP + 86, 143 + LEFT + 32], RED)


@pytest.mark.parametrize(
    "people, keypoints, canvas, shape",
    [
        # As PyTorch-Pose lays them out: 2 x 8 tiles of 150 x 128 beside 302 x 302.
        (4, 16, (64, 64), (56 + 4 * 302 + 18, 2 * (302 + 2 + 8 * 130 - 2) + 2)),
        (1, 14, (64, 64), (56 + 302, 2 * (302 + 2 + 7 * 130 - 2) + 2)),
        # 2 x 9 tiles, of which one stays empty.
        (1, 17, (64, 48), (56 + 302, 2 * (226 + 2 + 9 * 98 - 2) + 2)),
        (1, 1, (64, 64), (56 + 150, 2 * (150 + 2 + 128) + 2)),
        # Tiles of 13 x 128 and 35 high with their captions: 8 x 17 of them.
        (1, 133, (8, 80), (56 + 294, 2 * (2940 + 2 + 17 * 130 - 2) + 2)),
        # A tile of 128 x 1 under a caption of no more width.
        (1, 2, (400, 4), (56 + 150, 2 * (2 + 2 + 2 * 3 - 2) + 2)),
    ],
)
def test_any_number_of_keypoints_on_any_canvas(people, keypoints, canvas, shape):
    values = np.random.default_rng(0).normal(size=(2, people, 16, 12, keypoints))
    sheet = heatmap_pictures.montage(
        maps(
            np.zeros((people, *canvas, 3), np.uint8),
            *values,
            np.ones((people, keypoints), bool),
        ),
        [f"keypoint_{k}" for k in range(keypoints)],
    )
    assert sheet.shape == (*shape, 3)
