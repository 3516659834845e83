"""How often the highest cell is near the true one: a number to watch in training."""

import dataclasses
from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxpose.objectives import heatmap_decoding
from jaxpose.types import Metrics

SKIPS = {"nothing": (0, 0), "first column": (1, 0), "first row and column": (1, 1)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class PeakAccuracy:
    """Share of keypoints whose highest cell is close to that of the target.

    It is neither PCK nor PCKh: lengths are relative to the map, not to the person. A
    map without a positive cell counts as if its highest cell were (-1, -1).

    Attributes:
        threshold: what is close, as a share of the map's width.
        keypoints: numbers of those that enter the mean; () for all. PyTorch-Pose takes
            0 to 5, 10, 11, 14 and 15 of MPII: ankles, knees, hips, wrists and elbows.
        skip: true cells that do not count. PyTorch-Pose skips the `first row and
            column`, hgpose the `first column`, taking them for missing keypoints.

    Raises: ValueError if a field is out of range.
    """

    threshold: float = 0.05
    keypoints: tuple[int, ...] = ()
    skip: Literal["nothing", "first column", "first row and column"] = "nothing"

    def __post_init__(self) -> None:
        if self.skip not in SKIPS:
            raise ValueError(f"skip={self.skip!r} is not one of {tuple(SKIPS)}")
        if not self.threshold > 0:
            raise ValueError(
                f"threshold={self.threshold} must be a positive share of the map's "
                "width, such as 0.05"
            )

    def __call__(
        self,
        maps: Float[Array, "b h w k"],
        truth: Float[Array, "b h w k"],
        drawn: Bool[Array, "b k"],
    ) -> Float[Array, "k"]:
        """Share of the batch for each keypoint; nan for one that never counts.

        Args:
            drawn: which maps of the truth show a keypoint; empty ones never count.
        """
        found, true = (_cells(x).astype(maps.dtype) for x in (maps, truth))
        counted = drawn & (true >= jnp.array(SKIPS[self.skip])).all(axis=-1)
        distance = jnp.sqrt(jnp.square(found - true).sum(axis=-1))
        hits = counted & (distance < self.threshold * maps.shape[2])
        return hits.sum(axis=0) / jnp.where(
            counted.any(axis=0), counted.sum(0), jnp.nan
        )

    def metrics(
        self,
        maps: Float[Array, "b h w k"],
        truth: Float[Array, "b h w k"],
        drawn: Bool[Array, "b k"],
    ) -> Metrics:
        """`accuracy`: the mean over keypoints that count; 0 if none does.

        Raises: ValueError if `keypoints` names one that has no map.
        """
        shares = self(maps, truth, drawn)
        if self.keypoints:
            if not 0 <= min(self.keypoints) <= max(self.keypoints) < len(shares):
                raise ValueError(
                    f"keypoints={self.keypoints} are not all among the {len(shares)} "
                    f"of the maps; number them from 0 to {len(shares) - 1}"
                )
            shares = shares[jnp.array(self.keypoints)]
        known = ~jnp.isnan(shares)
        total = jnp.where(known, shares, 0).sum()
        return {"accuracy": total / jnp.maximum(known.sum(), 1)}


def _cells(maps: Float[Array, "b h w k"]) -> Int[Array, "b k 2"]:
    """(x, y) of the highest cells; (-1, -1) for maps without a positive one."""
    positive = maps.max(axis=(1, 2))[..., None] > 0
    return jnp.where(positive, heatmap_decoding.highest_cell(maps), -1)
