"""What heatmaps can score at best: the truth of MPII's validation people, decoded back.

    python -m benchmarks.decoding_ceiling --published ../shared/data/published

No network: heatmaps of the true keypoints are drawn, decoded, taken back to the
photograph and scored by PCKh in every convention, in squares of 1.25 body heights as
`regions.BodyScale` cuts them. What is lost lies outside its square, or between cells.
PyTorch-Pose's own ceiling, with the release's scales and centres, is 99.74, and 94.91
at 0.1.

The release was not at hand in full. What stands for it:

- The scale is MPII's: the head size over 25 pixels, in the three decimals of
  PyTorch-Pose's annotations. A test compares it with five people of the release.
- The centre is approximate. It is a whole number, and PyTorch-Pose's published
  predictions lie a quarter of a cell beside the middle of cells of its square, cut to
  whole pixels. Several centres explain that, half cells apart. Of them the one is taken
  whose square lies nearest to the middle of the keypoints, at most a body height away,
  which is a little kind to keypoints at the edge. The result tells for how many people
  it explains all 32 published coordinates (points in the outermost cells are not moved
  by a quarter), and for how few if scales were 1% larger.
"""

import argparse
import functools
import json
import pathlib
import sys

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxpose import geometry, pose_files, regions, workdir
from jaxpose.metrics import pckh
from jaxpose.objectives import heatmap_decoding, heatmap_drawing, heatmaps
from jaxpose.skeletons import MPII
from jaxpose.types import Annotations, Batch, Poses

