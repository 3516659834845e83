"""Bad LSP and LSPET archives: refused by name, rule and remedy, with nothing left."""

import io

import archives
import numpy as np
import pytest
import scipy.io

from data_builders.lsp import lsp_dataset_builder as lsp
from data_builders.lspet import lspet_dataset_builder as lspet

BAD_PHOTOGRAPHS = {
    "empty": lambda jpeg: b"",
    "text": lambda jpeg: b"<html>not found</html>",
    "cut in half": lambda jpeg: jpeg[: len(jpeg) // 2],
    "cut in the pixels": lambda jpeg: jpeg[:-4],
    "cut behind a thumbnail": lambda jpeg: archives.with_thumbnail(jpeg)[:-4],
    "no pixels": lambda jpeg: b"\xff\xd8\xff\xda\x00\x02\xff\xd9",
}


@pytest.mark.parametrize("damage", BAD_PHOTOGRAPHS.values(), ids=BAD_PHOTOGRAPHS)
@pytest.mark.parametrize("zipped", [False, True], ids=["folder", "zip"])
def test_a_bad_photograph_is_named(damage, zipped, tmp_path):
    files = archives.archive_files(lspet)
    files["images/im00003.jpg"] = damage(files["images/im00003.jpg"])
    if zipped:
        archives.write_zip(tmp_path / "manual" / "lspet_dataset.zip", files)
    else:
        archives.write_folder(tmp_path / "manual", "lspet_dataset", files)
    archives.refuse(
        lspet,
        tmp_path,
        "images/im00003.jpg",
        "a photograph must be",
        "again",
    )


@archives.BOTH
def test_missing_joints(module, tmp_path):
    files = archives.archive_files(module)
    del files["joints.mat"]
    archives.write_folder(tmp_path / "manual", archives.name_of(module), files)
    where = str(tmp_path / "manual" / archives.name_of(module) / "joints.mat")
    archives.refuse(
        module, tmp_path, f"{where} is missing", "must hold", "sam.johnson.io"
    )


@archives.BOTH
@pytest.mark.parametrize(
    ("drop", "add", "message"),
    [
        ([4], [], "{n} photographs and {people} people in joints.mat, {4} is missing"),
        ([2], [9], "{2} is missing and {9} has no person"),
        ([], [5], "{5} has no person"),
    ],
    ids=["one less", "gap", "one more"],
)
def test_photographs_that_disagree_with_joints(module, drop, add, message, tmp_path):
    files = archives.archive_files(module)
    people = archives.PEOPLE[module]
    digits = 4 if module is lsp else 5
    offset = people - 4  # Test the last four numbers, and those after.
    paths = [f"images/im{offset + n:0{digits}}.jpg" for n in range(10)]
    for number in drop:
        del files[paths[number]]
    for number in add:
        files[paths[number]] = archives.photograph(number)
    archives.write_folder(tmp_path / "manual", archives.name_of(module), files)
    expected = message.format(*paths, n=people - 1, people=people)
    archives.refuse(
        module,
        tmp_path,
        expected,
        "without a gap",
        "Get " + archives.name_of(module),
    )


def test_lsp_of_another_size_is_refused(tmp_path):
    archives.write_folder(
        tmp_path / "manual", "lsp_dataset", archives.archive_files(lsp, 5)
    )
    archives.refuse(
        lsp, tmp_path, "joints.mat holds 5 people; it must hold 2000", "split"
    )


@pytest.mark.parametrize("value", [np.nan, np.inf], ids=["nan", "inf"])
@pytest.mark.parametrize("axis", range(3), ids=["x", "y", "flag"])
def test_a_joint_that_is_not_finite(value, axis, tmp_path):
    joints = archives.stored_joints(4)
    joints[2, 1, axis] = value
    files = {
        **archives.archive_files(lspet),
        "joints.mat": archives.mat(lspet, joints),
    }
    archives.write_folder(tmp_path / "manual", "lspet_dataset", files)
    message = archives.refuse(lspet, tmp_path, "joints.mat", "must be finite", "again")
    assert "right_knee of person 3 is" in message


def test_a_flag_that_is_neither_0_nor_1(tmp_path):
    joints = archives.stored_joints(4)
    joints[0, 13, 2] = 2
    files = {
        **archives.archive_files(lspet),
        "joints.mat": archives.mat(lspet, joints),
    }
    archives.write_folder(tmp_path / "manual", "lspet_dataset", files)
    archives.refuse(
        lspet, tmp_path, "head_top of person 1", "flag 2.0", "must be 0 or 1"
    )


def test_joints_in_the_other_archives_layout(tmp_path):
    files = {
        **archives.archive_files(lspet),
        "joints.mat": archives.mat(lsp, archives.stored_joints(4)),
    }
    archives.write_folder(tmp_path / "manual", "lspet_dataset", files)
    archives.refuse(
        lspet, tmp_path, "(3, 14, 4)", "must be", "(14, 3, 'people')", "again"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"joints": np.zeros((14, 3))}, "of shape (14, 3)"),
        ({"joints": np.zeros((14, 2, 4))}, "of shape (14, 2, 4)"),
        ({"joints": np.zeros((14, 3, 0))}, "of shape (14, 3, 0)"),
        ({"joints": "text"}, "joints is <U4"),
        ({"points": np.zeros(3)}, "holds the variables ['points']"),
    ],
    ids=["flat", "no flags", "nobody", "text", "no variable"],
)
def test_joints_of_a_wrong_shape(content, message, tmp_path):
    file = io.BytesIO()
    scipy.io.savemat(file, content)
    files = {**archives.archive_files(lspet), "joints.mat": file.getvalue()}
    archives.write_folder(tmp_path / "manual", "lspet_dataset", files)
    archives.refuse(lspet, tmp_path, "joints.mat", message, "must", "again")


@pytest.mark.parametrize("keep", [0, 100, 300])
def test_a_damaged_joints_file(keep, tmp_path):
    files = archives.archive_files(lspet)
    files["joints.mat"] = files["joints.mat"][:keep]
    archives.write_folder(tmp_path / "manual", "lspet_dataset", files)
    archives.refuse(lspet, tmp_path, "joints.mat cannot be read", "MATLAB 5", "again")


@pytest.mark.parametrize(
    "content", [b"", b"<html>", None], ids=["empty", "page", "cut"]
)
def test_a_zip_that_is_none(content, tmp_path):
    path = tmp_path / "manual" / "lspet_dataset.zip"
    archives.write_zip(path, archives.archive_files(lspet))
    path.write_bytes(path.read_bytes()[:-30] if content is None else content)
    archives.refuse(
        lspet, tmp_path, str(path), "not a readable zip", "download it again"
    )


def test_a_zip_with_a_flipped_byte(tmp_path):
    path = tmp_path / "manual" / "lspet_dataset.zip"
    files = archives.archive_files(lspet)
    archives.write_zip(path, files)
    content = bytearray(path.read_bytes())
    content[content.find(files["images/im00002.jpg"]) + 50] ^= 1
    path.write_bytes(content)
    archives.refuse(lspet, tmp_path, f"{path}: images/im00002.jpg", "checksum", "again")
