"""People out of records that tell more than keypoints, as metrics and regions get them."""

import dataclasses

import archives
import coco_archive
import numpy as np
import pytest

from data_builders.coco_keypoints import coco_keypoints_dataset_builder as coco
from data_builders.lspet import lspet_dataset_builder as lspet
from jaxpose import records, regions, skeletons


def open_split(root, split) -> records.People:
    return split.open(str(root / "data"), str(root / "manual"), skeletons.COCO)


def animals(tmp_path, **fields) -> records.Split:
    """Three photographs: somebody; nobody labeled and a crowd; two people.

    Args:
        fields: of the last person who has keypoints.
    """
    images = [coco_archive.image(n, f"{n}.jpg") for n in (2, 5, 6)]
    some = [
        coco_archive.annotation(11, 2),
        coco_archive.nobody(12, 5, bbox=[3, 3, 2, 2], area=4.0),
        coco_archive.annotation(13, 5, iscrowd=1, bbox=[0, 0, 4, 4]),
        coco_archive.annotation(14, 6, **fields),
        coco_archive.nobody(15, 6, bbox=[1, 1, 2, 2], area=3.0),
    ]
    folder = tmp_path / "own"
    (folder / "images").mkdir(parents=True)
    for n in (2, 5, 6):
        (folder / "images" / f"{n}.jpg").write_bytes(archives.photograph(n))
    (folder / "own.json").write_bytes(coco_archive.content(images, some))
    config = coco.Format(
        annotations={"train": str(folder / "own.json")},
        images=str(folder / "images"),
        name="own",
    )
    return records.Split(
        builder=coco.Builder, config=config, split="train", region=regions.KnownBox()
    )


def test_what_the_data_set_tells_of_people_comes_along(tmp_path):
    opened = open_split(tmp_path, animals(tmp_path))
    assert opened.more["person_id"].tolist() == [11, 14]
    assert opened.more["image_id"].tolist() == [2, 6]
    np.testing.assert_array_equal(opened.more["box"], [[0.5, 1.5, 5.5, 5.5]] * 2)
    assert opened.more["category_id"].tolist() == [1, 1]
    where = "coco_keypoints/own/train record 2 (6.jpg), person_id 14"
    assert opened.describe(1) == where
    later = opened.take(np.array([1]))
    assert later.more["person_id"].tolist() == [14] and len(later.ignored.box) == 3


def test_who_is_not_scored_is_told_by_photograph(tmp_path):
    opened = open_split(tmp_path, animals(tmp_path))
    truth = opened.annotations()
    assert truth.image_id.tolist() == [2, 6]
    # Nobody of the second photograph is here, so neither is who is ignored on it.
    assert truth.ignored.image_id.tolist() == [6]
    np.testing.assert_array_equal(truth.ignored.box, [[0.5, 0.5, 2.5, 2.5]])
    assert truth.ignored.area.tolist() == [3] and not truth.ignored.crowd.any()
    everybody = dataclasses.replace(animals(tmp_path / "b"), at_least=0)
    truth = open_split(tmp_path, everybody).annotations()
    assert truth.image_id.tolist() == [2, 5, 6, 6]
    # Only the crowd is not among the people now.
    assert truth.ignored.crowd.tolist() == [True]
    assert truth.ignored.image_id.tolist() == [5]
    assert truth.ignored.area.tolist() == [12.5]


def test_people_with_fewer_keypoints_than_asked_for_are_not_scored(tmp_path):
    own = animals(tmp_path, keypoints=[2, 3, 2, 4, 5, 1, 6, 5, 2] + [0] * 42)
    opened = open_split(tmp_path, dataclasses.replace(own, at_least=3))
    assert opened.more["person_id"].tolist() == [14]
    # On the first photograph is nobody of the split any more.
    first, *_ = opened.ignored.image_id.tolist()
    assert first == 0 and opened.ignored.area.tolist()[0] == 12.5
    assert opened.ignored.crowd.tolist() == [False, False, True, False]


def test_the_same_numbers_of_two_data_sets_are_not_the_same_photographs(tmp_path):
    a, b = (open_split(tmp_path, animals(tmp_path / n)) for n in "ab")
    assert a.annotations().image_id.tolist() == [2, 6]
    # Prepared once, since both have one name; told apart by their place.
    truth = records.concatenate([a, b]).annotations()
    assert truth.image_id.tolist() == [0, 2, 3, 5]
    assert truth.ignored.image_id.tolist() == [2, 5]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"bbox": [1, 2, 0, 4]},
            "1 people have a box without area, the first number 1",
        ),
        ({"bbox": None}, "the box of 1 people is not known, of the first number 1"),
    ],
)
def test_who_has_no_region_is_named(fields, message, tmp_path):
    where = r"own/train record 2 \(6.jpg\), person_id 14: "
    with pytest.raises(ValueError, match=where + message):
        open_split(tmp_path, animals(tmp_path, **fields))


def test_data_sets_that_tell_different_things_mix(tmp_path):
    files = archives.archive_files(lspet)
    archives.write_folder(tmp_path / "manual", "lspet_dataset", files)
    whole = regions.WholeImage()
    plain = records.Split(
        builder=lspet.Builder, split="train", region=whole, at_least=0
    )
    own = dataclasses.replace(animals(tmp_path), region=whole)
    mixed = records.concatenate([open_split(tmp_path, s) for s in (plain, own)])
    assert mixed.more["person_id"].tolist() == [-1, -1, -1, -1, 11, 14]
    assert np.isnan(mixed.more["box"][:4]).all()
    assert mixed.record.tolist() == [0, 1, 2, 3, 4, 6]
    truth = mixed.annotations()  # Not all have numbers of their own.
    assert truth.image_id.tolist() == mixed.record.tolist()
    assert truth.ignored.image_id.tolist() == [6]
