"""A person before a camera: what is drawn, and where the keypoints are."""

import dataclasses

import numpy as np

from . import bodies, cameras, dressing, heads, looks, painting
from .keypoints import HOLDS, KEYPOINTS, PARTS

# Cosine to the viewer of the outward direction of a hip on the far side.
_FAR_SIDE = -0.5
# Cosine to the viewer of the pelvis's front, from the front or from behind.
_FRONTAL = 0.5
# How much nearer to the viewer than the hip a knee is at most, in statures.
_HANGING = 0.12


@dataclasses.dataclass(frozen=True, kw_only=True)
class Figure:
    """One person as the camera sees them.

    Attributes:
        keypoints: (k, 2) in pixels, in the order of KEYPOINTS.
        held: (k, parts) whether a part, where it is on top, shows a keypoint.
        head_box: (4,) x0, y0, x1, y1 of the bald head in pixels.
        layers: from back to front.
    """

    keypoints: np.ndarray
    held: np.ndarray
    head_box: np.ndarray
    layers: list[painting.Layer]

    def paint(self, canvas: painting.Canvas, first: int, step: int) -> None:
        """Draws the person; part p of PARTS claims pixels as number first + step p."""
        for layer in self.layers:
            number = first + step * PARTS.index(layer.part)
            painting.paint(canvas, layer.shape, number)


def figure(body: bodies.Body, look: looks.Look, camera: cameras.Camera) -> Figure:
    """What the camera sees of a person."""
    face = heads.face_points(body)
    points = {name: point for name, (point, _) in face.items()} | body.joints
    head = heads.outline(body, camera)
    dresser = dressing.Dresser(body=body, look=look, camera=camera)
    layers = dresser.layers() + heads.layers(body, look, camera)
    return Figure(
        keypoints=camera.see(np.stack([points[name] for name in KEYPOINTS])),
        held=_held(body, camera),
        head_box=np.concatenate([head.min(axis=0), head.max(axis=0)]),
        layers=sorted(layers, key=lambda layer: layer.depth),
    )


def _held(body: bodies.Body, camera: cameras.Camera) -> np.ndarray:
    """HOLDS from this side: the face not from behind, nor a hip through the pelvis."""
    held = HOLDS.copy()
    for name, (point, normal) in heads.face_points(body).items():
        if not camera.faces(point, normal):
            held[KEYPOINTS.index(name)] = False
    to_left = body.frames["pelvis"][:, 0]
    for name, outward in (("left_hip", to_left), ("right_hip", -to_left)):
        # Hips are within the pelvis: from the front they show, from far aside not.
        if outward[2] < _FAR_SIDE:
            held[KEYPOINTS.index(name), PARTS.index("pelvis")] = False
    if abs(body.frames["pelvis"][2, 2]) > _FRONTAL:
        # Thighs that hang meet before the pelvis, those of the seated stand before it.
        for side in ("left", "right"):
            forward = body.joints[f"{side}_knee"][2] - body.joints[f"{side}_hip"][2]
            part = PARTS.index(f"{side}_thigh")
            held[KEYPOINTS.index("pelvis"), part] = forward < _HANGING
    return held
