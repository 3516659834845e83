"""Heads: an egg with a face in front and hair on top and behind."""

import numpy as np

from . import bodies, cameras, looks, painting

# Half axes to the own left, up and front, as shares of the head's height.
_HALF_AXES = np.array([0.36, 0.5, 0.42])
# Where features are, as shares of the half axes.
_PLACES = {
    "nose": np.array([0.0, -0.08, 1.0]),
    "left_eye": np.array([0.38, 0.18, 0.88]),
    "right_eye": np.array([-0.38, 0.18, 0.88]),
    "left_ear": np.array([0.98, 0.02, -0.05]),
    "right_ear": np.array([-0.98, 0.02, -0.05]),
}
_MOUTH = np.array([0.0, -0.45, 0.86])


def _globe(n: int) -> np.ndarray:
    """Points spread evenly over the unit sphere, on a golden spiral."""
    height = 1 - (2 * np.arange(n) + 1) / n
    angle = np.pi * (1 + 5**0.5) * np.arange(n)
    ring = np.sqrt(1 - height**2)
    return np.stack([ring * np.cos(angle), height, ring * np.sin(angle)], axis=-1)


_GLOBE = _globe(120)
_WHITE, _DARK, _LIPS = (looks.flat(color) for color in ((235,) * 3, (30,) * 3, (70, 60, 140)))  # fmt: skip


def place(body: bodies.Body, feature: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Position (..., 3) and normal of points given as shares of the half axes."""
    axes = body.proportions.length["head"] * _HALF_AXES
    turn = body.frames["head"].T
    return body.joints["head"] + (feature * axes) @ turn, (feature / axes) @ turn


def face_points(body: bodies.Body) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Name -> position and normal (3,) of nose, eyes and ears."""
    return {name: place(body, feature) for name, feature in _PLACES.items()}


def outline(body: bodies.Body, camera: cameras.Camera) -> np.ndarray:
    """Pixels (n, 2) whose convex hull is the bald head."""
    return camera.see(place(body, _GLOBE)[0])


def layers(
    body: bodies.Body, look: looks.Look, camera: cameras.Camera
) -> list[painting.Layer]:
    """Head, face and hair, with their depths."""
    depth = body.joints["head"][2] + 0.02
    found = [painting.Layer(depth, "head", _egg(body, camera, _GLOBE, look.skin))]
    found += _face(body, look, camera, depth + 1e-4)
    points, normals = place(body, _GLOBE)
    hairy = 0.75 * _GLOBE[:, 1] - 0.65 * _GLOBE[:, 2] > look.hair_line
    hairy &= camera.faces(points, normals + 0.2 * np.linalg.norm(normals, axis=-1, keepdims=True))  # fmt: skip
    if np.count_nonzero(hairy) >= 3:
        cap = _egg(body, camera, 1.06 * _GLOBE[hairy], look.hair)
        found.append(painting.Layer(depth + 2e-4, "head", cap))
    if look.long_hair and look.hair_line < 0.5:
        found.append(_mane(body, look, camera))
    return found


def _egg(body, camera, globe: np.ndarray, texture: np.ndarray) -> painting.Shape:
    return painting.Shape(
        outline=camera.see(place(body, globe)[0]),
        start=camera.see(body.joints["head_top"]),
        end=camera.see(body.joints["neck"]),
        width=0.8 * body.proportions.length["head"] * camera.scale,
        texture=texture,
    )


def _face(body, look, camera, depth: float) -> list[painting.Layer]:
    """What of eyes, nose, ears and mouth faces the camera, as discs."""
    size = body.proportions.length["head"] * camera.scale
    discs = (
        ("left_eye", 0.075, _WHITE),
        ("right_eye", 0.075, _WHITE),
        ("left_eye", 0.045, _DARK),
        ("right_eye", 0.045, _DARK),
        ("nose", 0.07, look.skin // 4 * 3),
        ("left_ear", 0.09, look.skin // 5 * 4),
        ("right_ear", 0.09, look.skin // 5 * 4),
    )
    points = face_points(body)
    found = []
    for name, radius, texture in discs:
        point, normal = points[name]
        if camera.faces(point, normal):
            disc = painting.limb(camera.see(point)[None], np.full(1, radius * size), texture)  # fmt: skip
            found.append(painting.Layer(depth, "head", disc))
    corners = _MOUTH + np.array([[-0.28, 0, 0], [0.28, 0, 0]])
    ends, normals = place(body, corners)
    if camera.faces(ends, normals).all():
        mouth = painting.limb(camera.see(ends), np.full(2, 0.025 * size), _LIPS)
        found.append(painting.Layer(depth, "head", mouth))
    return found


def _mane(body, look, camera) -> painting.Layer:
    """Hair down the neck: behind the head, or before it from the back."""
    size = body.proportions.length["head"]
    frame, middle = body.frames["head"], body.joints["head"]
    back = middle - 0.3 * size * frame[:, 2]
    ends = back + np.array([[0.1], [-0.75]]) * size * frame[:, 1]
    radii = np.array([0.4, 0.3]) * size * camera.magnify(ends)
    shape = painting.limb(camera.see(ends), radii, look.hair)
    return painting.Layer(middle[2] - 0.3 * size * frame[2, 2], "head", shape)
