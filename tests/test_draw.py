"""Drawings change where they should, and only there."""

import numpy as np
import pytest

from jaxpose import draw, skeletons

LSP = skeletons.LSP


def grey(height=300, width=280):
    return np.full((height, width, 3), 128, np.uint8)


def person(left=60.0, top=30.0, scale=1.0):
    """A person who stands: LSP order, in pixels."""
    x = [40, 40, 45, 75, 80, 80, 10, 20, 40, 80, 100, 110, 60, 60]
    y = [240, 180, 120, 120, 180, 240, 120, 80, 40, 40, 80, 120, 40, 5]
    return (np.stack([x, y], 1) * scale + (left, top))[None].astype(float)


def visible(value=2):
    return np.full((1, 14), value)


def changed(before, after):
    return (before != after).any(-1)


def test_limbs_change_pixels_along_their_lines_only():
    image = grey()
    drawn = draw.draw_people(image, person(), visible(), LSP)
    assert drawn.shape == image.shape and drawn.dtype == np.uint8
    assert (image == 128).all()  # the photograph itself is untouched
    different = changed(image, drawn)
    for parent, child in LSP.limbs:
        for along in np.linspace(0, 1, 20):
            x, y = person()[0, parent] * (1 - along) + person()[0, child] * along
            assert different[round(y), round(x)], (parent, child, along)
    assert different.mean() < 0.1
    x, y = person()[0].min(0) - 8, person()[0].max(0) + 8
    outside = different.copy()
    outside[int(x[1]) : int(y[1]), int(x[0]) : int(y[0])] = False
    assert not outside.any()


@pytest.mark.parametrize("limb", LSP.limbs)
def test_the_middle_of_a_limb_has_its_colour(limb):
    shown = visible(0)
    shown[0, list(limb)] = 2
    drawn = draw.draw_people(grey(), person(), shown, LSP)
    x, y = np.rint(person()[0, list(limb)].mean(0)).astype(int)
    color = np.array(draw.limb_color(LSP, limb))
    assert np.abs(drawn[y, x].astype(int) - color).max() < 40


def test_left_and_right_have_different_colours():
    for limb in LSP.limbs:
        mirrored = [LSP.flip[end] for end in limb]
        middle = sorted(mirrored) == sorted(limb)
        same = draw.limb_color(LSP, limb) == draw.limb_color(LSP, mirrored)
        assert same == middle, limb
    arm, leg = (8, 7), (2, 1)
    assert draw.limb_color(LSP, arm) != draw.limb_color(LSP, leg)


def test_unlabeled_people_and_keypoints_leave_no_trace():
    image = grey()
    assert not changed(image, draw.draw_people(image, person(), visible(0), LSP)).any()
    nobody = draw.draw_people(image, np.zeros((0, 14, 2)), np.zeros((0, 14), int), LSP)
    assert not changed(image, nobody).any()
    shown = visible()
    shown[0, 0] = 0  # right ankle: its disc and the limb from the knee go
    different = changed(image, draw.draw_people(image, person(), shown, LSP))
    x, y = person()[0, 0].astype(int)
    assert not different[y - 40 : y + 10, x - 10 : x + 10].any()
    assert different[y - 70, x]  # the knee is still there


def test_hidden_keypoints_are_rings():
    x, y = person()[0, 13].astype(int)
    shown = visible(0)
    shown[0, 13] = 2
    disc = draw.draw_people(grey(), person(), shown, LSP)[y, x]
    ring = draw.draw_people(grey(), person(), shown // 2, LSP)[y, x]
    np.testing.assert_array_equal(disc, draw.limb_color(LSP, [13]))
    assert ring.max() < 60


def test_small_photographs_are_enlarged_with_their_keypoints():
    small = grey(150, 95)
    keypoints = person(left=10, top=10, scale=0.5)
    drawn = draw.draw_people(small, keypoints, visible(), LSP)
    assert drawn.shape == (round(150 * 256 / 95), 256, 3)
    factor = 256 / 95
    x, y = np.rint((keypoints[0, 13] + 0.5) * factor - 0.5).astype(int)
    np.testing.assert_array_equal(drawn[y, x], draw.limb_color(LSP, [13]))
    large = grey(700, 900)
    assert draw.draw_people(large, keypoints, visible(), LSP).shape == large.shape


@pytest.mark.parametrize("far", [np.nan, np.inf, -np.inf, 1e30, -1e9, 5e4])
def test_impossible_numbers_are_left_out(far):
    image, keypoints, without = grey(), person(), visible()
    keypoints[0, 6] = far
    without[0, 6] = 0
    np.testing.assert_array_equal(
        draw.draw_people(image, keypoints, visible(), LSP),
        draw.draw_people(image, person(), without, LSP),
    )


def test_a_limb_that_leaves_the_picture_keeps_its_direction():
    keypoints, shown = person(), visible(0)
    keypoints[0, 7], keypoints[0, 6] = (100, 100), (-900, 100)
    shown[0, [6, 7]] = 2
    different = changed(grey(), draw.draw_people(grey(), keypoints, shown, LSP))
    assert different[100, :100].all()
    assert not different[:90].any() and not different[110:].any()


def test_wrong_skeleton():
    with pytest.raises(ValueError, match="13 keypoints a person, but LSP has 14"):
        draw.draw_people(grey(), person()[:, :13], visible()[:, :13], LSP)


def test_captions_fit():
    titled = draw.caption(grey(100, 90), "a caption much too long for ninety pixels")
    assert titled.shape == (100 + draw.BAR, 90, 3)
    bar = titled[: draw.BAR]
    assert bar.max() > 150  # there is text,
    assert bar[:, -4:].max() < 60  # and it ends before the border
    np.testing.assert_array_equal(titled[draw.BAR :], grey(100, 90))


def test_side_by_side_is_truth_then_prediction():
    pair = draw.side_by_side(grey(40, 60), np.zeros((40, 60, 3), np.uint8))
    assert pair.shape == (40 + draw.BAR, 122, 3)
    assert (pair[draw.BAR :, :60] == 128).all()
    assert (pair[:, 60:62] == 255).all()
    assert (pair[draw.BAR :, 62:] == 0).all()


def test_contact_sheet_lays_tiles_row_by_row():
    tiles = [np.full((10, 20, 3), n, np.uint8) for n in range(5)]
    sheet = draw.contact_sheet(tiles, columns=3, gap=4)
    assert sheet.shape == (24, 68, 3)
    for n, tile in enumerate(tiles):
        top, left = n // 3 * 14, n % 3 * 24
        np.testing.assert_array_equal(sheet[top : top + 10, left : left + 20], tile)
    assert (sheet[10:14] == 255).all() and (sheet[14:, 48:] == 255).all()
    assert draw.contact_sheet(tiles[:1], columns=3).shape == (10, 20, 3)
    with pytest.raises(ValueError, match="letterbox"):
        draw.contact_sheet([tiles[0], grey()], columns=2)
    with pytest.raises(ValueError, match="0 tiles"):
        draw.contact_sheet([], columns=2)


def test_letterbox_keeps_the_proportions():
    image = np.full((50, 100, 3), 200, np.uint8)
    tile = draw.letterbox(image, (80, 60))
    assert tile.shape == (80, 60, 3)
    assert (tile[25:55] == 200).all()
    assert (tile[:25] == 48).all() and (tile[55:] == 48).all()
