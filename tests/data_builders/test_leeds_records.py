"""The records of LSP and LSPET, built from miniature and real archives."""

import re
import types

import archives
import cv2
import numpy as np
import pytest
import scipy.io
import tensorflow_datasets as tfds

from data_builders.lsp import lsp_dataset_builder as lsp
from data_builders.lspet import lspet_dataset_builder as lspet

NAMES = [
    "right_ankle",
    "right_knee",
    "right_hip",
    "left_hip",
    "left_knee",
    "left_ankle",
    "right_wrist",
    "right_elbow",
    "right_shoulder",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "neck",
    "head_top",
]


@pytest.fixture(scope="module", params=[lsp, lspet], ids=["lsp", "lspet"])
def built(request, tmp_path_factory):
    """A module, its archive's files, and the records built from the folder."""
    module = request.param
    tmp_path = tmp_path_factory.mktemp(archives.name_of(module))
    files = archives.archive_files(module)
    archives.write_folder(tmp_path / "manual", archives.name_of(module), files)
    builder = archives.build(module, tmp_path)
    return types.SimpleNamespace(
        module=module,
        files=files,
        builder=builder,
        records=archives.read(builder),
    )


def test_photographs_are_stored_byte_for_byte_in_order(built):
    photographs = [file for file in built.files if file.startswith("images/")]
    assert len(built.records) == len(photographs)
    for record, file in zip(built.records, photographs):
        assert record["filename"].decode() == file.removeprefix("images/")
        assert record["image"] == built.files[file]


def test_sizes_are_those_of_the_photographs(built):
    for number, record in enumerate(built.records, start=1):
        expected = (8 + number % 5, 10 + number % 7)
        assert (record["height"], record["width"]) == expected


def test_keypoints_count_from_zero_and_have_a_people_axis(built):
    expected = archives.stored_joints(len(built.records))[..., :2] - 1
    for record, person in zip(built.records, expected):
        assert record["keypoints"].shape == (1, 14, 2)
        assert record["keypoints"].dtype == np.float32
        np.testing.assert_allclose(record["keypoints"][0], person, rtol=1e-6)


def test_visibility_has_cocos_meaning(built):
    flags = archives.stored_joints(len(built.records))[..., 2]
    meaning = {0: 2, 1: 1} if built.module is lsp else {0: 0, 1: 2}
    for record, person in zip(built.records, flags):
        assert record["visibility"].dtype == np.int32
        assert record["visibility"].tolist() == [[meaning[flag] for flag in person]]


def test_splits_are_the_official_ones(built):
    sizes = {name: s.num_examples for name, s in built.builder.info.splits.items()}
    expected = {"train": 1000, "test": 1000} if built.module is lsp else {"train": 4}
    assert sizes == expected


def test_names_of_keypoints_are_found_by_a_reader(built):
    reader = tfds.builder_from_directory(built.builder.data_dir)
    assert reader.info.metadata["keypoints"] == NAMES
    assert re.fullmatch("[0-9a-f]{64}", reader.info.metadata["content_sha256"])


def test_unlabeled_joints_keep_what_is_stored(tmp_path):
    joints = archives.stored_joints(4)
    joints[2, 5] = (-101.5, -268.5, 0)
    files = {
        **archives.archive_files(lspet),
        "joints.mat": archives.mat(lspet, joints),
    }
    archives.write_folder(tmp_path / "manual", "lspet_dataset", files)
    record = archives.read(archives.build(lspet, tmp_path))[2]
    assert record["keypoints"][0, 5].tolist() == [-102.5, -269.5]
    assert record["visibility"][0, 5] == 0


def test_order_survives_several_shards(tmp_path):
    archives.write_folder(
        tmp_path / "manual", "lspet_dataset", archives.archive_files(lspet, 25)
    )
    builder = lspet.Builder(data_dir=tmp_path / "data", file_format="array_record")
    config = tfds.download.DownloadConfig(manual_dir=tmp_path / "manual", num_shards=4)
    builder.download_and_prepare(download_config=config)
    names = [record["filename"].decode() for record in archives.read(builder)]
    assert names == [f"im{number:05}.jpg" for number in range(1, 26)]


def test_bytes_behind_the_end_and_a_thumbnail_are_no_fault(tmp_path):
    files = archives.archive_files(lspet)
    files["images/im00002.jpg"] += b"\n"
    files["images/im00003.jpg"] = archives.with_thumbnail(files["images/im00003.jpg"])
    archives.write_folder(tmp_path / "manual", "lspet_dataset", files)
    assert (
        archives.read(archives.build(lspet, tmp_path))[2]["image"]
        == files["images/im00003.jpg"]
    )


def with_orientation(jpeg: bytes) -> bytes:
    """The JPEG file with an Exif tag that asks for a quarter turn."""
    tag = b"\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00"
    exif = b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01" + tag + bytes(4)
    length = (len(exif) + 2).to_bytes(2, "big")
    return jpeg[:2] + b"\xff\xe1" + length + exif + jpeg[2:]


def test_sizes_are_of_the_stored_pixels_not_of_the_turned_ones(tmp_path):
    files = archives.archive_files(lspet)
    files["images/im00001.jpg"] = with_orientation(archives.photograph(1))
    turned = cv2.imdecode(
        np.frombuffer(files["images/im00001.jpg"], np.uint8), cv2.IMREAD_COLOR
    )
    assert turned.shape[:2] == (11, 9)  # The tag works.
    archives.write_folder(tmp_path / "manual", "lspet_dataset", files)
    record = archives.read(archives.build(lspet, tmp_path))[0]
    assert (record["height"], record["width"]) == (9, 11)


def test_the_real_lsp(tmp_path):
    data = archives.ROOT.parent / "shared" / "data"
    if not (data / "lsp_dataset").is_dir():
        pytest.skip(f"{data}/lsp_dataset, the real archive, is not here")
    (tmp_path / "manual").symlink_to(data)
    builder = archives.build(lsp, tmp_path)
    records = archives.read(builder)
    images = data / "lsp_dataset" / "images"
    joints = scipy.io.loadmat(data / "lsp_dataset" / "joints.mat")["joints"]
    for number, record in enumerate(records, start=1):
        assert record["image"] == (images / f"im{number:04}.jpg").read_bytes()
    keypoints = np.concatenate([record["keypoints"] for record in records])
    visibility = np.concatenate([record["visibility"] for record in records])
    np.testing.assert_allclose(keypoints, joints[:2].T - 1, rtol=1e-4)
    np.testing.assert_array_equal(visibility, 2 - joints[2].T)
    recorded = lsp.ARCHIVE.content_sha256
    assert builder.info.metadata["content_sha256"] == recorded
