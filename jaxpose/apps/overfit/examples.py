"""Four examples to learn by heart, and what is wrong with the data before any training."""

import itertools

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from jaxpose import draw
from jaxpose.apps import exchanged_pairs
from jaxpose.apps.overfit.goal import Goal, Reached
from jaxpose.loading import Examples
from jaxpose.skeletons import Skeleton
from jaxpose.types import Annotations

COUNT = 4
# Shorter side of a drawn canvas, pixels.
SIDE = 384


def choose(examples: Examples) -> Int[np.ndarray, "e"]:
    """Rows of up to four examples with labels, spread over the data.

    They are of different photographs where there are enough.

    Raises: ValueError if nobody has a labeled keypoint.
    """
    rows = np.flatnonzero(examples.annotations().labeled.any(axis=(1, 2)))
    if not len(rows):
        raise ValueError(
            f"none of the {len(examples)} examples has a labeled keypoint; look at the "
            "visibility that the builder writes, and at the names of its keypoints"
        )
    _, first = np.unique(examples.record[rows], return_index=True)
    if len(first) >= COUNT:
        rows = rows[np.sort(first)]
    return rows[np.unique(np.linspace(0, len(rows) - 1, COUNT).round().astype(int))]


def doubts(goal: Goal, everybody: Annotations) -> list[str]:
    """What looks wrong in the four examples and in all annotations, in sentences."""
    k = len(goal.skeleton.keypoints)
    return [
        *_alike(goal),
        *_outside(goal),
        *_empty(goal),
        *_never_labeled(everybody, goal.skeleton),
        *_flip_names(goal.skeleton),
        *exchanged_pairs.find(
            everybody.keypoints[..., 0].reshape(-1, k),
            everybody.labeled.reshape(-1, k),
            goal.skeleton.keypoints,
            goal.skeleton.flip,
        ),
    ]


def truth_picture(goal: Goal) -> UInt8[np.ndarray, "H W 3"]:
    """The canvases as the network sees them, with the truth on them."""
    tiles = [
        draw.caption(_tile(goal, row, goal.keypoints[row]), name)
        for row, name in enumerate(goal.names)
    ]
    return draw.contact_sheet(tiles, columns=2)


def prediction_picture(goal: Goal, reached: Reached) -> UInt8[np.ndarray, "H W 3"]:
    """Truth beside the prediction of every labeled keypoint, whether right or not."""
    tiles = []
    for row, name in enumerate(goal.names):
        pair = draw.side_by_side(
            _tile(goal, row, goal.keypoints[row]),
            _tile(goal, row, reached.keypoints[row]),
        )
        asked, wrong = goal.asked[row].sum(), reached.wrong[row].sum()
        tiles.append(draw.caption(pair, f"{asked - wrong} of {asked} right: {name}"))
    return draw.contact_sheet(tiles, columns=2)


def _tile(
    goal: Goal, row: int, keypoints: Float[np.ndarray, "p k 2"]
) -> UInt8[np.ndarray, "h w 3"]:
    # Hidden keypoints are rings in the prediction too, which makes comparing easier.
    seen = goal.visibility[row]
    return draw.draw_people(goal.image[row], keypoints, seen, goal.skeleton, side=SIDE)


def _alike(goal: Goal) -> list[str]:
    """Pairs of examples that are one picture, or one annotation."""
    found = []
    for a, b in itertools.combinations(range(len(goal.names)), 2):
        pair = f"{goal.names[a]} and {goal.names[b]}"
        same_picture = np.array_equal(goal.image[a], goal.image[b])
        same_truth = np.array_equal(goal.keypoints[a], goal.keypoints[b])
        if same_picture and same_truth:
            found.append(f"{pair} are the same example")
        elif same_picture:
            found.append(
                f"{pair} are the same canvas with different keypoints: no network can "
                "learn both; look at the boxes, or at the order of the annotations"
            )
        elif same_truth:
            found.append(
                f"{pair} have the same keypoints on different canvases; look at the "
                "order of the annotations"
            )
    return found


def _off_canvas(goal: Goal) -> Bool[np.ndarray, "e p k"]:
    """Labeled keypoints off the canvas."""
    height, width = goal.image.shape[1:3]
    end = np.array([width, height]) - 0.5
    inside = (goal.keypoints > -0.5) & (goal.keypoints < end)
    return goal.labeled & ~inside.all(axis=-1)


def _outside(goal: Goal) -> list[str]:
    found = []
    for row, (name, off) in enumerate(zip(goal.names, _off_canvas(goal), strict=True)):
        points = [
            f"{goal.skeleton.keypoints[k]} at ({x:.0f}, {y:.0f})"
            for k, (x, y) in zip(np.nonzero(off)[1], goal.keypoints[row][off])
        ]
        if points:
            height, width = goal.image.shape[1:3]
            more = f" and {len(points) - 3} more" if len(points) > 3 else ""
            found.append(
                f"{name}: outside its canvas of {width} x {height} px: "
                f"{', '.join(points[:3])}{more}"
            )
    if _off_canvas(goal).sum() > goal.labeled.sum() / 2:
        found.append("most keypoints are outside; look at the boxes, and x before y")
    return found


def _empty(goal: Goal) -> list[str]:
    """Canvases without a picture, and people without an extent."""
    found = []
    many = goal.labeled.sum(axis=2) > 1
    flat = (many & (goal.sizes() == 0)).any(axis=1)
    for name, image, one_point in zip(goal.names, goal.image, flat, strict=True):
        if np.ptp(image, axis=(0, 1)).max() == 0:
            found.append(f"{name}: the canvas is of one colour; look at the boxes")
        if one_point:
            found.append(f"{name}: all keypoints of a person are in one place")
    return found


def _never_labeled(everybody: Annotations, skeleton: Skeleton) -> list[str]:
    count = everybody.labeled.sum(axis=(0, 1))
    names = ", ".join(skeleton.keypoints[k] for k in np.flatnonzero(count == 0))
    examples = len(everybody.keypoints)
    reason = "the data set lacks them, or calls them otherwise"
    return [f"never labeled in {examples} examples: {names}; {reason}"] if names else []


def _flip_names(skeleton: Skeleton) -> list[str]:
    """Pairs that a mirror exchanges and whose names do not say so."""
    other = {"left": "right", "right": "left"}
    found = []
    for name, flipped in zip(skeleton.keypoints, skeleton.flip, strict=True):
        expected = "_".join(other.get(part, part) for part in name.split("_"))
        if expected in skeleton.keypoints and expected != skeleton.keypoints[flipped]:
            found.append(
                f"{skeleton.name}.flip turns {name} into {skeleton.keypoints[flipped]}, "
                f"not into {expected}"
            )
    return found
