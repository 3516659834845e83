"""What a pose proposal network looks for: parts of people, and limbs between them."""

import dataclasses
from collections import Counter
from collections.abc import Iterable

from jaxpose import skeletons
from jaxpose.skeletons import Skeleton


@dataclasses.dataclass(frozen=True, kw_only=True)
class Part:
    """Something with a box, found from keypoints.

    Attributes:
        name: of the part.
        keypoints: numbers in a skeleton. The part is in the middle of them, and there
            only if all are labeled.
        size: side of its square box, in head sizes.
        around: instead, the box is that of the labeled keypoints on the canvas, one
            or more, each of its sides `size` longer, and the part is in its middle.
    """

    name: str
    keypoints: tuple[int, ...]
    size: float
    around: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Parts:
    """Parts of a person and the tree of limbs that joins them; frozen data.

    Attributes:
        name: of the set.
        skeleton: of the data, whose keypoints the parts are found from.
        parts: the root stands for the person.
        limbs: (start, end) numbers of parts; the end is nearer to the root. Every part
            but the root is the start of one limb.
        root: number of a part.

    Raises: ValueError if parts or limbs do not fit the skeleton, each other, or a
        mirror.
    """

    name: str
    skeleton: Skeleton
    parts: tuple[Part, ...]
    limbs: tuple[tuple[int, int], ...]
    root: int = 0

    def __post_init__(self) -> None:
        self._check_parts()
        self._check_limbs()
        # Whoever mirrors asks for both.
        _ = self.flip, self.limb_flip

    def __len__(self) -> int:
        return len(self.parts)

    def __repr__(self) -> str:
        """Its name: tables say how they were made, and nobody reads a skeleton there."""
        return f"Parts({self.name})"

    @property
    def flip(self) -> tuple[int, ...]:
        """`flip[k]` is the part that k becomes in a mirrored image."""
        mirror = self.skeleton.flip
        places = {frozenset(part.keypoints): k for k, part in enumerate(self.parts)}
        return tuple(
            self._mirrored(places, frozenset(mirror[i] for i in part.keypoints), part)
            for part in self.parts
        )

    @property
    def limb_flip(self) -> tuple[int, ...]:
        """`limb_flip[l]` is the limb that l becomes in a mirrored image."""
        flip = self.flip
        places = {limb: number for number, limb in enumerate(self.limbs)}
        return tuple(
            self._mirrored(places, (flip[start], flip[end]), (start, end))
            for start, end in self.limbs
        )

    @property
    def part_of(self) -> tuple[int, ...]:
        """Of each keypoint of the skeleton the part it is by itself; -1 for none."""
        alone = {
            part.keypoints[0]: number
            for number, part in enumerate(self.parts)
            if len(part.keypoints) == 1
        }
        return tuple(alone.get(i, -1) for i in range(len(self.skeleton.keypoints)))

    def _mirrored(self, places: dict, image: object, thing: object) -> int:
        if image not in places:
            raise ValueError(
                f"{self.name}: {thing} has no mirror image; add what it becomes on the "
                "other side of the body"
            )
        return places[image]

    def _check_parts(self) -> None:
        for name in _repeated(part.name for part in self.parts):
            raise ValueError(f"{self.name}: two parts are called {name!r}")
        for same in _repeated(frozenset(part.keypoints) for part in self.parts):
            raise ValueError(
                f"{self.name}: two parts are made of the keypoints {sorted(same)}"
            )
        count = len(self.skeleton.keypoints)
        for part in self.parts:
            if not part.keypoints or any(not 0 <= i < count for i in part.keypoints):
                raise ValueError(
                    f"{self.name}: {part} must be made of one or more of the {count} "
                    f"keypoints of {self.skeleton.name}, numbered from 0"
                )
            if not 0 < part.size < float("inf"):
                raise ValueError(
                    f"{self.name}: {part} has no size; give head sizes, such as 0.5"
                )

    def _check_limbs(self) -> None:
        starts = sorted(start for start, _ in self.limbs)
        others = [k for k in range(len(self.parts)) if k != self.root]
        if len(others) == len(self.parts) or starts != others:
            raise ValueError(
                f"{self.name}: limbs start at {starts}, must at every part but the root "
                f"{self.root}, once: {others}"
            )
        end_of = dict(self.limbs)
        for part in others:
            at, steps = part, 0
            while at != self.root:
                at, steps = end_of.get(at, -1), steps + 1
                if at not in range(len(self.parts)) or steps > len(others):
                    raise ValueError(
                        f"{self.name}: from part {part} no limbs lead to the root "
                        f"{self.root}; they must make a tree: {self.limbs}"
                    )


def _repeated(things: Iterable) -> list:
    return [thing for thing, times in Counter(things).items() if times > 1]


def _points(names: Iterable[str], skeleton: Skeleton) -> tuple[Part, ...]:
    """Keypoints by themselves, in boxes of half a head, which is what the paper takes."""
    return tuple(
        Part(name=name, keypoints=(skeleton.index(name),), size=0.5) for name in names
    )


# Parts, limbs and their order are the original's (specs/ppn.md, section 1), but for its
# instances and centers of which only one keypoint is labeled.
MPII = Parts(
    name="MPII",
    skeleton=skeletons.MPII,
    parts=(
        Part(name="person", keypoints=(9, 8), size=2.0),
        *_points(
            (
                "head_top",
                "neck",
                *("right_shoulder", "right_elbow", "right_wrist"),
                *("left_shoulder", "left_elbow", "left_wrist"),
                *("right_hip", "right_knee", "right_ankle"),
                *("left_hip", "left_knee", "left_ankle"),
            ),
            skeletons.MPII,
        ),
        Part(name="center", keypoints=(6, 7), size=0.5),
    ),
    limbs=(
        (1, 0),
        (2, 0),
        (3, 2),
        (4, 3),
        (5, 4),
        (6, 2),
        (7, 6),
        (8, 7),
        (9, 15),
        (10, 9),
        (11, 10),
        (12, 15),
        (13, 12),
        (14, 13),
        (15, 2),
    ),
)

# A person's box is that of their labeled keypoints and half a head beyond. What is near
# its middle or often labeled alone hangs on it; the rest as limbs do.
COCO = Parts(
    name="COCO",
    skeleton=skeletons.COCO,
    parts=(
        Part(name="person", keypoints=tuple(range(17)), size=1.0, around=True),
        *_points(skeletons.COCO.keypoints, skeletons.COCO),
    ),
    limbs=(
        (1, 0),
        (2, 1),
        (3, 1),
        (4, 2),
        (5, 3),
        (6, 0),
        (7, 0),
        (8, 6),
        (9, 7),
        (10, 8),
        (11, 9),
        (12, 0),
        (13, 0),
        (14, 12),
        (15, 13),
        (16, 14),
        (17, 15),
    ),
)
