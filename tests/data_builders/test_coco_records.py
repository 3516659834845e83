"""The records of COCO and of files of its format."""

import json
import pathlib

import archives
import coco_archive
import cv2
import numpy as np
import pytest
from pycocotools import coco as pycoco
from pycocotools import mask

from data_builders.coco_keypoints import annotations
from data_builders.coco_keypoints import coco_keypoints_dataset_builder as coco


@pytest.fixture(scope="module", params=["2014", "2017"])
def built(request, tmp_path_factory):
    """The records of train and of validation of a year."""
    root = tmp_path_factory.mktemp("coco")
    files = coco_archive.official(int(request.param))
    archives.write_folder(root / "manual", "coco", files)
    builder = archives.build(coco, root, request.param)
    return [archives.read(builder, split) for split in ("train", "validation")]


def test_photographs_of_nobody_are_only_in_validation(built):
    train, validation = built
    assert [record["image_id"] for record in train] == [2, 5]
    assert [record["image_id"] for record in validation] == [3, 4]
    assert validation[0]["keypoints"].shape == (0, 17, 2)
    assert validation[0]["filename"].decode().endswith("000000000003.jpg")
    assert train[0]["image"] == archives.photograph(2)


def test_keypoints_are_the_files_and_boxes_begin_at_the_pixels_corner(built):
    record = built[0][0]
    np.testing.assert_array_equal(record["keypoints"][:, :2], [[(2, 3), (4, 5)]] * 2)
    assert record["visibility"][:, :3].tolist() == [[2, 1, 0]] * 2
    expected = [[0.5, 1.5, 5.5, 5.5], [1.5, 2.5, 3.5, 4.5]]
    np.testing.assert_array_equal(record["box"], expected)
    np.testing.assert_array_equal(record["crowd_box"], [[-0.5, -0.5, 2.5, 9.5]])
    assert record["crowd_area"].tolist() == [22]
    assert record["category_id"].tolist() == [1, 1]
    np.testing.assert_array_equal(record["area"], [12.5, 4])
    assert record["person_id"].tolist() == [11, 12]


def picture(record) -> np.ndarray:
    content = np.frombuffer(record["instances"], np.uint8)
    return cv2.imdecode(content, cv2.IMREAD_UNCHANGED)


def test_instances_tell_whom_a_pixel_shows(built):
    expected = np.zeros((10, 12), np.uint8)
    expected[:, :2], expected[:2, 2] = 255, 255  # 22 pixels, column by column
    expected[2:6, 1:6] = 1
    expected[3:5, 2:4] = 2  # the smaller one lies on top
    np.testing.assert_array_equal(picture(built[0][0]), expected)
    assert not picture(built[0][1]).any()


def test_people_without_keypoints_are_there(built):
    record = built[0][1]
    assert record["visibility"].shape == (1, 17) and not record["visibility"].any()


@pytest.mark.parametrize("compressed", [False, True])
def test_run_lengths_of_people(compressed, tmp_path):
    shape = np.zeros((10, 12), np.uint8)
    shape[4:9, 3:5] = 1
    runs = mask.encode(np.asfortranarray(shape))
    runs["counts"] = runs["counts"].decode()
    if not compressed:
        flat = shape.T.ravel()
        ends = np.flatnonzero(np.diff(flat)) + 1
        runs["counts"] = np.diff([0, *ends, flat.size]).tolist()
    record = from_format(
        tmp_path,
        [coco_archive.image(2)],
        [coco_archive.annotation(1, 2, segmentation=runs)],
    )[0]
    np.testing.assert_array_equal(picture(record), shape)


def from_format(tmp_path, images, people, categories=(coco_archive.PERSON,), **fields):
    """Records of one split of somebody's own file."""
    files = {
        "own.json": coco_archive.content(images, people, categories),
        **{
            f"images/{entry['file_name']}": archives.photograph(entry["id"])
            for entry in images
        },
    }
    archives.write_folder(tmp_path, "mine", files)
    folder = tmp_path / "mine"
    config = coco.Format(
        annotations={"train": str(folder / "own.json")},
        images=str(folder / "images"),
        **fields,
    )
    return archives.read(archives.build(coco, tmp_path, config))


def test_any_keypoints_of_several_kinds(tmp_path):
    records = from_format(tmp_path, *coco_archive.animals(3), coco_archive.ANIMALS)
    assert [r["filename"] for r in records] == [
        f"photographs/{n}.jpg".encode() for n in (1, 2, 3)
    ]
    assert all(record["keypoints"].shape == (1, 5, 2) for record in records)


def test_what_a_file_does_not_tell_is_nan(tmp_path):
    bare = {"id": 4, "image_id": 2, "category_id": 1, "area": None}
    crowd = bare | {"id": 5, "iscrowd": 1, "bbox": [4, 4, 2, 3]}
    beyond = bare | {"id": 6, "iscrowd": 1, "bbox": [-2, 8, 5, 9]}
    some = [bare, crowd, beyond]
    (record,) = from_format(tmp_path, [coco_archive.image(2)], some)
    assert np.isnan(record["box"]).all() and np.isnan(record["area"]).all()
    assert not record["visibility"].any()
    expected = np.zeros((10, 12), np.uint8)
    expected[4:7, 4:6] = 255  # A crowd without an outline fills its box,
    expected[8:, :3] = 255  # as far as that is on the photograph.
    np.testing.assert_array_equal(picture(record), expected)


