"""Cascades of fakes that know the answer, and batches with known errors."""

import dataclasses

import batches
import jax
import jax.numpy as jnp
import numpy as np

from jaxpose.learners import cascade
from jaxpose.objectives import coordinates, stages

SIZE, SEEN = (40, 48), (12, 16)
KEY = jax.random.key(3)
TORSO = ("left", "right")


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Seen:
    """The state of a fake: its steps, and what it was trained on last."""

    step: jax.Array
    keypoints: jax.Array
    visibility: jax.Array


class Fake:
    """Says of images what a function of them is, and remembers what it was given."""

    def __init__(self, size, say, given=0):
        self.objective = coordinates.Coordinates(size=size)
        self._say, self._given = say, given

    def init(self, key, batch):
        return Seen(
            jnp.zeros((), jnp.int32),
            jnp.zeros((self._given, 1, 3, 2)),
            jnp.zeros((self._given, 1, 3), jnp.int32),
        )

    def train_step(self, state, batch, key):
        seen = Seen(state.step + 1, batch.keypoints, batch.visibility)
        return seen, {"loss": jnp.zeros(())}

    def outputs(self, state, image):
        end = jnp.array(self.objective.size[::-1])
        return 2 * (self._say(image) + 0.5) / end - 1


def written(image):
    """The pose that stands in the first pixels, as shares of a hundred pixels."""
    return image[:, 0, :3, :2] * 100


def of(*learners, steps, **fields):
    """Their cascade; the last stage of a run needs no length."""
    return cascade.Cascade(
        objective=stages.Stages(size=SIZE),
        skeleton=batches.TRIO,
        stages=tuple(
            cascade.Stage(learner=learner, steps=n)
            for learner, n in zip(learners, steps, strict=True)
        ),
        torso=TORSO,
        **{"crops": 2, "measured_steps": 1} | fields,
    )


MEAN = np.array([(0.3, -0.1), (0.0, 0.2), (-0.2, 0.0)])
SPREAD = np.array([(0.2, 0.1), (0.05, 0.3), (0.1, 0.1)])


def wrong_batch(n, seed):
    """Random poses, and canvases that say them with errors of MEAN and SPREAD.

    Returns: the batch, its estimates, and its body sizes; unlabeled is nan.
    """
    generator = np.random.default_rng(seed)
    batch = batches.random_batch(n, SIZE, seed=seed, dtype=np.float32)
    truth = np.array(batch.keypoints)[:, 0]
    labeled = np.asarray(batch.visibility)[:, 0] > 0
    # Torsos of known length; all of the torso is labeled.
    labeled[:, :2] = True
    size = generator.uniform(8, 14, n).astype(np.float32)
    angle = generator.uniform(0, 7, n)
    arm = np.stack([np.cos(angle), np.sin(angle)], -1)
    truth[:, 0] = (24, 20) + generator.uniform(-3, 3, (n, 2))
    truth[:, 1] = truth[:, 0] + size[:, None] * arm
    truth[:, 2] = truth[:, 0] + generator.uniform(-4, 4, (n, 2))
    noise = generator.normal(MEAN, SPREAD, (n, 3, 2))
    found = truth + size[:, None, None] * noise
    image = np.zeros((n, *SIZE, 3), np.float32)
    image[:, 0, :3, :2] = found / 100
    batch = dataclasses.replace(
        batch,
        image=jnp.array(image),
        keypoints=jnp.array(np.where(labeled[..., None], truth, np.nan))[:, None],
        visibility=jnp.array(np.where(labeled, 2, 0))[:, None],
    )
    return batch, found, size


def torso(pose):
    return np.linalg.norm(pose[:, 0] - pose[:, 1], axis=-1)
