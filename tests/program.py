"""main.py as a person runs it: its own process, its own folder."""

import os
import pathlib
import socket
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[1]
CONFIG = ROOT / "tests" / "experiments" / "tiny.py"


def environment(**more: str) -> dict[str, str]:
    flags = "--xla_force_host_platform_device_count=1"
    return os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"} | more


def start(
    folder, *arguments: str, config: pathlib.Path = CONFIG, env=None, **options
) -> subprocess.Popen:
    """The program with this config; what it says is piped."""
    return subprocess.Popen(
        [sys.executable, str(ROOT / "main.py"), "--config", str(config), *arguments],
        cwd=folder,
        env=env or environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )


def run(folder, *arguments: str, code: int = 0, **options) -> str:
    """What the program says until it ends."""
    process = start(folder, *arguments, **options)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == code, said
    return said


def start_pair(
    folder,
    workdir: pathlib.Path,
    *arguments: str,
    second: tuple[str, ...] = (),
    **options,
) -> list[subprocess.Popen]:
    """Two processes on this machine that work on one run.

    Args:
        second: further arguments of the second process alone.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return [
        start(
            folder,
            *("--workdir", str(workdir)),
            f"--distributed=127.0.0.1:{port},2,{index}",
            *arguments,
            *(second if index else ()),
            **options,
        )
        for index in range(2)
    ]
