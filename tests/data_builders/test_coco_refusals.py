"""Where COCO comes from, and what is refused by name, rule and remedy."""

import dataclasses
import hashlib
import logging

import archives
import coco_archive
import cv2
import numpy as np
import pytest

from data_builders.coco_keypoints import archives as official
from data_builders.coco_keypoints import coco_keypoints_dataset_builder as coco
from data_builders.parts import downloads


def write_zips(directory, files: archives.Files) -> None:
    for name, folder in (
        ("annotations_trainval2017", "annotations/"),
        ("train2017", "train2017/"),
        ("val2017", "val2017/"),
    ):
        inside = {k: v for k, v in files.items() if k.startswith(folder)}
        archives.write_zip(directory / f"{name}.zip", inside)


@pytest.mark.parametrize("inside", ["", "coco"])
def test_zips_give_the_records_of_the_folder(inside, tmp_path, caplog):
    write_zips(tmp_path / "manual" / inside, coco_archive.official())
    with caplog.at_level(logging.WARNING):
        packed = archives.read(archives.build(coco, tmp_path, "2017"))
    assert "it lists 3 photographs, not the official 118287" in caplog.text
    archives.write_folder(tmp_path / "b" / "manual", "coco", coco_archive.official())
    unpacked = archives.read(archives.build(coco, tmp_path / "b", "2017"))
    assert len(packed) == 4
    for one, other in zip(packed, unpacked, strict=True):
        assert one["image"] == other["image"]
        assert one["instances"] == other["instances"]


def serve(monkeypatch, tmp_path, *, right: bool) -> list[str]:
    """Puts the archives on a host of our own; returns the addresses that get asked."""
    write_zips(tmp_path / "host", coco_archive.official())
    known = {}
    for name, archive in official.ARCHIVES.items():
        path = tmp_path / "host" / f"{name}.zip"
        content = path.read_bytes() if path.exists() and right else b""
        known[name] = dataclasses.replace(
            archive, address=path.as_uri(), sha256=hashlib.sha256(content).hexdigest()
        )
    monkeypatch.setattr(official, "ARCHIVES", known)
    asked: list[str] = []
    original = downloads.urllib.request.urlopen

    def urlopen(request, timeout):
        asked.append(request.full_url)
        return original(request, timeout=timeout)

    monkeypatch.setattr(downloads.urllib.request, "urlopen", urlopen)
    return asked


def test_archives_are_downloaded_once(tmp_path, monkeypatch):
    asked = serve(monkeypatch, tmp_path, right=True)
    assert len(archives.read(archives.build(coco, tmp_path, "2017"))) == 4
    names = ["annotations_trainval2017.zip", "train2017.zip", "val2017.zip"]
    assert [address.split("/")[-1] for address in asked] == names
    (tmp_path / "data" / "coco_keypoints").rename(tmp_path / "gone")
    archives.build(coco, tmp_path, "2017")
    assert len(asked) == 3


def test_evaluation_alone_needs_no_photographs_of_train(tmp_path, monkeypatch):
    asked = serve(monkeypatch, tmp_path, right=True)
    builder = archives.build(coco, tmp_path, "2017_validation")
    assert [record["image_id"] for record in archives.read(builder)] == [3, 4]
    names = ["annotations_trainval2017.zip", "val2017.zip"]
    assert [address.split("/")[-1] for address in asked] == names


def test_a_download_of_other_content_is_not_kept(tmp_path, monkeypatch):
    serve(monkeypatch, tmp_path, right=False)
    says = ("sha256", "cocodataset.org", "coco/annotations/", str(tmp_path / "manual"))
    archives.refuse(coco, tmp_path, *says, error=FileNotFoundError, config="2017")


def test_the_tfds_commands_import_works_without_tensorflow(tmp_path):
    archives.write_folder(tmp_path / "manual", "coco", coco_archive.official())
    expected = ("coco_keypoints/2017/1.2.0 4", "[]")
    assert archives.tfds_build("coco_keypoints", tmp_path) == expected


def refuse(tmp_path, *parts: str, content: bytes, files=None) -> None:
    """Refuses a file of one's own with one image, number 2."""
    photographs = files or {"2.jpg": archives.photograph(2)}
    archives.write_folder(tmp_path, "images", photographs)
    (tmp_path / "own.json").write_bytes(content)
    config = coco.Format(
        annotations={"train": str(tmp_path / "own.json")},
        images=str(tmp_path / "images"),
        name="own",
    )
    with pytest.raises(ValueError) as caught:
        archives.build(coco, tmp_path, config)
    for part in (str(tmp_path), *parts):
        assert part in str(caught.value)
    assert not [*(tmp_path / "data").rglob("*.array_record*")]


