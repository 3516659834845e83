import pytest

from jaxpose.apps.doctor import disks


@pytest.fixture
def free(monkeypatch, tmp_path):
    """Sets what the disks have left."""

    def leave(num_bytes):
        usage = disks.shutil.disk_usage(tmp_path)._replace(free=num_bytes)
        monkeypatch.setattr(disks.shutil, "disk_usage", lambda folder: usage)

    return leave


def test_a_folder_that_is_not_there_yet_is_judged_by_where_it_would_be(tmp_path, free):
    free(50e9)
    (one,) = disks.room("runs", tmp_path / "a" / "b")
    assert one.text.startswith("50.0 GB free") and one.text.endswith("/a/b")


@pytest.mark.parametrize(
    "left, needed, broken",
    [(1e6, True, True), (1e6, False, False), (1e9, True, False)],
)
def test_a_disk_that_is_full_or_nearly_is_told(tmp_path, free, left, needed, broken):
    free(left)
    _, one = disks.room("runs", tmp_path, needed=needed)
    assert one.broken == broken and "are left on the disk of" in one.text
    assert one.remedy == "make room there, or choose a folder on another disk"


@pytest.mark.parametrize("needed", [True, False])
def test_no_permission_to_write_is_told(tmp_path, free, monkeypatch, needed):
    free(50e9)
    monkeypatch.setattr(disks.os, "access", lambda path, mode: False)
    _, one = disks.room("runs", tmp_path / "runs", needed=needed)
    assert one.text == f"{tmp_path} cannot be written" and one.broken == needed
    assert one.remedy.startswith(f"chmod u+rwx {tmp_path}, or choose another")
    (note,) = disks.home()
    assert "cannot be written" in note.text and note.remedy.startswith("export HOME=")


def test_compiled_programs_are_counted(tmp_path, free, monkeypatch):
    free(50e9)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_bytes(b"1234")
    fact = disks.cache(tmp_path)[-1]
    assert fact.text == "1 kept, 4 B" and not fact.remedy
    assert disks.cache(tmp_path / "none")[-1].text == "0 kept, 0 B"
    monkeypatch.setattr(disks, "_LARGE_CACHE", 3)
    note = disks.cache(tmp_path)[-1]
    assert note.remedy.startswith(f"rm -r {tmp_path}") and not note.broken
