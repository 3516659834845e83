"""Archives as their authors packed them: an unpacked folder, or a zip read in place.

A tar has no table of contents and is unpacked once.
"""

import dataclasses
import gzip
import logging
import os
import pathlib
import shutil
import tarfile
import zipfile
import zlib
from typing import Protocol

import tensorflow_datasets as tfds

_LOG = logging.getLogger(__name__)
_PIECE = 2**20  # bytes read at once


class Source(Protocol):
    """Files by their names relative to the archive's root, such as `images/a.jpg`."""

    def names(self) -> list[str]:
        """Every file's name."""

    def read(self, name: str) -> bytes:
        """A file's content; may be called from several threads at once.

        Raises:
            FileNotFoundError: the archive has no such file.
        """

    def where(self, name: str = "") -> str:
        """The file's (or the archive's) place, for messages."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Folder:
    """An unpacked archive."""

    path: pathlib.Path

    def names(self) -> list[str]:
        """Every file's name below the folder."""
        files = (file for file in self.path.rglob("*") if file.is_file())
        return [file.relative_to(self.path).as_posix() for file in files]

    def read(self, name: str) -> bytes:
        """A file's content.

        Raises:
            FileNotFoundError: there is none.
            OSError: it cannot be read.
        """
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError:
            raise _missing(name, f"the folder {self.path}") from None

    def where(self, name: str = "") -> str:
        """The path of the file, or of the folder."""
        return str(self.path / name)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Zip:
    """A zip archive; its files lie at its top or all in one folder, the prefix."""

    path: pathlib.Path
    archive: zipfile.ZipFile
    prefix: str

    def names(self) -> list[str]:
        """Every file's name behind the prefix."""
        members = (info.filename for info in self.archive.infolist())
        inside = (name for name in members if name.startswith(self.prefix))
        return [name[len(self.prefix) :] for name in inside if not name.endswith("/")]

    def read(self, name: str) -> bytes:
        """A file's content, its checksum verified.

        Raises:
            FileNotFoundError: there is none.
            ValueError: the archive is damaged there.
        """
        try:
            return self.archive.read(self.prefix + name)
        except KeyError:
            raise _missing(self.prefix + name, f"the zip {self.path}") from None
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            NotImplementedError,
            RuntimeError,  # Encrypted.
        ) as error:
            raise ValueError(
                f"{self.where(name)} cannot be read from the zip ({error}); every "
                f"file must match its checksum; download {self.path.name} again"
            ) from error

    def where(self, name: str = "") -> str:
        """The archive's path, and the file's name in it."""
        return f"{self.path}: {self.prefix}{name}" if name else str(self.path)


def _missing(name: str, where: str) -> FileNotFoundError:
    return FileNotFoundError(
        f"{name} is not in {where}, which must hold all that its authors put there; "
        "unpack the archive again, or download it again"
    )


def open_zip(path: pathlib.Path, *, folder: str) -> Zip:
    """Opens a zip whose files lie at its top, or in a folder of the given name.

    Raises:
        ValueError: the file is no zip, or was cut short.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise ValueError(
            f"{path} ({path.stat().st_size} bytes) is not a readable zip ({error}); "
            "it must be a complete zip archive; delete it and download it again"
        ) from error
    nested = any(name.startswith(f"{folder}/") for name in archive.namelist())
    return Zip(path=path, archive=archive, prefix=f"{folder}/" if nested else "")


def find(directory: pathlib.Path, name: str, *, archive: str = "") -> Source | None:
    """The folder `name` in a directory, else the zip of it there, else None.

    Args:
        archive: the zip's name without `.zip`, where it is not the folder's.

    Raises:
        ValueError: the zip is not readable.
    """
    if (directory / name).is_dir():
        return Folder(path=directory / name)
    path = directory / f"{archive or name}.zip"
    return open_zip(path, folder=name) if path.is_file() else None


def find_tar(
    directory: pathlib.Path, name: str, *, unpack_to: pathlib.Path
) -> Source | None:
    """`name.tar.gz` or `name.tar` in a directory, unpacked below `unpack_to`; else None.

    What was unpacked completely in an earlier run is taken as it is.

    Raises:
        ValueError: the tar is damaged, or would write outside the folder.
    """
    for path in (directory / f"{name}.tar.gz", directory / f"{name}.tar"):
        if path.is_file():
            target = unpack_to / name
            if not target.is_dir():
                _unpack(path, target)
            return Folder(path=target)
    return None


def _unpack(path: pathlib.Path, target: pathlib.Path) -> None:
    """Unpacks a tar; the target appears only once everything is there."""
    _LOG.warning("unpacking %s to %s; delete it once the records stand", path, target)
    # The process number keeps two builds at the same time apart.
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    part.mkdir(parents=True)
    try:
        with tarfile.open(path) as archive:
            archive.extractall(part, filter="data")
            # A compressed file ends with its checksum, behind all that was unpacked.
            while archive.fileobj and archive.fileobj.read(_PIECE):
                pass
        part.replace(target)
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(
            f"{path} ({path.stat().st_size} bytes) cannot be unpacked ({error}); it "
            "must be a complete tar archive; delete it and download it again"
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def manual_directory(dl_manager: tfds.download.DownloadManager) -> pathlib.Path:
    """Where a person puts archives; it need not exist."""
    # The public property fails where the directory is missing or empty, so that
    # nothing could be downloaded then, and does not say which one it would be.
    default = dl_manager.download_dir / "manual"
    return pathlib.Path(getattr(dl_manager, "_manual_dir", None) or default)