IMAGE = coco_archive.image(2, "2.jpg")
BAD_ANNOTATIONS = {
    "unknown image": ({"image_id": 9}, "is of image 9, which is not among the images"),
    "unknown category": ({"category_id": 9}, "is of category 9, which is not among"),
    "too few numbers": (
        {"keypoints": [1, 2, 2]},
        "has a list of 3 as keypoints; there",
    ),
    "a number": ({"keypoints": 5}, "has 5 as keypoints; there must be 51 numbers"),
    "flag": ({"keypoints": [1, 2, 3] + [0] * 48}, "has [1, 2, 3] as nose; there must"),
    "nan": ({"keypoints": [1, float("nan"), 2] + [0] * 48}, "[1, nan, 2] as nose"),
    "text": ({"keypoints": [0] * 48 + [1, "5", 2]}, "[1, '5', 2] as right_ankle"),
    "box": ({"bbox": [1, 2, 3]}, "has the bbox [1, 2, 3]; it must be four numbers"),
    "box of text": ({"bbox": "abcd"}, "has the bbox 'abcd'; it must be four numbers"),
    "box of 5": ({"bbox": 5}, "has the bbox 5; it must be four numbers"),
    "far box": ({"bbox": [0, 0, 1e12, 5]}, "has the bbox [0, 0, 1000000000000.0, 5];"),
    "area": ({"area": "a"}, "has the area 'a'; it must be a number of square pixels"),
    "area of text": ({"area": "12"}, "has the area '12'; it must be a number"),
    "no finite area": ({"area": float("nan")}, "has the area nan; it must be a number"),
    "negative area": ({"area": -3}, "has the area -3; it must be a number"),
    "crowd of text": ({"iscrowd": "0"}, "has the iscrowd '0'; it must be 0 or 1"),
    "run lengths": (
        {"segmentation": {"counts": [5], "size": [5, 1]}},
        "run lengths of size [10, 12], that of the photograph",
    ),
    "one side": ({"segmentation": {"counts": [120], "size": 10}}, "of size [10, 12]"),
    "odd polygon": ({"segmentation": [[1, 2, 3, 4, 5, 6, 7]]}, "a list of polygons"),
    "flat polygon": ({"segmentation": [1, 2, 3, 4, 5, 6]}, "a list of polygons"),
    "polygon of text": (
        {"segmentation": [[1, 2, "a", 4, 5, 6]]},
        "not [[1, 2, 'a', 4, 5, 6]]; ",
    ),
}
# Of 10 x 12 pixels. Those of 3 pixels would be drawn with whatever is in memory.
BAD_COUNTS = ([1, 2], [1, 200], [125, -5], [60.5, 59.5], 5, None, "", "garbage!!", "P")
BAD_ANNOTATIONS |= {
    f"counts {counts}": (
        {"segmentation": {"counts": counts, "size": [10, 12]}},
        "which add up to it, not {",
    )
    for counts in BAD_COUNTS
}


@pytest.mark.parametrize(
    ("fields", "message"), BAD_ANNOTATIONS.values(), ids=BAD_ANNOTATIONS
)
def test_a_bad_annotation_is_named(fields, message, tmp_path):
    person = coco_archive.annotation(77, 2, **fields)
    content = coco_archive.content([IMAGE], [person])
    refuse(tmp_path, "annotation 77", message, "check-data FILE", content=content)


