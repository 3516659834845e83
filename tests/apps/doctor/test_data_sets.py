import json
import os
import pathlib
import shutil

import pytest
import tensorflow_datasets as tfds

from data_builders.figures import figures_dataset_builder as figures
from data_builders.lspet import lspet_dataset_builder
from jaxpose.apps.doctor import data_sets

ROOT = pathlib.Path(__file__).parents[3]
LSPET = data_sets.Builder(name="lspet", version="1.0.0")
REBUILD = ", and the next run builds it again"


@pytest.fixture
def prepared(lspet, tmp_path):
    """A copy of the miniature LSPET, prepared, and its folder of originals."""
    root, keypoints = lspet
    manual = root / "manual"
    builder = lspet_dataset_builder.Builder(
        data_dir=root / "data", file_format="array_record"
    )
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(manual_dir=manual)
    )
    shutil.copytree(root / "data", tmp_path / "data")
    folder = tmp_path / "data" / "lspet" / "1.0.0"
    (shard,) = folder.glob("*.array_record-*")
    return tmp_path / "data", manual, folder, shard, len(keypoints)


def examine(prepared):
    return data_sets.examine(LSPET, prepared[0], prepared[1])


def problem(prepared):
    (one,) = examine(prepared)
    assert one.broken and one.name == "lspet"
    return one


def change(folder, **fields):
    file = folder / "dataset_info.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))


def test_builders_are_found_with_their_versions():
    found = data_sets.builders(ROOT / "data_builders")
    assert {data_sets.Builder(name="lsp", version="1.0.0"), LSPET} <= {*found}
    assert all(one.version for one in found)
    assert not data_sets.builders(ROOT / "none")


def test_a_whole_set_is_counted(prepared):
    (one,) = examine(prepared)
    assert one.text.startswith(f"1.0.0, train {prepared[-1]}; ") and not one.remedy
    assert one.text.endswith(" kB")


def test_builder_configs_have_names_of_their_own(prepared):
    data, _, folder, *_ = prepared
    shutil.move(folder, data / "lspet" / "single" / "1.0.0")
    (one,) = examine(prepared)
    assert one.name == "lspet/single" and not one.remedy


def test_every_config_of_figures_is_counted_by_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(figures.SINGLE, "pictures", {"train": 3, "test": 2})
    monkeypatch.setattr(figures.MULTI, "pictures", {"train": 2, "test": 1})
    (known,) = [
        one
        for one in data_sets.builders(ROOT / "data_builders")
        if one.name == "figures"
    ]
    for config, texts in (
        ("single", ["train 3, test 2"]),
        ("multi", ["train 2, test 1", "train 3, test 2"]),
    ):
        builder = figures.Builder(
            config=config, data_dir=tmp_path, file_format="array_record"
        )
        builder.download_and_prepare()
        found = data_sets.examine(known, tmp_path, tmp_path / "manual")
        names = ["figures/multi", "figures/single"][-len(texts) :]
        assert [one.name for one in found] == names
        for one, text in zip(found, texts, strict=True):
            assert one.text.startswith(f"{known.version}, {text}; ")
            assert not one.remedy


def test_originals_that_wait_are_named(tmp_path):
    for name in ("lspet_dataset", "lspet.zip", "lsp_dataset"):
        (tmp_path / name).mkdir()
    (one,) = data_sets.examine(LSPET, tmp_path / "data", tmp_path)
    assert one.text.endswith("makes it from lspet.zip, lspet_dataset")
    (one,) = data_sets.examine(LSPET, tmp_path / "data", tmp_path / "none")
    assert one.text == "not prepared; the first run prepares it, or says what it needs"


def half(shard):
    os.truncate(shard, shard.stat().st_size // 2)


@pytest.mark.parametrize(
    "damage, text",
    [
        (half, "is cut off or overwritten"),
        (lambda shard: os.truncate(shard, 0), "is empty"),
        (lambda shard: shard.unlink(), "is missing"),
        (lambda shard: shard.write_bytes(b"x" * 200_000), "is cut off or overwritten"),
    ],
)
def test_damaged_shards_are_told(prepared, damage, text):
    folder, shard = prepared[2:4]
    damage(shard)
    one = problem(prepared)
    assert one.text == f"damaged: {shard.name} {text}"
    assert one.remedy == f"rm -r {folder}{REBUILD}"


def test_another_number_of_records_is_told(prepared):
    folder, number = prepared[2], prepared[-1]
    info = json.loads((folder / "dataset_info.json").read_text())
    info["splits"][0]["shardLengths"] = ["99"]
    change(folder, **info)
    assert f"holds {number} records instead of 99" in problem(prepared).text


@pytest.mark.parametrize(
    "damage, text",
    [
        (lambda folder: change(folder, fileFormat="tfrecord"), "it holds tfrecord"),
        (lambda folder: change(folder, splits=3), "cannot be read: TypeError"),
        (
            lambda folder: (folder / "dataset_info.json").write_text('{"name": '),
            "cannot be read: JSONDecodeError",
        ),
        (
            lambda folder: (folder / "dataset_info.json").unlink(),
            "cannot be read: FileNotFoundError",
        ),
        (
            lambda folder: (folder / "features.json").unlink(),
            "features.json is missing",
        ),
    ],
)
def test_damaged_descriptions_are_told(prepared, damage, text):
    damage(prepared[2])
    one = problem(prepared)
    assert text in one.text and one.remedy.endswith(REBUILD)


def test_an_unfinished_build_is_noted(prepared):
    left = prepared[0] / "lspet" / "incomplete.UHQFVJ_1.0.0"
    left.mkdir()
    whole, note = examine(prepared)
    assert not whole.remedy and not note.broken
    assert note.remedy == f"unless one is running: rm -r {left}"


def test_an_old_version_is_not_taken_for_the_set(prepared):
    data, manual, folder, *_ = prepared
    newer = data_sets.Builder(name="lspet", version="2.0.0")
    note, fact = data_sets.examine(newer, data, manual)
    assert note.remedy == f"rm -r {folder}" and "makes 2.0.0" in note.text
    assert fact.text.startswith("not prepared; the first run makes it from lspet_")


def test_files_that_may_not_be_read_are_told(prepared, monkeypatch):
    def forbid(*arguments, **options):
        raise PermissionError(13, "Permission denied", "/data/lspet/1.0.0/a")

    monkeypatch.setattr(data_sets.pathlib.Path, "read_text", forbid)
    one = problem(prepared)
    assert one.text == "/data/lspet/1.0.0/a cannot be read"
    assert one.remedy.startswith(f"chmod -R u+rX {prepared[2]}")


def test_folders_are_named_and_must_be_readable(tmp_path, monkeypatch):
    (tmp_path / "downloads").mkdir()
    part = tmp_path / "downloads" / "lsp_dataset.zip.123.part"
    part.touch()
    data, originals, download = data_sets.folders(tmp_path, tmp_path / "manual")
    assert data.text == str(tmp_path) and originals.text.endswith("is not there yet")
    assert download.remedy == f"unless one is running: rm {part}"
    monkeypatch.setattr(data_sets.os, "access", lambda path, mode: False)
    one = data_sets.folders(tmp_path, tmp_path / "manual")[1]
    assert one.broken and one.remedy.startswith(f"chmod u+rx {tmp_path}")
