"""Data sets: which are prepared, and whether their files are whole.

TFDS keeps a prepared set in `<data_dir>/<name>/<version>`, with a builder's configs in
`<data_dir>/<name>/<config>/<version>`, and one in the making in `incomplete.*` beside it.
It is not imported here, which would take seconds.
"""

import dataclasses
import functools
import json
import os
import pathlib
import re
import shlex
from collections.abc import Iterator
from typing import Any

from jaxpose.apps.doctor.finding import Finding, size

_data = functools.partial(Finding, topic="data")

_VERSION = re.compile(r"\d+\.\d+\.\d+")
_MAKES = re.compile(r"VERSION = tfds\.core\.Version\(\"([\d.]+)\"\)")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Builder:
    """A data set that jaxpose can prepare; `version` is empty where it is not found."""

    name: str
    version: str = ""


def builders(folder: pathlib.Path) -> list[Builder]:
    """All that stand in data_builders/."""
    return [
        Builder(name=file.parent.name, version=makes[1] if makes else "")
        for file in sorted(folder.glob("*/*_dataset_builder.py"))
        if file.stem == f"{file.parent.name}_dataset_builder"
        for makes in [_MAKES.search(file.read_text())]
    ]


def folders(data_dir: pathlib.Path, manual_dir: pathlib.Path) -> list[Finding]:
    """Where data is, whether it can be read, and what downloads left behind."""
    findings = []
    for name, folder in (("data", data_dir), ("originals", manual_dir)):
        there = folder.exists()
        text = f"{folder.absolute()}{'' if there else ' is not there yet'}"
        findings.append(_data(name=name, text=text))
        if there and not os.access(folder, os.R_OK | os.X_OK):
            text = f"{folder.absolute()} cannot be read"
            remedy = f"chmod u+rx {_quoted(folder)}, or ask its owner"
            findings.append(_data(name=name, text=text, remedy=remedy, broken=True))
    for part in sorted((data_dir / "downloads").glob("*.part")):
        text = f"{part} is half a download"
        remedy = f"unless one is running: rm {_quoted(part)}"
        findings.append(_data(name="downloads", text=text, remedy=remedy))
    return findings


def examine(
    builder: Builder, data_dir: pathlib.Path, manual_dir: pathlib.Path
) -> list[Finding]:
    """One data set: what is prepared, whole or not, or what it would be made from."""
    findings, prepared = [], False
    for folder in _prepared(data_dir / builder.name):
        name = folder.parent.relative_to(data_dir).as_posix()
        if folder.name.startswith("incomplete."):
            text = f"{folder} is of a build that runs now, or was stopped"
            remedy = f"unless one is running: rm -r {_quoted(folder)}"
            findings.append(_data(name=name, text=text, remedy=remedy))
        elif builder.version and folder.name != builder.version:
            text = f"{folder} is not used: the builder makes {builder.version}"
            remedy = f"rm -r {_quoted(folder)}"
            findings.append(_data(name=name, text=text, remedy=remedy))
        else:
            prepared = True
            findings.append(_version(name, folder))
    if not prepared:
        text = f"not prepared; {_originals(builder.name, manual_dir)}"
        findings.append(_data(name=builder.name, text=text))
    return findings


def _prepared(folder: pathlib.Path, levels: int = 2) -> Iterator[pathlib.Path]:
    """Folders of versions, finished or not, of a data set or its configs.

    Raises: PermissionError if one may not be looked into.
    """
    for child in sorted(folder.iterdir()) if folder.is_dir() else ():
        if not child.is_dir():
            continue
        if child.name.startswith("incomplete.") or _VERSION.fullmatch(child.name):
            yield child
        elif levels > 1:
            yield from _prepared(child, levels - 1)


def _originals(name: str, manual_dir: pathlib.Path) -> str:
    """What of a data set lies in the folder of originals, by their names."""
    mine = re.compile(rf"{re.escape(name)}([_.-].*)?")
    there = manual_dir.iterdir() if manual_dir.is_dir() else ()
    names = sorted(path.name for path in there if mine.fullmatch(path.name))
    if names:
        return f"the first run makes it from {', '.join(names)}"
    return "the first run prepares it, or says what it needs"


def _version(name: str, folder: pathlib.Path) -> Finding:
    """What a finished folder holds, or why it cannot be read."""
    try:
        info = json.loads((folder / "dataset_info.json").read_text())
        faults = _faults(folder, info)
        if not faults:
            return _data(name=name, text=_contents(folder, info))
        text = faults[0] + (f", and {len(faults) - 1} more" if faults[1:] else "")
    except PermissionError as error:
        text = f"{error.filename or folder} cannot be read"
        remedy = f"chmod -R u+rX {_quoted(folder)}, or ask its owner"
        return _data(name=name, text=text, remedy=remedy, broken=True)
    # A file cut off, or another program's: whatever is not as TFDS writes it.
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        text = f"its dataset_info.json cannot be read: {type(error).__name__}: {error}"
    remedy = f"rm -r {_quoted(folder)}, and the next run builds it again"
    return _data(name=name, text=f"damaged: {text}", remedy=remedy, broken=True)


def _contents(folder: pathlib.Path, info: dict[str, Any]) -> str:
    """Records of each split, and bytes on the disk."""
    splits = ", ".join(
        f"{split['name']} {sum(map(int, split.get('shardLengths', ())))}"
        for split in info["splits"]
    )
    on_disk = sum(file.stat().st_size for file in folder.iterdir())
    return f"{info['version']}, {splits}; {size(on_disk)}"


def _faults(folder: pathlib.Path, info: dict[str, Any]) -> list[str]:
    """What keeps jaxpose from reading a prepared set; empty if nothing is found.

    A record damaged in the middle of a file is not: that takes reading all of it.
    """
    if info["fileFormat"] != "array_record":
        return [f"it holds {info['fileFormat']}, and jaxpose reads array_record"]
    faults = [] if (folder / "features.json").exists() else ["features.json is missing"]
    for split in info["splits"]:
        lengths = [int(length) for length in split.get("shardLengths", ())]
        template = split.get(
            "filepathTemplate", "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
        )
        for shard, length in enumerate(lengths):
            file = folder / template.format(
                DATASET=info["name"],
                SPLIT=split["name"],
                FILEFORMAT=info["fileFormat"],
                SHARD_X_OF_Y=f"{shard:05}-of-{len(lengths):05}",
            )
            fault = _shard_fault(file, length)
            faults += [f"{file.name} {fault}"] if fault else []
    return faults


def _shard_fault(file: pathlib.Path, length: int) -> str:
    """What is wrong with a file that should hold so many records; empty if nothing.

    Raises: PermissionError if it may not be read.
    """
    from array_record.python import array_record_module  # may be missing

    if not file.exists():
        return "is missing"
    if not file.stat().st_size:
        return "is empty"
    file.open("rb").close()  # The reader would not tell why it cannot.
    try:
        reader = array_record_module.ArrayRecordReader(str(file))
        number = reader.num_records()
        reader.close()  # Only this tells of some files that they are damaged.
    except RuntimeError:
        return "is cut off or overwritten"
    return "" if number == length else f"holds {number} records instead of {length}"


def _quoted(path: pathlib.Path) -> str:
    return shlex.quote(str(path))