def test_the_name_of_a_format_follows_its_files(tmp_path):
    file = tmp_path / "my animals.json"
    file.write_bytes(coco_archive.content([], [], coco_archive.ANIMALS))

    def name(**fields) -> str:
        both = {"annotations": {"train": str(file)}, "images": "somewhere"} | fields
        return coco.Format(**both).name

    first = name()
    assert first.startswith("my_animals-") and name() == first
    assert name(images="elsewhere") != first and name(name="cats") == "cats"
    file.write_bytes(file.read_bytes() + b" ")
    assert name() != first


def test_only_what_is_trained_on_lacks_photographs_of_nobody(tmp_path):
    images, people = coco_archive.animals(4)
    archives.write_folder(
        tmp_path,
        "mine",
        {entry["file_name"]: archives.photograph(entry["id"]) for entry in images},
    )
    own = tmp_path / "own.json"
    own.write_bytes(coco_archive.content(images, people[:2], coco_archive.ANIMALS))
    splits = ("train", "train_small", "val", "held_out")
    config = coco.Format(
        annotations=dict.fromkeys(splits, str(own)), images=str(tmp_path / "mine")
    )
    builder = archives.build(coco, tmp_path, config)
    ids = [[r["image_id"] for r in archives.read(builder, split)] for split in splits]
    assert ids == [[1, 2], [1, 2], [1, 2, 3, 4], [1, 2, 3, 4]]


def test_images_of_each_split_and_zips(tmp_path):
    images, people = coco_archive.animals(4)
    for split, part in (("train", slice(0, 2)), ("test", slice(2, 4))):
        known = {entry["id"] for entry in images[part]}
        some = [person for person in people if person["image_id"] in known]
        files = {
            entry["file_name"]: archives.photograph(entry["id"])
            for entry in images[part]
        }
        archives.write_zip(tmp_path / f"{split}.zip", files)
        (tmp_path / f"{split}.json").write_bytes(
            coco_archive.content(images[part], some, coco_archive.ANIMALS)
        )
    splits = ("train", "test")
    config = coco.Format(
        annotations={split: str(tmp_path / f"{split}.json") for split in splits},
        images={split: str(tmp_path / f"{split}.zip") for split in splits},
    )
    builder = archives.build(coco, tmp_path, config)
    ids = [[r["image_id"] for r in archives.read(builder, split)] for split in splits]
    assert ids == [[1, 2], [3, 4]]
    keypoints = coco_archive.ANIMALS[0]["keypoints"]
    assert builder.info.metadata["keypoints"] == keypoints


def real() -> pathlib.Path:
    data = archives.ROOT.parent / "shared" / "data"
    if not (data / "coco").is_dir():
        pytest.skip(f"{data}/coco, a part of the real archives, is not here")
    return data


def test_the_real_people(tmp_path):
    data = real()
    (tmp_path / "manual").symlink_to(data)
    builder = archives.build(coco, tmp_path, "2017")
    counts = {"train": (36, 167, 5, 86), "validation": (79, 117, 1, 68)}
    for split, expected in counts.items():
        records = archives.read(builder, split)
        people = sum(len(record["keypoints"]) for record in records)
        crowds = sum(len(record["crowd_box"]) for record in records)
        posed = sum(record["visibility"].any(axis=1).sum() for record in records)
        assert (len(records), people, crowds, posed) == expected


def test_the_real_outlines_are_those_of_pycocotools(tmp_path, capsys):
    data = real()
    (tmp_path / "manual").symlink_to(data)
    builder = archives.build(coco, tmp_path, "2017")
    truth = pycoco.COCO(str(data / "coco/annotations/person_keypoints_train2017.json"))
    for record in archives.read(builder, "train"):
        drawn = picture(record)
        of_image = truth.imgToAnns[record["image_id"]]
        masks = [truth.annToMask(a).astype(bool) for a in of_image]
        np.testing.assert_array_equal(drawn > 0, np.any(masks, axis=0))
        crowds = [m for m, a in zip(masks, of_image) if a["iscrowd"]]
        people = [m for m, a in zip(masks, of_image) if not a["iscrowd"]]
        for number, person in enumerate(people, start=1):
            assert not (drawn == number)[~person].any()
        if crowds:
            people_there = np.any(people, axis=0)
            there = np.any(crowds, axis=0) & ~people_there
            np.testing.assert_array_equal(drawn == 255, there)


def test_coco_is_the_skeleton_of_its_own_file():
    file = real() / "coco/annotations/person_keypoints_val2017.json"
    categories = json.loads(file.read_text())["categories"]
    assert tuple(categories[0]["keypoints"]) == annotations.COCO
