"""What is to be learned by heart, and how near a prediction comes to it."""

import dataclasses
import math

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from jaxpose.skeletons import Skeleton
from jaxpose.types import Poses

# A keypoint is right within this share of its person's size ...
TOLERANCE = 0.05
# ... or of the canvas diagonal, below which the grids of outputs are too coarse.
FLOOR = 0.01
# So many of a list are named before the rest is only counted.
NAMED = 6


@dataclasses.dataclass(frozen=True, kw_only=True)
class Goal:
    """Examples whose keypoints must come out right.

    Attributes:
        image: canvases as the host cuts them.
        keypoints: true ones, in pixels of the canvas.
        visibility: 0 unlabeled, 1 labeled but hidden, 2 visible.
        asked: keypoints that count.
        names: where the examples come from.
    """

    image: UInt8[np.ndarray, "e h w 3"]
    keypoints: Float[np.ndarray, "e p k 2"]
    visibility: Int[np.ndarray, "e p k"]
    asked: Bool[np.ndarray, "e p k"]
    names: tuple[str, ...]
    skeleton: Skeleton

    @property
    def labeled(self) -> Bool[np.ndarray, "e p k"]:
        return self.visibility > 0

    def sizes(self) -> Float[np.ndarray, "e p"]:
        """Diagonals of the people's labeled keypoints, in canvas pixels."""
        labeled = self.labeled[..., None]
        low = np.where(labeled, self.keypoints, np.inf).min(axis=2)
        high = np.where(labeled, self.keypoints, -np.inf).max(axis=2)
        return np.linalg.norm(np.maximum(high - low, 0), axis=-1)

    def tolerance(self) -> Float[np.ndarray, "e p"]:
        """Canvas pixels within which a keypoint is right."""
        height, width = self.image.shape[1:3]
        floor = FLOOR * math.hypot(height, width)
        return np.maximum(TOLERANCE * self.sizes(), floor)

    def reached_by(self, poses: Poses) -> "Reached":
        """Finds the prediction of every person: the nearest pair first.

        Args:
            poses: in canvas pixels; examples after those of the goal are left out.
        Raises: ValueError if the poses have other keypoints than the skeleton.
        """
        # What a diverging network says overflows float32 when squared.
        found = np.asarray(poses.keypoints, np.float64)[: len(self.names)]
        if found.shape[2] != self.keypoints.shape[2]:
            raise ValueError(
                f"decode gives {found.shape[2]} keypoints a person, and "
                f"{self.skeleton.name} has {self.keypoints.shape[2]}; give the network "
                "as many"
            )
        matched = np.stack(list(map(_match, found, self.keypoints, self.labeled)))
        distance = np.linalg.norm(matched - self.keypoints, axis=-1)
        distance = np.where(np.isfinite(distance), distance, np.inf)
        within = distance <= self.tolerance()[..., None]
        return Reached(matched, distance, self.asked & ~within)

    def tell(
        self, which: Bool[np.ndarray, "e p k"], distance: Float[np.ndarray, "e p k"]
    ) -> list[str]:
        """One line an example with its keypoints, the farthest from the truth first."""
        lines = []
        for example in np.flatnonzero(which.any(axis=(1, 2))).tolist():
            people, keypoints = np.nonzero(which[example])
            away = distance[example][people, keypoints]
            words = [
                f"{self.skeleton.keypoints[keypoints[i]]}"
                f"{f' of person {people[i]}' if which.shape[1] > 1 else ''} "
                f"{away[i]:.1f} px"
                for i in np.argsort(-away)[:NAMED]
            ]
            if len(away) > NAMED:
                words.append(f"and {len(away) - NAMED} more")
            lines.append(f"{self.names[example]}: {', '.join(words)}")
        return lines


@dataclasses.dataclass(frozen=True)
class Reached:
    """A prediction beside the truth.

    Attributes:
        keypoints: of every true person, nan where no prediction is left for it.
        distance: from the truth, in canvas pixels; infinite where there is none.
        wrong: keypoints that count and are too far away.
    """

    keypoints: Float[np.ndarray, "e p k 2"]
    distance: Float[np.ndarray, "e p k"]
    wrong: Bool[np.ndarray, "e p k"]


def _match(
    found: Float[np.ndarray, "P k 2"],
    truth: Float[np.ndarray, "p k 2"],
    labeled: Bool[np.ndarray, "p k"],
) -> Float[np.ndarray, "p k 2"]:
    """A prediction for each true person; each is taken once, nan when none is left."""
    distance = np.linalg.norm(truth[:, None] - found, axis=-1)
    distance = np.where(np.isfinite(distance), distance, 1e9)
    count = labeled.sum(axis=1)[:, None]
    cost = (distance * labeled[:, None]).sum(axis=-1) / np.maximum(count, 1)
    # Padding has no labels, and comes last.
    cost = np.where(count > 0, cost, 1e12)
    matched = np.full(truth.shape, np.nan)
    for _ in range(min(len(truth), len(found))):
        person, prediction = np.unravel_index(cost.argmin(), cost.shape)
        matched[person] = found[prediction]
        cost[person], cost[:, prediction] = np.inf, np.inf
    return matched
