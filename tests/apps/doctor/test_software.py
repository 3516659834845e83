import importlib.metadata
import pathlib
import sys

import pytest

from jaxpose.apps.doctor import examination, finding, software

ROOT = pathlib.Path(__file__).parents[3]
REQUIRED = [
    "optax>=0.2.6",
    "opencv-python-headless>=4.10",
    "importlib_resources>=6",
    "apache-beam>=2.65; extra == 'build'",
    "tomli>=2; python_version < '3'",
]
GOOD = {
    "optax": "0.2.8",
    "opencv-python-headless": "5.0.0.93",
    "importlib-resources": "7.1.0",
}


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Another project's root, and what was installed from it."""

    def make(project, installed=()):
        if project:
            (tmp_path / "pyproject.toml").write_text(f"[project]\n{project}\n")
        monkeypatch.setattr(software, "_ROOT", tmp_path)
        of = {"jaxpose": [*installed], "jax": ["jaxlib<=0.10.2,>=0.10.2"]}
        monkeypatch.setattr(importlib.metadata, "requires", of.get)

    return make


def advice(findings):
    return [(one.name, one.text, one.remedy) for one in findings if one.remedy]


def test_good_packages_are_one_line():
    (one,) = software.packages(REQUIRED, GOOD)
    assert one.text == (
        "optax 0.2.8, opencv-python-headless 5.0.0.93, importlib_resources 7.1.0"
    )


def test_missing_packages_are_told():
    lacking = {name: v for name, v in GOOD.items() if name != "importlib-resources"}
    fact, problem = software.packages(REQUIRED, lacking)
    assert "importlib_resources missing" in fact.text and problem.broken
    text, remedy = "missing, must be >=6", "pip install 'importlib_resources>=6'"
    assert advice([problem]) == [("importlib_resources", text, remedy)]


def test_versions_out_of_range_are_told():
    fact, problem = software.packages(REQUIRED, GOOD | {"optax": "0.2.5"})
    assert "optax 0.2.5" in fact.text and problem.broken
    text, remedy = "0.2.5, must be >=0.2.6", "pip install 'optax>=0.2.6'"
    assert advice([problem]) == [("optax", text, remedy)]


def test_any_opencv_serves():
    other = {n: v for n, v in GOOD.items() if n != "opencv-python-headless"}
    assert len(software.packages(REQUIRED, other | {"opencv-python": "4.11"})) == 1
    assert len(software.packages(REQUIRED, other)) == 2


def test_jax_says_which_jaxlib_it_needs():
    lines = software.requirements()
    bounds = [line for line in lines if line.startswith("jaxlib")]
    assert bounds and any(line.startswith("orbax-checkpoint") for line in lines)
    _, problem = software.packages(bounds[:1], {"jaxlib": "0.4.30"})
    assert problem.name == "jaxlib" and "pip install 'jaxlib" in problem.remedy


def test_the_first_of_two_installed_versions_counts(tmp_path, monkeypatch):
    for folder, text in (
        ("a/optax-9.0.dist-info", "Metadata-Version: 2.1\nName: Optax\nVersion: 9.0\n"),
        ("a/half-1.0.dist-info", ""),
    ):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "METADATA").write_text(text)
    monkeypatch.syspath_prepend(tmp_path / "a")
    assert software.installed()["optax"] == "9.0"
    assert software.installed()["jax"] == importlib.metadata.version("jax")


def test_another_pythons_range(monkeypatch):
    assert not advice(software.python())
    monkeypatch.setattr(software.platform, "python_version", lambda: "3.9.2")
    ((name, text, remedy),) = advice(software.python())
    assert name == "python" and text == "3.9.2, must be >=3.11"
    assert "virtual environment" in remedy


