"""Names of keypoints and body parts, and which part holds which keypoint."""

import numpy as np

# COCO's 17 in COCO's order, then what MPII has beyond them.
KEYPOINTS = (
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
    "pelvis",
    "thorax",
    "neck",
    "head_top",
)
FACE = KEYPOINTS[:5]

_LIMB_PARTS = ("upper_arm", "forearm", "hand", "thigh", "shank", "foot")
PARTS = (
    "pelvis",
    "torso",
    "neck",
    "head",
    "hair",
    *(f"left_{part}" for part in _LIMB_PARTS),
    *(f"right_{part}" for part in _LIMB_PARTS),
)

# Where one of its parts is on top, a keypoint is in sight. A part that begins with "_"
# is that of the keypoint's side.
_HOLDERS = {
    "shoulder": ("_upper_arm",),
    "elbow": ("_upper_arm", "_forearm"),
    "wrist": ("_forearm", "_hand"),
    "hip": ("_thigh", "pelvis"),
    "knee": ("_thigh", "_shank"),
    "ankle": ("_shank", "_foot"),
    "pelvis": ("pelvis",),
    "thorax": ("torso", "neck"),
    "neck": ("neck", "head"),
    "head_top": ("head", "hair"),
}


def holders(keypoint: str) -> tuple[str, ...]:
    """The parts that a keypoint lies in."""
    side, _, joint = keypoint.partition("_")
    parts = _HOLDERS.get(joint) or _HOLDERS.get(keypoint) or ("head",)
    return tuple(side + part if part.startswith("_") else part for part in parts)


# (keypoint, part): whether the part holds the keypoint.
HOLDS = np.array([[part in holders(k) for part in PARTS] for k in KEYPOINTS])
