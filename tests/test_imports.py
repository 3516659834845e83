"""The house of DESIGN.md: imports point down, and heavy libraries stay in their rooms."""

import ast
import pathlib
import subprocess
import sys
from collections.abc import Iterator

import pytest

ROOT = pathlib.Path(__file__).parents[1]

# From the ground up; a room imports lower ones only, and files of its own package.
LAYERS = (
    ("jaxpose.skeletons", "jaxpose.config", "jaxpose.atomic"),
    ("jaxpose.types",),
    ("jaxpose.geometry", "jaxpose.flows"),
    ("jaxpose.crops", "jaxpose.ignored", "jaxpose.prepared", "jaxpose.regions"),
    (
        "jaxpose.records",
        "jaxpose.canvases",
        "jaxpose.colors",
        "jaxpose.devices",
        "jaxpose.draw",
        "jaxpose.imputation",
        "jaxpose.interrupts",
        "jaxpose.pose_files",
        "jaxpose.saved_states",
        "jaxpose.sub_images",
        "jaxpose.supervision",
        "jaxpose.tables",
    ),
    ("jaxpose.groups", "jaxpose.lengths", "jaxpose.loading"),
    ("jaxpose.views",),
    (
        "jaxpose.data",
        "jaxpose.detections",
        "jaxpose.ordered",
        "jaxpose.augment",
        "jaxpose.evaluations",
        "jaxpose.heatmap_pictures",
        "jaxpose.log_table",
        "jaxpose.photometric",
        "jaxpose.rarity",
        "jaxpose.scenes",
        "jaxpose.models",
        "jaxpose.objectives",
        "jaxpose.metrics",
    ),
    ("jaxpose.learners",),
    ("jaxpose.predict",),
    ("jaxpose.split_poses",),
    (
        "jaxpose.evaluate",
        "jaxpose.checkpoint",
        "jaxpose.workdir",
        "jaxpose.journal",
        "jaxpose.weights",
    ),
    ("jaxpose.programs",),
    ("jaxpose.train",),
    ("jaxpose.apps",),
    ("jaxpose.__main__", "main", "configs"),
)
HEIGHT = {room: height for height, rooms in enumerate(LAYERS) for room in rooms}
FLAX_ROOMS = (
    "jaxpose.models",
    "jaxpose.learners.network",
)


def modules(*places) -> dict[str, ast.Module]:
    """Dotted name -> syntax tree of every file there."""
    return {
        path.relative_to(ROOT)
        .with_suffix("")
        .as_posix()
        .replace("/", ".")
        .removesuffix(".__init__"): ast.parse(path.read_text())
        for place in places
        for path in ROOT.glob(place)
    }


PROJECT = modules("jaxpose/**/*.py", "configs/*.py", "main.py")
BUILDERS = modules("data_builders/**/*.py")


def imported(tree: ast.AST) -> Iterator[str]:
    """Dotted names, also of imports inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        # A relative import stays in its own package: builders have some.
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(name: str) -> str | None:
    """The entry of LAYERS that a module, or a name in it, belongs to."""
    parts = name.split(".")
    prefixes = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
    return next((prefix for prefix in prefixes if prefix in HEIGHT), None)


def test_the_walk_sees_the_project():
    assert {"jaxpose.models.vgg", "jaxpose", "main", "configs.deeppose_wl"} <= {
        *PROJECT
    }
    assert "jaxpose.geometry" in imported(ast.parse("from jaxpose import geometry"))
    assert room("jaxpose.models.vgg.STAGES") == "jaxpose.models"


@pytest.mark.parametrize("name", sorted(PROJECT.keys() - {"jaxpose"}))
def test_imports_point_down(name):
    here = room(name)
    assert here is not None, f"{name} has no place in LAYERS"
    for target in imported(PROJECT[name]):
        there = room(target)
        ours = target.split(".")[0] in ("jaxpose", "main", "configs")
        assert there or not ours, f"{name} imports {target}, which has no place"
        if there and there != here:
            assert HEIGHT[there] < HEIGHT[here], f"{name} -> {target} points up"


def test_no_relative_imports():
    for name, tree in PROJECT.items():
        nodes = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.level]
        assert not nodes, f"{name}: line {nodes[0].lineno}"


def test_flax_stays_in_its_rooms():
    users = {
        name
        for name, tree in PROJECT.items()
        if any(target.split(".")[0] == "flax" for target in imported(tree))
    }
    assert all(name.startswith(FLAX_ROOMS) for name in users), users


def test_builders_import_nothing_of_the_project():
    for name, tree in BUILDERS.items():
        roots = {target.split(".")[0] for target in imported(tree)}
        assert not roots & {"jaxpose", "configs", "main", "jax", "tensorflow"}, name


def test_no_file_needs_tensorflow_or_torch():
    for name, tree in PROJECT.items():
        roots = {target.split(".")[0] for target in imported(tree)}
        assert not roots & {"tensorflow", "torch"}, name


def test_no_asserts_outside_tests():
    for name, tree in (PROJECT | BUILDERS).items():
        lines = [n.lineno for n in ast.walk(tree) if isinstance(n, ast.Assert)]
        assert not lines, f"{name}: assert in lines {lines}; raise an error instead"


def test_importing_jaxpose_imports_no_framework():
    program = (
        "import sys, jaxpose; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert "jaxpose" in found
    heavy = {"jax", "flax", "numpy", "optax", "orbax", "tensorflow", "torch", "grain"}
    assert not heavy & {*found}


def test_the_whole_project_runs_without_tensorflow():
    """Importing it costs ten seconds and takes the GPU. tensorboardX imports PyTorch."""
    program = (
        f"import importlib, sys\nfor name in {sorted(PROJECT.keys())!r}:\n"
        "    if name != 'jaxpose.__main__': importlib.import_module(name)\n"
        "print('tensorflow' in sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert found[-1] == "False"
