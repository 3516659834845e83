"""How large people are."""

import numpy as np
import pytest

from jaxpose import lengths, records, skeletons
from jaxpose.prepared import Photographs

MPII, COCO = skeletons.MPII, skeletons.COCO


def people(skeleton, points, **more) -> records.People:
    """One person a row, each with some keypoints by name."""
    n, k = len(points), len(skeleton.keypoints)
    keypoints, visibility = np.full((n, k, 2), 7.0), np.zeros((n, k), int)
    for row, named in enumerate(points):
        for name, point in named.items():
            keypoints[row, skeleton.index(name)] = point
            visibility[row, skeleton.index(name)] = 1 + row % 2
    return records.People(
        photographs=Photographs((), ()),
        record=np.arange(n),
        keypoints=keypoints,
        visibility=visibility,
        box=np.zeros((n, 4)),
        size=np.ones((n, 2), int),
        names=("",) * n,
        more={name: np.array(values, float) for name, values in more.items()},
    )


def test_extents_take_the_area_then_the_box_then_the_keypoints():
    points = [{"nose": (0, 0), "left_eye": (3, 4)}] * 3 + [{"nose": (5, 5)}]
    unknown = [np.nan] * 4
    found = people(
        COCO,
        points,
        area=[100, np.nan, np.nan, np.nan],
        box=[[0, 0, 3, 4], [0, 0, 6, 8], unknown, unknown],
    )
    assert lengths.Extent()(found, COCO).tolist() == [10, 10, 5, 1]


def test_heads_take_the_box_then_the_stick():
    stick = {"head_top": (10, 0), "neck": (10, 25)}
    box = [[0, 0, 30, 40], [np.nan] * 4, [np.nan] * 4]
    alone = {"head_top": (10, 0), "pelvis": (10, 90), "left_ankle": (40, 40)}
    found = lengths.Head()(people(MPII, [stick, stick, alone], head_box=box), MPII)
    # Of the last, a fifth of the diagonal of 30 x 90.
    np.testing.assert_allclose(found, [30, 25, 0.2 * np.hypot(30, 90)])
    without = lengths.Head()(people(MPII, [stick]), MPII)
    np.testing.assert_allclose(without, [25])


def test_heads_without_either_are_told_from_the_face():
    front = {"left_ear": (0, 0), "right_ear": (20, 0), "nose": (10, 5)}
    away = {"left_eye": (0, 0), "nose": (2, 0)}
    found = lengths.Head()(people(COCO, [front, away], area=[900, 10_000]), COCO)
    np.testing.assert_allclose(found, [1.15 * 20, 0.2 * 100])
    halved = lengths.Head(face=0.5, extent=0.1)
    np.testing.assert_allclose(
        halved(people(COCO, [front, away], area=[900, 10_000]), COCO), [10, 10]
    )


@pytest.mark.parametrize("skeleton", [MPII, COCO, skeletons.LSP])
def test_who_tells_nothing_has_a_pixel(skeleton):
    nobody = people(skeleton, [{}, {}])
    assert lengths.Head()(nobody, skeleton).tolist() == [1, 1]
    assert lengths.Extent()(nobody, skeleton).tolist() == [1, 1]
