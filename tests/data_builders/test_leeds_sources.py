"""Where LSP and LSPET come from: folder, zip, download; and how they are imported."""

import dataclasses
import json

import archives
import numpy as np
import pytest

from data_builders.lsp import lsp_dataset_builder as lsp
from data_builders.lspet import lspet_dataset_builder as lspet
from data_builders.parts import downloads


@archives.BOTH
@pytest.mark.parametrize("nested", [True, False], ids=["nested", "flat"])
def test_a_zip_gives_the_records_of_the_folder(module, nested, tmp_path):
    name = archives.name_of(module)
    files = archives.archive_files(module)
    prefix = f"{name}/" if nested else ""
    litter = {"images/._im0001.jpg": b"", "visualized/im0001.jpg": b"none"}
    archives.write_zip(tmp_path / "manual" / f"{name}.zip", {**files, **litter}, prefix)
    records = archives.read(archives.build(module, tmp_path))
    images = [content for file, content in files.items() if "images/" in file]
    assert [record["image"] for record in records] == images
    expected = archives.stored_joints(len(records))[:, None, :, :2] - 1
    keypoints = [record["keypoints"] for record in records]
    np.testing.assert_allclose(keypoints, expected, rtol=1e-6)


def test_the_folder_comes_before_the_zip(tmp_path):
    archives.write_folder(
        tmp_path / "manual", "lspet_dataset", archives.archive_files(lspet, 3)
    )
    archives.write_zip(
        tmp_path / "manual" / "lspet_dataset.zip",
        archives.archive_files(lspet, 5),
    )
    assert len(archives.read(archives.build(lspet, tmp_path))) == 3


def with_addresses(monkeypatch, module, addresses, **changes) -> None:
    """Gives the module's archive other addresses, and other facts."""
    urls = tuple(str(address) for address in addresses)
    archive = dataclasses.replace(module.ARCHIVE, addresses=urls, **changes)
    monkeypatch.setattr(module, "ARCHIVE", archive)


def test_addresses_are_tried_in_order_until_one_is_right(tmp_path, monkeypatch):
    host = tmp_path / "host"
    archives.write_zip(host / "cut.zip", archives.archive_files(lspet, 3))
    archives.write_zip(
        host / "good.zip", archives.archive_files(lspet), "lspet_dataset/"
    )
    (host / "page.zip").write_text("<html>moved</html>")
    names = ["absent.zip", "page.zip", "cut.zip", "good.zip", "never.zip"]
    addresses = [(host / name).as_uri() for name in names]
    with_addresses(monkeypatch, lspet, addresses, people=4)
    tried = record_tried(monkeypatch)
    records = archives.read(archives.build(lspet, tmp_path))
    assert tried == addresses[:4]
    assert len(records) == 4
    download = tmp_path / "data" / "downloads" / "lspet_dataset.zip"
    assert download.read_bytes() == (host / "good.zip").read_bytes()
    note = json.loads(download.with_name("lspet_dataset.zip.json").read_text())
    assert note["address"] == addresses[3]
    assert note["bytes"] == download.stat().st_size


def record_tried(monkeypatch) -> list[str]:
    """The addresses that get asked from now on."""
    tried: list[str] = []
    original = downloads.urllib.request.urlopen

    def urlopen(request, timeout):
        tried.append(request.full_url)
        return original(request, timeout=timeout)

    monkeypatch.setattr(downloads.urllib.request, "urlopen", urlopen)
    return tried


def test_a_download_is_kept_for_the_next_build(tmp_path, monkeypatch):
    archives.write_zip(tmp_path / "good.zip", archives.archive_files(lspet))
    with_addresses(monkeypatch, lspet, [(tmp_path / "good.zip").as_uri()], people=4)
    archives.build(lspet, tmp_path)
    tried = record_tried(monkeypatch)
    (tmp_path / "data" / "lspet").rename(tmp_path / "gone")
    assert len(archives.read(archives.build(lspet, tmp_path))) == 4
    assert not tried


def test_no_download_where_the_archive_is_there(tmp_path, monkeypatch):
    tried = record_tried(monkeypatch)
    archives.write_folder(
        tmp_path / "manual", "lspet_dataset", archives.archive_files(lspet)
    )
    archives.build(lspet, tmp_path)
    assert not tried


def test_a_download_of_other_content_is_not_kept(tmp_path, monkeypatch):
    archives.write_zip(tmp_path / "other.zip", archives.archive_files(lsp))
    with_addresses(monkeypatch, lsp, [(tmp_path / "other.zip").as_uri()])
    recorded = lsp.ARCHIVE.content_sha256
    archives.refuse(lsp, tmp_path, "sha256", recorded, error=FileNotFoundError)


def test_a_connection_that_ends_early_is_noticed(tmp_path, monkeypatch):
    archives.write_zip(tmp_path / "good.zip", archives.archive_files(lspet))
    address = (tmp_path / "good.zip").as_uri()
    with_addresses(monkeypatch, lspet, [address], people=4)
    original = downloads.urllib.request.urlopen

    def urlopen(request, timeout):
        response = original(request, timeout=timeout)
        response.headers.replace_header("Content-Length", "10000000")
        return response

    monkeypatch.setattr(downloads.urllib.request, "urlopen", urlopen)
    archives.refuse(lspet, tmp_path, "of 10000000 bytes", error=FileNotFoundError)


@archives.BOTH
def test_without_archive_and_network_the_message_says_it_all(
    module, tmp_path, monkeypatch
):
    def urlopen(request, timeout):
        raise OSError(f"no route to {request.host}")

    monkeypatch.setattr(downloads.urllib.request, "urlopen", urlopen)
    message = archives.refuse(
        module,
        tmp_path,
        f"{archives.name_of(module)}.zip",
        module.ARCHIVE.homepage,
        f"The manual directory is {tmp_path / 'manual'}",
        error=FileNotFoundError,
    )
    for address in module.ARCHIVE.addresses:
        assert f"{address}: no route to" in message


def test_the_default_manual_directory_is_named(tmp_path, monkeypatch):
    with_addresses(monkeypatch, lspet, [])
    builder = lspet.Builder(data_dir=tmp_path, file_format="array_record")
    with pytest.raises(FileNotFoundError, match=f"{tmp_path}/downloads/manual"):
        builder.download_and_prepare()


@archives.BOTH
def test_the_tfds_commands_import_works_without_tensorflow(module, tmp_path):
    name = "lsp" if module is lsp else "lspet"
    archives.write_folder(
        tmp_path / "manual",
        archives.name_of(module),
        archives.archive_files(module),
    )
    built, loaded = archives.tfds_build(name, tmp_path)
    assert built == f"{name}/1.0.0 {archives.PEOPLE[module]}"
    assert loaded == "[]"
