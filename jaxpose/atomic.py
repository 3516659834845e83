"""Files that appear whole or not at all."""

import contextlib
import os
import pathlib
from collections.abc import Iterator
from typing import IO


@contextlib.contextmanager
def replacing(path: pathlib.Path) -> Iterator[IO[bytes]]:
    """A stream whose content takes the file's place when the block ends well.

    It is written beside the file, brought to the disk and renamed, so that neither a
    kill nor a full disk nor a power cut leaves half a file or loses the old one.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def write(path: pathlib.Path, content: str | bytes) -> None:
    with replacing(path) as stream:
        stream.write(content.encode() if isinstance(content, str) else content)
