"""Software: Python, the packages that jaxpose needs, and packages in each other's way.

Needs no package but Python before a function is called.
"""

import functools
import importlib.metadata
import pathlib
import platform
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jaxpose.apps.doctor.finding import INSTALL, Finding

_ROOT = pathlib.Path(__file__).parents[3]

_software = functools.partial(Finding, topic="software")

# All four bring a folder `cv2`, and the last one installed overwrites the others' files.
OPENCV = (
    "opencv-python-headless",
    "opencv-python",
    "opencv-contrib-python-headless",
    "opencv-contrib-python",
)
_TENSORFLOW = re.compile(r"(intel-)?tensorflow(-cpu|-gpu|-macos)?|tf-nightly(-cpu)?")
_PLUGIN = re.compile(r"jax-cuda(\d+)-(plugin|pjrt)")


def installed() -> dict[str, str]:
    """Version of every installed distribution, by its normalized name."""
    found: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        fields = distribution.metadata
        if "Name" in fields and "Version" in fields:  # else an uninstall was cut off
            # The first on the path is the one that is imported.
            found.setdefault(_normalized(fields["Name"]), fields["Version"])
    return found


def requirements() -> list[str]:
    """What jaxpose needs, and the jaxlib that this jax needs.

    Raises: importlib.metadata.PackageNotFoundError if jaxpose is neither a checkout nor
        installed.
    """
    checkout = _checkout()
    lines = checkout["dependencies"] if checkout else _installed_requirements()
    try:
        jaxs = importlib.metadata.requires("jax") or ()
    except importlib.metadata.PackageNotFoundError:
        jaxs = ()
    return lines + [line for line in jaxs if line.startswith("jaxlib")]


def _checkout() -> dict[str, Any]:
    """`[project]` of the pyproject.toml beside the package; empty if there is none.

    What is installed may be older: `git pull` does not install.
    """
    try:
        import tomllib  # Python 3.11, which `python` asks for
    except ImportError:
        return {}
    try:
        text = (_ROOT / "pyproject.toml").read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    project = tomllib.loads(text).get("project", {})
    return project if project.get("name") == "jaxpose" else {}


def _installed_requirements() -> list[str]:
    """Those of jaxpose as it was installed, without those of extras.

    Raises: importlib.metadata.PackageNotFoundError if it is not.
    """
    lines = importlib.metadata.requires("jaxpose") or ()
    return [line for line in lines if not re.search(r";.*\bextra\b", line)]


def outdated() -> list[Finding]:
    """Whether the checkout needs other packages than when it was installed."""
    checkout = _checkout()
    if not checkout:
        return []
    try:
        installed = _worded(_installed_requirements())
    except importlib.metadata.PackageNotFoundError:
        text = "it is not installed, so it is found only from its own folder"
        return [_software(name="jaxpose", text=text, remedy=INSTALL)]
    needed = _worded(checkout["dependencies"])
    parts = [
        f"{what} {', '.join(lines)}"
        for what, lines in (
            ("added", sorted(needed - installed)),
            ("removed", sorted(installed - needed)),
        )
        if lines
    ]
    if not parts:
        return []
    text = f"pyproject.toml changed since it was installed: {'; '.join(parts)}"
    return [_software(name="jaxpose", text=text, remedy=INSTALL)]


def _worded(lines: Iterable[str]) -> set[str]:
    """Requirements, equal ones in equal words."""
    from packaging.requirements import Requirement

    return {str(Requirement(line)) for line in lines}


def python() -> list[Finding]:
    """Which Python this is, and whether it is one that jaxpose is for."""
    from packaging.specifiers import SpecifierSet

    version = platform.python_version()
    text = f"{version}, {sys.executable}, {platform.system()} {platform.machine()}"
    findings = [_software(name="python", text=text)]
    needed = _checkout().get("requires-python")
    needed = needed or importlib.metadata.metadata("jaxpose")["Requires-Python"]
    if not SpecifierSet(needed).contains(version, prereleases=True):
        remedy = f"make the virtual environment by a Python {needed}"
        findings.append(_problem("python", f"{version}, must be {needed}", remedy))
    return findings


def project(installed: Mapping[str, str]) -> list[Finding]:
    """The version of jaxpose, and where it is imported from."""
    text = f"{installed.get('jaxpose', 'not installed')}, {_ROOT}"
    return [_software(name="jaxpose", text=text)]


