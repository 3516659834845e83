"""The person in the middle."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxpose.objectives import central
from jaxpose.types import Poses


def test_whose_found_keypoints_are_nearest_to_the_middle():
    nan = [np.nan, np.nan]
    near, far = [[30.0, 10.0], nan, [34.0, 20.0]], [[0.0, 0.0], [1.0, 1.0], nan]
    # The middle of 32 x 64 is (31.5, 15.5); somebody beside it has no keypoints.
    keypoints = jnp.array([[far, [nan] * 3, near], [[nan] * 3] * 3, [near, far, far]])
    everybody = Poses(
        keypoints=keypoints,
        scores=jnp.arange(27.0).reshape(3, 3, 3),
        person_scores=jnp.arange(9.0).reshape(3, 3),
    )
    one = central.Central(decoder=lambda _: everybody, size=(32, 64))
    for found in (one(None), jax.jit(one)(None)):
        np.testing.assert_array_equal(found.keypoints[0], [near])
        assert np.isnan(found.keypoints[1]).all()
        np.testing.assert_array_equal(found.keypoints[2], [near])
        np.testing.assert_array_equal(found.scores[:, 0, 0], [6, 9, 18])
        np.testing.assert_array_equal(found.person_scores, [[2], [3], [6]])
    assert one.people == 1
