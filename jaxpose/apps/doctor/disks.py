"""Disks: room and permissions where jaxpose writes."""

import functools
import os
import pathlib
import shlex
import shutil
import tempfile
from collections.abc import Iterable

from jaxpose.apps.doctor.finding import Finding, size

_disk = functools.partial(Finding, topic="disk")

# Nothing of ours can be written below the first; VGG16-BN's checkpoints take 1.6 GB each.
_FULL, _ENOUGH = 1e8, 5e9
# A cache grows with every new shape of every network, and nobody empties it.
_LARGE_CACHE = 1e10


def programs() -> pathlib.Path:
    """Where JAX keeps compiled programs; `launch.start_devices` tells it."""
    return pathlib.Path.home() / ".cache" / "jaxpose" / "programs"


def room(
    name: str, folder: pathlib.Path, *, enough: float = _ENOUGH, needed: bool = True
) -> list[Finding]:
    """Whether a folder can be written, and how much; it need not be there yet.

    Args:
        enough: bytes; less is worth a note.
        needed: whether nothing works where it cannot be written.
    """
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    usage = shutil.disk_usage(there)
    text = f"{size(usage.free)} free of {size(usage.total)}, {folder.absolute()}"
    findings = [_disk(name=name, text=text)]
    if not os.access(there, os.W_OK | os.X_OK):
        text = f"{there.absolute()} cannot be written"
        remedy = f"chmod u+rwx {shlex.quote(str(there))}, or choose another folder"
        findings.append(_disk(name=name, text=text, remedy=remedy, broken=needed))
    if usage.free < enough:
        text = f"only {size(usage.free)} are left on the disk of {folder}"
        remedy = "make room there, or choose a folder on another disk"
        broken = needed and usage.free < _FULL
        findings.append(_disk(name=name, text=text, remedy=remedy, broken=broken))
    return findings


def temporary() -> list[Finding]:
    """Room for temporary files.

    Raises: FileNotFoundError if there is no folder for them.
    """
    return room("temporary", pathlib.Path(tempfile.gettempdir()), enough=5e8)


def cache(folder: pathlib.Path) -> list[Finding]:
    """What compiled programs take, and whether new ones can be kept."""
    sizes = list(_sizes(folder))
    used = sum(sizes)
    text = f"{len(sizes)} kept, {size(used)}"
    findings = [
        *room("programs", folder, enough=1e9, needed=False),
        _disk(name="compiled", text=text),
    ]
    if used > _LARGE_CACHE:
        text = f"compiled programs take {size(used)}"
        remedy = f"rm -r {shlex.quote(str(folder))}; what is needed is compiled again"
        findings.append(_disk(name="programs", text=text, remedy=remedy))
    return findings


def _sizes(folder: pathlib.Path) -> Iterable[int]:
    for file in folder.rglob("*"):
        try:
            if file.is_file():
                yield file.stat().st_size
        except FileNotFoundError:  # A run that evicts programs now.
            continue


def home() -> list[Finding]:
    """Whether programs can keep their settings: matplotlib and TFDS write there too.

    Raises: RuntimeError if there is no home.
    """
    folder = pathlib.Path.home()
    if os.access(folder, os.W_OK | os.X_OK):
        return []
    text = f"{folder} cannot be written, so nothing compiled is kept"
    return [_disk(name="home", text=text, remedy="export HOME=/a/folder/of/your/own")]
