"""Where MPII's archives come from, and what is refused by name, rule and remedy."""

import io
import logging
import tarfile

import archives
import mpii_archive
import numpy as np
import pytest
import scipy.io

from data_builders.mpii import mpii_dataset_builder as mpii
from data_builders.mpii import splits

MAT = "mpii_human_pose_v1_u12_1.mat"


def write_tar(path, files: archives.Files) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def write_packed(directory, files: archives.Files) -> None:
    """Both archives as they are downloaded."""
    images = {k: v for k, v in files.items() if k != MAT}
    directory.mkdir(parents=True, exist_ok=True)
    write_tar(directory / "mpii_human_pose_v1.tar.gz", images)
    archives.write_zip(
        directory / "mpii_human_pose_v1_u12_2.zip",
        {MAT: files[MAT], "README.md": b""},
        "mpii_human_pose_v1_u12_2/",
    )


@pytest.mark.parametrize("inside", ["", "mpii"])
def test_packed_archives_give_the_records_of_the_folder(inside, tmp_path):
    files = mpii_archive.files(mpii_archive.miniature())
    write_packed(tmp_path / "manual" / inside, files)
    packed = archives.read(archives.build(mpii, tmp_path))
    archives.write_folder(tmp_path / "other" / "manual", "mpii", files)
    unpacked = archives.read(archives.build(mpii, tmp_path / "other"))
    assert [r["image"] for r in packed] == [r["image"] for r in unpacked]
    for one, other in zip(packed, unpacked):
        np.testing.assert_array_equal(one["keypoints"], other["keypoints"])


def test_a_tar_is_unpacked_once(tmp_path):
    files = mpii_archive.files(mpii_archive.miniature())
    write_packed(tmp_path / "manual", files)
    archives.build(mpii, tmp_path)
    tar = tmp_path / "manual" / "mpii_human_pose_v1.tar.gz"
    tar.write_bytes(b"")
    (tmp_path / "data" / "mpii").rename(tmp_path / "gone")
    assert len(archives.read(archives.build(mpii, tmp_path))) == 6


def test_a_damaged_tar(tmp_path):
    files = mpii_archive.files(mpii_archive.miniature())
    write_packed(tmp_path / "manual", files)
    tar = tmp_path / "manual" / "mpii_human_pose_v1.tar.gz"
    tar.write_bytes(tar.read_bytes()[:-200])
    archives.refuse(mpii, tmp_path, str(tar), "cannot be unpacked", "download it again")
    assert not [*(tmp_path / "data").rglob("*.part")]


def test_a_tar_whose_checksum_is_wrong(tmp_path):
    write_packed(tmp_path / "manual", mpii_archive.files(mpii_archive.miniature()))
    tar = tmp_path / "manual" / "mpii_human_pose_v1.tar.gz"
    content = bytearray(tar.read_bytes())
    content[-8] ^= 1  # The last eight bytes are the checksum and the length.
    tar.write_bytes(content)
    archives.refuse(mpii, tmp_path, str(tar), "cannot be unpacked", "CRC check failed")
    assert not [*(tmp_path / "data").rglob("*.jpg")]


def test_without_archives_the_message_says_it_all(tmp_path):
    (tmp_path / "manual").mkdir()
    says = (MAT, str(tmp_path / "manual"), "human-pose.mpi-inf.mpg.de", "12.9 GB")
    archives.refuse(mpii, tmp_path, *says, error=FileNotFoundError)
    files = {MAT: mpii_archive.mat(mpii_archive.miniature())}
    archives.write_folder(tmp_path / "manual", "mpii", files)
    says = ("no photograph is in", "mpii_human_pose_v1.tar.gz")
    archives.refuse(mpii, tmp_path, *says, error=FileNotFoundError)


def test_a_missing_photograph_of_a_validation_person(tmp_path):
    images = mpii_archive.miniature()
    files = mpii_archive.files(images, lacking=(images[1]["name"],))
    archives.write_folder(tmp_path / "manual", "mpii", files)
    archives.refuse(
        mpii, tmp_path, "lacks 1 photographs", images[1]["name"], "validation people"
    )


