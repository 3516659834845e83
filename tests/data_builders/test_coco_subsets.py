"""Lists of photographs that others split COCO by."""

import hashlib

import archives
import coco_archive
import numpy as np
import pytest

from data_builders.coco_keypoints import coco_keypoints_dataset_builder as coco
from data_builders.coco_keypoints import subsets
from jaxpose import records, regions, scenes, skeletons


def test_the_list_is_that_of_pose_ae_train():
    """500 numbers from 36 to 574717, with the sum and the digest of the original."""
    content = subsets.AE_VALID.read_bytes()
    numbers = [int(number) for number in content.split()]
    assert len(set(numbers)) == len(numbers) == 500
    assert (min(numbers), max(numbers), sum(numbers)) == (36, 574717, 137_772_033)
    assert hashlib.sha256(content).hexdigest().startswith("5a8d0dc7")


@pytest.fixture(params=["2014", "2017"])
def built(request, tmp_path, monkeypatch):
    """Opens a split of a year of which 5 is on the list, and so is 999, not there."""
    listed = tmp_path / "listed.txt"
    listed.write_text("5\n999\n")
    monkeypatch.setattr(subsets, "AE_VALID", listed)
    files = coco_archive.official(int(request.param))
    archives.write_folder(tmp_path / "manual", "coco", files)

    def open_split(split: str, at_least: int = 0) -> records.People:
        return records.Split(
            builder=coco.Builder,
            split=split,
            region=regions.WholeImage(),
            config=request.param,
            at_least=at_least,
        ).open(str(tmp_path / "data"), str(tmp_path / "manual"), skeletons.COCO)

    return request.param, open_split


def test_subsets_divide_the_photographs_of_train(built):
    year, open_split = built
    validation, rest = open_split("ae_valid"), open_split("ae_train")
    assert validation.listing.image_id.tolist() == [5]
    assert rest.listing.image_id.tolist() == [2]
    assert open_split("train").listing.image_id.tolist() == [2, 5]
    assert validation.photographs.jpeg(0) == archives.photograph(5)
    name = f"{'COCO_train2014_' if year == '2014' else ''}000000000005.jpg"
    expected = f"coco_keypoints/{year}/ae_valid record 0 ({name}), person_id 14"
    assert validation.describe(0) == expected
    np.testing.assert_array_equal(rest.keypoints[0, :2], [(2, 3), (4, 5)])


def test_scenes_of_a_subset(built, tmp_path):
    year, open_split = built
    open_split("ae_train")
    split = records.Split(
        builder=coco.Builder,
        split="ae_train",
        region=regions.WholeImage(),
        config=year,
    )
    data = scenes.Scenes(sources=(split,), skeleton=skeletons.COCO, size=(16, 16))
    opened = data.open(str(tmp_path / "data"), str(tmp_path / "manual"))
    assert opened.annotations().image_id.tolist() == [2]
    assert opened.load(np.array([0])).visibility[0].any(axis=1).sum() == 2


def test_a_list_without_a_photograph_is_no_split(tmp_path):
    """The miniature archive has none of the 500."""
    files = coco_archive.official(2017)
    archives.write_folder(tmp_path / "manual", "coco", files)
    builder = archives.build(coco, tmp_path, "2017")
    assert [*builder.info.metadata["subsets"]] == ["ae_train"]
