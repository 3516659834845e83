"""FLIC, built from miniature archives with the nesting of the official one."""

import hashlib
import io
import logging

import archives
import numpy as np
import pytest
import scipy.io

from data_builders.flic import examples
from data_builders.flic import flic_dataset_builder as flic
from jaxpose import skeletons

# The first person of the official file, who faces the camera: columns of `coords`.
LABELED = [0, 1, 2, 3, 4, 5, 6, 9, 12, 13, 16]


def example(number: int, name: str, *, train: bool = True, **fields) -> dict:
    """One person; numbers count from 1, and what is not labeled is nan."""
    coords = np.full((2, 29), np.nan)
    coords[:, LABELED] = np.arange(22).reshape(2, 11) + number
    return {
        "poselet_hit_idx": np.array([[1, 2]], np.uint16),
        "moviename": "film",
        "coords": coords,
        "filepath": name,
        "imgdims": np.array([[8.0, 10.0, 3.0]]),
        "currframe": 12.0,
        "torsobox": np.array([[2.0, 3.0, 6.5, 8.0]]) + number,
        "istrain": np.array([[train]], bool),
        "istest": np.array([[not train]], bool),
    } | fields


def people() -> list[dict]:
    """Two on one frame, though not one after the other, one alone, one to test."""
    return [
        example(0, "a.jpg"),
        example(1, "b.jpg"),
        example(2, "a.jpg"),
        example(3, "c.jpg", train=False),
    ]


def files(entries: list[dict]) -> archives.Files:
    mat = io.BytesIO()
    scipy.io.savemat(mat, {"examples": archives.structs(entries)})
    names = dict.fromkeys(entry["filepath"] for entry in entries)
    photographs = {
        f"images/{name}": archives.photograph(i) for i, name in enumerate(names)
    }
    return {"examples.mat": mat.getvalue(), **photographs}


def test_people_of_one_frame_share_a_record(tmp_path, caplog):
    archives.write_folder(tmp_path / "manual", "FLIC", files(people()))
    with caplog.at_level(logging.WARNING):
        builder = archives.build(flic, tmp_path)
    assert "not the official {'train': 3987, 'test': 1016}" in caplog.text
    both, alone = archives.read(builder, "train")
    assert (both["filename"], alone["filename"]) == (b"a.jpg", b"b.jpg")
    assert [r["filename"] for r in archives.read(builder, "test")] == [b"c.jpg"]
    expected = np.arange(22).reshape(2, 11).T - 1
    np.testing.assert_array_equal(both["keypoints"], [expected, expected + 2])
    np.testing.assert_array_equal(alone["torso_box"], [[2, 3, 6.5, 8]])
    assert (both["visibility"] == 2).all() and both["image"] == archives.photograph(0)


def test_what_is_not_labeled_is_no_number_that_spreads(tmp_path):
    entries = people()
    entries[1]["coords"][:, 9] = np.nan
    archives.write_folder(tmp_path / "manual", "FLIC", files(entries))
    record = archives.read(archives.build(flic, tmp_path), "train")[1]
    assert record["visibility"][0].tolist() == [2] * 7 + [0] + [2] * 3
    assert record["keypoints"][0, 7].tolist() == [0, 0]


def test_the_skeleton_is_the_archives_and_left_is_the_persons_own():
    assert examples.NAMES == skeletons.FLIC.keypoints
    # x of the two shoulders and eyes of the first person, who faces the camera.
    x = np.full((2, 29), np.nan)
    x[0, [0, 3, 12, 13]] = 436.6, 265.3, 400.7, 374.8
    keypoints, _ = examples._person(
        type("Entry", (), {"coords": x, "torsobox": np.ones((1, 4))}), "here"
    )
    at = {name: keypoints[i, 0] for i, name in enumerate(examples.NAMES)}
    assert at["left_shoulder"] > at["right_shoulder"]
    assert at["left_eye"] > at["right_eye"]


@pytest.mark.parametrize("prefix", ["FLIC/", ""])
def test_a_zip_gives_the_same_records(prefix, tmp_path):
    archives.write_zip(tmp_path / "manual" / "FLIC.zip", files(people()), prefix)
    records = archives.read(archives.build(flic, tmp_path))
    assert [len(record["keypoints"]) for record in records] == [2, 1, 1]


def test_a_download_must_have_the_known_content(tmp_path, monkeypatch):
    archives.write_zip(tmp_path / "host.zip", files(people()))
    monkeypatch.setattr(flic, "ADDRESSES", ((tmp_path / "host.zip").as_uri(),))
    says = (flic.SHA256, "bensapp.github.io", f"FLIC.zip is in {tmp_path / 'manual'}")
    archives.refuse(flic, tmp_path, *says, error=FileNotFoundError)
    content = (tmp_path / "host.zip").read_bytes()
    monkeypatch.setattr(flic, "SHA256", hashlib.sha256(content).hexdigest())
    assert len(archives.read(archives.build(flic, tmp_path))) == 3


BAD = {
    "both": ({"istest": True}, "has istrain 1 and istest 1; it must belong to one"),
    "no split": ({"istrain": archives.EMPTY}, "has istrain 0 and istest 0"),
    "shape": ({"coords": np.zeros((2, 11))}, "has coords of shape (2, 11)"),
    "box": ({"torsobox": np.zeros((1, 3))}, "a torsobox of 3 numbers"),
}


@pytest.mark.parametrize(("fields", "message"), BAD.values(), ids=BAD)
def test_a_bad_person_is_named(fields, message, tmp_path):
    entries = [*people(), example(4, "d.jpg", **fields)]
    archives.write_folder(tmp_path / "manual", "FLIC", files(entries))
    archives.refuse(flic, tmp_path, "examples.mat: example 5", message, "FLIC.zip")


def test_missing_files_are_named(tmp_path):
    some = files(people())
    del some["images/b.jpg"]
    archives.write_folder(tmp_path / "manual", "FLIC", some)
    archives.refuse(flic, tmp_path, "lacks 1 of 3 photographs", "images/b.jpg")
    (tmp_path / "manual" / "FLIC" / "examples.mat").unlink()
    archives.refuse(flic, tmp_path, "examples.mat is missing", "bensapp.github.io")


def test_a_damaged_file(tmp_path):
    some = files(people())
    archives.write_folder(
        tmp_path / "manual", "FLIC", some | {"examples.mat": some["examples.mat"][:99]}
    )
    archives.refuse(flic, tmp_path, "examples.mat cannot be read", "MATLAB 5", "again")


def test_the_tfds_commands_import_works_without_tensorflow(tmp_path):
    archives.write_folder(tmp_path / "manual", "FLIC", files(people()))
    assert archives.tfds_build("flic", tmp_path) == ("flic/1.0.0 3", "[]")
