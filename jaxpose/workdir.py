"""A run's folder: whose it is, whether it can be written, what made it."""

import fcntl
import importlib.metadata
import json
import os
import pathlib
import platform
import sys
from collections.abc import Sequence
from typing import IO, Any

import jax
from ml_collections import ConfigDict

from jaxpose import atomic, saved_states
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
# Fields besides that do not change what a checkpoint's network says.
FREE_IN_EVALUATION = (
    *FREE,
    "seed",
    "batch_size",
    "augment",
    "data",
    "learner.objective.decoder",
    "learner.optimizer",
    "learner.discriminator_optimizer",
    "learner.pretrained",
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


def claim(workdir: pathlib.Path, config: ConfigDict) -> IO[str]:
    """Makes the folder this config's, or finds that it is already.

    Returns: the lock on the folder; closing it, or ending the process, opens it.
    Raises:
        OSError: if it cannot be written, or another process trains there.
        ValueError: if a run of another config has left checkpoints there.
    """
    lock = _lock(workdir)
    if saved_states.steps(workdir):
        check(workdir, config, free=FREE)
    if jax.process_index() == 0:
        config_json = json.dumps(configs.describe(config), indent=2)
        atomic.write(workdir / "config.json", config_json + "\n")
        path = workdir / "versions.json"
        sessions = json.loads(path.read_text()) if path.exists() else []
        atomic.write(path, json.dumps([*sessions, versions()], indent=2) + "\n")
    return lock


def check(workdir: pathlib.Path, config: ConfigDict, *, free: Sequence[str]) -> None:
    """Compares with the config that the folder belongs to.

    Args:
        free: fields, with what is below them, that may differ.
    Raises: ValueError with the differences, or if the folder holds no run.
    """
    path = workdir / "config.json"
    if not path.exists():
        raise ValueError(f"{workdir} holds no run (no config.json); train there first")
    before = json.loads(path.read_text())
    now = json.loads(json.dumps(configs.describe(config)))
    lines = [
        f"{field}: {a} -> {b}"
        for field, a, b in configs.differences(before, now)
        if not any(field == name or field.startswith(f"{name}.") for name in free)
    ]
    if lines:
        raise ValueError(
            f"{workdir} belongs to a run with another config:\n  "
            + "\n  ".join(lines)
            + "\nchange these fields back, or give another --workdir"
        )


def _lock(workdir: pathlib.Path) -> IO[str]:
    """The folder made, tried out, and kept from other runs."""
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        lock = (workdir / ".lock").open("w")
    except OSError as error:
        raise OSError(
            f"--workdir={workdir} cannot be written ({error.strerror}); choose a folder "
            "of your own, or mend its permissions"
        ) from error
    if jax.process_index() == 0:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OSError(
                f"another process trains in {workdir}; wait for it, stop it, or give "
                "another --workdir"
            ) from None
    return lock


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
