"""Miniature LSP and LSPET archives in the original formats, and how to build them."""

import io
import pathlib
import types
import zipfile

import cv2
import numpy as np
import pytest
import scipy.io
import tensorflow_datasets as tfds

from data_builders.lsp import lsp_dataset_builder as lsp
from data_builders.lspet import lspet_dataset_builder as lspet

ROOT = pathlib.Path(__file__).parents[2]
PEOPLE = {lsp: 2000, lspet: 4}  # LSP's split makes it accept no other number.
BOTH = pytest.mark.parametrize("module", [lsp, lspet], ids=["lsp", "lspet"])

Files = dict[str, bytes]


def photograph(number: int) -> bytes:
    """A JPEG file, 8 to 12 high and 10 to 16 wide, unlike its neighbours."""
    pixels = np.full((8 + number % 5, 10 + number % 7, 3), number % 251, np.uint8)
    return cv2.imencode(".jpg", pixels)[1].tobytes()


def stored_joints(people: int) -> np.ndarray:
    """(people, 14, 3) x, y from 1, and a flag, all from a fixed seed."""
    generator = np.random.default_rng(0)
    joints = generator.uniform(1, 9, (people, 14, 3))
    joints[..., 2] = generator.integers(0, 2, (people, 14))
    return joints


def mat(module: types.ModuleType, joints: np.ndarray) -> bytes:
    """`joints.mat` with the archive's own order of axes."""
    axes = (2, 1, 0) if module is lsp else (1, 2, 0)
    file = io.BytesIO()
    scipy.io.savemat(file, {"joints": joints.transpose(axes)})
    return file.getvalue()


def archive_files(module: types.ModuleType, people: int = 0) -> Files:
    """A miniature archive as file names and contents."""
    people = people or PEOPLE[module]
    digits = 4 if module is lsp else 5
    numbers = range(1, people + 1)
    files = {f"images/im{n:0{digits}}.jpg": photograph(n) for n in numbers}
    return {
        "README.txt": b"",
        "joints.mat": mat(module, stored_joints(people)),
        **files,
    }


def name_of(module: types.ModuleType) -> str:
    return "lsp_dataset" if module is lsp else "lspet_dataset"


def write_folder(directory: pathlib.Path, name: str, files: Files) -> None:
    for file, content in files.items():
        path = directory / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def write_zip(path: pathlib.Path, files: Files, prefix: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for file, content in files.items():
            archive.writestr(prefix + file, content)


def build(module: types.ModuleType, tmp_path: pathlib.Path):
    """Builds from tmp_path/manual into tmp_path/data."""
    builder = module.Builder(data_dir=tmp_path / "data", file_format="array_record")
    config = tfds.download.DownloadConfig(manual_dir=tmp_path / "manual")
    builder.download_and_prepare(download_config=config)
    return builder


def read(builder) -> list[dict]:
    """The records of every split, train first."""
    skip = {"image": tfds.decode.SkipDecoding()}
    splits = [name for name in ("train", "test") if name in builder.info.splits]
    return [
        record
        for split in splits
        for record in builder.as_data_source(split=split, decoders=skip)
    ]


def refuse(
    module: types.ModuleType,
    tmp_path: pathlib.Path,
    *parts: str,
    error: type[Exception] = ValueError,
) -> str:
    """Fails to build with a message that holds the parts, and leaves nothing."""
    with pytest.raises(error) as caught:
        build(module, tmp_path)
    for part in parts:
        assert part in str(caught.value)
    data = tmp_path / "data"
    left = {path.name for path in data.rglob("*")} if data.exists() else set()
    assert left <= {"downloads", "extracted", "lsp", "lspet"}
    builder = module.Builder(data_dir=data, file_format="array_record")
    assert not builder.is_prepared()
    return str(caught.value)


def with_thumbnail(jpeg: bytes) -> bytes:
    """The JPEG file with a whole small JPEG file in an application header."""
    thumbnail = photograph(1)
    length = (len(thumbnail) + 2).to_bytes(2, "big")
    return jpeg[:2] + b"\xff\xe1" + length + thumbnail + jpeg[2:]
