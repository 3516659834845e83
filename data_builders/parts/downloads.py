"""Downloads that try one address after another and say why each one failed.

TFDS's own download manager is not used: it retries an unreachable host for minutes,
and keeps whatever a host sent (an error page, say) as the archive for all later runs.
"""

import hashlib
import http.client
import json
import logging
import os
import pathlib
import urllib.request
from collections.abc import Callable, Sequence

_LOG = logging.getLogger(__name__)
_SECONDS_OF_SILENCE = 10  # Until a host that does not answer is given up.
_BLOCK = 1 << 20


def fetch(
    addresses: Sequence[str],
    *,
    target: pathlib.Path,
    accept: Callable[[pathlib.Path], None],
) -> pathlib.Path:
    """Downloads a file from the first address that gives an acceptable one.

    A target that is there was accepted in an earlier run and is kept. Beside a new
    one, `<target>.json` records the address, the SHA-256 and the size in bytes.

    Args:
        addresses: tried in this order.
        target: where the file goes; it appears only once it is complete and accepted.
        accept: raises ValueError if the file at a path is not what it should be.

    Returns:
        The target.

    Raises:
        FileNotFoundError: no address worked; a line for each says why.
    """
    if target.is_file():
        return target
    failures = []
    for address in addresses:
        try:
            _fetch_one(address, target, accept)
        except (OSError, http.client.HTTPException, ValueError) as error:
            _LOG.info("No %s from %s: %s", target.name, address, error)
            failures.append(f"  {address}: {error}")
        else:
            return target
    raise FileNotFoundError("\n".join(failures))


def check_sha256(sha256: str, path: pathlib.Path) -> None:
    """ValueError unless a file has this SHA-256, in hexadecimal digits."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise ValueError(
            f"what arrived has sha256 {found}; the official file has {sha256}"
        )


def _fetch_one(
    address: str, target: pathlib.Path, accept: Callable[[pathlib.Path], None]
) -> None:
    """Downloads beside the target, has the file accepted, and moves it there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    # The process number keeps two builds at the same time apart.
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        record = {"address": address, **_copy(address, part)}
        accept(part)
        record_path = target.with_name(f"{target.name}.json")
        record_path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _copy(address: str, path: pathlib.Path) -> dict[str, str | int]:
    """Streams an address into a file; returns the SHA-256 and the size in bytes.

    Raises:
        OSError: no connection, an HTTP status other than success, too few bytes.
    """
    digest = hashlib.sha256()
    size = 0
    request = urllib.request.Request(address, headers={"User-Agent": "jaxpose"})
    with (
        urllib.request.urlopen(request, timeout=_SECONDS_OF_SILENCE) as response,
        path.open("wb") as file,
    ):
        announced = response.headers.get("Content-Length")
        while block := response.read(_BLOCK):
            digest.update(block)
            size += file.write(block)
    if announced is not None and int(announced) != size:
        raise OSError(f"the connection ended after {size} of {announced} bytes")
    return {"sha256": digest.hexdigest(), "bytes": size}
