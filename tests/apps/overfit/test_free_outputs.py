import jax
import numpy as np

from jaxpose.apps.overfit import free_outputs


def test_an_objective_that_repels_equal_outputs_still_descends():
    """At equal numbers the gradient of |a - b| vanishes; a random start leaves them."""

    class Apart:
        def targets(self, batch, step):
            return batch

        def loss(self, outputs, targets):
            gap = outputs["a"] - outputs["b"]
            return jax.numpy.exp(-(gap**2)).sum(), {}

    shapes = {n: jax.ShapeDtypeStruct((3,), np.float32) for n in ("a", "b")}
    found = free_outputs.descend(Apart(), free_outputs.start(shapes, 0), {})
    assert (np.abs(found["a"] - found["b"]) > 2).all()