def test_a_project_that_is_not_installed_is_told(monkeypatch, checkout):
    def lack(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", lack)
    (fact,) = software.project({})
    assert fact.text == f"not installed, {ROOT}"
    (note,) = software.outdated()
    assert "not installed" in note.text and not note.broken
    assert "optax>=0.2.6" in software.requirements()
    checkout("")
    monkeypatch.setattr(importlib.metadata, "requires", lack)
    assert not software.outdated()
    (problem,) = examination.attempt("software", "packages", software.requirements)
    assert "jaxpose" in problem.text and problem.remedy == finding.INSTALL


def test_a_checkout_counts_more_than_its_older_installation(checkout):
    lines = """name = "jaxpose"\ndependencies = ["new <3,>=1", "kept>=2, <4"]"""
    checkout(lines, ["kept<4,>=2", "gone", "beam; extra == 'build'"])
    assert software.requirements() == [
        "new <3,>=1",
        "kept>=2, <4",
        "jaxlib<=0.10.2,>=0.10.2",
    ]
    (note,) = software.outdated()
    assert note.name == "jaxpose" and not note.broken
    assert note.text.endswith("installed: added new<3,>=1; removed gone")
    assert note.remedy == finding.INSTALL
    checkout(lines, ["kept<4,>=2", "new<3,>=1", "beam; extra == 'build'"])
    assert not software.outdated()


@pytest.mark.parametrize("project", ["", 'name = "other"\ndependencies = ["new"]'])
def test_without_a_checkout_the_installation_counts(checkout, project):
    checkout(project, ["optax>=0.2.6", "beam; extra == 'build'"])
    assert software.requirements() == ["optax>=0.2.6", "jaxlib<=0.10.2,>=0.10.2"]
    assert not software.outdated()


def test_a_python_that_reads_no_toml_takes_the_installation(checkout, monkeypatch):
    checkout('name = "jaxpose"\ndependencies = ["new"]', ["optax>=0.2.6"])
    monkeypatch.setitem(sys.modules, "tomllib", None)
    assert software.requirements()[0] == "optax>=0.2.6"


def test_cuda_parts_must_be_of_jaxlibs_version():
    same = {"jaxlib": "0.10.2", "jax-cuda12-plugin": "0.10.2"}
    assert not advice(software.cuda_plugins(same))
    other = same | {"jax-cuda12-pjrt": "0.9.0"}
    (found,) = advice(software.cuda_plugins(other))
    assert found[1] == "0.9.0, so jaxlib 0.10.2 does not use it"
    assert found[2] == "pip install -U 'jax[cuda12]'"


def test_two_opencvs_are_noted():
    both = {"opencv-python": "4.11", "opencv-python-headless": "4.10"}
    fact, note = software.opencv(both)
    assert fact.text.endswith("reads JPEG") and not note.broken
    assert note.remedy == (
        "pip uninstall -y opencv-python-headless opencv-python && "
        "pip install --force-reinstall --no-deps opencv-python-headless"
    )


def test_an_opencv_that_does_not_import_is_broken(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    (problem,) = software.opencv({"opencv-python": "4.11"})
    assert problem.broken and "import of cv2" in problem.text
    assert "pip uninstall -y opencv-python &&" in problem.remedy
    (problem,) = software.opencv({})
    assert problem.remedy.startswith("pip install") and "not inst" in problem.text


def test_an_opencv_without_jpeg_is_broken(monkeypatch):
    import cv2

    monkeypatch.setattr(cv2, "imdecode", lambda coded, flags: None)
    (problem,) = software.opencv({"opencv-python": "4.11"})
    assert problem.broken and "a JPEG comes back changed" in problem.text


@pytest.mark.parametrize(
    "name, gpu, imported, remedies",
    [
        ("tensorflow", True, False, ["pip uninstall -y tensorflow, which"]),
        ("tensorflow", True, True, ["pip uninstall -y tensorflow, which"]),
        ("tensorflow", False, False, []),
        ("tensorflow-cpu", True, False, []),
        ("tensorflow-datasets", True, False, []),
    ],
)
def test_a_tensorflow_that_takes_gpus_is_told(name, gpu, imported, remedies):
    fact, *more = software.tensorflow({name: "2.21"}, gpu=gpu, imported=imported)
    assert ("not installed" in fact.text) == (name == "tensorflow-datasets")
    assert len(more) == len(remedies)
    for one, remedy in zip(more, remedies, strict=True):
        assert one.remedy.startswith(remedy) and one.broken == imported
        assert "tf.config.set_visible_devices([], 'GPU')" in one.remedy
