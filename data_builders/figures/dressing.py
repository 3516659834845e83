"""Trunks and limbs in clothes: the shapes that are drawn of one person."""

import dataclasses

import numpy as np

from . import bodies, cameras, looks, painting

# Trunks are flat: front to back as a share of left to right.
_FLATNESS = 0.62
_TURN = np.linspace(0, 2 * np.pi, 16, endpoint=False)
_RING = np.stack([np.cos(_TURN), _FLATNESS * np.sin(_TURN)], axis=-1)
# Arms hang beside the trunk, and are drawn over it, in statures towards the viewer.
_ARM_NEARER = 0.035


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dresser:
    """Makes the layers of one person before one camera; `heads` makes the head's."""

    body: bodies.Body
    look: looks.Look
    camera: cameras.Camera

    def layers(self) -> list[painting.Layer]:
        found = self._trunk()
        for side in ("left", "right"):
            found += self._arm(side) + self._leg(side)
        return found

    def _trunk(self) -> list[painting.Layer]:
        """Pelvis, torso and neck, as hulls of rings along the spine."""
        joints, radius = self.body.joints, self.body.proportions.radius
        pelvis, chest = self.body.frames["pelvis"], self.body.frames["chest"]
        shoulders = (joints["left_shoulder"] + joints["right_shoulder"]) / 2
        ribs = joints["waist"] + 0.6 * (shoulders - joints["waist"])
        up = pelvis[:, 1]
        waist = _ring(joints["waist"], radius["waist"], chest)
        hips = [
            _ring(joints["pelvis"] - 0.05 * up, radius["pelvis"], pelvis),
            _ring(joints["pelvis"] + 0.04 * up, radius["pelvis"], pelvis),
            waist,
        ]
        if self.look.skirt:
            hips.append(self._hem())
        torso = [
            waist,
            _ring(ribs, radius["chest"], chest),
            _ring(shoulders, 0.85 * radius["chest"], chest),
            _ring(joints["thorax"], 0.5 * radius["chest"], chest),
        ]
        neck = self._tube("thorax", "neck", 1.25 * radius["neck"], radius["neck"])
        return [
            self._hull("pelvis", hips, ("waist", "pelvis"), self.look.trousers, 0.005),
            self._hull("torso", torso, ("thorax", "waist"), self.look.shirt, 0.01),
            painting.Layer(
                (joints["thorax"][2] + joints["neck"][2]) / 2,
                "neck",
                neck(1.0, self.look.skin),
            ),
        ]

    def _hem(self) -> np.ndarray:
        """Of a skirt, round both thighs above the knees."""
        joints, radius = self.body.joints, 1.3 * self.body.proportions.radius["knee"]
        rings = []
        for side in ("left", "right"):
            hip, knee = joints[f"{side}_hip"], joints[f"{side}_knee"]
            place = hip + 0.7 * (knee - hip)
            rings.append(_ring(place, radius, self.body.frames["pelvis"]))
        return np.concatenate(rings)

    def _hull(self, part, rings, axis, texture, nearer: float) -> painting.Layer:
        """A part around rings of points (n, 3)."""
        first, last = (self.body.joints[name] for name in axis)
        seen = self.camera.see(np.concatenate(rings))
        start, end = self.camera.see(first), self.camera.see(last)
        along = (end - start) / max(float(np.hypot(*(end - start))), 1e-6)
        across = (seen - start) @ np.array([along[1], -along[0]])
        shape = painting.Shape(
            outline=seen,
            start=start,
            end=end,
            width=float(np.ptp(across)),
            texture=texture,
        )
        return painting.Layer((first[2] + last[2]) / 2 + nearer, part, shape)

    def _arm(self, side: str) -> list[painting.Layer]:
        radius, look = self.body.proportions.radius, self.look
        upper, lower, hand = (
            self._tube(f"{side}_{a}", f"{side}_{b}", radius[a], radius[b])
            for a, b in (("shoulder", "elbow"), ("elbow", "wrist"), ("wrist", "hand"))
        )
        bones = (
            ("upper_arm", "shoulder", "elbow", upper, look.sleeve),
            ("forearm", "elbow", "wrist", lower, look.sleeve - 1),
            ("hand", "wrist", "hand", hand, 0.0),
        )
        return [
            layer
            for part, a, b, tube, worn in bones
            for layer in self._clothed(
                f"{side}_{part}",
                self._depth(side, a, b) + _ARM_NEARER,
                tube,
                worn,
                look.shirt,
            )
        ]

    def _leg(self, side: str) -> list[painting.Layer]:
        radius, look = self.body.proportions.radius, self.look
        thigh = self._tube(f"{side}_hip", f"{side}_knee", radius["hip"], radius["knee"])
        shank = self._tube(
            f"{side}_knee", f"{side}_ankle", radius["calf"], radius["ankle"]
        )
        foot = self._tube(
            f"{side}_ankle", f"{side}_toes", radius["foot"], radius["foot"]
        )
        leg = 0.0 if look.skirt else look.leg
        shoe = painting.Layer(
            self._depth(side, "ankle", "toes"), f"{side}_foot", foot(1.0, look.shoes)
        )
        bones = (
            ("thigh", "hip", "knee", thigh, leg),
            ("shank", "knee", "ankle", shank, leg - 1),
        )
        return [shoe] + [
            layer
            for part, a, b, tube, worn in bones
            for layer in self._clothed(
                f"{side}_{part}", self._depth(side, a, b), tube, worn, look.trousers
            )
        ]

    def _depth(self, side: str, first: str, last: str) -> float:
        joints = self.body.joints
        return (joints[f"{side}_{first}"][2] + joints[f"{side}_{last}"][2]) / 2

    def _clothed(
        self, part: str, depth: float, tube: "_Tube", worn: float, cloth: np.ndarray
    ) -> list[painting.Layer]:
        """A limb's skin, and over it cloth for a share `worn` of its length."""
        found = []
        if worn < 1:
            found.append(painting.Layer(depth, part, tube(1.0, self.look.skin)))
        if worn > 0:
            sleeve = tube(min(worn, 1.0), cloth, self.look.looseness)
            found.append(painting.Layer(depth + 1e-4, part, sleeve))
        return found

    def _tube(self, first: str, last: str, start: float, end: float) -> "_Tube":
        joints = self.body.joints
        return _Tube(self.camera, joints[first], joints[last], start, end)


@dataclasses.dataclass(frozen=True)
class _Tube:
    """A limb between two joints (3,), with its radii there in statures."""

    camera: cameras.Camera
    first: np.ndarray
    last: np.ndarray
    start: float
    end: float

    def __call__(
        self, share: float, texture: np.ndarray, looseness: float = 1.0
    ) -> painting.Shape:
        """Its first `share`; flesh is thickest a third of the way down."""
        along = np.array([0.0, min(0.35, share), share])
        radii = self.start + along * (self.end - self.start)
        radii = radii * np.array([1.0, 1.05, 1.0]) * looseness
        places = self.first + along[:, None] * (self.last - self.first)
        return painting.limb(
            self.camera.see(places), radii * self.camera.magnify(places), texture
        )


def _ring(center: np.ndarray, radius: float, frame: np.ndarray) -> np.ndarray:
    """Points (16, 3) round the trunk."""
    return center + radius * _RING @ frame[:, [0, 2]].T