RESULT = pathlib.Path(__file__).with_name("results") / "decoding_ceiling_cpu.json"
BATCH = 128
SIZE = (256, 256)
# MPII's `scale` for a head of one pixel.
SCALE_OF_HEAD = 1 / 25
REGION = regions.BodyScale()
_ORIGINAL = heatmaps.Heatmaps(
    size=SIZE,
    quantize_targets=True,
    window=heatmap_drawing.patch,
    above_is_missing=True,
    decoder=heatmap_decoding.Quarter(),
)
# Of a cell along a side: where the original's predictions lie.
QUARTERS = 4 * _ORIGINAL.grid[0]
# Each with whether points are cut to whole pixels of the photograph.
WAYS = {
    "default (Dark)": (heatmaps.Heatmaps(size=SIZE), False),
    "Quarter": (
        heatmaps.Heatmaps(size=SIZE, decoder=heatmap_decoding.Quarter()),
        False,
    ),
    "Soft": (heatmaps.Heatmaps(size=SIZE, decoder=heatmap_decoding.Soft()), False),
    "PyTorch-Pose's, not cut to whole pixels": (_ORIGINAL, False),
    "PyTorch-Pose's": (_ORIGINAL, True),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--published", default="../shared/data/published")
    parser.add_argument("--out", default=str(RESULT), help="JSON file for the result")
    options = parser.parse_args()
    truth, published = read(pathlib.Path(options.published))
    scale = scales(truth)
    center, matches = centers(truth, published, scale)
    _, by_chance = centers(truth, published, 1.01 * scale)
    square = boxes(truth, center, scale)
    found = {name: scores(name, truth, square) for name in WAYS}
    result = {
        "people": len(scale),
        "all 32 published coordinates explained": int((matches == 32).sum()),
        "the same with scales 1% larger": int((by_chance == 32).sum()),
        "PCKh": found,
        "made by": workdir.versions()
        | {
            "command": " ".join(
                ["python -m benchmarks.decoding_ceiling", *sys.argv[1:]]
            )
        },
    }
    pathlib.Path(options.out).write_text(json.dumps(result, indent=1) + "\n")
    for way, numbers in found.items():
        print(f"{way}: {numbers['not drawn']} keypoints not drawn")
        for convention in pckh.CONVENTIONS:
            print(f"  {convention:13}", numbers[convention])


def read(folder: pathlib.Path) -> tuple[Annotations, Float[np.ndarray, "n 16 2"]]:
    """The validation people, and PyTorch-Pose's predictions of them, both 0-based."""
    truth = pose_files.read_truth(folder / "mpii_val_ground_truth.mat", MPII)
    predictions = pose_files.read_predictions(
        folder / "mpii_val_preds_hg_s2_b1.mat", MPII
    )
    return truth, predictions.keypoints


def scales(truth: Annotations) -> Float[np.ndarray, "n"]:
    """Body heights in units of 200 pixels, as PyTorch-Pose's annotations have them."""
    if truth.head_box is None:
        raise ValueError("the truth has no head boxes, which tell MPII's scales")
    return np.round(SCALE_OF_HEAD * pckh.head_size(truth.head_box[:, 0]), 3)


def boxes(
    truth: Annotations,
    center: Float[np.ndarray, "n 2"],
    scale: Float[np.ndarray, "n"],
) -> Float[np.ndarray, "n 4"]:
    """Squares (x0, y0, x1, y1) that the canvases show."""
    size = np.zeros((len(scale), 2), int)  # Of the photographs; the rule ignores it.
    more = {"center": center, "scale": scale}
    return REGION(truth.keypoints[:, 0], truth.labeled[:, 0], size, more)


def centers(
    truth: Annotations,
    published: Float[np.ndarray, "n 16 2"],
    scale: Float[np.ndarray, "n"],
) -> tuple[Float[np.ndarray, "n 2"], Int[np.ndarray, "n"]]:
    """Centres (x, y), 0-based, and how many published coordinates each explains."""
    # Counted from 1, as MPII's whole numbers are.
    tight = geometry.tight_box(truth.keypoints[:, 0], truth.labeled[:, 0]) + 1
    start = boxes(truth, np.zeros((len(scale), 2)), scale)[:, :2]
    side = regions.SCALE_UNIT * REGION.padding * scale
    nearest = np.rint((tight[:, :2] + tight[:, 2:] - side[:, None]) / 2 - start)
    best, most = nearest.copy(), explained(published, nearest + start, side)
    reach = regions.SCALE_UNIT * scale
    # Nearest first, and the first of several is kept.
    for step in range(1, int(reach.max()) + 1):
        unexplained = (most < published.shape[1]).any(axis=1)
        rows = np.flatnonzero(unexplained & (step <= reach))
        for here in (nearest[rows] + step, nearest[rows] - step):
            count = explained(published[rows], here + start[rows], side[rows])
            better = count > most[rows]
            best[rows] = np.where(better, here, best[rows])
            most[rows] = np.where(better, count, most[rows])
    return best - 1, most.sum(axis=1)


def explained(
    published: Float[np.ndarray, "m k 2"],
    start: Float[np.ndarray, "m 2"],
    side: Float[np.ndarray, "m"],
) -> Int[np.ndarray, "m 2"]:
    """How many x and y lie where the original's decoding puts points within cells.

    Args:
        start: upper left corner of the square in pixels counted from 0, which
            PyTorch-Pose takes from centres counted from 1.
    """
    # A whole number is what is left when a fraction is cut off, toward zero.
    low = np.where(published > 0, published, published - 1) - start[:, None]
    high = np.where(published < 0, published, published + 1) - start[:, None]
    per_pixel = QUARTERS / side[:, None, None]
    quarter = np.ceil(low * per_pixel - 1e-6)
    # Every point is moved from the middle of its cell, by a quarter to either side.
    quarter += quarter % 2 == 0
    fits = (quarter > 0) & (quarter < QUARTERS) & (quarter < high * per_pixel)
    return fits.sum(axis=1)


def scores(
    way: str, truth: Annotations, square: Float[np.ndarray, "n 4"]
) -> dict[str, dict[str, float] | int]:
    """Means of every convention, its rows, and labeled keypoints that are not drawn."""
    objective, whole_pixels = WAYS[way]
    keypoints, drawn = decoded(objective, truth, square)
    if whole_pixels:
        # The original takes centres that count from 1 for centres that count from 0.
        keypoints = np.trunc(keypoints + 1)
    poses = Poses(
        keypoints=keypoints,
        scores=np.ones(keypoints.shape[:3]),
        person_scores=np.ones(keypoints.shape[:2]),
    )
    found: dict[str, dict[str, float] | int] = {
        "not drawn": int((truth.labeled[:, 0] & ~drawn).sum())
    }
    for convention, metric in pckh.CONVENTIONS.items():
        table = metric(poses, truth, MPII)
        rows = {f"Mean@{metric.threshold:g}": table.mean, **table.extra}
        found[convention] = {name: round(value, 2) for name, value in rows.items()}
    return found


def decoded(
    objective: heatmaps.Heatmaps, truth: Annotations, square: Float[np.ndarray, "n 4"]
) -> tuple[Float[np.ndarray, "n 1 k 2"], Bool[np.ndarray, "n k"]]:
    """Keypoints after the way to heatmaps and back, and which of them were drawn."""
    to_canvas = np.stack([geometry.stretch(box, objective.size) for box in square])
    to_source = np.stack([geometry.invert(affine) for affine in to_canvas])
    keypoints = geometry.apply(to_canvas, truth.keypoints[:, 0])[:, None]
    arrays = (
        keypoints.astype(np.float32),
        truth.visibility.astype(np.int32),
        to_source.astype(np.float32),
    )
    parts = [
        _round_trip(objective, *(array[start : start + BATCH] for array in arrays))
        for start in range(0, len(square), BATCH)
    ]
    points, drawn = (np.concatenate(part) for part in zip(*parts, strict=True))
    return points, drawn


@functools.partial(jax.jit, static_argnums=0)
def _round_trip(
    objective: heatmaps.Heatmaps,
    keypoints: Float[Array, "b 1 k 2"],
    visibility: Int[Array, "b 1 k"],
    to_source: Float[Array, "b 2 3"],
) -> tuple[Float[Array, "b 1 k 2"], Bool[Array, "b k"]]:
    n = len(keypoints)
    batch = Batch(
        image=jnp.zeros((n, *objective.size, 3), jnp.uint8),
        keypoints=keypoints,
        visibility=visibility,
        scale=jnp.ones((n, 1)),
        weight=jnp.ones(n),
        mask=jnp.ones((n, *objective.size), jnp.uint8),
        to_source=to_source,
        index=jnp.arange(n),
    )
    targets = objective.targets(batch, jnp.array(0))
    poses = objective.decode(targets.maps[None])
    points = geometry.apply(to_source[:, None], jnp.asarray(poses.keypoints))
    return points, targets.drawn


if __name__ == "__main__":
    main()
