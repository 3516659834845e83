import importlib.metadata
import json
import pathlib
import re
import subprocess
import sys
import tomllib
import types

import pytest

from jaxpose.apps import command, launch
from jaxpose.apps.doctor import backend, disks, examination, finding
from jaxpose.apps.doctor.finding import Finding

ROOT = pathlib.Path(__file__).parents[2]
CPU = {"platform": "cpu", "kind": "cpu", "limit": None}
WELL = backend.Started(
    steps={
        "devices": [CPU, CPU],
        "compiled": {"first": 0.1, "next": 0.001},
        "imported": {"seconds": 2.0, "tensorflow": False},
    },
    said="",
)


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """JAX that starts at once; folders of this test, as arguments."""
    monkeypatch.setattr(backend, "start", lambda: WELL)
    folders = {"data-dir": "data", "manual-dir": "manual", "workdir": "runs"}
    return [f"--{option}={tmp_path / name}" for option, name in folders.items()]


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """What is found on this machine, with nothing replaced."""
    root = tmp_path_factory.mktemp("doctor")
    return examination.examine(root / "data", root / "manual", root / "runs")


def test_it_names_every_package_and_device(real):
    facts = {one.name: one.text for one in real if not one.remedy}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for line in project["dependencies"]:
        name = re.match(r"[\w.-]+", line)[0]
        version = importlib.metadata.version(name)
        assert f"{name} {version}" in facts["packages"]
    assert f"jaxlib {importlib.metadata.version('jaxlib')}" in facts["packages"]
    assert re.match(r"\d+ x \w+", facts["jax"])
    assert facts["compiling"].startswith("a small program in ")
    assert facts["importing"].startswith("jaxpose.train in ")
    assert facts["lsp"].startswith("not prepared")
    assert facts["opencv"].endswith("reads JPEG")
    assert {one.topic for one in real} == set(finding.TOPICS)


def test_the_report_has_a_section_a_topic(real):
    text = finding.report(real)
    heads = [line for line in text.splitlines() if line in finding.TOPICS]
    assert heads == list(finding.TOPICS)
    advice = [one for one in real if one.remedy]
    assert text.count("  ->  ") == len(advice)


def test_json_says_the_same_as_the_text(quick, capsys):
    status = command.main(["doctor", *quick])
    text = capsys.readouterr().out
    assert command.main(["doctor", *quick, "--json"]) == status
    fields = json.loads(capsys.readouterr().out)
    assert fields["broken"] == bool(status)
    assert {"topic", "name", "text", "remedy", "broken"} == set(fields["findings"][0])
    names = [one["name"] for one in fields["findings"]]
    assert "packages" in names and all(name in text for name in names)


@pytest.mark.parametrize(
    "found, status, end",
    [
        ([], 0, "nothing is wrong"),
        ([{"remedy": "mend"}], 0, "- jax: text  ->  mend\n\n1 note"),
        ([{"remedy": "mend", "broken": True}] * 2, 1, "2 problems"),
        ([{"remedy": "b", "broken": True}, {"remedy": "a"}], 1, "1 problem, 1 note"),
    ],
)
def test_only_problems_make_the_status_1(monkeypatch, capsys, found, status, end):
    findings = [Finding(topic="devices", name="jax", text="text", **f) for f in found]
    monkeypatch.setattr(examination, "examine", lambda *folders: findings)
    assert command.main(["doctor"]) == status
    assert capsys.readouterr().out.endswith(f"{end}\n")


def test_a_probe_that_fails_is_a_problem_and_no_end(monkeypatch, quick, capsys):
    def fail():
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr(examination.machine, "memory", fail)
    monkeypatch.setattr(examination.software, "installed", fail)
    assert command.main(["doctor", *quick]) == 1
    text = capsys.readouterr().out
    asked = "(ZeroDivisionError: of all things)  ->  report this with what --json"
    assert f"! machine: could not be examined {asked}" in text
    assert f"! packages: could not be examined {asked}" in text
    assert "open files" in text and "  lsp " in text


def test_a_missing_package_or_permission_is_told_as_such():
    def lacks():
        raise ModuleNotFoundError("No module named 'numpy'")

    def forbidden():
        raise PermissionError(13, "Permission denied", "/data/lsp")

    (missing,) = examination.attempt("software", "opencv", lacks)
    assert missing.broken and "numpy" in missing.text
    assert missing.remedy == finding.INSTALL
    (shut,) = examination.attempt("data", "lsp", forbidden)
    assert shut.broken and shut.text == "/data/lsp cannot be read"


def test_it_starts_where_every_package_is_missing(tmp_path):
    program = (
        "import sys\n"
        "for name in ('numpy', 'jax', 'cv2', 'packaging', 'array_record'):\n"
        "    sys.modules[name] = None\n"
        "from jaxpose.apps.doctor import backend, examination\n"
        "said = 'ModuleNotFoundError: No module named jax'\n"
        "backend.start = lambda: backend.Started(steps={}, said=said)\n"
        "found = examination.examine(*[examination.pathlib.Path('none')] * 3)\n"
        "print(examination.report(found))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    for name in ("packages", "opencv", "jax: does not start"):
        assert re.search(rf"^! {name}.*  ->  pip install -e", done.stdout, re.MULTILINE)


def test_it_runs_alone(quick, tmp_path):
    command_line = [sys.executable, "-m", "jaxpose.apps.doctor", "--help"]
    done = subprocess.run(command_line, capture_output=True, text=True, check=True)
    assert "--manual-dir" in done.stdout


def test_programs_are_looked_for_where_they_are_kept(monkeypatch):
    kept = {}
    config = types.SimpleNamespace(update=kept.__setitem__)
    monkeypatch.setattr(launch, "jax", types.SimpleNamespace(config=config))
    monkeypatch.setattr(launch.absl_logging, "set_verbosity", lambda level: None)
    monkeypatch.setattr(launch.logging.Logger, "setLevel", lambda self, level: None)
    launch.start_devices(None)
    assert pathlib.Path(kept["jax_compilation_cache_dir"]) == disks.programs()


@pytest.mark.parametrize(
    "num_bytes, text",
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (12.34e9, "12.3 GB"),
        (271e9, "271 GB"),
        (5e15, "5000 TB"),
    ],
)
def test_sizes_are_read_easily(num_bytes, text):
    assert finding.size(num_bytes) == text
