"""MATLAB's nested structs, read tolerantly.

MATLAB leaves out what is empty: a field may be missing, be there and empty, or stand for
one value or many; a struct of one element is no array.
"""

import io
from typing import Any

import numpy as np
import scipy.io


def load(mat: bytes, variable: str, *, where: str, remedy: str) -> list[Any]:
    """The elements of a struct array that a MAT file holds.

    Args:
        mat: the file's content.
        where: the file's name, for messages, which end with the remedy.

    Raises:
        ValueError: no readable MAT file, or not with such a variable.
    """
    try:
        contents = scipy.io.loadmat(
            io.BytesIO(mat), struct_as_record=False, variable_names=[variable]
        )
        elements = items(contents[variable])
    except Exception as error:  # SciPy has no one kind of error for a damaged file.
        raise ValueError(
            f"{where} cannot be read ({type(error).__name__}: {error}); it must be a "
            f"MATLAB 5 file with the variable {variable}; {remedy}"
        ) from error
    if not elements:
        raise ValueError(f"{where}: {variable} is empty; {remedy}")
    return elements


def field(struct: Any, name: str) -> Any:
    """None where the struct, or the field in it, is missing."""
    return getattr(struct, name, None)


def items(value: Any) -> list[Any]:
    """What is stored as nothing, one thing or an array, as a list."""
    return [] if value is None else np.asarray(value, dtype=object).ravel().tolist()


def first(value: Any) -> Any:
    """The only thing of a 1 x 1 array; None of an empty one."""
    return next(iter(items(value)), None)


def number(struct: Any, name: str) -> float:
    """nan where the field is missing or empty; flags may be the letters 0 and 1."""
    value = first(field(struct, name))
    return np.nan if value is None else float(value)


def numbers(struct: Any, *names: str) -> list[float]:
    """As `number`, of several fields."""
    return [number(struct, name) for name in names]


def text(struct: Any, name: str) -> str:
    """Empty where the field is missing or empty."""
    value = first(field(struct, name))
    return "" if value is None else str(value)


def rows(values: list[Any], *shape: int) -> np.ndarray:
    """float32 (values, *shape), also of no values."""
    return np.asarray(values, np.float32).reshape(len(values), *shape)
