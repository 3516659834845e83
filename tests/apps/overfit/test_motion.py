import jax
import numpy as np

from jaxpose.apps.overfit import motion


def test_weight_decay_is_no_motion_and_a_gradient_is():
    before = {
        "a": {
            "kernel": np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32),
            "bias": np.zeros(4, np.float32),
        },
        "b": {"kernel": np.ones(4, np.float32), "scale": np.ones(1, np.float32)},
    }
    after = jax.tree.map(lambda x: (x * np.float32(0.997)).astype(np.float32), before)
    assert motion.motionless(before, after) == ["a", "b/kernel"]
    after["a"]["bias"] = np.full(4, 1e-9, np.float32)
    assert motion.motionless(before, after) == ["a/kernel", "b/kernel"]
    after["b"]["kernel"] = np.array([1, 1, 1, np.nan])
    assert motion.spoilt(after) == ["b/kernel"]
