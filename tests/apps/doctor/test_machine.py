import resource
import sys

import pytest

from jaxpose.apps.doctor import machine


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """A tree of control groups, and what /proc/self/cgroup says of it."""
    read = machine._read

    def make(table, **files):
        for name, text in files.items():
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        monkeypatch.setattr(machine, "_CGROUPS", tmp_path)
        own = {"/proc/self/cgroup": table}
        monkeypatch.setattr(machine, "_read", lambda f: own.get(str(f)) or read(f))

    return make


def test_limits_of_version_2_are_those_of_all_groups_around(groups):
    outer = {"memory.max": "8000000000\n", "cpu.max": "max 100000\n"}
    inner = {"job/memory.max": "max\n", "job/cpu.max": "50000 100000\n"}
    groups("0::/job", **outer, **inner)
    assert machine.memory_limit() == 8_000_000_000
    assert machine.cores() == 0.5


def test_limits_of_version_1_stand_with_their_controllers(groups):
    groups(
        "4:memory:/docker/1\n1:cpu,cpuacct:/docker/1\n0::/docker/1",
        **{
            "memory/memory.limit_in_bytes": "4000000000",
            "cpu,cpuacct/docker/1/cpu.cfs_quota_us": "25000",
            "cpu,cpuacct/docker/1/cpu.cfs_period_us": "100000",
        },
    )
    assert machine.memory_limit() == 4_000_000_000
    assert machine.cores() == 0.25


def test_without_control_groups_nothing_limits(groups):
    groups("")
    assert machine.memory_limit() is None
    assert machine.cores() >= 1


def test_little_memory_is_noted(monkeypatch):
    monkeypatch.setattr(machine, "_available", lambda: 20_000_000_000)
    monkeypatch.setattr(machine, "memory_limit", lambda: 1_000_000_000)
    fact, note = machine.memory()
    assert "20.0 GB available, limited to 1.0 GB by a control group" in fact.text
    assert "only 1.0 GB" in note.text and "batch_size" in note.remedy


def test_systems_that_do_not_say_what_is_free_are_no_fault(monkeypatch):
    monkeypatch.setattr(machine, "_available", lambda: None)
    monkeypatch.setattr(machine, "memory_limit", lambda: None)
    assert "available" not in machine.memory()[0].text


def test_a_system_that_says_nothing_is_unknown(monkeypatch):
    """Windows."""
    monkeypatch.setattr(machine, "_available", lambda: None)
    monkeypatch.setattr(machine, "memory_limit", lambda: None)
    monkeypatch.setattr(machine, "_shared", lambda folder: [])
    monkeypatch.delattr(machine.os, "sysconf")
    monkeypatch.setitem(sys.modules, "resource", None)
    found = [*machine.memory(), *machine.limits()]
    assert [(one.name, one.text, one.remedy) for one in found] == [
        ("machine", "unknown", ""),
        ("open files", "unknown", ""),
    ]


def test_cores_that_may_not_be_used_are_noted(monkeypatch):
    monkeypatch.setattr(machine.os, "cpu_count", lambda: 16)
    monkeypatch.setattr(machine, "cores", lambda: 1.5)
    fact, note = machine.cpu()
    assert fact.text == "16 cores, of which this process may use 1.5"
    assert note.remedy == "--config.data.threads=2"
    monkeypatch.setattr(machine, "cores", lambda: 16.0)
    assert [one.text for one in machine.cpu()] == ["16 cores"]


@pytest.mark.parametrize(
    "limits, remedy",
    [
        ((256, resource.RLIM_INFINITY), "ulimit -n 1024"),
        ((256, 512), "ulimit -n 1024, for which an administrator"),
        ((1024, 4096), None),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), None),
    ],
)
def test_few_open_files_are_noted(monkeypatch, limits, remedy):
    monkeypatch.setattr(machine, "_shared", lambda folder: [])
    monkeypatch.setattr(resource, "getrlimit", lambda which: limits)
    found = [one.remedy for one in machine.limits() if one.remedy]
    assert len(found) == (remedy is not None)
    assert all(one.startswith(remedy) for one in found)


def test_little_shared_memory_is_noted(monkeypatch, tmp_path):
    usage = machine.shutil.disk_usage(tmp_path)._replace(free=64_000_000)
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda folder: usage)
    _, note = machine._shared(tmp_path)
    assert "64.0 MB" in note.text and "--shm-size" in note.remedy
    assert not machine._shared(tmp_path / "none")
