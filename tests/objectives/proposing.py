"""A small set of parts, and outputs that propose what targets ask for."""

import batches
import jax.numpy as jnp
import numpy as np

from jaxpose.objectives import proposals
from jaxpose.objectives.proposal_parts import Part, Parts

# Each kind of part: around keypoints, keypoints themselves, in the middle of two.
TRIO = Parts(
    name="trio",
    skeleton=batches.TRIO,
    parts=(
        Part(name="person", keypoints=(0, 1, 2), size=1.0, around=True),
        Part(name="right", keypoints=(0,), size=0.5),
        Part(name="left", keypoints=(1,), size=0.5),
        Part(name="middle", keypoints=(0, 1), size=0.75),
    ),
    limbs=((1, 3), (2, 3), (3, 0)),
)
SIZE = (32, 40)
GRID = (4, 5)
WINDOW = (3, 5)


def objective_of(**fields):
    return proposals.Proposals(
        **{
            "size": SIZE,
            "parts": TRIO,
            "decoder": lambda maps: maps,
            "stride": 8,
            "window": WINDOW,
            **fields,
        }
    )


def ideal_outputs(objective, targets):
    """Of loss 0, and of boxes of the canvas' size around nothing."""
    b, i, j, k = targets.there.shape
    columns, rows = np.meshgrid(np.arange(j), np.arange(i))
    corner = np.stack([columns, rows], axis=-1)[:, :, None]
    box = np.array(targets.box, np.float64)
    place = (box[..., :2] - objective.origin) / objective.stride - corner
    root = np.sqrt(box[..., 2:] / np.array(objective.size[::-1]))
    there = np.array(targets.there)[..., None]
    values = np.concatenate(
        [there, there, np.where(there, place, 0.5), np.where(there, root, 1)], axis=-1
    )
    limbs = np.array(targets.limbs).reshape(b, i, j, -1)
    parts = values.reshape(b, i, j, 6 * k)
    return jnp.array(np.concatenate([parts, limbs], axis=-1), jnp.float32)
