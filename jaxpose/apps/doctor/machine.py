"""The machine: memory, cores and limits, of a container too where one surrounds us."""

import functools
import os
import pathlib
import shutil
from collections.abc import Iterator

from jaxpose.apps.doctor.finding import Finding, size

_memory = functools.partial(Finding, topic="memory")

# configs/deeppose_small.py takes 1.1 GB, and a first run prepares data beside it.
_ENOUGH_MEMORY = 2e9
# Array records, checkpoints, pipes to workers: each is some open files.
_ENOUGH_FILES = 1024
# A worker's batches pass through it; Docker gives a container 64 MB.
_ENOUGH_SHARED = 1e9

_CGROUPS = pathlib.Path("/sys/fs/cgroup")


def memory() -> list[Finding]:
    """The machine's memory, what of it is free, and a container's limit."""
    total = _total()
    free = _available()
    limit = memory_limit()
    text = "unknown" if total is None else size(total)
    if free is not None:
        text += f", {size(free)} available"
    if limit is not None and (total is None or limit < total):
        text += f", limited to {size(limit)} by a control group"
    findings = [_memory(name="machine", text=text)]
    known = [m for m in (total, free, limit) if m is not None]
    least = min(known, default=None)
    if least is not None and least < _ENOUGH_MEMORY:
        findings.append(
            _memory(
                name="machine",
                text=f"only {size(least)} to use; a small run takes {size(1.1e9)}",
                remedy="end other programs, or raise the limit; smaller batch_size",
            )
        )
    return findings


def _total() -> int | None:
    """Bytes of the machine; None where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError):  # Windows
        return None


def _available() -> int | None:
    """Bytes that could be taken without swapping; None where only Linux knows."""
    try:
        lines = pathlib.Path("/proc/meminfo").read_text().splitlines()
    except OSError:  # macOS
        return None
    fields = dict(line.split(":", 1) for line in lines)
    return int(fields["MemAvailable"].split()[0]) * 1024


def memory_limit() -> int | None:
    """Bytes that the control groups around this process leave it; None for any."""
    limits = [
        int(text)
        for group in _groups("memory")
        for file in ("memory.max", "memory.limit_in_bytes")  # versions 2 and 1
        if (text := _read(group / file)).isdigit()
    ]
    return min(limits, default=None)


def cores() -> float:
    """How many cores this process may use, by affinity and by control groups."""
    affinity = getattr(os, "sched_getaffinity", None)  # macOS has none
    number = float(len(affinity(0)) if affinity else os.cpu_count() or 1)
    for group in _groups("cpu"):
        quota, _, period = _read(group / "cpu.max").partition(" ")
        quota = quota or _read(group / "cpu.cfs_quota_us")
        period = period or _read(group / "cpu.cfs_period_us")
        if quota.isdigit() and period.isdigit():
            number = min(number, int(quota) / int(period))
    return number


def cpu() -> list[Finding]:
    """The cores of the machine, and those of them that this process may use."""
    machine, usable = os.cpu_count() or 1, cores()
    text = f"{machine} cores"
    if usable >= machine:
        return [Finding(topic="devices", name="cpu", text=text)]
    text += f", of which this process may use {usable:g}"
    fact = Finding(topic="devices", name="cpu", text=text)
    remedy = f"--config.data.threads={max(1, round(usable))}"
    text = f"photographs are decoded by {machine} threads on {usable:g} cores"
    return [fact, Finding(topic="devices", name="cpu", text=text, remedy=remedy)]


def large_pages() -> str:
    """Who gets pages of 2 MB, in the kernel's words; empty where there are none."""
    return _read(pathlib.Path("/sys/kernel/mm/transparent_hugepage/enabled"))


def _groups(controller: str) -> Iterator[pathlib.Path]:
    """Folders of the control groups around this process, from inside out."""
    for line in _read(pathlib.Path("/proc/self/cgroup")).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        base = _CGROUPS / controllers  # version 2 names none, and has one tree
        inner = base / path.lstrip("/")
        # Inside a container the path may be the host's, and only the root be there.
        yield from (p for p in (inner, *inner.parents) if p.is_relative_to(base))


def _read(file: pathlib.Path) -> str:
    """A small file's text, empty where it cannot be read."""
    try:
        return file.read_text().strip()
    except OSError:
        return ""


def limits() -> list[Finding]:
    """Open files, and memory shared between processes."""
    return _open_files() + _shared(pathlib.Path("/dev/shm"))


def _open_files() -> list[Finding]:
    try:
        import resource
    except ImportError:  # Windows
        return [_memory(name="open files", text="unknown")]
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    endless = files == resource.RLIM_INFINITY
    text = "any number" if endless else f"{files}"
    findings = [_memory(name="open files", text=text)]
    if not endless and files < _ENOUGH_FILES:
        text = f"a program may open only {files}, and needs up to {_ENOUGH_FILES}"
        remedy = f"ulimit -n {_ENOUGH_FILES}"
        if most != resource.RLIM_INFINITY and most < _ENOUGH_FILES:
            remedy += ", for which an administrator must raise the hard limit"
        findings.append(_memory(name="open files", text=text, remedy=remedy))
    return findings


def _shared(folder: pathlib.Path) -> list[Finding]:
    if not folder.is_dir():  # macOS
        return []
    free = shutil.disk_usage(folder).free
    findings = [_memory(name="shared", text=f"{size(free)} free in {folder}")]
    if free < _ENOUGH_SHARED:
        text = f"{size(free)} in {folder} may be too little for --config.data.workers"
        remedy = "docker run --shm-size=2g; or leave data.workers at 0"
        findings.append(_memory(name="shared", text=text, remedy=remedy))
    return findings
