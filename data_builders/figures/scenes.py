"""Whole pictures: people in a place, and all that is true of them."""

import dataclasses
from typing import Any

import cv2
import numpy as np

from . import bodies, cameras, figure, looks, painting, places, poses
from .keypoints import KEYPOINTS, PARTS

# Numbers that own pixels: 0 the place, then these; part p of person i owns pixels as
# PERSON + len(PARTS) i + p.
THING, CROWD, PERSON = 1, 2, 3
# In `instances`: people who are not annotated one by one.
_NOT_ANNOTATED = 255
# Pixels between people and the picture's border.
_MARGIN = 4
# Places tried for the people of a picture.
_ATTEMPTS = 30
# Somebody of whom less is in sight, in pixels, is not annotated.
_SMALLEST = 40


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """What the pictures of a data set have in common.

    Attributes:
        sizes: (height, width) in pixels, up to 1024; each picture has one of them.
        people: fewest and most people.
        stature: least and greatest, as a share of the picture's shorter side; people
            who would not fit are made smaller.
        in_sight: that many keypoints of somebody must be in sight, or the same poses
            are drawn elsewhere.
        crowd: chance of a crowd in the background.
        seed: of everything.
    """

    sizes: tuple[tuple[int, int], ...]
    people: tuple[int, int]
    stature: tuple[float, float]
    in_sight: int
    crowd: float
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.sizes or not all(
            32 <= side <= 1024 for side in sum(self.sizes, ())
        ):
            raise ValueError(f"sizes={self.sizes} must have sides of 32 to 1024 pixels")
        if not 1 <= self.people[0] <= self.people[1] <= 100:
            raise ValueError(f"people={self.people} must be 1 to 100, fewest first")
        if not 0 < self.stature[0] <= self.stature[1]:
            raise ValueError(f"stature={self.stature} must be positive, least first")
        if not 0 <= self.crowd <= 1 or self.seed < 0:
            raise ValueError(
                f"crowd={self.crowd} must be a chance in 0..1 and seed={self.seed} not "
                "negative"
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class _People:
    """Those of one picture from the farthest to the nearest."""

    figures: list[figure.Figure]
    log_density: np.ndarray


def record(recipe: Recipe, split: str, number: int) -> dict[str, Any]:
    """Picture `number` of a split, as data_builders/README.md describes records.

    It is the same wherever, whenever and after whatever it is drawn.
    """
    seed = [recipe.seed, *split.encode(), number]
    for attempt in range(1, _ATTEMPTS):
        # Poses stay: they are drawn from their density, whatever hides them.
        pose_rng = np.random.default_rng([*seed, 0])
        made = _draw(recipe, pose_rng, np.random.default_rng([*seed, attempt]))
        in_sight = np.count_nonzero(made["visibility"] == 2, axis=1)
        if max(in_sight, default=0) >= recipe.in_sight:
            return made | {"filename": f"{split}_{number:06d}.jpg"}
    raise ValueError(
        f"picture {number} never has {recipe.in_sight} keypoints of a person in sight; "
        "lower in_sight in its recipe"
    )


def _draw(recipe: Recipe, pose_rng, rng) -> dict[str, Any]:
    size = recipe.sizes[rng.integers(len(recipe.sizes))]
    canvas = places.place(rng, size)
    if rng.uniform() < recipe.crowd:
        _draw_crowd(rng, canvas)
    people = _people(recipe, pose_rng, rng, size)
    for n, person in enumerate(people.figures):
        if rng.uniform() < 0.25:
            places.thing(rng, canvas, THING, rng.uniform(0.1, 0.35))
        person.paint(canvas, PERSON + len(PARTS) * n, 1)
    for _ in range(rng.choice(4, p=[0.45, 0.3, 0.15, 0.1])):
        places.thing(rng, canvas, THING, rng.uniform(0.06, 0.28))
    return {
        "image": places.photograph(rng, canvas.image),
        "height": size[0],
        "width": size[1],
        **annotations(canvas.owner, people.figures, people.log_density),
    }


def _people(recipe: Recipe, pose_rng, rng, size: tuple[int, int]) -> _People:
    low, high = recipe.people
    angles, _ = poses.sample(pose_rng, pose_rng.integers(low, high + 1))
    distance = rng.uniform(2.2, 7.0)
    statures = np.sort(rng.uniform(*recipe.stature, len(angles))) * min(size)
    figures = []
    for pose, stature in zip(angles, statures, strict=True):
        body = bodies.pose(bodies.proportions(rng), pose)
        camera = cameras.Camera(scale=stature, center=np.zeros(2), distance=distance)
        camera = _aim(rng, camera, body, size, alone=len(angles) == 1)
        figures.append(figure.figure(body, looks.random_look(rng), camera))
    return _People(figures=figures, log_density=poses.log_density(angles))


def _aim(rng, camera, body, size: tuple[int, int], *, alone: bool) -> cameras.Camera:
    """Takes a whole person into the picture; one in eight is cut off at a border."""
    seen = camera.see(np.stack(list(body.joints.values())))
    low, high = seen.min(axis=0), seen.max(axis=0)
    room = np.array(size[::-1]) - 2.0 * _MARGIN
    shrink = min(1.0, *(room / np.maximum(high - low, 1.0)))
    low, high = low * shrink, high * shrink
    slack = np.maximum(room - (high - low), 0.0)
    # Who is alone stands near the middle, several stand anywhere.
    where = rng.beta(3, 3, 2) if alone else rng.uniform(0, 1, 2)
    corner = _MARGIN + slack * where
    if rng.uniform() < 0.125:
        axis, outside = rng.integers(2), rng.uniform(0.1, 0.35)
        beyond = outside * (high - low)[axis] + _MARGIN
        far = rng.uniform() < 0.5
        corner[axis] = _MARGIN + (slack[axis] + beyond if far else -beyond)
    return dataclasses.replace(camera, scale=camera.scale * shrink, center=corner - low)


def _draw_crowd(rng, canvas: painting.Canvas) -> None:
    """A row of small people far away, whom nobody annotates."""
    height, width = canvas.owner.shape
    stature = rng.uniform(0.12, 0.22) * min(height, width)
    ground, start = rng.uniform(0.25, 0.6) * height, rng.uniform(0, 0.4) * width
    angles, _ = poses.sample(rng, rng.integers(5, 12))
    for n, pose in enumerate(angles):
        middle = start + 0.35 * stature * n, ground + rng.uniform(-3, 3)
        camera = cameras.Camera(scale=stature, center=np.array(middle), distance=8.0)
        body = bodies.pose(bodies.proportions(rng), pose)
        figure.figure(body, looks.random_look(rng), camera).paint(canvas, CROWD, 0)


def annotations(
    owner: np.ndarray, figures: list[figure.Figure], log_density: np.ndarray
) -> dict[str, Any]:
    """What a record says about the people, given who owns each pixel.

    People of whom next to nothing is in sight are not annotated, and have a box among
    those of crowds.
    """
    whose = (owner.astype(int) - PERSON) // len(PARTS)
    area = np.array([np.count_nonzero(whose == n) for n in range(len(figures))])
    visibility = np.stack([_visibility(f, n, owner) for n, f in enumerate(figures)])
    kept = np.flatnonzero((area >= _SMALLEST) & (visibility == 2).any(axis=1))
    instances = np.where((whose >= 0) | (owner == CROWD), _NOT_ANNOTATED, 0)
    for n, person in enumerate(kept):
        instances[whose == person] = n + 1
    lost = [owner == CROWD] + [whose == n for n in range(len(figures)) if n not in kept]
    crowds = [mask for mask in lost if mask.any()]
    keypoints = np.stack([f.keypoints for f in figures])[kept]
    head_box = np.stack([f.head_box for f in figures])[kept]
    png = cv2.imencode(".png", instances.astype(np.uint8))[1]
    return {
        "keypoints": keypoints.astype(np.float32),
        "visibility": visibility[kept].astype(np.int32),
        "box": _boxes([whose == person for person in kept]),
        "head_box": head_box.astype(np.float32),
        "area": area[kept].astype(np.float32),
        "crowd_box": _boxes(crowds),
        "crowd_area": np.array([np.count_nonzero(c) for c in crowds], np.float32),
        "instances": png.tobytes(),
        "log_density": log_density[kept].astype(np.float32),
    }


def _visibility(person: figure.Figure, n: int, owner: np.ndarray) -> np.ndarray:
    """(k,): 0 outside the picture; 2 if a part that shows it is on top, 1 if not."""
    pixel = np.rint(person.keypoints).astype(int)
    inside = np.all((pixel >= 0) & (pixel < owner.shape[::-1]), axis=-1)
    x, y = np.where(inside[:, None], pixel, 0).T
    part = owner[y, x].astype(int) - PERSON - len(PARTS) * n
    own = (part >= 0) & (part < len(PARTS))
    held = own & person.held[np.arange(len(KEYPOINTS)), np.where(own, part, 0)]
    return np.where(inside, 1 + held, 0)


def _boxes(masks: list[np.ndarray]) -> np.ndarray:
    """(n, 4): x0, y0, x1, y1 around the true pixels of each mask."""
    boxes = np.array([cv2.boundingRect(mask.astype(np.uint8)) for mask in masks])
    boxes = boxes.reshape(-1, 4).astype(np.float32)
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1) - 0.5
