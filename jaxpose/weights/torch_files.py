"""PyTorch's files of tensors, read without PyTorch and without running what is in them.

Two formats, both a pickle beside the raw bytes of the storages that tensors are views
of: a zip archive (since 1.6), and several pickles in a row followed by the storages (the
legacy format, in which torchvision's models of 2017 are published).

Source: torch/serialization.py.
"""

import collections
import math
import os
import pathlib
import pickle
import struct
import zipfile
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import Shaped

Storage = Shaped[np.ndarray, "n"]
# Key, dtype and length of a storage -> its numbers.
Fetch = Callable[[str, np.dtype, int], Storage]

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_START = pickle.dumps(_LEGACY_MAGIC, protocol=2)
_DTYPES = {
    "DoubleStorage": np.float64,
    "FloatStorage": np.float32,
    "HalfStorage": np.float16,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "ShortStorage": np.int16,
    "CharStorage": np.int8,
    "ByteStorage": np.uint8,
    "BoolStorage": np.bool_,
}


def read(path: str | os.PathLike[str]) -> Any:
    """What `torch.save` wrote: tensors as NumPy arrays, in the containers it had.

    Raises:
        ValueError: if the file is of another format, is cut short, or holds anything
            but tensors, numbers, strings and containers of these.
        OSError: if it cannot be opened.
    """
    with pathlib.Path(path).open("rb") as file:
        start = file.read(len(_LEGACY_START))
        file.seek(0)
        try:
            if start == _LEGACY_START:
                return _read_legacy(file)
            if start.startswith(b"PK\x03\x04"):
                return _read_zip(file)
        except _MALFORMED as error:
            raise ValueError(
                f"{path} cannot be read ({type(error).__name__}: {error}); it must be "
                "a whole file of tensors, such as torch.save(model.state_dict(), path) "
                "writes"
            ) from error
    raise ValueError(
        f"{path} starts with {start[:4]!r}: neither a zip archive nor PyTorch's legacy "
        "format; load it in PyTorch and save its state_dict again"
    )


# What unpickling raises on bytes that are damaged or hostile, beside our own refusals.
_MALFORMED = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    struct.error,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    RuntimeError,
)


def _read_zip(file: BinaryIO) -> Any:
    with zipfile.ZipFile(file) as archive:
        names = set(archive.namelist())
        (content,) = (name for name in names if name.endswith("/data.pkl"))
        root = content.removesuffix("data.pkl")
        if f"{root}byteorder" in names:
            _check_order(archive.read(f"{root}byteorder") == b"little")

        def fetch(key: str, dtype: np.dtype, length: int) -> Storage:
            storage = np.frombuffer(archive.read(f"{root}data/{key}"), dtype)
            _check_length(key, len(storage), length)
            return storage

        with archive.open(content) as stream:
            return _Reader(stream, fetch).load()


def _read_legacy(file: BinaryIO) -> Any:
    size = os.fstat(file.fileno()).st_size
    storages: dict[str, Storage] = {}

    def fetch(key: str, dtype: np.dtype, length: int) -> Storage:
        # The numbers come after the pickle: tensors are views of memory filled later.
        if not 0 <= length * dtype.itemsize <= size:
            raise ValueError(f"storage {key} of {length} numbers exceeds the file")
        return storages.setdefault(key, np.empty(length, dtype))

    magic, _, system = (_Reader(file, fetch).load() for _ in range(3))
    if magic != _LEGACY_MAGIC:
        raise ValueError(f"magic number {magic:#x}")
    _check_order(system["little_endian"])
    content = _Reader(file, fetch).load()
    for key in _Reader(file, fetch).load():
        (length,) = struct.unpack("<q", file.read(8))
        storage = storages[key]
        numbers = np.frombuffer(file.read(storage.nbytes), storage.dtype)
        for found in (length, len(numbers)):
            _check_length(key, found, len(storage))
        storage[:] = numbers
    return content


def _check_order(little_endian: bool) -> None:
    if not little_endian:
        raise ValueError("it was written on a big-endian machine; save it on another")


def _check_length(key: str, found: int, expected: int) -> None:
    if found != expected:
        raise ValueError(f"storage {key} has {found} numbers instead of {expected}")


class _Reader(pickle.Unpickler):
    """An unpickler that can name nothing but what makes tensors and containers."""

    def __init__(self, file: Any, fetch: Fetch) -> None:
        super().__init__(file, encoding="utf-8")
        self._fetch = fetch

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in _DTYPES:
            return name
        if (module, name) not in _CALLS:
            raise ValueError(
                f"it holds a {module}.{name}, and only tensors and containers are "
                "read; save the model's state_dict alone"
            )
        return _CALLS[module, name]

    def persistent_load(self, pid: Any) -> Storage:
        kind, type_name, key, _, length, *view = pid
        if kind != "storage" or any(view):
            raise ValueError(f"it refers to a {kind} outside itself or to a view")
        return self._fetch(key, np.dtype(_DTYPES[type_name]), length)


def _tensor(
    storage: Storage,
    offset: int,
    size: tuple[int, ...],
    stride: tuple[int, ...],
    *gradient: Any,
) -> np.ndarray:
    """A view of a storage; `gradient` says how training goes on, and is dropped."""
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    fits = min((offset, *size, *stride)) >= 0 and last < len(storage)
    if not fits and math.prod(size) != 0:
        raise ValueError(
            f"a tensor of size {size}, stride {stride} at {offset} leaves its storage "
            f"of {len(storage)} numbers"
        )
    strides = tuple(step * storage.itemsize for step in stride)
    return np.lib.stride_tricks.as_strided(storage[offset:], size, strides)


def _parameter(data: np.ndarray, *gradient: Any) -> np.ndarray:
    return data


_CALLS: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch", "Size"): tuple,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
}
