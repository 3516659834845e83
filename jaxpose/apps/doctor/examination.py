"""`python -m jaxpose doctor`: every probe in turn, none of which can stop the others.

Needs no package but Python: it must say which ones are missing.
"""

import argparse
import functools
import os
import pathlib
import platform
from collections.abc import Callable, Iterable

from jaxpose.apps.doctor import backend, data_sets, disks, gpus, machine, software
from jaxpose.apps.doctor.finding import INSTALL, Finding, as_json, report

_ROOT = pathlib.Path(__file__).parents[3]

Probe = Callable[[], Iterable[Finding]]


def add_options(parser: argparse.ArgumentParser) -> None:
    """What the command line may say."""
    for option, default, about in (
        ("--data-dir", "data", "prepared data sets"),
        ("--manual-dir", "data/manual", "originals that you put there"),
        ("--workdir", "runs", "what training writes"),
    ):
        parser.add_argument(
            option,
            type=pathlib.Path,
            default=default,
            help=f"folder of {about} (default: {default})",
        )
    parser.add_argument(
        "--json", action="store_true", help="print JSON, to report bugs"
    )


def run(options: argparse.Namespace) -> int:
    """Prints what is found; the exit status is 1 if something is broken, else 0."""
    findings = examine(options.data_dir, options.manual_dir, options.workdir)
    if options.json:
        print(as_json(findings))
    else:
        print(report(findings))
    return int(any(finding.broken for finding in findings))


def examine(
    data_dir: pathlib.Path, manual_dir: pathlib.Path, workdir: pathlib.Path
) -> list[Finding]:
    """Everything, in a few seconds; most of them are JAX starting."""
    data_dir, manual_dir, workdir = (
        folder.expanduser() for folder in (data_dir, manual_dir, workdir)
    )
    probes: list[tuple[str, str, Probe]] = [
        *_software_and_devices(),
        ("memory", "machine", machine.memory),
        ("memory", "limits", machine.limits),
        ("data", "sets", lambda: _data_sets(data_dir, manual_dir)),
        ("disk", "data", lambda: disks.room("data", data_dir, needed=False)),
        ("disk", "runs", lambda: disks.room("runs", workdir)),
        ("disk", "temporary", disks.temporary),
        ("disk", "programs", lambda: disks.cache(disks.programs())),
        ("disk", "home", disks.home),
    ]
    return [one for probe in probes for one in attempt(*probe)]


def attempt(topic: str, name: str, probe: Probe) -> list[Finding]:
    """What a probe finds; one that fails is a finding too.

    Here alone every exception is caught: what is broken may break in any way, and the
    rest of the report is what its reader needs.
    """
    try:
        return list(probe())
    except ImportError as error:
        text, remedy = str(error), INSTALL
    except PermissionError as error:
        text = f"{error.filename or error} cannot be read"
        remedy = "mend its permissions, or ask its owner"
    except Exception as error:  # noqa: BLE001
        text = f"could not be examined ({type(error).__name__}: {error})"
        remedy = "report this with what --json prints"
    return [Finding(topic=topic, name=name, text=text, remedy=remedy, broken=True)]


def _software_and_devices() -> list[tuple[str, str, Probe]]:
    installed = functools.cache(software.installed)
    nvidia = functools.cache(gpus.nvidia)
    started = functools.cache(backend.start)
    environment = backend.relevant(os.environ)

    def tensorflow() -> list[Finding]:
        imported = started().steps.get("imported", {}).get("tensorflow", False)
        return software.tensorflow(installed(), gpu=nvidia().present, imported=imported)

    return [
        ("software", "python", software.python),
        ("software", "jaxpose", lambda: software.project(installed())),
        ("software", "jaxpose", software.outdated),
        (
            "software",
            "packages",
            lambda: software.packages(software.requirements(), installed()),
        ),
        ("software", "cuda", lambda: software.cuda_plugins(installed())),
        ("software", "opencv", lambda: software.opencv(installed())),
        ("software", "tensorflow", tensorflow),
        ("software", "importing", lambda: backend.imports(started())),
        ("devices", "jax", lambda: backend.seen(started(), environment)),
        (
            "devices",
            "gpu",
            lambda: gpus.unused(nvidia(), started(), installed(), environment),
        ),
        ("devices", "cpu", machine.cpu),
        ("devices", "cpu", lambda: backend.cpu_devices(started(), machine.cores())),
        (
            "devices",
            "cpu",
            lambda: backend.large_pages(
                started(), environment, platform.libc_ver(), machine.large_pages()
            ),
        ),
        ("devices", "variables", lambda: backend.variables(environment)),
        ("memory", "gpu", lambda: gpus.memory(nvidia())),
    ]


def _data_sets(data_dir: pathlib.Path, manual_dir: pathlib.Path) -> list[Finding]:
    """Each set by itself: one that cannot be read says nothing of the others."""
    findings = data_sets.folders(data_dir, manual_dir)
    for one in data_sets.builders(_ROOT / "data_builders"):
        probe = functools.partial(data_sets.examine, one, data_dir, manual_dir)
        findings += attempt("data", one.name, probe)
    return findings
