"""Experiments as data: a config is a tree of calls, postponed."""

import dataclasses
import functools
import runpy
from collections.abc import Callable
from typing import Any

from ml_collections import ConfigDict


def spec(fn: Callable[..., Any], /, **kwargs: Any) -> ConfigDict:
    """Records the call `fn(**kwargs)` for `build` to make later.

    Keyword arguments may themselves be specs, or tuples and dicts of specs. They stay
    visible as fields: `--config.learner.optimizer.momentum=0.8` changes one.
    """
    return ConfigDict({"fn": fn, **kwargs})


def load(name: str) -> ConfigDict:
    """The config of a file, `configs/a.py`, or `configs/a.py:what` if it asks for it."""
    path, _, variant = name.partition(":")
    get_config = runpy.run_path(path)["get_config"]
    return get_config(variant) if variant else get_config()


def build(config: Any) -> Any:
    """Makes the recorded calls, innermost first.

    A ConfigDict without `fn` becomes a plain dict. Raises whatever a call raises, with
    a note of which call it was.
    """
    if isinstance(config, ConfigDict):
        kwargs = {name: build(config[name]) for name in config if name != "fn"}
        return _call(config.fn, kwargs) if "fn" in config else kwargs
    if isinstance(config, tuple | list):
        return type(config)(build(item) for item in config)
    return config


def _call(fn: Callable[..., Any], kwargs: dict[str, Any]) -> Any:
    try:
        return fn(**kwargs)
    except (TypeError, ValueError) as error:
        error.add_note(f"while building {describe(fn)}({', '.join(kwargs)})")
        raise


def describe(value: Any) -> Any:
    """A config as JSON data: callables by their importable name, tuples as lists.

    A functools.partial has no name: it is what it calls, and with what.
    """
    if isinstance(value, ConfigDict | dict):
        return {name: describe(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [describe(item) for item in value]
    if isinstance(value, functools.partial):
        parts = {"partial": value.func, "args": value.args, "keywords": value.keywords}
        return describe(parts)
    if callable(value):
        return f"{value.__module__}.{value.__qualname__}"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return describe(dataclasses.asdict(value))
    return value


def differences(a: Any, b: Any, path: str = "") -> list[tuple[str, Any, Any]]:
    """(field, value in a, value in b) wherever two described configs disagree."""
    if isinstance(a, dict) and isinstance(b, dict):
        found = []
        for name in sorted(a.keys() | b.keys()):
            where = f"{path}.{name}" if path else name
            found += differences(
                a.get(name, "(absent)"), b.get(name, "(absent)"), where
            )
        return found
    return [] if a == b else [(path, a, b)]
