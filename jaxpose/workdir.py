"""A run's folder: whose it is, whether it can be written, what made it."""

import importlib.metadata
import json
import os
import pathlib
import platform
import sys
import tempfile
from typing import Any

import jax
from ml_collections import ConfigDict

from jaxpose import config as configs

# Fields that may change between the sessions of one run: they do not change its steps.
FREE = (
    "data_dir",
    "manual_dir",
    "num_steps",
    "log_every",
    "eval_every",
    "evals",
    "checkpoints",
    "data.threads",
    "data.workers",
)

_PACKAGES = (
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "orbax-checkpoint",
    "grain",
    "tensorflow-datasets",
    "numpy",
    "scikit-learn",
)


def claim(workdir: pathlib.Path, config: ConfigDict) -> None:
    """Makes the folder this config's, or finds that it is already.

    Raises:
        OSError: if it cannot be written.
        ValueError: if it belongs to another config.
    """
    described = configs.describe(config)
    _check_writable(workdir)
    path = workdir / "config.json"
    if path.exists():
        check(workdir, config)
    if jax.process_index() == 0:
        write_json(path, described)
        write_json(workdir / "versions.json", versions())


def check(workdir: pathlib.Path, config: ConfigDict) -> None:
    """Raises: ValueError with the differences if the folder belongs to another config."""
    path = workdir / "config.json"
    if not path.exists():
        raise ValueError(f"{workdir} holds no run (no config.json); train there first")
    before = json.loads(path.read_text())
    lines = configs.differences(
        before, json.loads(json.dumps(configs.describe(config)))
    )
    lines = [line for line in lines if not line.startswith(FREE)]
    if lines:
        raise ValueError(
            f"{workdir} belongs to a run with another config:\n  "
            + "\n  ".join(lines)
            + "\nchange these fields back, or give another --workdir"
        )


def write_json(path: pathlib.Path, content: Any) -> None:
    """Whole or not at all."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        json.dump(content, file, indent=2)
        file.write("\n")
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)


def versions() -> dict[str, Any]:
    """What made a result: packages, machine, devices."""
    return {
        "command": sys.argv,
        "python": platform.python_version(),
        "machine": platform.platform(),
        "cores": os.cpu_count(),
        "devices": [device.device_kind for device in jax.devices()],
        "processes": jax.process_count(),
        "packages": {name: importlib.metadata.version(name) for name in _PACKAGES},
    }


def _check_writable(workdir: pathlib.Path) -> None:
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=workdir):
            pass
    except OSError as error:
        raise OSError(
            f"--workdir={workdir} cannot be written ({error.strerror}); choose a folder "
            "of your own, or mend its permissions"
        ) from error
