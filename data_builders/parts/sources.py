"""Archives as their authors packed them: an unpacked folder, or a zip read in place."""

import dataclasses
import pathlib
import zipfile
import zlib
from typing import Protocol


class Source(Protocol):
    """Files by their names relative to the archive's root, such as `images/a.jpg`."""

    def names(self) -> list[str]:
        """Every file's name."""

    def read(self, name: str) -> bytes:
        """A file's content; may be called from several threads at once."""

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
        """A file's content; OSError where it cannot be read."""
        return (self.path / name).read_bytes()

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
            ValueError: the archive is damaged there.
        """
        try:
            return self.archive.read(self.prefix + name)
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


def find(directory: pathlib.Path, name: str) -> Source | None:
    """The folder `name` in a directory, else `name.zip` there, else None.

    Raises:
        ValueError: `name.zip` is no readable zip.
    """
    if (directory / name).is_dir():
        return Folder(path=directory / name)
    if (directory / f"{name}.zip").is_file():
        return open_zip(directory / f"{name}.zip", folder=name)
    return None