def packages(required: Sequence[str], installed: Mapping[str, str]) -> list[Finding]:
    """The version of every required package; what is missing or out of range.

    Args:
        required: requirements as in pyproject.toml; those of extras are left out.
        installed: as of `installed`.
    """
    from packaging.requirements import Requirement  # may be missing, like any other

    texts, findings = [], []
    for one in map(Requirement, required):
        if one.marker and not one.marker.evaluate({"extra": ""}):
            continue
        name = _normalized(one.name)
        # Any OpenCV serves, and adding another one would break both.
        same = (name, *OPENCV) if name in OPENCV else (name,)
        version = next((installed[n] for n in same if n in installed), None)
        texts.append(f"{one.name} {version or 'missing'}")
        if not version or not one.specifier.contains(version, prereleases=True):
            text = f"{version or 'missing'}, must be {one.specifier}"
            remedy = f"pip install '{one.name}{one.specifier}'"
            findings.append(_problem(one.name, text, remedy))
    return [_software(name="packages", text=", ".join(texts)), *findings]


def cuda_plugins(installed: Mapping[str, str]) -> list[Finding]:
    """Whether JAX's parts for CUDA are of jaxlib's version: it leaves out all others."""
    findings = []
    for name, version in installed.items():
        match = _PLUGIN.fullmatch(name)
        if match:
            findings.append(_software(name=name, text=version))
            jaxlib = installed.get("jaxlib")
            if version != jaxlib:
                text = f"{version}, so jaxlib {jaxlib} does not use it"
                remedy = f"pip install -U 'jax[cuda{match[1]}]'"
                findings.append(_problem(name, text, remedy))
    return findings


def opencv(installed: Mapping[str, str]) -> list[Finding]:
    """Whether OpenCV reads a JPEG, and whether several of it are installed at once."""
    there = [name for name in OPENCV if name in installed]
    versions = ", ".join(f"{name} {installed[name]}" for name in there)
    remedy = "pip install --force-reinstall --no-deps opencv-python-headless"
    if there:
        remedy = f"pip uninstall -y {' '.join(there)} && {remedy}"
    fault = _jpeg_fault()
    if fault:
        return [_problem("opencv", f"{fault} ({versions or 'not installed'})", remedy)]
    findings = [_software(name="opencv", text=f"{versions}, reads JPEG")]
    if len(there) > 1:
        text = f"{' and '.join(there)} overwrite each other's files"
        findings.append(_software(name="opencv", text=text, remedy=remedy))
    return findings


def _jpeg_fault() -> str:
    """Why OpenCV cannot write and read a JPEG; empty if it can."""
    import numpy as np

    image = np.full((16, 24, 3), 128, np.uint8)
    try:
        import cv2

        found = cv2.imdecode(cv2.imencode(".jpg", image)[1], cv2.IMREAD_COLOR)
    # A system library is missing, or files of another package lie in its folder.
    except (ImportError, AttributeError) as error:
        return f"{type(error).__name__}: {error}"
    if found is None or found.shape != image.shape or abs(int(found.mean()) - 128) > 2:
        return "a JPEG comes back changed"
    return ""


def tensorflow(
    installed: Mapping[str, str], *, gpu: bool, imported: bool
) -> list[Finding]:
    """Whether TensorFlow is there and would take the GPU.

    Args:
        gpu: whether the machine has an NVIDIA GPU.
        imported: whether importing jaxpose imports it.
    """
    there = [name for name in installed if _TENSORFLOW.fullmatch(name)]
    if not there:
        return [_software(name="tensorflow", text="not installed, and not needed")]
    text = f"{', '.join(f'{name} {installed[name]}' for name in there)}; "
    text += "imported by jaxpose" if imported else "not imported by jaxpose"
    findings = [_software(name="tensorflow", text=text)]
    takers = [name for name in there if "-cpu" not in name]
    if gpu and takers:
        finding = _software(
            name="tensorflow",
            text="takes the memory of every GPU where a program uses it beside JAX",
            remedy=f"pip uninstall -y {' '.join(takers)}, which jaxpose does not need; "
            "or in such a program first tf.config.set_visible_devices([], 'GPU')",
            broken=imported,
        )
        findings.append(finding)
    return findings


def _problem(name: str, text: str, remedy: str) -> Finding:
    return _software(name=name, text=text, remedy=remedy, broken=True)


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
