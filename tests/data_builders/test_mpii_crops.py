"""Crops around the validation people of MPII, with everybody in them."""

import archives
import mpii_archive
import numpy as np
import pytest

from data_builders.mpii import mpii_dataset_builder
from jaxpose import geometry, lengths, records, regions, scenes, skeletons


@pytest.fixture(scope="module")
def mpii(tmp_path_factory):
    """Validation crops of the miniature archive, in which everything is inside."""
    root = tmp_path_factory.mktemp("mpii")
    files = mpii_archive.files(mpii_archive.miniature())
    archives.write_folder(root / "manual", "mpii", files)
    source = records.Split(
        builder=mpii_dataset_builder.Builder,
        split="validation",
        region=regions.BodyScale(padding=384 / 200, down=0.0),
    )
    data = scenes.Scenes(
        sources=(source,),
        skeleton=skeletons.MPII,
        size=(384, 384),
        around="person",
        length=lengths.Head(),
    )
    return data.open(str(root / "data"), str(root / "manual"))


def everywhere(seed):
    points = mpii_archive.everywhere(seed)
    return np.array([(p["x"] - 1, p["y"] - 1) for p in points])


def test_rows_are_of_the_split_but_the_others_are_there(mpii):
    """Of two and of three people the first, and the third, are validation people."""
    assert len(mpii) == 2
    truth = mpii.annotations()
    assert truth.labeled.any(axis=-1).sum(axis=1).tolist() == [2, 3]
    for row, order in enumerate([(1, 2), (5, 3, 4)]):
        for place, seed in enumerate(order):
            np.testing.assert_array_equal(truth.keypoints[row, place], everywhere(seed))
    np.testing.assert_array_equal(truth.head_box[0, 0], [9, 10, 29, 40])


def test_a_scale_unit_is_200_pixels_and_heads_are_measured(mpii):
    """The scale is 1.5, the center (49, 59), and the head box 20 x 30."""
    batch = mpii.load(np.array([0]))
    unit = np.linalg.norm(batch.to_source[0][:, :2] @ [200, 0])
    assert unit == pytest.approx(1.5 * 200)
    middle = geometry.apply(batch.to_source[0], np.array([[191.5, 191.5]]))
    np.testing.assert_allclose(middle, [[49, 59]], atol=1e-4)
    np.testing.assert_allclose(batch.scale[0, :2], 0.6 * np.hypot(20, 30) / 1.5)
