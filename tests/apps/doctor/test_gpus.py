import subprocess

import pytest

from jaxpose.apps.doctor import gpus
from jaxpose.apps.doctor.backend import Started

PLUGIN = {"jax-cuda12-plugin": "0.10.2", "jax-cuda12-pjrt": "0.10.2"}
CARD = gpus.Card(kind="NVIDIA H200", total=150e9, used=1e9)
ONE = gpus.Nvidia(present=True, cards=[CARD], driver="580.65.06")


def on(platform, said=""):
    return Started(steps={"devices": [{"platform": platform}]}, said=said)


@pytest.fixture
def nvidia_smi(tmp_path, monkeypatch):
    """Makes a program of that name that says and does what a test wants."""

    def make(script):
        program = tmp_path / "nvidia-smi"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    return make


def test_cards_are_read_from_nvidia_smi(nvidia_smi):
    nvidia_smi("echo 'NVIDIA H200, 143771, 0, 580.1'; echo 'GB10, [N/A], [N/A], 580.1'")
    found = gpus.nvidia()
    assert found.present and found.driver == "580.1" and not found.fault
    assert [card.kind for card in found.cards] == ["NVIDIA H200", "GB10"]
    assert [card.total for card in found.cards] == [143771 * 2**20, 0]


def test_a_driver_that_fails_is_told(nvidia_smi):
    nvidia_smi("echo Driver/library version mismatch; exit 18")
    found = gpus.nvidia()
    assert found.fault == "Driver/library version mismatch" and not found.cards
    (one,) = gpus.unused(found, on("cpu"), PLUGIN, {})
    assert one.broken and one.remedy.startswith("restart the machine")


def test_an_nvidia_smi_that_hangs_is_told(nvidia_smi, monkeypatch):
    def hang(command, timeout, **options):
        raise subprocess.TimeoutExpired(command, timeout)

    nvidia_smi("sleep 100")
    monkeypatch.setattr(gpus.subprocess, "run", hang)
    assert gpus.nvidia().fault == "nvidia-smi does not answer"


def test_nothing_is_said_where_nothing_is_amiss():
    assert not gpus.unused(gpus.Nvidia(), on("cpu"), {}, {})
    assert not gpus.unused(ONE, on("gpu"), PLUGIN, {})
    assert not gpus.unused(ONE, Started(steps={}, said=""), PLUGIN, {})


@pytest.mark.parametrize(
    "found, installed, environment, said, broken, text, remedy",
    [
        (gpus.Nvidia(), PLUGIN, {}, "", False, "there is no NVIDIA GPU", "in a cont"),
        (
            ONE,
            {},
            {},
            "",
            False,
            "-plugin is not installed",
            "pip install -U 'jax[cuda13]'",
        ),
        (
            gpus.Nvidia(present=True, driver="550.1"),
            {},
            {},
            "",
            False,
            "-plugin is not installed",
            "pip install -U 'jax[cuda12]'",
        ),
        (
            ONE,
            PLUGIN,
            {"JAX_PLATFORMS": "cpu"},
            "",
            False,
            "JAX_PLATFORMS=cpu hides it",
            "unset JAX_PLATFORMS",
        ),
        (
            ONE,
            PLUGIN,
            {"CUDA_VISIBLE_DEVICES": ""},
            "",
            False,
            "CUDA_VISIBLE_DEVICES= hides it",
            "unset CUDA_VISIBLE_DEVICES",
        ),
        (
            ONE,
            PLUGIN,
            {"LD_LIBRARY_PATH": "/usr/local/cuda"},
            "WARNING: CUDA backend failed to initialize: no cuDNN\nexit status 0",
            True,
            "CUDA backend failed to initialize: no cuDNN",
            "unset LD_LIBRARY_PATH",
        ),
        (
            ONE,
            PLUGIN,
            {"JAX_PLATFORMS": "cuda,cpu", "CUDA_VISIBLE_DEVICES": "0"},
            "",
            True,
            "JAX does not see it",
            "pip install -U 'jax[cuda13]'",
        ),
    ],
)
def test_a_gpu_that_is_not_used_is_told(
    found, installed, environment, said, broken, text, remedy
):
    (one,) = gpus.unused(found, on("cpu", said), installed, environment)
    assert one.broken == broken and text in one.text and one.remedy.startswith(remedy)


def test_gpu_memory_in_use_by_others_is_noted():
    (fact,) = gpus.memory(ONE)
    assert fact.text == "NVIDIA H200, 150 GB, 1.0 GB in use"
    full = gpus.Card(kind="NVIDIA H200", total=150e9, used=60e9)
    _, note = gpus.memory(gpus.Nvidia(present=True, cards=[full]))
    assert note.text.startswith("60.0 GB of 150 GB are in use")
    assert "XLA_PYTHON_CLIENT_PREALLOCATE=false" in note.remedy and not note.broken
