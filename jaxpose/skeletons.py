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
