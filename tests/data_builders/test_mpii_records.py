"""The records of MPII, built from miniature archives and from five real people."""

import hashlib

import archives
import mpii_archive
import numpy as np
import pytest
import scipy.io

from data_builders.mpii import mpii_dataset_builder as mpii
from data_builders.mpii import splits
from jaxpose import records, regions, skeletons


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The builder of the miniature archive, and its root."""
    root = tmp_path_factory.mktemp("mpii")
    files = mpii_archive.files(mpii_archive.miniature())
    archives.write_folder(root / "manual", "mpii", files)
    return root, files, archives.build(mpii, root)


def people(root, split, **fields) -> records.People:
    source = records.Split(
        builder=mpii.Builder, split=split, region=regions.WholeImage(), **fields
    )
    return source.open(str(root / "data"), str(root / "manual"), skeletons.MPII)


def test_every_photograph_is_in_one_split(built):
    _, files, builder = built
    names = {
        split: [r["filename"].decode() for r in archives.read(builder, split)]
        for split in builder.info.splits
    }
    (one, later) = (mpii_archive.miniature()[i]["name"] for i in (1, 4))
    assert names == {
        "train": ["100.jpg", "102.jpg", "105.jpg"],
        "validation": [one, later],
        "test": ["103.jpg"],
    }
    for record in archives.read(builder):
        assert record["image"] == files[f"images/{record['filename'].decode()}"]


def test_a_record_holds_all_people_and_what_is_known_of_them(built):
    first = archives.read(built[2], "train")[0]
    assert first["keypoints"].shape == (2, 16, 2) and first["image_id"] == 1
    np.testing.assert_array_equal(first["center"], [[6, 7], [49, 59]])
    np.testing.assert_array_equal(first["scale"], [2.25, 3])
    np.testing.assert_array_equal(first["head_box"][0], [9, 10, 29, 40])
    assert np.isnan(first["head_box"][1]).all()
    assert first["separate"].tolist() == [True, False]
    assert first["activity"] == b"curling" and first["activity_id"] == 12
    assert first["category"] == b"winter activities"
    last = archives.read(built[2], "train")[2]
    assert (last["activity"], last["activity_id"]) == (b"", -1)


def test_keypoints_count_from_zero_and_missing_ones_are_unlabeled(built):
    first = archives.read(built[2], "train")[0]
    expected = np.zeros((16, 2))
    expected[:6] = np.array([(10 + i, 20 + i) for i in range(6)]) - 1
    expected[8], expected[9] = (-4, -0.5), (4.25, 0)
    np.testing.assert_allclose(first["keypoints"][0], expected)
    # Flags are numbers or letters; a joint without one is visible.
    visible = [2, 1, 2, 1, 2, 1, 0, 0, 2, 2, 0, 0, 0, 0, 0, 0]
    assert first["visibility"][0].tolist() == visible
    assert not first["visibility"][1].any()


def test_photographs_of_nobody_and_of_the_test_set(built):
    nobody = archives.read(built[2], "train")[1]
    assert nobody["keypoints"].shape == (0, 16, 2)
    assert nobody["head_box"].shape == (0, 4) and nobody["separate"].shape == (0,)
    test = archives.read(built[2], "test")[0]
    assert test["visibility"].shape == (2, 16) and not test["visibility"].any()
    np.testing.assert_array_equal(test["scale"], [1.5, 1.5])


def test_validation_people_come_in_the_order_of_published_predictions(built):
    found = people(built[0], "validation")
    rows = mpii_archive.validation_rows()
    chosen = [rows[0], next(row for row in rows if row[1] == 3)]
    assert list(found.names) == [name for name, _ in chosen]
    expected = [mpii_archive.everywhere(1), mpii_archive.everywhere(5)]
    points = [[(p["x"] - 1, p["y"] - 1) for p in person] for person in expected]
    np.testing.assert_allclose(found.keypoints, points)
    assert len(rows) == 2958


def test_splits_are_lists_of_people(built):
    names = people(built[0], "train").names
    assert names == ("100.jpg", "105.jpg")
    official = people(built[0], "official_train")
    assert len(official) == 2 + 5
    assert official.names[:2] == names
    assert official.describe(6).startswith("mpii/validation record 1 (")
    with pytest.raises(ValueError, match="mpii/test has nobody with 1 labeled"):
        people(built[0], "test")
    test = people(built[0], "test", at_least=0)
    np.testing.assert_array_equal(test.more["scale"], [1.5, 1.5])
    with pytest.raises(ValueError, match="no split 'deeppose_test'; it has official"):
        people(built[0], "deeppose_test")


def test_what_metrics_need_comes_along(built):
    truth = people(built[0], "validation").annotations()
    np.testing.assert_array_equal(truth.head_box[:, 0], [[9, 10, 29, 40]] * 2)
    assert truth.image_id.tolist() == [2, 5]


def test_the_draw_of_deeppose_is_the_recorded_one():
    order = splits.deeppose_order()
    assert order[:8].tolist() == [1327, 11389, 15172, 16514, 9652, 19806, 13714, 19014]
    assert hashlib.sha256(order.astype("<i4").tobytes()).hexdigest() == (
        "03e2f9064bff09761bb23a742e3f33cc0eef3657f41304b5ddc078fe0b6d8475"
    )
    assert len(order) - splits.DEEPPOSE_TEST == 17_928


def test_deepposes_split_is_of_the_people_with_all_keypoints(tmp_path, monkeypatch):
    # Six people of the miniature archive have 16 points; the seventh has 8.
    monkeypatch.setattr(splits, "DEEPPOSE_PEOPLE", 6)
    monkeypatch.setattr(splits, "DEEPPOSE_TEST", 2)
    files = mpii_archive.files(mpii_archive.miniature())
    archives.write_folder(tmp_path / "manual", "mpii", files)
    archives.build(mpii, tmp_path)
    train, test = (people(tmp_path, f"deeppose_{name}") for name in ("train", "test"))
    assert (len(train), len(test)) == (4, 2)
    complete = people(tmp_path, "official_train", at_least=16).keypoints
    # Records come split by split, the draw goes through the release: 105.jpg is last.
    released = np.concatenate([complete[1:], complete[:1]])
    drawn = released[np.random.RandomState(1701).permutation(6)]
    unordered = lambda keypoints: sorted(map(bytes, keypoints))
    assert unordered(test.keypoints) == unordered(drawn[:2])
    assert unordered(train.keypoints) == unordered(drawn[2:])


def test_five_real_people_equal_the_published_ground_truth(tmp_path):
    data = archives.ROOT.parent / "shared" / "data"
    if not (data / "mpii").is_dir():
        pytest.skip(f"{data}/mpii, five real people, is not here")
    (tmp_path / "manual").symlink_to(data)
    found = people(tmp_path, "validation")
    truth = scipy.io.loadmat(data / "published" / "mpii_val_ground_truth.mat")
    missing = truth["jnt_missing"].T[:5].astype(bool)
    keypoints = truth["pos_gt_src"].transpose(2, 0, 1)[:5] - 1
    boxes = truth["headboxes_src"].transpose(2, 0, 1)[:5].reshape(5, 4) - 1
    assert found.names == tuple(name for name, _ in mpii_archive.validation_rows()[:5])
    np.testing.assert_array_equal(found.visibility == 0, missing)
    # The annotations at hand are whole numbers, some of them cut.
    np.testing.assert_allclose(found.keypoints[~missing], keypoints[~missing], atol=1)
    np.testing.assert_allclose(found.more["head_box"], boxes, atol=1e-3)
