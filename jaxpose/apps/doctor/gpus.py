"""GPUs: what the system has, and why JAX does not use it."""

import dataclasses
import functools
import pathlib
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence

from jaxpose.apps.doctor.backend import Started
from jaxpose.apps.doctor.finding import Finding, size

_gpu = functools.partial(Finding, topic="devices", name="gpu")

# The first driver for CUDA 13, by JAX's installation page.
_CUDA_13_DRIVER = 580
# How JAX words that it goes on without a GPU.
_REASONS = r"CUDA backend failed.*|Jax plugin .*error.*|.*not compatible with.*jaxlib.*"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Card:
    """One GPU; `total` and `used` are bytes, 0 where it does not say."""

    kind: str
    total: float
    used: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Nvidia:
    """NVIDIA GPUs of the system, whether JAX sees them or not.

    Attributes:
        present: whether there is one.
        cards: as nvidia-smi lists them.
        driver: its version, such as 580.65.06; empty where nobody says.
        fault: what nvidia-smi says instead, where it is there and fails.
    """

    present: bool = False
    cards: Sequence[Card] = ()
    driver: str = ""
    fault: str = ""


def nvidia() -> Nvidia:
    """Asks nvidia-smi, and looks for device files where that is not there."""
    files = any(pathlib.Path("/dev").glob("nvidia[0-9]*"))
    if not shutil.which("nvidia-smi"):
        return Nvidia(present=files)
    fields = "name,memory.total,memory.used,driver_version"
    command = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=20
        )
    except subprocess.TimeoutExpired:
        return Nvidia(present=files, fault="nvidia-smi does not answer")
    rows = [
        row for line in done.stdout.splitlines() if len(row := line.split(", ")) == 4
    ]
    if done.returncode or not rows:
        said = " ".join((done.stdout + done.stderr).split())
        return Nvidia(present=files, fault=said or "nvidia-smi fails without a word")
    cards = [
        Card(kind=kind, total=_mebibytes(total), used=_mebibytes(used))
        for kind, total, used, _ in rows
    ]
    return Nvidia(present=True, cards=cards, driver=rows[0][3])


def _mebibytes(text: str) -> float:
    """Bytes; a card that shares the machine's memory says [N/A]."""
    return float(text) * 2**20 if text.isdigit() else 0.0


def unused(
    nvidia: Nvidia,
    started: Started,
    installed: Mapping[str, str],
    environment: Mapping[str, str],
) -> list[Finding]:
    """Why JAX computes on the CPU although there is a GPU, or its parts for one.

    Args:
        installed: versions of distributions by name.
        environment: the variables that JAX, XLA and CUDA read.
    """
    plugins = [name for name in installed if re.match(r"jax-cuda\d+-plugin", name)]
    platforms = {device["platform"] for device in started.steps.get("devices", ())}
    if platforms != {"cpu"} or not (plugins or nvidia.present):
        return []
    if not nvidia.present and not nvidia.fault:
        text = f"{plugins[0]} is installed, and there is no NVIDIA GPU"
        remedy = "in a container: docker run --gpus all; else none, JAX uses the CPU"
        return [_gpu(text=text, remedy=remedy)]
    hidden = [
        name
        for name, showing in (
            ("JAX_PLATFORMS", r"|.*(cuda|gpu).*"),
            ("CUDA_VISIBLE_DEVICES", r"[^-].*"),
        )
        if name in environment and not re.fullmatch(showing, environment[name])
    ]
    if hidden:
        text = f"{hidden[0]}={environment[hidden[0]]} hides it from JAX"
        return [_gpu(text=text, remedy=f"unset {hidden[0]}")]
    return [_unseen(nvidia, bool(plugins), started.said, environment)]


def _unseen(
    nvidia: Nvidia, plugin: bool, said: str, environment: Mapping[str, str]
) -> Finding:
    """Of a GPU that nobody hides: JAX has no part for it, or that part fails."""
    new = nvidia.driver.partition(".")[0]
    cuda = "cuda13" if new.isdigit() and int(new) >= _CUDA_13_DRIVER else "cuda12"
    install = f"pip install -U 'jax[{cuda}]'"
    if not plugin:
        text = f"there is one, and jax-{cuda}-plugin is not installed"
        return _gpu(text=text, remedy=install)
    if nvidia.fault:
        remedy = "restart the machine; if that does not help, install the driver again"
        return _gpu(text=nvidia.fault[:200], remedy=remedy, broken=True)
    reasons = re.findall(_REASONS, said)
    reason = reasons[0][:200] if reasons else "it does not say why"
    if environment.get("LD_LIBRARY_PATH"):
        install = f"unset LD_LIBRARY_PATH, which may name another CUDA; else {install}"
    return _gpu(text=f"JAX does not see it: {reason}", remedy=install, broken=True)


def memory(nvidia: Nvidia) -> list[Finding]:
    """What each GPU has, and whether others hold what JAX wants to take."""
    findings = []
    for number, card in enumerate(nvidia.cards):
        one = functools.partial(Finding, topic="memory", name=f"gpu {number}")
        text = f"{card.kind}, {size(card.total)}, {size(card.used)} in use"
        findings.append(one(text=text))
        # JAX takes three quarters at its start.
        if card.used > card.total / 4:
            text = (
                f"{size(card.used)} of {size(card.total)} are in use by other programs"
            )
            remedy = "end them (nvidia-smi), or XLA_PYTHON_CLIENT_PREALLOCATE=false"
            findings.append(one(text=text, remedy=remedy))
    return findings
