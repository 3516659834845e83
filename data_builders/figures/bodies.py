"""From angles and proportions to joints in space.

Lengths are in statures: a person upright is about 1 tall. Axes are x to the viewer's
right, y up and z towards the viewer; at yaw 0 a person faces the viewer, so that their
left is at +x. The pelvis is the origin.
"""

import dataclasses

import numpy as np

from . import poses

# Mean lengths in statures, and how much they vary from person to person (log scale).
# Of adults: after the segment lengths of Drillis and Contini 1966, rounded.
_LENGTHS = {
    "torso": 0.285,
    "neck": 0.055,
    "head": 0.13,
    "shoulders": 0.118,
    "hips": 0.055,
    "upper_arm": 0.172,
    "forearm": 0.150,
    "hand": 0.085,
    "thigh": 0.240,
    "shank": 0.235,
    "foot": 0.13,
}
_LENGTH_SPREAD = 0.05
# Radii in statures, before the build, which varies more than the bones do.
_RADII = {
    "chest": 0.105,
    "waist": 0.085,
    "pelvis": 0.098,
    "neck": 0.033,
    "shoulder": 0.036,
    "elbow": 0.026,
    "wrist": 0.018,
    "hand": 0.026,
    "hip": 0.052,
    "knee": 0.036,
    "calf": 0.038,
    "ankle": 0.023,
    "foot": 0.024,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Proportions:
    """Lengths of the bones and radii of the flesh of one person, in statures."""

    length: dict[str, float]
    radius: dict[str, float]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Body:
    """One person in space.

    Attributes:
        joints: name -> (3,) position. Beside the keypoints' names of limbs there are
            `hand` and `toes` of each side, `waist` and `head`, the middle of the head.
        frames: `pelvis`, `chest`, `head` -> (3, 3), columns to the own left, up, front.
    """

    proportions: Proportions
    joints: dict[str, np.ndarray]
    frames: dict[str, np.ndarray]


def proportions(rng: np.random.Generator) -> Proportions:
    """Of a random person: tall or short of limb, slim or heavy, one in seven a child."""

    def vary(names: dict[str, float], spread: float) -> dict[str, float]:
        factors = np.exp(rng.normal(0, spread, len(names)))
        return {k: v * f for (k, v), f in zip(names.items(), factors, strict=True)}

    build = float(np.exp(rng.normal(0.02, 0.13)))
    length, radius = vary(_LENGTHS, _LENGTH_SPREAD), vary(_RADII, 0.05)
    radius = {k: v * (build if k != "hand" else 1.0) for k, v in radius.items()}
    # A wide chest needs wide shoulders, or the arms would be drawn inside it.
    length["shoulders"] *= 1 + 0.5 * (build - 1)
    if rng.uniform() < 0.15:
        length["head"] *= 1.35
        length["thigh"] *= 0.9
        length["shank"] *= 0.9
    return Proportions(length=length, radius=radius)


def pose(shape: Proportions, angles: np.ndarray) -> Body:
    """Puts a person into a pose, angles (a,) in degrees in the order of poses.ANGLES."""
    angle = dict(zip(poses.ANGLES, np.deg2rad(angles), strict=True))
    size = shape.length
    pelvis = _about_z(angle["roll"]) @ _about_x(angle["pitch"]) @ _about_y(angle["yaw"])
    # Half of the spine's bend is below the waist, half above.
    bend, lean = angle["spine_bend"] / 2, -angle["spine_lean"] / 2
    lower = pelvis @ _about_z(lean) @ _about_x(bend)
    chest = lower @ _about_z(lean) @ _about_x(bend) @ _about_y(angle["spine_twist"])
    head = (
        chest
        @ _about_y(angle["head_turn"])
        @ _about_z(-angle["head_tilt"])
        @ _about_x(angle["head_nod"])
    )
    joints = {"pelvis": np.zeros(3)}
    joints["waist"] = 0.42 * size["torso"] * lower[:, 1]
    joints["thorax"] = joints["waist"] + 0.58 * size["torso"] * chest[:, 1]
    joints["neck"] = joints["thorax"] + size["neck"] * (chest + head)[:, 1] / 2
    joints["head"] = joints["neck"] + 0.45 * size["head"] * head[:, 1]
    joints["head_top"] = joints["neck"] + 0.95 * size["head"] * head[:, 1]
    for side, sign in (("left", 1.0), ("right", -1.0)):
        joints |= _arm(joints["thorax"], chest, angle, size, side, sign)
        joints |= _leg(pelvis, angle, size, side, sign)
    frames = {"pelvis": pelvis, "chest": chest, "head": head}
    return Body(proportions=shape, joints=joints, frames=frames)


def _arm(thorax, chest, angle, size, side: str, sign: float) -> dict[str, np.ndarray]:
    raised = angle[f"{side}_shoulder_raise"]
    spread = sign * angle[f"{side}_shoulder_spread"]
    upper = chest @ _about_z(spread) @ _about_x(-raised)
    upper = upper @ _about_y(sign * angle[f"{side}_shoulder_roll"])
    lower = upper @ _about_x(-angle[f"{side}_elbow_bend"])
    # A raised arm takes its shoulder along.
    lift = 0.12 * max(np.sin(max(abs(spread), raised) - np.pi / 2), 0.0)
    shoulder = thorax + size["shoulders"] * (
        sign * chest[:, 0] + (lift - 0.12) * chest[:, 1]
    )
    elbow = shoulder - size["upper_arm"] * upper[:, 1]
    wrist = elbow - size["forearm"] * lower[:, 1]
    hand = wrist - size["hand"] * lower[:, 1]
    names = ("shoulder", "elbow", "wrist", "hand")
    values = (shoulder, elbow, wrist, hand)
    return {f"{side}_{k}": v for k, v in zip(names, values, strict=True)}


def _leg(pelvis, angle, size, side: str, sign: float) -> dict[str, np.ndarray]:
    upper = pelvis @ _about_z(sign * angle[f"{side}_hip_spread"])
    upper = upper @ _about_x(-angle[f"{side}_hip_raise"])
    upper = upper @ _about_y(sign * angle[f"{side}_hip_roll"])
    lower = upper @ _about_x(angle[f"{side}_knee_bend"])
    sole = lower @ _about_x(angle[f"{side}_ankle_point"])
    hip = sign * size["hips"] * pelvis[:, 0]
    knee = hip - size["thigh"] * upper[:, 1]
    ankle = knee - size["shank"] * lower[:, 1]
    toes = ankle + size["foot"] * (0.85 * sole[:, 2] - 0.25 * sole[:, 1])
    names = ("hip", "knee", "ankle", "toes")
    return {
        f"{side}_{k}": v for k, v in zip(names, (hip, knee, ankle, toes), strict=True)
    }


def _about_x(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def _about_y(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def _about_z(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
