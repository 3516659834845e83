"""Heads: an egg with a face in front and hair on top and behind."""

import numpy as np

from . import bodies, cameras, looks, painting

# Half axes to the own left, up and front, as shares of the head's height.
_HALF_AXES = np.array([0.36, 0.5, 0.42])
# Where features are, as shares of the half axes, and which way they look: ears stand
# off, and are seen from the front too.
_FEATURES = {
    "nose": ((0.0, -0.08, 1.0), (0.0, -0.08, 1.0)),
    "left_eye": ((0.38, 0.18, 0.88), (0.38, 0.18, 0.88)),
    "right_eye": ((-0.38, 0.18, 0.88), (-0.38, 0.18, 0.88)),
    "left_ear": ((0.98, 0.02, -0.05), (0.9, 0.0, 0.45)),
    "right_ear": ((-0.98, 0.02, -0.05), (-0.9, 0.0, 0.45)),
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


def place(body: bodies.Body, shares: np.ndarray) -> np.ndarray:
    """Positions (..., 3) of points given as shares of the half axes."""
    axes = body.proportions.length["head"] * _HALF_AXES
    return body.joints["head"] + (shares * axes) @ body.frames["head"].T


def _outward(body: bodies.Body, shares: np.ndarray) -> np.ndarray:
    """Normals (..., 3) of the egg there."""
    return (shares / _HALF_AXES) @ body.frames["head"].T


def face_points(body: bodies.Body) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Name -> position and normal (3,) of nose, eyes and ears."""
    return {
        name: (place(body, np.array(there)), _outward(body, np.array(way)))
        for name, (there, way) in _FEATURES.items()
    }


def outline(body: bodies.Body, camera: cameras.Camera) -> np.ndarray:
    """Pixels (n, 2) whose convex hull is the bald head."""
    return camera.see(place(body, _GLOBE))


def layers(
    body: bodies.Body, look: looks.Look, camera: cameras.Camera
) -> list[painting.Layer]:
    """Head, hair and face, with their depths.

    Hair is painted all over the head, and the face over the hair: seen from any side
    the face is convex, and the hair is not.
    """
    depth = body.joints["head"][2] + 0.02
    bald = look.hair_line >= 1
    skull = _egg(body, camera, _GLOBE, look.skin)
    found = [painting.Layer(depth, "head", skull)]
    if not bald:
        scalp = _egg(body, camera, 1.05 * _GLOBE, look.hair)
        found.append(painting.Layer(depth + 1e-4, "hair", scalp))
        found += _skin(body, look, camera, depth + 2e-4)
    if look.long_hair and not bald:
        found.append(_mane(body, look, camera))
    return found + _face(body, look, camera, depth + 3e-4)


def _skin(body, look, camera, depth: float) -> list[painting.Layer]:
    """What hair leaves free of the head, as far as it faces the camera."""
    free = 0.75 * _GLOBE[:, 1] - 0.65 * _GLOBE[:, 2] <= look.hair_line
    free &= camera.faces(place(body, _GLOBE), _outward(body, _GLOBE))
    if np.count_nonzero(free) < 3:
        return []
    return [painting.Layer(depth, "head", _egg(body, camera, _GLOBE[free], look.skin))]


def _egg(body, camera, globe: np.ndarray, texture: np.ndarray) -> painting.Shape:
    return painting.Shape(
        outline=camera.see(place(body, globe)),
        start=camera.see(body.joints["head_top"]),
        end=camera.see(body.joints["neck"]),
        width=0.8 * body.proportions.length["head"] * camera.scale,
        texture=texture,
    )


def _face(body, look, camera, depth: float) -> list[painting.Layer]:
    """What of eyes, nose, ears and mouth faces the camera, as discs.

    Long hair falls over the ears.
    """
    covered = look.long_hair and look.hair_line < 1
    part, radius, ear = ("hair", 0.14, look.hair) if covered else ("head", 0.09, look.skin // 5 * 4)  # fmt: skip
    discs = (
        ("left_eye", "head", 0.075, _WHITE),
        ("right_eye", "head", 0.075, _WHITE),
        ("left_eye", "head", 0.045, _DARK),
        ("right_eye", "head", 0.045, _DARK),
        ("nose", "head", 0.07, look.skin // 4 * 3),
        ("left_ear", part, radius, ear),
        ("right_ear", part, radius, ear),
    )
    size, points = body.proportions.length["head"] * camera.scale, face_points(body)
    found = []
    for name, holder, radius, texture in discs:
        point, normal = points[name]
        if camera.faces(point, normal):
            radii = np.full(1, radius * size)
            disc = painting.limb(camera.see(point)[None], radii, texture)
            found.append(painting.Layer(depth, holder, disc))
    corners = _MOUTH + np.array([[-0.28, 0, 0], [0.28, 0, 0]])
    ends = place(body, corners)
    if camera.faces(ends, _outward(body, corners)).all():
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
    # Well behind the head or well before it, never between its skin and its face.
    return painting.Layer(middle[2] - 0.3 * size * frame[2, 2], "hair", shape)
