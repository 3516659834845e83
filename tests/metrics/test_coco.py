import dataclasses
import math

import crowds
import numpy as np
import pytest

from jaxpose import skeletons
from jaxpose.metrics import coco
from jaxpose.types import Annotations

COCO = skeletons.COCO


def test_similarity_is_the_formula():
    random = np.random.default_rng(0)
    predicted, truth = random.uniform(0, 50, (2, 5, 17, 2))
    area = random.uniform(500, 5000, 5)
    found = coco.similarity(predicted, truth, area, COCO.sigmas)
    for i in range(5):
        for k in range(17):
            distance = math.dist(predicted[i, k], truth[i, k])
            falloff = 2 * COCO.sigmas[k]
            expected = math.exp(-(distance**2) / (2 * area[i] * falloff**2))
            assert found[i, k] == pytest.approx(expected)


def test_per_keypoint_is_the_mean_similarity_of_those_found():
    """People far apart match at once, so that a loop can tell who was found."""
    predicted, annotations = crowds.people(n=20)
    table = coco.AP()(predicted, annotations, COCO)
    found = [[] for _ in range(17)]
    for i in range(20):
        for j in range(3):
            alike = coco.similarity(
                predicted.keypoints[i, j][None],
                annotations.keypoints[i, j][None],
                annotations.area[i, j][None],
                COCO.sigmas,
            )[0]
            labeled = annotations.visibility[i, j] > 0
            if alike[labeled].mean() >= 0.5:
                for k in np.flatnonzero(labeled):
                    found[k].append(alike[k])
    assert list(table.values.values()) == pytest.approx([np.mean(f) for f in found])


def test_single_people_are_joined_by_their_photograph():
    """A row a person, as top-down networks see them, counts like a row a photograph."""
    predicted, annotations = crowds.people()
    n, p = annotations.visibility.shape[:2]
    single = Annotations(
        keypoints=annotations.keypoints.reshape(n * p, 1, 17, 2),
        visibility=annotations.visibility.reshape(n * p, 1, 17),
        area=annotations.area.reshape(n * p, 1),
        image_id=np.repeat(np.arange(n) * 7, p),
    )
    rows = crowds.poses(
        predicted.keypoints.reshape(n * p, 1, 17, 2),
        predicted.person_scores.reshape(n * p, 1),
    )
    together = coco.AP()(predicted, annotations, COCO)
    apart = coco.AP()(rows, single, COCO)
    assert apart.extra == together.extra and apart.values == together.values


def test_truth_is_perfect_and_a_false_one_is_not():
    _, annotations = crowds.people()
    perfect = coco.AP()(crowds.poses(annotations.keypoints), annotations, COCO)
    assert perfect.mean == pytest.approx(1) and perfect.values["nose"] == 1
    false = annotations.keypoints[:, :1] + 5000  # one more in every photograph
    more = crowds.poses(np.concatenate([annotations.keypoints, false], axis=1))
    assert coco.AP()(more, annotations, COCO).mean < 0.9


def test_people_who_are_hardly_in_sight_can_be_left_out():
    """Ignored where their box is: neither missed, nor is it wrong to find them."""
    predicted, annotations = crowds.people()
    seen = (annotations.visibility == 2).sum(axis=-1)
    assert 0 < (seen < 9).sum() < seen.size
    low, high = (f(annotations.keypoints, axis=2) for f in (np.min, np.max))
    boxed = dataclasses.replace(annotations, box=np.concatenate([low, high], axis=-1))
    few = (seen < 9)[..., None]
    unlabeled = np.where(few, 0, annotations.visibility)
    expected = coco.AP()(
        predicted, dataclasses.replace(boxed, visibility=unlabeled), COCO
    )
    table = coco.AP(in_sight=9)(predicted, boxed, COCO)
    assert table.name == "AP_9_in_sight" and "9 or more keypoints" in table.convention
    assert table.extra == expected.extra
    assert table.mean != coco.AP()(predicted, boxed, COCO).mean
    # Whoever counts found exactly, the others not at all, or found as well.
    for keypoints in (
        np.where(few[..., None], np.nan, boxed.keypoints),
        boxed.keypoints,
    ):
        found = coco.AP(in_sight=9)(crowds.poses(keypoints), boxed, COCO)
        assert found.mean == pytest.approx(1)
    with pytest.raises(ValueError, match="in_sight=-1 must be 0 or more"):
        coco.AP(in_sight=-1)