BAD_FILES = {
    "no json": (b"{", "is no JSON"),
    "a list": (b"[]", "it must hold a list 'images'"),
    "no file name": (
        coco_archive.content([{"id": 1}], []),
        "number 0 of the list images has no file_name; it must be the name of a file",
    ),
    "an id of letters": (
        coco_archive.content([coco_archive.image(2) | {"id": "two"}], []),
        "number 0 of the list images has the id 'two'; it must be a whole number",
    ),
    "an id of 65 bits": (
        coco_archive.content([coco_archive.image(2) | {"id": 2**64}], []),
        "has the id 18446744073709551616; it must be a whole number of 64 bits",
    ),
    "a list as file name": (
        coco_archive.content([IMAGE | {"file_name": ["2.jpg"]}], []),
        "has the file_name ['2.jpg']; it must be the name of a file",
    ),
    "a height of text": (
        coco_archive.content([IMAGE | {"height": "10"}], []),
        "has the height '10'; it must be a whole number of pixels",
    ),
    "an entry of text": (
        coco_archive.content(["2.jpg"], []),
        "it must hold a list 'images' of objects",
    ),
    "numbers as keypoints": (
        coco_archive.content([IMAGE], [], [{"id": 1, "keypoints": [1, 2]}]),
        "number 0 of the list categories has the keypoints [1, 2]; it must be a list",
    ),
    "one category twice": (
        coco_archive.content([IMAGE], [], [coco_archive.PERSON] * 2),
        "two categories have one id",
    ),
    "no keypoints": (
        coco_archive.content([IMAGE], [], [{"id": 1, "name": "person"}]),
        "0 different lists of keypoints",
    ),
    "other keypoints": (
        coco_archive.content(
            [IMAGE], [], [coco_archive.PERSON, coco_archive.ANIMALS[0]]
        ),
        "2 different lists of keypoints",
    ),
    "repeated names": (
        coco_archive.content([IMAGE], [], [{"id": 1, "keypoints": ["a", "a"]}]),
        "names of keypoints repeat",
    ),
    "one id twice": (
        coco_archive.content([IMAGE, IMAGE], []),
        "two images have one id",
    ),
    "nobody at all": (coco_archive.content([IMAGE], []), "0 of 0 photographs"),
    "another size": (
        coco_archive.content([IMAGE | {"height": 20}], [coco_archive.annotation(1, 2)]),
        "image 2 (2.jpg) is 10 pixels high and 12 wide, not (20, 12)",
    ),
    "a crowd of people": (
        coco_archive.content(
            [IMAGE], [coco_archive.annotation(n, 2) for n in range(255)]
        ),
        "image 2 has 255 people; a record holds less than 255",
    ),
    "no photograph": (
        coco_archive.content(
            [coco_archive.image(2, "3.jpg")], [coco_archive.annotation(1, 2)]
        ),
        "1 of 1 photographs, such as ['3.jpg'], are not in",
    ),
}


@pytest.mark.parametrize(("content", "message"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_is_named(content, message, tmp_path):
    refuse(tmp_path, message, content=content)


def test_photographs_must_be_jpeg(tmp_path):
    png = cv2.imencode(".png", np.zeros((10, 12, 3), np.uint8))[1].tobytes()
    content = coco_archive.content([IMAGE], [coco_archive.annotation(1, 2)])
    says = ("2.jpg begins with 89504e47", "convert the picture to JPEG")
    refuse(tmp_path, *says, content=content, files={"2.jpg": png})
    says = ("2.jpg begins with 3c68746d", "unpack the archive again")
    refuse(tmp_path, *says, content=content, files={"2.jpg": b"<html>"})


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_annotations_that_the_archive_lacks_are_named(packed, tmp_path):
    files = coco_archive.official()
    del files["annotations/person_keypoints_val2017.json"]
    if packed:
        write_zips(tmp_path / "manual", files)
    else:
        archives.write_folder(tmp_path / "manual", "coco", files)
    says = ("person_keypoints_val2017.json is not in the", str(tmp_path / "manual"))
    archives.refuse(
        coco, tmp_path, *says, "download it again",
        error=FileNotFoundError, config="2017",
    )  # fmt: skip


def test_missing_files_of_a_format_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="own.json, are not there; give the"):
        coco.Format(annotations={"train": str(tmp_path / "own.json")}, images="x")
    (tmp_path / "own.json").write_bytes(coco_archive.content([IMAGE], []))
    config = coco.Format(
        annotations={"train": str(tmp_path / "own.json")}, images=str(tmp_path / "x")
    )
    archives.refuse(
        coco, tmp_path, "images of train", "x, is not there",
        error=FileNotFoundError, config=config,
    )  # fmt: skip


def test_splits_of_different_keypoints(tmp_path):
    (tmp_path / "a.json").write_bytes(coco_archive.content([], []))
    (tmp_path / "b.json").write_bytes(
        coco_archive.content([], [], coco_archive.ANIMALS)
    )
    config = coco.Format(
        annotations={
            "train": str(tmp_path / "a.json"),
            "test": str(tmp_path / "b.json"),
        },
        images=str(tmp_path),
    )
    with pytest.raises(ValueError, match="have different keypoints"):
        coco.Builder(config=config, data_dir=tmp_path, file_format="array_record")
