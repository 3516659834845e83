"""Photographs of lit pixels, each a keypoint, and a network that reads them exactly.

A person's three keypoints are lit in red, green and blue, as bright as the person is
sure to be found; nobody is in every fourth photograph.
"""

import dataclasses
import types
from typing import NamedTuple

import batches
import jax
import jax.numpy as jnp
import numpy as np

from jaxpose import loading, scenes
from jaxpose.types import Annotations, Batch, Poses

SKELETON = dataclasses.replace(batches.TRIO, sigmas=(0.05, 0.05, 0.05))
SIZE, BUCKET = (16, 16), (12, 16)
SLOTS = 4
BRIGHTNESS = np.array([250, 150, 20])


@dataclasses.dataclass(frozen=True)
class Lights:
    """An objective whose outputs are the canvases themselves."""

    size: tuple[int, int] = SIZE

    def targets(self, batch, step):
        h, w = batch.image.shape[1:3]
        x, y = jnp.moveaxis(jnp.rint(batch.keypoints).astype(int), -1, 0)
        at = (batch.visibility > 0)[..., None, None]
        grid = jnp.arange(h)[:, None] == y[..., None, None]
        maps = at & grid & (jnp.arange(w) == x[..., None, None])
        return jnp.moveaxis(maps.any(axis=1), 1, -1).astype(jnp.float32)

    def loss(self, outputs, targets):
        raise NotImplementedError

    def heatmaps(self, outputs):
        return outputs[-1]

    def true_heatmaps(self, targets):
        return targets

    def flip(self, outputs, skeleton):
        return outputs[:, :, :, ::-1]

    def merge(self, views, scales):
        same = [jax.image.resize(view, views[0].shape, "bilinear") for view in views]
        return jnp.stack(same).mean(axis=0)

    def decode(self, outputs):
        """The brightest pixels of each channel; people in the order of brightness."""
        _, b, h, w, k = outputs.shape
        scores, place = jax.lax.top_k(
            jnp.moveaxis(outputs[-1].reshape(b, h * w, k), 1, -1), SLOTS
        )
        y, x = jnp.divmod(place, w)
        points = jnp.where(scores[..., None] > 0, jnp.stack([x, y], -1), jnp.nan)
        return Poses(
            keypoints=jnp.moveaxis(points, 1, 2),
            scores=jnp.moveaxis(scores, 1, 2),
            person_scores=scores.mean(axis=1),
        )


class State(NamedTuple):
    step: jax.Array


LEARNER = types.SimpleNamespace(
    objective=Lights(), outputs=lambda state, image: image[None]
)


class Drawn(scenes.Scenes):
    """Photographs that are there without being prepared."""

    def open(self, data_dir, manual_dir):
        return Photographs(self, 11)


class Photographs:
    """As `scenes.Examples`; odd rows are in the bucket, and come first."""

    def __init__(self, data: scenes.Scenes, n: int):
        self.data, self.box_scores = data, None
        random = np.random.default_rng(3)
        self.visibility = np.zeros((n, 3, 3), np.int32)
        for row in range(n):
            self.visibility[row, : row % 4] = 2
        # People lie in their own thirds of the width, keypoints in rows of their own.
        x = random.integers(0, 4, (n, 3, 3)) + 5 * np.arange(3)[:, None]
        y = random.integers(0, 3, (n, 3, 3)) + 4 * np.arange(3)
        self.points = np.stack([x, y], axis=-1).astype(np.float32)

    def __len__(self):
        return len(self.points)

    def size(self, row):
        return self.data.buckets[0] if row % 2 else self.data.size

    def keypoints(self, row):
        """In source pixels, which start further left in every photograph."""
        return self.points[row] + np.float32([10 * row, 0])

    def annotations(self):
        there = self.visibility.any(axis=-1)
        return Annotations(
            keypoints=np.stack([self.keypoints(row) for row in range(len(self))]),
            visibility=self.visibility,
            area=np.where(there, 100.0, np.nan),
            image_id=100 + np.arange(len(self)),
        )

    def photograph(self, row):
        image = np.zeros((*self.size(row), 3), np.uint8)
        for p, k in np.argwhere(self.visibility[row] > 0):
            x, y = self.points[row, p, k].astype(int)
            image[y, x, k] = BRIGHTNESS[p]
        return image

    def shown(self, row):
        there = self.visibility[row].any(axis=-1)
        return self.points[row][there], self.visibility[row][there]

    def eval_batches(self, *, batch_size, part):
        for bucket in (1, 0):
            rows = np.arange(len(self))
            rows = rows[rows % 2 == bucket]
            for first in range(0, len(rows), batch_size):
                padded = loading.padded(first, batch_size, len(rows))
                yield self.load(np.where(padded < 0, -1, rows[padded])[part], bucket)

    def load(self, rows, bucket):
        size = self.data.buckets[0] if bucket else self.data.size
        b, there = len(rows), rows >= 0
        image = [
            self.photograph(row) if row >= 0 else np.zeros((*size, 3), np.uint8)
            for row in rows
        ]
        to_source = np.tile(np.eye(2, 3, dtype=np.float32), (b, 1, 1))
        to_source[:, 0, 2] = 10 * rows
        return Batch(
            image=np.stack(image),
            keypoints=self.points[rows],
            visibility=self.visibility[rows] * there[:, None, None],
            scale=np.ones((b, 3), np.float32),
            weight=np.ones(b, np.float32),
            mask=np.ones((b, *size), np.uint8),
            to_source=to_source,
            index=rows.astype(np.int32),
        )


def data(**fields):
    return Drawn(sources=(), skeleton=SKELETON, size=SIZE, buckets=(BUCKET,), **fields)
