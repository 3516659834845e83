"""PyTorch's files by hand: the pickles that torch.save writes, without torch."""

import collections
import io
import pickle
import struct
import zipfile
from typing import ClassVar

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
STORAGES = {"float32": "FloatStorage", "int64": "LongStorage", "float16": "HalfStorage"}


class Global:
    """A name that the pickle states, without importing it."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class Call:
    """A call that the pickle asks for."""

    def __init__(self, function: Global, *arguments) -> None:
        self.function, self.arguments = function, arguments


class Stored:
    """The storage of an array, by key."""

    def __init__(self, key: str, array: np.ndarray) -> None:
        self.key, self.array = key, array


class _Pickler(pickle._Pickler):
    """Writes protocol 2, as torch.save does; the Python one, whose steps can be told."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def save_name(self, name: Global) -> None:
        self.write(pickle.GLOBAL + f"{name.module}\n{name.name}\n".encode())

    def save_call(self, call: Call) -> None:
        self.save(call.function)
        self.save(call.arguments)
        self.write(pickle.REDUCE)

    dispatch[Global] = save_name
    dispatch[Call] = save_call

    def persistent_id(self, value):
        if not isinstance(value, Stored):
            return None
        kind = Global("torch", STORAGES[value.array.dtype.name])
        return ("storage", kind, value.key, "cpu", value.array.size, *self.views)

    # The legacy format says whether a storage is a view of another; none here is.
    views: tuple[None, ...] = ()


def dumps(value, *, legacy: bool = False) -> bytes:
    stream = io.BytesIO()
    pickler = _Pickler(stream, protocol=2)
    pickler.views = (None,) if legacy else ()
    pickler.dump(value)
    return stream.getvalue()


def tensor(key: str, array: np.ndarray, *, rebuild: str = "_rebuild_tensor_v2") -> Call:
    """A contiguous tensor that is the whole of its storage."""
    strides = tuple(step // array.itemsize for step in array.strides)
    gradient = (False, collections.OrderedDict()) if rebuild.endswith("v2") else ()
    function = Global("torch._utils", rebuild)
    return Call(function, Stored(key, array), 0, array.shape, strides, *gradient)


def zipped(value, arrays, *, order: bytes = b"little") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("archive/data.pkl", dumps(value))
        archive.writestr("archive/byteorder", order)
        for key, array in arrays.items():
            archive.writestr(f"archive/data/{key}", array.tobytes())
    return stream.getvalue()


def legacy(value, arrays, *, little_endian: bool = True) -> bytes:
    system = {
        "protocol_version": 1001,
        "little_endian": little_endian,
        "type_sizes": {},
    }
    parts = [dumps(MAGIC), dumps(1001), dumps(system), dumps(value, legacy=True)]
    parts.append(dumps(sorted(arrays)))
    for key in sorted(arrays):
        parts += [struct.pack("<q", arrays[key].size), arrays[key].tobytes()]
    return b"".join(parts)
