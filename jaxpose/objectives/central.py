"""Of the people that another decoder finds, the one in the middle of the canvas."""

import dataclasses
from collections.abc import Callable
from typing import Generic, TypeVar

import jax.numpy as jnp
from jaxtyping import PyTree

from jaxpose.types import Poses

Outputs = TypeVar("Outputs", bound=PyTree)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Central(Generic[Outputs]):
    """One person a canvas, for data and metrics of one.

    Attributes:
        decoder: finds everybody.
        size: (height, width) of the canvas in pixels.
    """

    decoder: Callable[[Outputs], Poses]
    size: tuple[int, int]

    @property
    def people(self) -> int:
        """Most on a canvas, as decoders of several tell it."""
        return 1

    def __call__(self, outputs: Outputs) -> Poses:
        """Whose keypoints, in the mean, are nearest; nobody where nobody is found."""
        found = self.decoder(outputs)
        middle = (jnp.array(self.size[::-1]) - 1) / 2
        offset = jnp.nanmean(found.keypoints, axis=2) - middle
        distance = jnp.linalg.norm(offset, axis=-1)
        nearest = jnp.argmin(jnp.nan_to_num(distance, nan=jnp.inf), axis=1)[:, None]
        return Poses(
            keypoints=jnp.take_along_axis(
                found.keypoints, nearest[..., None, None], axis=1
            ),
            scores=jnp.take_along_axis(found.scores, nearest[..., None], axis=1),
            person_scores=jnp.take_along_axis(found.person_scores, nearest, axis=1),
        )
