"""Boxes that canvases show."""

import numpy as np
import pytest

from jaxpose import regions, skeletons

KEYPOINTS = np.array([[[10.0, 20.0], [30.0, 60.0], [-99.0, 500.0]]])
LABELED = np.array([[True, True, False]])
SIZE = np.array([[64, 48]])


def box(region, **more):
    (found,) = region(KEYPOINTS, LABELED, SIZE, more)
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


def test_nobody_wholly_outside_has_a_box_inside():
    above = KEYPOINTS - np.array([0.0, 80.0])
    with pytest.raises(regions.NoRegionError, match="1 people lie outside") as found:
        regions.PersonBox(inside=True)(above, LABELED, SIZE, {})
    assert found.value.person == 0


def test_a_person_without_labels_has_no_box():
    with pytest.raises(ValueError, match="no labeled keypoint"):
        regions.PersonBox()(KEYPOINTS, np.zeros((1, 3), bool), SIZE, {})


def test_a_known_box_is_padded_to_its_aspect():
    own = np.array([[0.0, 10.0, 20.0, 50.0]])
    assert box(regions.KnownBox(padding=1.0), box=own) == [-10, 10, 30, 50]
    assert box(regions.KnownBox(aspect=0.75), box=own) == [-8.75, 5, 28.75, 55]
    with pytest.raises(ValueError, match="1 people have a box without area, the first"):
        box(regions.KnownBox(), box=own[:, [0, 1, 0, 3]])


def test_body_scale_is_mpiis_rule():
    more = {"center": np.array([[100.0, 50.0]]), "scale": np.array([2.0])}
    # y += 15 * 2, side 200 * 2 * 1.25.
    assert box(regions.BodyScale(), **more) == [-150, -170, 350, 330]
    assert box(regions.BodyScale(padding=1.0, down=0.0), **more) == [
        -100,
        -150,
        300,
        250,
    ]


@pytest.mark.parametrize("region", [regions.KnownBox(), regions.BodyScale()])
def test_what_is_not_known_is_named(region):
    with pytest.raises(ValueError, match=r"does not tell the .*but \['area'\]; choose"):
        box(region, area=np.ones(1))
    unknown = {
        "box": np.full((1, 4), np.nan),
        "center": np.full((1, 2), np.nan),
        "scale": np.ones(1),
    }
    with pytest.raises(ValueError, match="of 1 people is not known, of the first numb"):
        box(region, **unknown)


def limb_scale(keypoints, labeled, center="keypoints", padding=1.0):
    region = regions.LimbScale(skeleton=skeletons.LSP, center=center, padding=padding)
    size = np.full((len(keypoints), 2), (200, 100))
    return region(keypoints, labeled, size, {})


def test_limb_scale_tells_the_height_from_the_head():
    standing = np.array(
        [(4, 100), (4, 70), (4, 45), (8, 45), (8, 70), (8, 100), (0, 50), (0, 35)]
        + [(2, 20), (10, 20), (12, 35), (12, 50), (6, 15), (6, 0)],
        float,
    )
    people = np.stack([standing, standing * 2, standing * 1.5])
    labeled = np.ones((3, 14), bool)
    labeled[2, skeletons.LSP.index("head_top")] = False
    found = limb_scale(people, labeled)
    # 15 pixels of head are 15 / 35 * 200 of height, but at least the extent counts:
    # 100 / 304 * 41 / 35 * 200.
    height = max(15 / 35, 100 * 41 / 35 / 304) * 200
    sides = found[:, 2:] - found[:, :2]
    without_head = max(1.5 * 15 / 35, 127.5 * 41 / 35 / 304) * 200
    expected = [height, 2 * height, without_head]
    np.testing.assert_allclose(sides, np.stack([expected, expected], axis=1))
    np.testing.assert_allclose((found[0, :2] + found[0, 2:]) / 2, (6, 50))
    middle = limb_scale(people, labeled, center="image", padding=1.4375)
    np.testing.assert_allclose((middle[:, :2] + middle[:, 2:]) / 2, [[49.5, 99.5]] * 3)
    np.testing.assert_allclose((middle[:, 2:] - middle[:, :2]), 1.4375 * sides)


def test_limb_scale_counts_foreshortened_limbs_less():
    generator = np.random.default_rng(0)
    people = generator.uniform(0, 100, (50, 14, 2))
    labeled = generator.uniform(size=(50, 14)) < 0.9
    found = limb_scale(people, labeled)
    inside = (people >= found[:, None, :2]) & (people <= found[:, None, 2:])
    assert inside.all(axis=-1)[labeled].all()


def test_limb_scale_needs_a_head_to_begin_with():
    labeled = np.ones((2, 14), bool)
    labeled[:, skeletons.LSP.index("neck")] = False
    with pytest.raises(ValueError, match="nobody has both neck and head top"):
        limb_scale(np.random.default_rng(0).uniform(0, 9, (2, 14, 2)), labeled)
