"""Leeds Sports Pose and its extended training set, which are packed alike.

Both are `joints.mat` and `images/im0001.jpg` and on, one person an image.
"""

import dataclasses
import functools
import hashlib
import logging
import pathlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from . import downloads, joints, photographs, sources

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Archive:
    """What is known of one of the two archives.

    `folder` is the unpacked folder's name and, with `.zip`, the archive's. `digits`
    is the width of the photographs' numbers, which count from 1. `people` is the
    official size; only where `cut` is true may an archive found on the disk hold
    another number. `content_sha256` is `Contents.sha256` of the official archive,
    where that is known.
    """

    folder: str
    homepage: str
    addresses: tuple[str, ...]
    digits: int
    people: int
    cut: bool
    content_sha256: str | None
    layout: joints.Layout

    @property
    def instructions(self) -> str:
        """Where to get the archive and how to lay it out in the manual directory."""
        return (
            f"Get {self.folder}.zip from {self.homepage} and put it into the manual "
            f"directory, as it is or unpacked as {self.folder}/joints.mat and "
            f"{self.folder}/images/{self.photograph(1)} ..."
        )

    def photograph(self, number: int) -> str:
        """The base name of a photograph; numbers count from 1."""
        return f"im{number:0{self.digits}d}.jpg"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Contents:
    """A checked archive: row i of every array is photograph i + 1.

    `keypoints` float32 (people, 14, 2) and `visibility` int32 (people, 14) are as
    `joints.read` returns them, `sizes` int32 (people, 2) is (height, width), and
    `sha256` is of the SHA-256 digests of joints.mat and of every photograph in order.
    """

    source: sources.Source
    photographs: tuple[str, ...]
    keypoints: np.ndarray
    visibility: np.ndarray
    sizes: np.ndarray
    sha256: str


def load(archive: Archive, dl_manager: tfds.download.DownloadManager) -> Contents:
    """Finds the archive, or downloads it, and checks all of it.

    It is looked for as a folder, then as a zip, in the manual directory, then
    downloaded.

    Raises:
        FileNotFoundError: it is not there and no address gives it.
        ValueError: it is not as it should be.
    """
    manual = sources.manual_directory(dl_manager)
    source = sources.find(manual, archive.folder)
    if source is None:
        source = _download(archive, manual, pathlib.Path(dl_manager.download_dir))
    contents = check(archive, source)
    try:
        _compare(archive, contents)
    except ValueError as error:
        _LOG.warning("%s is used as it is, but %s", source.where(), error)
    return contents


def examples(contents: Contents, rows: range) -> Iterator[tuple[str, dict[str, Any]]]:
    """Key and record of each person of the rows, in order."""
    for row in rows:
        name = contents.photographs[row]
        height, width = contents.sizes[row]
        yield (
            name,
            {
                "image": contents.source.read(f"images/{name}"),
                "filename": name,
                "height": height,
                "width": width,
                "keypoints": contents.keypoints[row : row + 1],
                "visibility": contents.visibility[row : row + 1],
            },
        )


def check(archive: Archive, source: sources.Source) -> Contents:
    """Reads every file of an archive and checks it.

    Raises:
        ValueError: joints.mat is missing or not as it should be, it and the
            photographs disagree, or a photograph does not decode; the file is named.
    """
    names = source.names()
    where = source.where("joints.mat")
    if "joints.mat" not in names:
        raise ValueError(
            f"{where} is missing; an archive must hold joints.mat and images/. "
            f"{archive.instructions}"
        )
    mat = source.read("joints.mat")
    keypoints, visibility = joints.read(mat, layout=archive.layout, where=where)
    _check_people(archive, len(keypoints), where)
    numbered = _photographs(archive, names, len(keypoints), source.where())
    sizes, digests = photographs.check(source, [f"images/{name}" for name in numbered])
    return Contents(
        source=source,
        photographs=numbered,
        keypoints=keypoints,
        visibility=visibility,
        sizes=sizes,
        sha256=hashlib.sha256(hashlib.sha256(mat).digest() + digests).hexdigest(),
    )


def _check_people(archive: Archive, people: int, where: str) -> None:
    """Refuses a set whose split would not be the official one."""
    if people != archive.people and not archive.cut:
        raise ValueError(
            f"{where} holds {people} people; it must hold {archive.people}, on whose "
            f"numbers the official split stands. {archive.instructions}"
        )


def _photographs(
    archive: Archive, names: Sequence[str], people: int, where: str
) -> tuple[str, ...]:
    """The photographs' base names in order; they must be numbered 1 to `people`."""
    pattern = re.compile(rf"images/(im\d{{{archive.digits}}}\.jpg)")
    present = {match[1] for name in names if (match := pattern.fullmatch(name))}
    wanted = tuple(archive.photograph(number + 1) for number in range(people))
    missing = [name for name in wanted if name not in present]
    surplus = sorted(present.difference(wanted))
    if missing or surplus:
        details = [f"images/{missing[0]} is missing"] if missing else []
        details += [f"images/{surplus[0]} has no person"] if surplus else []
        raise ValueError(
            f"{where}: {len(present)} photographs and {people} people in joints.mat, "
            f"{' and '.join(details)}; photographs must be numbered from {wanted[0]} "
            f"to {wanted[-1]} without a gap. {archive.instructions}"
        )
    return wanted


def _download(
    archive: Archive, manual: pathlib.Path, directory: pathlib.Path
) -> sources.Source:
    """Downloads the archive, verified before it is kept."""
    target = directory / f"{archive.folder}.zip"
    accept = functools.partial(_check_official, archive)
    try:
        path = downloads.fetch(archive.addresses, target=target, accept=accept)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"Neither {archive.folder}/ nor {archive.folder}.zip is in {manual}, and no "
            f"address gave it:\n{error}\n{archive.instructions}\nThe manual "
            f"directory is {manual}"
        ) from None
    return sources.open_zip(path, folder=archive.folder)


def _check_official(archive: Archive, path: pathlib.Path) -> None:
    """ValueError unless a zip holds what the authors published, as far as is known."""
    source = sources.open_zip(path, folder=archive.folder)
    _compare(archive, check(archive, source))


def _compare(archive: Archive, contents: Contents) -> None:
    """ValueError where the contents are known not to be the official ones."""
    people = len(contents.photographs)
    if people != archive.people:
        raise ValueError(
            f"it holds {people} people; the official archive holds {archive.people}"
        )
    if archive.content_sha256 not in (None, contents.sha256):
        raise ValueError(
            f"its content has sha256 {contents.sha256}; the official content has "
            f"{archive.content_sha256}"
        )
