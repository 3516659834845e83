"""Miniature LSP and LSPET archives in the original formats, and how to build any."""

import io
import pathlib
import subprocess
import sys
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
EMPTY = np.zeros((0, 0))  # what MATLAB stores as []


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


def structs(rows: list[dict]) -> np.ndarray:
    """MATLAB's 1 x n struct array; a field that an element lacks is empty there."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    if not names:
        return EMPTY
    array = np.empty((1, len(rows)), [(name, object) for name in names])
    for i, row in enumerate(rows):
        for name in names:
            array[0, i][name] = row.get(name, EMPTY)
    return array


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


def build(module: types.ModuleType, tmp_path: pathlib.Path, config=None):
    """Builds from tmp_path/manual into tmp_path/data."""
    data = tmp_path / "data"
    builder = module.Builder(config=config, data_dir=data, file_format="array_record")
    download = tfds.download.DownloadConfig(manual_dir=tmp_path / "manual")
    builder.download_and_prepare(download_config=download)
    return builder


def read(builder, *splits: str) -> list[dict]:
    """The records of the splits, by default of every one, train first."""
    features = builder.info.features
    images = [name for name in ("image", "instances") if name in features]
    skip = {name: tfds.decode.SkipDecoding() for name in images}
    there = ("train", "validation", "test")
    splits = splits or tuple(name for name in there if name in builder.info.splits)
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
    config=None,
) -> str:
    """Fails to build with a message that holds the parts, and leaves nothing."""
    with pytest.raises(error) as caught:
        build(module, tmp_path, config)
    for part in parts:
        assert part in str(caught.value)
    data = tmp_path / "data"
    left = [path for path in data.rglob("*") if path.is_file()]
    # A variant of a builder leaves its metadata; what counts are records.
    left = [path for path in left if data / "downloads" not in path.parents]
    assert {path.name for path in left} <= {"metadata.json"}
    builder = module.Builder(config=config, data_dir=data, file_format="array_record")
    assert not builder.is_prepared()
    return str(caught.value)


_COMMAND = """
import sys, tensorflow_datasets as tfds
name, folder, manual, data = sys.argv[1:]
module = f"{name}.{name}_dataset_builder"
# What `tfds build` does (tensorflow_datasets/scripts/cli/build.py).
with tfds.core.utils.add_sys_path(folder):
    Builder = tfds.core.community.builder_cls_from_module(module)
builder = Builder(data_dir=data, file_format="array_record")
config = tfds.download.DownloadConfig(manual_dir=manual)
builder.download_and_prepare(download_config=config)
print(builder.info.full_name, builder.info.splits.total_num_examples)
loaded = {name.split(".")[0] for name in sys.modules}
print(sorted(loaded & {"tensorflow", "jaxpose", "jax", "data_builders"}))
"""


def tfds_build(name: str, tmp_path: pathlib.Path) -> tuple[str, str]:
    """Builds as the `tfds` command does, in a process of its own.

    Returns the dataset's full name with the number of its records, and which of the
    modules that a builder must not need were loaded.
    """
    folder = ROOT / "data_builders"
    arguments = [name, str(folder), str(tmp_path / "manual"), str(tmp_path / "data")]
    result = subprocess.run(
        [sys.executable, "-c", _COMMAND, *arguments],
        check=False,
        cwd=folder / name,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    *_, built, loaded = result.stdout.splitlines()
    return built, loaded


def with_thumbnail(jpeg: bytes) -> bytes:
    """The JPEG file with a whole small JPEG file in an application header."""
    thumbnail = photograph(1)
    length = (len(thumbnail) + 2).to_bytes(2, "big")
    return jpeg[:2] + b"\xff\xe1" + length + thumbnail + jpeg[2:]
