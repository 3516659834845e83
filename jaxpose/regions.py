"""Which part of a photograph a canvas shows: one box an example."""

import dataclasses
import warnings
from collections.abc import Mapping
from typing import Literal, Protocol

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from jaxpose import geometry
from jaxpose.skeletons import Skeleton

More = Mapping[str, Shaped[np.ndarray, "..."]]
# MPII's `scale` is a person's height in units of so many pixels.
SCALE_UNIT = 200


class NoRegionError(ValueError):
    """Of one person, by number, no region can be told."""

    def __init__(self, person: int, message: str) -> None:
        super().__init__(message)
        self.person = person


class Region(Protocol):
    """Boxes (x0, y0, x1, y1) in source pixels, from the people of a data set.

    `more` holds what else the data set tells of them, one row a person, under the names
    of data_builders/README.md.
    """

    def __call__(
        self,
        keypoints: Float[np.ndarray, "m k 2"],
        labeled: Bool[np.ndarray, "m k"],
        size: Int[np.ndarray, "m 2"],
        more: More,
    ) -> Float[np.ndarray, "m 4"]: ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class WholeImage:
    """All of the photograph, stretched to the canvas; needs no person box at test."""

    def __call__(
        self,
        keypoints: Float[np.ndarray, "m k 2"],
        labeled: Bool[np.ndarray, "m k"],
        size: Int[np.ndarray, "m 2"],
        more: More,
    ) -> Float[np.ndarray, "m 4"]:
        return geometry.whole_image(size)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PersonBox:
    """The tight box of the labeled keypoints, padded.

    At test time such a box knows the answer's extent: say so beside every score.

    Attributes:
        padding: sides of the box as a multiple of the tight box's.
        margin: pixels added on every side before the padding.
        aspect: width / height that the box grows to, so that people keep their
            proportions on a canvas of that aspect; 0 leaves it, and they are stretched.
        inside: cut the box at the border of the photograph.
    """

    padding: float = 1.25
    margin: float = 0.0
    aspect: float = 0.0
    inside: bool = False

    def __call__(
        self,
        keypoints: Float[np.ndarray, "m k 2"],
        labeled: Bool[np.ndarray, "m k"],
        size: Int[np.ndarray, "m 2"],
        more: More,
    ) -> Float[np.ndarray, "m 4"]:
        """Raises: ValueError if a person has no labeled keypoint, or no box inside."""
        box = geometry.tight_box(keypoints, labeled)
        box = box + self.margin * np.array([-1.0, -1.0, 1.0, 1.0])
        box = geometry.pad_box(box, padding=self.padding, aspect=self.aspect)
        return _cut(box, size) if self.inside else box


def _cut(
    box: Float[np.ndarray, "m 4"], size: Int[np.ndarray, "m 2"]
) -> Float[np.ndarray, "m 4"]:
    """At the border. Raises: ValueError, naming the first with nothing inside."""
    cut = geometry.intersect(box, geometry.whole_image(size))
    outside = np.flatnonzero((cut[:, 2:] <= cut[:, :2]).any(axis=1))
    if outside.size:
        first = int(outside[0])
        raise NoRegionError(
            first,
            f"the boxes of {outside.size} people lie outside their photographs, the "
            f"first number {first}: {box[first].tolist()} of one of {size[first]} "
            "(height, width); correct the keypoints, or take inside=False",
        )
    return cut


@dataclasses.dataclass(frozen=True, kw_only=True)
class KnownBox:
    """The box that annotators or a detector drew around a person, padded.

    Attributes:
        box: which one, by its name in data_builders/README.md.
        padding: sides of the box as a multiple of the drawn one's.
        aspect: width / height that the box grows to, so that people keep their
            proportions on a canvas of that aspect; 0 leaves it, and they are stretched.

    Source: Xiao et al. 2018, Simple Baselines: 1.25, and the aspect of the canvas.
    """

    box: Literal["box", "torso_box", "head_box"] = "box"
    padding: float = 1.25
    aspect: float = 1.0

    def __call__(
        self,
        keypoints: Float[np.ndarray, "m k 2"],
        labeled: Bool[np.ndarray, "m k"],
        size: Int[np.ndarray, "m 2"],
        more: More,
    ) -> Float[np.ndarray, "m 4"]:
        """Raises: ValueError, naming the first whose box is not known or has no area."""
        box = _known(more, self.box, "PersonBox takes the labeled keypoints'")
        flat = np.flatnonzero((box[:, 2:] <= box[:, :2]).any(axis=1))
        if flat.size:
            raise NoRegionError(
                int(flat[0]),
                f"{flat.size} people have a box without area, the first number "
                f"{flat[0]}: {box[flat[0]].tolist()}; x1 > x0 and y1 > y0 must hold; "
                "correct them, or let PersonBox take the labeled keypoints' box",
            )
        return geometry.pad_box(box, padding=self.padding, aspect=self.aspect)


