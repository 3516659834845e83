"""Cluttered places to stand in, and things to stand behind."""

import cv2
import numpy as np

from . import looks, painting


def place(rng: np.random.Generator, size: tuple[int, int]) -> painting.Canvas:
    """An empty place of (height, width): two colours and clouds, shapes, often blur."""
    height, width = size
    far, near = looks.color(rng), looks.color(rng)
    above = np.arange(height)[:, None, None] < rng.uniform(0.2, 0.9) * height
    colors = np.where(above, far, near) * np.ones((1, width, 1))
    colors = colors + sum(_cloud(rng, cells, size) for cells in (4, 16, 64))
    image = np.clip(colors, 0, 255).astype(np.uint8)
    for _ in range(rng.integers(4, 28)):
        _clutter(rng, image)
    blur = rng.uniform(0, 2.5)
    if blur > 0.4:
        cv2.GaussianBlur(image, (0, 0), blur, dst=image)
    light = rng.uniform((-1.0, -1.0, 0.2), (1.0, 0.2, 1.0))
    return painting.Canvas(
        image=image,
        owner=np.zeros(size, np.uint16),
        light=painting.Light(
            direction=light / np.linalg.norm(light), ambient=rng.uniform(0.3, 0.7)
        ),
    )


def _cloud(rng, cells: int, size: tuple[int, int]) -> np.ndarray:
    """Smooth noise, brightness more than colour."""
    grey = rng.standard_normal((cells, cells, 1)) * rng.uniform(2, 22)
    tint = rng.standard_normal((cells, cells, 3)) * rng.uniform(0, 7)
    noise = (grey + tint).astype(np.float32)
    return cv2.resize(noise, size[::-1], interpolation=cv2.INTER_LINEAR)


def _clutter(rng: np.random.Generator, image: np.ndarray) -> None:
    """One flat shape: a board, a ball, a wire or a stick as thick as an arm."""
    size = np.array(image.shape[1::-1])
    color = looks.color(rng).tolist()
    center = rng.uniform(0, size)
    extent = size.min() * rng.uniform(0.03, 0.3)
    kind = rng.choice(["board", "ball", "wire", "stick"])
    if kind == "board":
        corners = center + rng.uniform(-extent, extent, (4, 2))
        hull = cv2.convexHull(corners.astype(np.int32))
        cv2.fillConvexPoly(image, hull, color, cv2.LINE_AA)
    elif kind == "ball":
        axes = extent * rng.uniform(0.3, 1, 2)
        box = center.tolist(), (2 * axes).tolist(), rng.uniform(0, 180)
        cv2.ellipse(image, box, color, cv2.FILLED, cv2.LINE_AA)
    else:
        angle = rng.uniform(0, 2 * np.pi)
        end = center + 3 * extent * np.array([np.cos(angle), np.sin(angle)])
        thickness = 1 if kind == "wire" else max(round(extent / 3), 2)
        first, last = np.rint([center, end]).astype(int).tolist()
        cv2.line(image, first, last, color, thickness, cv2.LINE_AA)


def thing(
    rng: np.random.Generator, canvas: painting.Canvas, number: int, share: float
) -> None:
    """Draws a textured pole or board of about `share` of the picture somewhere."""
    size = np.array(canvas.owner.shape[::-1])
    center, extent = rng.uniform(0, size), share * size
    texture = looks.cloth(rng)
    if rng.uniform() < 0.5:
        angle = rng.uniform(0, np.pi)
        half = np.array([np.cos(angle), np.sin(angle)]) * extent * rng.uniform(0.3, 2.5)
        radius = np.full(2, extent.min() * rng.uniform(0.1, 0.5))
        shape = painting.limb(np.stack([center - half, center + half]), radius, texture)
    else:
        half = np.array([0.0, extent[1]])
        shape = painting.Shape(
            outline=center + rng.uniform(-0.8, 0.8, (6, 2)) * extent,
            start=center - half,
            end=center + half,
            width=float(extent[0]),
            texture=texture,
        )
    painting.paint(canvas, shape, number)


_NOISE_SIDE = 1024
_NOISE = np.random.default_rng(0).standard_normal(
    (_NOISE_SIDE, _NOISE_SIDE, 3), np.float32
)


def photograph(rng: np.random.Generator, image: np.ndarray) -> bytes:
    """JPEG bytes of a picture after blur, exposure, tint and noise of a camera."""
    kind = rng.uniform()
    if kind < 0.35:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.3))
    elif kind < 0.45:
        # Of odd length, so that the picture stays where its keypoints are.
        shake = np.eye(int(rng.choice([3, 5])), dtype=np.float32)
        shake = shake if rng.uniform() < 0.5 else shake[::-1]
        image = cv2.filter2D(image, -1, shake / len(shake))
    gain = rng.uniform(0.7, 1.25) * rng.uniform(0.93, 1.07, 3)
    height, width = image.shape[:2]
    top, left = rng.integers(0, (_NOISE_SIDE - height + 1, _NOISE_SIDE - width + 1))
    noise = _NOISE[top : top + height, left : left + width] * rng.uniform(1, 9)
    image = np.clip(image * gain.astype(np.float32) + noise, 0, 255).astype(np.uint8)
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(45, 96))]
    return cv2.imencode(".jpg", image, quality)[1].tobytes()
