"""Keypoint sets: names, mirror images and limbs."""

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class Skeleton:
    """A keypoint set; frozen data.

    Attributes:
        name: the data set that defined it.
        keypoints: names in storage order; left and right are the person's own.
        flip: `flip[k]` is the keypoint that k becomes in a mirrored image.
        limbs: (parent, child) pairs of keypoint numbers, for drawing.
        sigmas: fall-off of object keypoint similarity; empty where undefined.
    """

    name: str
    keypoints: tuple[str, ...]
    flip: tuple[int, ...]
    limbs: tuple[tuple[int, int], ...]
    sigmas: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        k = len(self.keypoints)
        if len(set(self.keypoints)) != k:
            raise ValueError(f"{self.name}: keypoint names repeat: {self.keypoints}")
        if sorted(self.flip) != list(range(k)) or any(
            self.flip[self.flip[i]] != i for i in range(k)
        ):
            raise ValueError(
                f"{self.name}: flip={self.flip} is not a permutation of {k} keypoints "
                "that undoes itself; pair each left keypoint with its right one"
            )
        if any(not 0 <= end < k for limb in self.limbs for end in limb):
            raise ValueError(
                f"{self.name}: a limb leaves the {k} keypoints: {self.limbs}"
            )

    def index(self, keypoint: str) -> int:
        """Number of a keypoint by name; ValueError with the known names otherwise."""
        if keypoint not in self.keypoints:
            raise ValueError(
                f"{self.name} has no keypoint {keypoint!r}; it has {self.keypoints}"
            )
        return self.keypoints.index(keypoint)


LSP = Skeleton(
    name="LSP",
    keypoints=(
        "right_ankle",
        "right_knee",
        "right_hip",
        "left_hip",
        "left_knee",
        "left_ankle",
        "right_wrist",
        "right_elbow",
        "right_shoulder",
        "left_shoulder",
        "left_elbow",
        "left_wrist",
        "neck",
        "head_top",
    ),
    flip=(5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6, 12, 13),
    limbs=(
        (1, 0),
        (2, 1),
        (2, 3),
        (3, 4),
        (4, 5),
        (7, 6),
        (8, 7),
        (9, 10),
        (10, 11),
        (12, 8),
        (12, 9),
        (12, 13),
    ),
)

# The "upper neck" of the data set is LSP's neck, so that both mix by name.
MPII = Skeleton(
    name="MPII",
    keypoints=(
        "right_ankle",
        "right_knee",
        "right_hip",
        "left_hip",
        "left_knee",
        "left_ankle",
        "pelvis",
        "thorax",
        "neck",
        "head_top",
        "right_wrist",
        "right_elbow",
        "right_shoulder",
        "left_shoulder",
        "left_elbow",
        "left_wrist",
    ),
    flip=(5, 4, 3, 2, 1, 0, 6, 7, 8, 9, 15, 14, 13, 12, 11, 10),
    limbs=(
        (1, 0),
        (2, 1),
        (6, 2),
        (6, 3),
        (3, 4),
        (4, 5),
        (7, 6),
        (7, 8),
        (8, 9),
        (11, 10),
        (12, 11),
        (7, 12),
        (7, 13),
        (13, 14),
        (14, 15),
    ),
)

COCO = Skeleton(
    name="COCO",
    keypoints=(
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
    ),
    flip=(0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15),
    limbs=(
        (0, 1),
        (0, 2),
        (1, 3),
        (2, 4),
        (3, 5),
        (4, 6),
        (5, 6),
        (5, 7),
        (7, 9),
        (6, 8),
        (8, 10),
        (5, 11),
        (6, 12),
        (11, 12),
        (11, 13),
        (13, 15),
        (12, 14),
        (14, 16),
    ),
    # 2 sigma of a person's size (the square root of the area) is where similarity has
    # fallen to 0.6, measured by the data set's authors from repeated annotations.
    sigmas=(
        0.026,
        0.025,
        0.025,
        0.035,
        0.035,
        0.079,
        0.079,
        0.072,
        0.072,
        0.062,
        0.062,
        0.107,
        0.107,
        0.087,
        0.087,
        0.089,
        0.089,
    ),
)

# The keypoints that FLIC labels of its 29.
FLIC = Skeleton(
    name="FLIC",
    keypoints=(
        "left_shoulder",
        "left_elbow",
        "left_wrist",
        "right_shoulder",
        "right_elbow",
        "right_wrist",
        "left_hip",
        "right_hip",
        "left_eye",
        "right_eye",
        "nose",
    ),
    flip=(3, 4, 5, 0, 1, 2, 7, 6, 9, 8, 10),
    limbs=(
        (0, 1),
        (1, 2),
        (3, 4),
        (4, 5),
        (0, 3),
        (0, 6),
        (3, 7),
        (6, 7),
        (10, 8),
        (10, 9),
    ),
)
