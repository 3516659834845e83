import subprocess

import pytest

from jaxpose.apps.doctor import backend, finding, gpus

CPU = {"platform": "cpu", "kind": "cpu", "limit": None}
GPU = {"platform": "gpu", "kind": "NVIDIA H200", "limit": 105e9}
COMPILED = {"first": 0.12, "next": 0.0034}


def started(said="", **steps):
    return backend.Started(steps=steps, said=said)


def test_devices_are_grouped_with_their_memory():
    devices = [GPU, GPU, CPU]
    jax, compiling = backend.seen(started(devices=devices, compiled=COMPILED), {})
    assert jax.text == "2 x NVIDIA H200 (gpu), 105 GB each for JAX; 1 x cpu"
    assert compiling.text == "a small program in 0.12 s, then it runs in 3.40 ms"


@pytest.mark.parametrize(
    "said, environment, reason, remedy",
    [
        (
            "Traceback\nRuntimeError: no 'bogus' (set JAX_PLATFORMS='')\nexit status 1",
            {"JAX_PLATFORMS": "bogus", "XLA_FLAGS": "--a"},
            "RuntimeError: no 'bogus' (set JAX_PLATFORMS='')",
            "unset JAX_PLATFORMS (now JAX_PLATFORMS=bogus)",
        ),
        (
            "Traceback\n  assert x\n     ^^^^^\nAssertionError\nexit status 1",
            {"JAX_PLATFORMS": "cuda"},
            "AssertionError: assert x",
            "unset JAX_PLATFORMS",
        ),
        (
            "ERROR: a\nRuntimeError: no device\n  assert x\nAssertionError: \nstatus",
            {"JAX_PLATFORMS": "cuda"},
            "RuntimeError: no device",
            "unset JAX_PLATFORMS",
        ),
        ("MemoryError\nexit status 1", {}, "MemoryError", "end other programs"),
        ("ModuleNotFoundError: No module named 'jax'", {}, "Module", "pip install -e"),
        ("\nexit status -4", {}, "exit status -4", "end other programs that use"),
    ],
)
def test_a_jax_that_does_not_start_is_told(said, environment, reason, remedy):
    (one,) = backend.seen(started(said), environment)
    assert one.broken and one.text.startswith(f"does not start: {reason}")
    assert one.remedy.startswith(remedy)
    assert not backend.imports(started(said))


def test_a_platform_that_is_not_there_is_told_in_words(monkeypatch):
    if gpus.nvidia().present:
        pytest.skip("this machine has a GPU")
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    (one,) = backend.seen(backend.start(), {"JAX_PLATFORMS": "cuda"})
    assert one.text != "does not start: AssertionError"
    assert one.remedy == "unset JAX_PLATFORMS (now JAX_PLATFORMS=cuda)"


def test_a_wrong_flag_ends_only_the_process_that_starts_jax(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_bogus=2")
    (one,) = backend.seen(backend.start(), {"XLA_FLAGS": "--xla_bogus=2"})
    assert one.text == "does not start: Unknown flag in XLA_FLAGS: --xla_bogus=2"
    assert one.remedy == "unset XLA_FLAGS (now XLA_FLAGS=--xla_bogus=2)"


def test_a_device_that_never_answers_is_told(monkeypatch):
    def hang(command, timeout, **options):
        assert options["env"]["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"
        raise subprocess.TimeoutExpired(command, timeout, output=b'{"devices": []}\n')

    monkeypatch.setattr(backend.subprocess, "run", hang)
    _, problem = backend.seen(backend.start(), {})
    assert problem.broken and "no answer within 120 seconds" in problem.text


def test_a_jaxpose_that_does_not_import_is_told():
    one = started("ImportError: no flax", devices=[CPU], compiled=COMPILED)
    (problem,) = backend.imports(one)
    assert problem.broken and problem.topic == "software"
    assert problem.text == "jaxpose.train fails: ImportError: no flax"
    assert problem.remedy.startswith(finding.INSTALL)


def test_only_variables_that_do_harm_are_noted():
    environment = backend.relevant(
        {"JAX_DEBUG_NANS": "1", "HOME": "/", "XLA_FLAGS": ""}
    )
    fact, note = backend.variables(environment)
    assert fact.text == "JAX_DEBUG_NANS=1 XLA_FLAGS="
    assert note.remedy == "unset JAX_DEBUG_NANS"
    assert not backend.variables({})
    assert len(backend.variables({"JAX_DISABLE_JIT": "False"})) == 1


@pytest.mark.parametrize(
    "devices, cores, remedy",
    [
        ([CPU], 2, "XLA_FLAGS=--xla_force_host_platform_device_count=2 "),
        ([CPU], 6, "XLA_FLAGS=--xla_force_host_platform_device_count=4 "),
        ([CPU], 64, "XLA_FLAGS=--xla_force_host_platform_device_count=8 "),
        ([CPU] * 8, 2.5, "XLA_FLAGS=--xla_force_host_platform_device_count=2 "),
        ([CPU] * 2, 2, None),
        ([CPU], 1, None),
        ([GPU], 16, None),
        ([], 16, None),
    ],
)
def test_cpu_devices_follow_the_cores(devices, cores, remedy):
    found = backend.cpu_devices(started(devices=devices), cores)
    assert len(found) == (remedy is not None)
    assert all(one.remedy.startswith(remedy) and not one.broken for one in found)


GLIBC = ("glibc", "2.36")
ASKED = "always [madvise] never"


@pytest.mark.parametrize(
    "devices, environment, libc, pages, tunables",
    [
        ([CPU], {}, GLIBC, ASKED, "glibc.malloc.hugetlb=1"),
        (
            [CPU] * 2,
            {"GLIBC_TUNABLES": "a=3"},
            GLIBC,
            ASKED,
            "a=3:glibc.malloc.hugetlb=1",
        ),
        ([CPU], {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}, GLIBC, ASKED, None),
        ([CPU], {}, ("glibc", "2.31"), ASKED, None),
        ([CPU], {}, ("", ""), ASKED, None),
        ([CPU], {}, GLIBC, "[always] madvise never", None),
        ([CPU], {}, GLIBC, "", None),
        ([GPU, CPU], {}, GLIBC, ASKED, None),
        ([], {}, GLIBC, ASKED, None),
    ],
)
def test_large_pages_are_advised_where_they_can_be_had(
    devices, environment, libc, pages, tunables
):
    found = backend.large_pages(started(devices=devices), environment, libc, pages)
    assert len(found) == (tunables is not None)
    remedy = f"GLIBC_TUNABLES={tunables} python main.py ..."
    assert all(one.remedy == remedy and not one.broken for one in found)