def test_hidden_keypoints_and_small_people_can_be_left_out():
    predicted, annotations = crowds.people()
    low, high = (f(annotations.keypoints, axis=2) for f in (np.min, np.max))
    boxed = dataclasses.replace(annotations, box=np.concatenate([low, high], axis=-1))
    shown, large = boxed.visibility == 2, (boxed.area >= 1024)[..., None]
    for fields, counts, name in (
        ({"hidden": False}, shown, "AP_visible"),
        ({"smallest": 1024}, np.broadcast_to(large, shown.shape), "AP_area_1024"),
        (
            {"hidden": False, "smallest": 1024, "in_sight": 9},
            shown & large & (shown.sum(axis=-1, keepdims=True) >= 9),
            "AP_9_in_sight_visible_area_1024",
        ),
    ):
        kept = np.where(counts, boxed.visibility, 0)
        assert kept.any() and (kept != boxed.visibility).any()
        known = dataclasses.replace(boxed, visibility=kept)
        expected = coco.AP()(predicted, known, COCO)
        table = coco.AP(**fields)(predicted, boxed, COCO)
        assert table.name == name and table.extra == expected.extra
        assert table.mean != coco.AP()(predicted, boxed, COCO).mean
    assert "keypoints in sight alone; people of 1024 square pixels" in table.convention
    with pytest.raises(ValueError, match="smallest=-1 must be 0 or more square pixels"):
        coco.AP(smallest=-1)
    with pytest.raises(ValueError, match="area=None"):
        coco.AP(smallest=1)(
            predicted, dataclasses.replace(annotations, area=None), COCO
        )


def test_nobody_fills_rows():
    """Slots of nan, or without a score, are no predictions."""
    predicted, annotations = crowds.one_person()
    for keypoints, scores in (
        (np.array([1, np.nan])[:, None, None], [[0.5, 0.9]]),
        (1, [[0.5, np.nan]]),
    ):
        filled = crowds.poses(predicted.keypoints * keypoints, np.array(scores))
        assert coco.AP()(filled, annotations, COCO).mean == pytest.approx(1)


def test_missing_keypoints_are_similar_to_nothing():
    _, annotations = crowds.one_person()
    keypoints = annotations.keypoints.copy()
    keypoints[:, :, 0] = np.nan
    table = coco.AP()(crowds.poses(keypoints), annotations, COCO)
    assert table.values["nose"] == 0 and table.values["left_eye"] == 1
    assert table.extra["AP50"] == pytest.approx(1)
    assert table.mean == pytest.approx(0.9)  # OKS is 16/17 = 0.94


def test_unlabeled_keypoints_may_be_anything():
    predicted, annotations = crowds.one_person()
    visibility = annotations.visibility.copy()
    visibility[..., 3] = 0
    keypoints = annotations.keypoints.copy()
    keypoints[..., 3, :] = np.nan
    blind = dataclasses.replace(annotations, keypoints=keypoints, visibility=visibility)
    table = coco.AP()(predicted, blind, COCO)
    assert table.mean == pytest.approx(0.5) and np.isnan(table.values["left_ear"])


def test_no_predictions_score_zero_and_no_people_nan():
    predicted, annotations = crowds.one_person()
    nobody = crowds.poses(np.full((1, 1, 17, 2), np.nan))
    table = coco.AP()(nobody, annotations, COCO)
    assert table.mean == 0 and np.isnan(table.extra["APl"])
    assert np.isnan(list(table.values.values())).all()
    empty = dataclasses.replace(
        annotations, visibility=np.zeros_like(annotations.visibility)
    )
    for found in (predicted, nobody):
        table = coco.AP()(found, empty, COCO)
        assert np.isnan([table.mean, *table.extra.values()]).all()


def test_skeleton_without_sigmas_is_refused_with_the_remedy():
    predicted, annotations = crowds.one_person()
    bare = dataclasses.replace(COCO, name="dogs", sigmas=())
    with pytest.raises(
        ValueError, match=r"dogs has sigmas \(\), .*coco_skeleton.read, .*--sigmas"
    ):
        coco.AP()(predicted, annotations, bare)
    for sigmas in ((0.1,) * 16, (0.1,) * 16 + (0.0,)):
        wrong = dataclasses.replace(COCO, sigmas=sigmas)
        with pytest.raises(ValueError, match="OKS needs 17 positive ones"):
            coco.AP()(predicted, annotations, wrong)


@pytest.mark.parametrize("area", [0.0, np.nan, -3.0])
def test_people_without_area_are_refused_by_record(area):
    predicted, annotations = crowds.people()
    annotations.area[4, 1] = area
    with pytest.raises(
        ValueError, match=r"person 1 of record 4 \(image_id 4\) has the"
    ):
        coco.AP()(predicted, annotations, COCO)


def test_truth_without_areas_is_refused():
    predicted, annotations = crowds.people()
    bare = dataclasses.replace(annotations, area=None)
    with pytest.raises(ValueError, match="annotations.area=None"):
        coco.AP()(predicted, bare, COCO)


def test_other_rows_and_keypoints_are_refused():
    predicted, annotations = crowds.people()
    fewer = crowds.poses(predicted.keypoints[:4])
    with pytest.raises(
        ValueError, match=r"\(4, 3, 17, 2\), must be \(6, people, 17, 2"
    ):
        coco.AP()(fewer, annotations, COCO)
    with pytest.raises(ValueError, match=r"must be \(6, people, 14, 2\).*LSP"):
        sigmas = (0.1,) * 14
        lsp = dataclasses.replace(skeletons.LSP, sigmas=sigmas)
        coco.AP()(predicted, annotations, lsp)
