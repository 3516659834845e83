"""`--mode overfit`: four examples learned by heart, the first test of a new data set.

A network that cannot learn four examples has a fault that no amount of data cures: in
the annotations, the canvas, the targets, the network or the optimizer.
"""

import dataclasses

import jax
import numpy as np
from tqdm import tqdm

from jaxpose import augment as augments
from jaxpose import data as datas
from jaxpose import devices, train
from jaxpose.skeletons import Skeleton
from jaxpose.types import Batch, Learner, Poses

EXAMPLES = 4
# A keypoint is learned within this share of its person's size.
TOLERANCE = 0.05
CHECK_EVERY = 25


def overfit(
    *,
    learner: Learner,
    data: datas.Data,
    batch_size: int,
    seed: int,
    num_steps: int,
    data_dir: str,
    manual_dir: str,
) -> bool:
    """Trains on four examples without augmentation until every keypoint is right.

    Args:
        batch_size: of the config; the four examples fill it again and again.
        num_steps: after which to give up.
    Returns: whether everything was learned; if not, what was not is printed.
    """
    mesh = devices.mesh()
    devices.check_batch_size(batch_size, mesh)
    examples = data.open(data_dir, manual_dir)
    batch = examples.load(np.arange(batch_size) % EXAMPLES)
    state = jax.device_put(
        train.init_state(learner, batch, seed), devices.replicated(mesh)
    )
    step = train.train_step(learner, _as_it_is, seed, mesh)
    decode = devices.data_parallel(
        lambda state, batch: learner.objective.decode(
            learner.outputs(state, augments.to_float(batch.image))
        ),
        mesh,
    )
    everywhere = devices.put_batch(batch, mesh)
    bar = tqdm(range(1, num_steps + 1), unit="step")
    for number in bar:
        state, metrics = step(state, everywhere)
        loss = float(metrics["loss"])
        bar.set_postfix(loss=f"{loss:.3g}", refresh=False)
        if number % CHECK_EVERY == 0 or number == num_steps:
            wrong = _wrong(decode(state, everywhere), batch)
            if not wrong.any():
                print(f"learned {EXAMPLES} examples by heart in {number} steps")
                return True
    _explain(wrong, data.skeleton, examples)
    return False


def _as_it_is(key: jax.Array, batch: Batch) -> Batch:
    return dataclasses.replace(batch, image=augments.to_float(batch.image))


def _wrong(poses: Poses, batch: Batch) -> np.ndarray:
    """(example, keypoint) pairs that are labeled and not learned."""
    distance = np.linalg.norm(
        np.asarray(poses.keypoints[:EXAMPLES, 0]) - batch.keypoints[:EXAMPLES, 0],
        axis=-1,
    )
    labeled = np.asarray(batch.visibility)[:EXAMPLES, 0] > 0
    return labeled & ~(distance <= TOLERANCE * batch.scale[:EXAMPLES])


def _explain(wrong: np.ndarray, skeleton: Skeleton, examples: datas.Examples) -> None:
    print(f"not learned within {TOLERANCE:.0%} of the person's size:")
    for row, keypoints in enumerate(wrong):
        if keypoints.any():
            names = [
                name
                for name, bad in zip(skeleton.keypoints, keypoints, strict=True)
                if bad
            ]
            print(f"  {examples.people.describe(row)}: {', '.join(names)}")
    keypoints = np.asarray(wrong.any(axis=0))
    if wrong.any(axis=1).sum() == 1:
        print("one example only: look at its annotation")
    elif keypoints.sum() <= len(keypoints) // 2:
        print(
            "some keypoints only: look at their order and their flip pairs, or give it "
            "more steps with --config.num_steps"
        )
    else:
        print("most of it: raise --config.num_steps, or look at the learning rate")