@dataclasses.dataclass(frozen=True, kw_only=True)
class BodyScale:
    """MPII's rule: a square about the `center` that is drawn from the `scale`.

    Attributes:
        padding: side of the square in heights of a person, which the scale tells.
        down: how far the square lies below `center`, in 1/200 of that height: MPII's
            centers are those of the trunk.

    Source: Newell et al. 2016 and everybody after, `scale *= 1.25`, `y += 15 * scale`.
    """

    padding: float = 1.25
    down: float = 15.0

    def __call__(
        self,
        keypoints: Float[np.ndarray, "m k 2"],
        labeled: Bool[np.ndarray, "m k"],
        size: Int[np.ndarray, "m 2"],
        more: More,
    ) -> Float[np.ndarray, "m 4"]:
        """Raises: ValueError if somebody's center or scale is not known."""
        remedy = "PersonBox needs only labeled keypoints"
        scale = _known(more, "scale", remedy)
        center = _known(more, "center", remedy)
        center = center + np.stack([0 * scale, self.down * scale], axis=-1)
        half = (SCALE_UNIT / 2) * self.padding * scale[:, None]
        return np.concatenate([center - half, center + half], axis=-1)


# Limbs whose lengths tell the size of a person.
_BONES = (
    ("neck", "head_top"),
    *(
        (f"{side}_{start}", end if end == "neck" else f"{side}_{end}")
        for side in ("right", "left")
        for start, end in (
            ("ankle", "knee"),
            ("knee", "hip"),
            ("hip", "neck"),
            ("wrist", "elbow"),
            ("elbow", "shoulder"),
            ("shoulder", "neck"),
        )
    ),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LimbScale:
    """LSP's rule: a square whose side is guessed from the lengths of limbs.

    Every labeled limb tells a length of the head, by the median proportions of all
    people of the data set; the upper quartile of what a person's limbs tell is taken,
    since limbs are seen foreshortened. A head is 35/200 of a person's height, and the
    height is at least such that the labeled keypoints lie well inside the square.

    Attributes:
        skeleton: that of the data.
        center: `image`, of the photograph, as for LSP, or `keypoints`, of the tight box
            of the labeled ones, as for LSPET.
        padding: side of the square in heights of a person.

    Source: convolutional pose machines' `genJSON.m` and PyTorch-Pose, which multiplies
    by 1.25 x 1.15. There the table of limbs mixes up those of the left side, and hidden
    keypoints do not count.
    """

    # Not among what is told beside a score, for its length.
    skeleton: Skeleton = dataclasses.field(repr=False)
    center: Literal["image", "keypoints"]
    padding: float = 1.4375

    def __call__(
        self,
        keypoints: Float[np.ndarray, "m k 2"],
        labeled: Bool[np.ndarray, "m k"],
        size: Int[np.ndarray, "m 2"],
        more: More,
    ) -> Float[np.ndarray, "m 4"]:
        """Raises: ValueError if a person has no labeled keypoint, or nobody a head."""
        tight = geometry.tight_box(keypoints, labeled)
        head = self._head_length(keypoints, labeled)
        # 368 - 64 of the 368 pixels of the canvas that the rule was made for.
        least = (41 / 35) * (tight[:, 2:] - tight[:, :2]).max(axis=1) / 304
        scale = np.fmax(head / 35, least)
        box = geometry.whole_image(size) if self.center == "image" else tight
        center = (box[:, :2] + box[:, 2:]) / 2
        half = np.maximum(SCALE_UNIT / 2 * self.padding * scale, 0.5)[:, None]
        return np.concatenate([center - half, center + half], axis=-1)

    def _head_length(
        self, keypoints: Float[np.ndarray, "m k 2"], labeled: Bool[np.ndarray, "m k"]
    ) -> Float[np.ndarray, "m"]:
        """Distance of neck and head top that the limbs tell; nan without a limb."""
        ends = np.array([[self.skeleton.index(end) for end in bone] for bone in _BONES])
        length = np.linalg.norm(
            keypoints[:, ends[:, 0]] - keypoints[:, ends[:, 1]], axis=-1
        ).astype(np.float64)
        length[~labeled[:, ends].all(axis=-1)] = np.nan
        length[length == 0] = np.nan
        if np.isnan(length[:, 0]).all():
            raise ValueError(
                "nobody has both neck and head top, from which sizes are told; take "
                "PersonBox instead"
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # Columns of nan only.
            ratio = np.nanmedian(length / length[:, :1], axis=0)
            return np.nanquantile(length / ratio, 0.75, axis=1, method="hazen")


def _known(more: More, name: str, remedy: str) -> Float[np.ndarray, "m ..."]:
    """ValueError if the data set does not tell it, of anybody or of somebody."""
    if name not in more:
        raise ValueError(
            f"the data set does not tell the {name} of people, but {sorted(more)}; "
            f"choose another region: {remedy}"
        )
    values = more[name].astype(np.float64)
    unknown = np.flatnonzero(np.isnan(values.reshape(len(values), -1)).any(axis=1))
    if unknown.size:
        raise NoRegionError(
            int(unknown[0]),
            f"the {name} of {unknown.size} people is not known, of the first number "
            f"{unknown[0]}; choose another region: {remedy}",
        )
    return values
