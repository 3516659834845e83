"""Eight fake devices, checked shapes, cached programs, and the originals' numbers."""

import os
import pathlib
from collections.abc import Callable, Mapping

import jax
import jaxtyping
import numpy as np
import people
import pytest

# Before any backend starts: the tests compare one device with eight.
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", 8)
# Compiling is most of the time; a second run finds the programs of the first.
# Processes that share a folder would read what others have half written.
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
jax.config.update(
    "jax_compilation_cache_dir",
    str(pathlib.Path.home() / ".cache" / "jaxpose" / "test_programs" / WORKER),
)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)
# Machine code is polished for longer than a test runs it. Processes that tests start
# compile as ever.
jax.config.update("jax_disable_most_optimizations", True)

# Shapes in signatures are checked while the tests run. Modules with pytree dataclasses
# stay out: jax.tree.map builds those around leaves that are not arrays. So do those that
# refuse words with errors of their own, which the check of a Literal would forestall.
jaxtyping.install_import_hook(
    [
        "jaxpose.augment",
        "jaxpose.canvases",
        "jaxpose.colors",
        "jaxpose.crops",
        "jaxpose.geometry",
        "jaxpose.lengths",
        "jaxpose.metrics",
        "jaxpose.models",
        "jaxpose.objectives.assignment",
        "jaxpose.objectives.grouping",
        "jaxpose.objectives.heatmap_decoding",
        "jaxpose.objectives.heatmap_drawing",
        "jaxpose.objectives.proposal_maps",
        "jaxpose.objectives.proposal_matching",
        "jaxpose.objectives.tag_losses",
        "jaxpose.photometric",
        "jaxpose.pose_files",
        "jaxpose.predict",
        "jaxpose.rarity",
        "jaxpose.regions",
        "jaxpose.sub_images",
        "jaxpose.supervision",
        "jaxpose.views",
        "jaxpose.weights",
    ],
    "beartype.beartype",
)

ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture(scope="session")
def reference() -> Callable[[str], Mapping[str, np.ndarray]]:
    """Opens what was recorded from an original; the test skips where it is absent."""

    def load(name: str) -> Mapping[str, np.ndarray]:
        path = ROOT.parent / "shared" / "reference" / f"{name}.npz"
        if not path.exists():
            pytest.skip(f"{path}, recorded from the original, is not here")
        return np.load(path)

    return load


@pytest.fixture(scope="session")
def lspet(tmp_path_factory) -> tuple[pathlib.Path, np.ndarray]:
    """A folder with a miniature LSPET under manual/, and its 0-based keypoints.

    It is prepared in data/ by the first test that opens it; copy it before damaging it.
    """
    root = tmp_path_factory.mktemp("lspet")
    return root, people.write_lspet(root / "manual")