def test_many_missing_photographs_with_keypoints(tmp_path):
    person = mpii_archive.person(mpii_archive.everywhere())
    images = [mpii_archive.image(f"{n}.jpg", [person]) for n in range(12)]
    lacking = tuple(entry["name"] for entry in images[:11])
    files = mpii_archive.files(images, lacking=lacking)
    archives.write_folder(tmp_path / "manual", "mpii", files)
    archives.refuse(mpii, tmp_path, "lacks 11 photographs with keypoints", "0.jpg")


def test_a_few_missing_photographs_are_left_out_with_a_warning(tmp_path, caplog):
    files = mpii_archive.files(mpii_archive.miniature(), lacking=("100.jpg", "103.jpg"))
    archives.write_folder(tmp_path / "manual", "mpii", files)
    with caplog.at_level(logging.WARNING):
        builder = archives.build(mpii, tmp_path)
    assert "lacks 2 of 6 photographs, which are left out: 100.jpg, 103.jpg" in (
        caplog.text
    )
    assert "of 6 photographs, not of the official 24987" in caplog.text
    assert [*builder.info.splits] == ["train", "validation"]


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([mpii_archive.point(16, 1, 1)], "has the point 16 at (1.0, 1.0)"),
        ([mpii_archive.point(0, np.nan, 1)], "has the point 0 at (nan, 1.0)"),
        ([{"x": 1.0, "y": 2.0}], "has the point nan"),
    ],
    ids=["id", "nan", "no id"],
)
def test_a_point_that_is_none(points, message, tmp_path):
    images = mpii_archive.miniature()
    images[0]["people"][0] = mpii_archive.person(points)
    archives.write_folder(tmp_path / "manual", "mpii", mpii_archive.files(images))
    archives.refuse(
        mpii, tmp_path, "photograph 1 (100.jpg), person 1", message, "from 0 to 15"
    )


def test_a_listed_person_who_is_not_annotated(tmp_path):
    images = mpii_archive.miniature()
    images[1]["people"][0] = mpii_archive.person([])
    archives.write_folder(tmp_path / "manual", "mpii", mpii_archive.files(images))
    archives.refuse(mpii, tmp_path, "photograph 2", "keypoints of person 1")


def test_a_whole_release_in_another_order(tmp_path, monkeypatch):
    monkeypatch.setattr(splits, "PHOTOGRAPHS", 6)
    files = mpii_archive.files(mpii_archive.miniature())
    archives.write_folder(tmp_path / "manual", "mpii", files)
    archives.refuse(mpii, tmp_path, "photograph 2", "must be number 7", MAT)


def test_a_whole_release_without_all_validation_people(monkeypatch):
    monkeypatch.setattr(splits, "PHOTOGRAPHS", 0)
    with pytest.raises(ValueError, match="2729 photographs .* 005808361.jpg, are miss"):
        splits.tompson([])


@pytest.mark.parametrize("keep", [0, 100, 300])
def test_a_damaged_annotation_file(keep, tmp_path):
    files = mpii_archive.files(mpii_archive.miniature())
    files[MAT] = files[MAT][:keep]
    archives.write_folder(tmp_path / "manual", "mpii", files)
    archives.refuse(mpii, tmp_path, f"{MAT} cannot be read", "MATLAB 5", "again")


def test_lists_of_different_lengths(tmp_path):
    release = {"annolist": archives.structs([{"image": 1.0}]), "img_train": []}
    file = io.BytesIO()
    scipy.io.savemat(file, {"RELEASE": archives.structs([release])})
    files = mpii_archive.files(mpii_archive.miniature()) | {MAT: file.getvalue()}
    archives.write_folder(tmp_path / "manual", "mpii", files)
    archives.refuse(mpii, tmp_path, "'annolist': 1, 'img_train': 0", "one entry for")


def test_the_tfds_commands_import_works_without_tensorflow(tmp_path):
    files = mpii_archive.files(mpii_archive.miniature())
    archives.write_folder(tmp_path / "manual", "mpii", files)
    assert archives.tfds_build("mpii", tmp_path) == ("mpii/1.0.0 6", "[]")
