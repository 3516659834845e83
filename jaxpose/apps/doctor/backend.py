"""Devices: what JAX finds when it starts, and what the environment tells it.

Needs no package but Python; JAX starts in a process of its own, `start_jax`.
"""

import collections
import dataclasses
import functools
import json
import os
import pathlib
import re
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from jaxpose.apps.doctor.finding import INSTALL, Finding, size

_device = functools.partial(Finding, topic="devices")

_SECONDS = 120  # A device that another program holds may never answer.
_OTHERWISE = "end other programs that use the device; pip install -U jax jaxlib"
# The last line of a traceback whose exception came without a word.
_BARE = re.compile(r"[\w.]*(Error|Exception):?\s*")
_FALSE = ("", "0", "false", "no", "off", "f", "n")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Started:
    """What came of starting JAX.

    Attributes:
        steps: what each step of `start_jax` found; those not reached are missing.
        said: what JAX printed beside it, and how it ended.
    """

    steps: Mapping[str, Any]
    said: str


def start() -> Started:
    """Runs `start_jax`, without taking a GPU's memory from those who use it."""
    root = pathlib.Path(__file__).parents[3]
    path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    more = {"PYTHONPATH": path, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    command = [sys.executable, "-m", "jaxpose.apps.doctor.start_jax"]
    try:
        done = subprocess.run(
            command,
            check=False,
            env=os.environ | more,
            capture_output=True,
            timeout=_SECONDS,
        )
        out, said, end = done.stdout, done.stderr, f"exit status {done.returncode}"
    except subprocess.TimeoutExpired as error:
        out, said = error.stdout or b"", error.stderr or b""
        end = f"TimeoutError: no answer within {_SECONDS} seconds"
    steps: dict[str, Any] = {}
    for line in out.decode(errors="replace").splitlines():
        if line.startswith("{"):
            steps |= json.loads(line)
    return Started(steps=steps, said=f"{said.decode(errors='replace')}\n{end}")


def seen(started: Started, environment: Mapping[str, str]) -> list[Finding]:
    """The devices that JAX uses, and whether it compiles for them."""
    if "devices" not in started.steps:
        return [_stopped("does not start", started.said, environment)]
    kinds = collections.Counter(
        (one["kind"], one["platform"], one["limit"]) for one in started.steps["devices"]
    )
    texts = []
    for (kind, platform, limit), number in kinds.items():
        text = f"{number} x {kind}" + (f" ({platform})" if platform != kind else "")
        texts.append(text + (f", {size(limit)} each for JAX" if limit else ""))
    findings = [_device(name="jax", text="; ".join(texts))]
    if "compiled" not in started.steps:
        return [*findings, _stopped("cannot compile", started.said, environment)]
    first, next_ = (started.steps["compiled"][call] for call in ("first", "next"))
    text = f"a small program in {first:.2f} s, then it runs in {next_ * 1000:.2f} ms"
    return [*findings, _device(name="compiling", text=text)]


def _stopped(what: str, said: str, environment: Mapping[str, str]) -> Finding:
    """Why JAX ended, and which variable may be to blame."""
    reason = _reason(said)
    blamed = [name for name in environment if name in said]
    # JAX does not always name this one when it cannot start what it asks for.
    blamed = blamed or [name for name in ("JAX_PLATFORMS",) if environment.get(name)]
    if re.match(r"(ModuleNotFound|Import)Error", reason):
        remedy = INSTALL
    elif blamed:
        values = ", ".join(f"{name}={environment[name]}" for name in blamed)
        remedy = f"unset {' '.join(blamed)} (now {values})"
    else:
        remedy = _OTHERWISE
    return _device(name="jax", text=f"{what}: {reason}", remedy=remedy, broken=True)


def imports(started: Started) -> list[Finding]:
    """Whether jaxpose can be imported, with all that it needs."""
    one = functools.partial(Finding, topic="software", name="importing")
    if "compiled" not in started.steps:
        return []  # `seen` says why JAX did not get that far.
    if "imported" in started.steps:
        seconds = started.steps["imported"]["seconds"]
        return [one(text=f"jaxpose.train in {seconds:.1f} s")]
    remedy = f"{INSTALL}; if the fault is jaxpose's, report it with what --json prints"
    text = f"jaxpose.train fails: {_reason(started.said)}"
    return [one(text=text, remedy=remedy, broken=True)]


def _reason(said: str) -> str:
    """The telling line of what a program printed before it ended."""
    lines = [line for line in said.splitlines() if line.strip()]
    # The last line of a traceback, or of XLA's own end, which has its stack below.
    telling = [i for i in lines if re.match(r"[\w.]*(Error|Exception)\b|F\d{4} ", i)]
    worded = [line for line in telling if not _BARE.fullmatch(line)]
    reason = [*lines, *telling, *worded][-1]
    if _BARE.fullmatch(reason):
        above = lines[: lines.index(reason)]
        source = [line.strip() for line in above if re.search(r"\w", line)]
        reason = ": ".join([reason.rstrip(": "), *source[-1:]])
    return re.sub(r"^F\d{4} .*?\] ", "", reason)[:200]


def relevant(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that JAX, XLA and CUDA read, and glibc's malloc."""
    prefixes = ("JAX_", "XLA_", "CUDA_", "LD_LIBRARY_PATH", "GLIBC_TUNABLES")
    return {
        name: environment[name]
        for name in sorted(environment)
        if name.startswith(prefixes)
    }


def variables(environment: Mapping[str, str]) -> list[Finding]:
    """What the environment tells JAX, and what of it does harm."""
    text = " ".join(f"{name}={value}" for name, value in environment.items())
    findings = [_device(name="variables", text=text)] if text else []
    for name, harm in (
        ("JAX_DISABLE_JIT", "nothing is compiled, so everything is slow"),
        ("JAX_ENABLE_X64", "numbers may become twice as large and slow"),
        ("JAX_DEBUG_NANS", "every step waits until its numbers are looked at"),
    ):
        if environment.get(name, "").lower() not in _FALSE:
            findings.append(_device(name=name, text=harm, remedy=f"unset {name}"))
    return findings


def cpu_devices(started: Started, cores: float) -> list[Finding]:
    """Whether the CPU's cores could be used better as devices of their own.

    Args:
        cores: how many this process may use.
    """
    found = started.steps.get("devices", ())
    if {device["platform"] for device in found} != {"cpu"} or cores < 2:
        return []
    # A power of two, over which batches divide; measured up to 8.
    good = min(8, 2 ** (int(cores).bit_length() - 1))
    if len(found) == 1:
        text = f"one device on {cores:g} cores; small networks train faster on several"
    elif len(found) > cores:
        text = f"{len(found)} devices on {cores:g} cores wait for each other"
    else:
        return []
    remedy = f"XLA_FLAGS=--xla_force_host_platform_device_count={good} python main.py"
    return [_device(name="cpu", text=text, remedy=f"{remedy} ...")]


def large_pages(
    started: Started,
    environment: Mapping[str, str],
    libc: tuple[str, str],
    pages: str,
) -> list[Finding]:
    """Whether a CPU's steps could be faster by memory in pages of 2 MB.

    A step takes and returns hundreds of megabytes, and the kernel clears every page.

    Args:
        libc: its name and version, as `platform.libc_ver` tells.
        pages: what the kernel says of them, in transparent_hugepage/enabled; empty
            where it says nothing.
    """
    found = started.steps.get("devices", ())
    if {device["platform"] for device in found} != {"cpu"}:
        return []
    name, version = libc
    # glibc asks for them since 2.35; under `always` they come unasked, under `never` not.
    able = name == "glibc" and [int(n) for n in version.split(".")[:2]] >= [2, 35]
    now = environment.get("GLIBC_TUNABLES", "")
    if not able or "glibc.malloc.hugetlb" in now or "[madvise]" not in pages:
        return []
    text = "memory comes in pages of 4 KB; training on CPUs is faster with large ones"
    tunables = ":".join(filter(None, [now, "glibc.malloc.hugetlb=1"]))
    remedy = f"GLIBC_TUNABLES={tunables} python main.py ..."
    return [_device(name="cpu", text=text, remedy=remedy)]
