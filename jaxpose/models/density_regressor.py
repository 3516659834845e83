"""Coordinates, how sure they are, and the density of their errors.

Source: Li et al., "Human Pose Regression with Residual Log-likelihood Estimation", 2021.
"""

import itertools

from flax import linen as nn
from jaxtyping import Array, Float

from jaxpose import flows
from jaxpose.models import regressor


class DensityRegressor(nn.Module):
    """Images, RGB in 0..1, to coordinates with scales, and a flow for their errors.

    The flow depends on no image: it is a parameter that the loss needs, and evaluation
    does not.

    Attributes:
        num_keypoints: k.
        trunk, kernel_init: as of `regressor.Regressor`.
        couplings: layers of the flow.
        hidden: widths of the hidden layers of its networks.
    """

    num_keypoints: int
    trunk: nn.Module
    kernel_init: nn.initializers.Initializer = regressor.near_zero
    couplings: int = 6
    hidden: tuple[int, ...] = (64, 64)

    @nn.compact
    def __call__(
        self, image: Float[Array, "b h w 3"], *, train: bool
    ) -> flows.Estimate:
        """Raises: ValueError as `regressor.Regressor` does."""
        x = regressor.pooled(self.trunk(image, train=train))
        shape = (-1, self.num_keypoints, 2)
        found = {
            name: regressor.linear(2 * self.num_keypoints, self.kernel_init, name)(x)
            for name in ("coordinates", "scale")
        }
        flow = Flow(self.couplings, self.hidden, name="flow")()
        return flows.Estimate(
            coordinates=found["coordinates"].reshape(shape),
            scale=found["scale"].reshape(shape),
            flow=flow,
        )


class Flow(nn.Module):
    """The weights of a RealNVP; fresh ones are the identity, a standard normal density.

    Attributes:
        couplings, hidden: as of `DensityRegressor`.
    """

    couplings: int
    hidden: tuple[int, ...]

    @nn.compact
    def __call__(self) -> flows.RealNVP:
        return flows.RealNVP(
            scale=self._perceptrons("scale"), shift=self._perceptrons("shift")
        )

    def _perceptrons(self, name: str) -> flows.Perceptrons:
        kernels, biases = [], []
        for layer, (i, o) in enumerate(itertools.pairwise((1, *self.hidden, 1))):
            last = layer == len(self.hidden)
            # Biases as large as kernels, so that the bends of the ReLUs lie apart.
            init = nn.initializers.zeros if last else nn.initializers.normal(i**-0.5)
            shape = (self.couplings, i, o)
            kernels.append(self.param(f"{name}_kernel{layer}", init, shape))
            biases.append(self.param(f"{name}_bias{layer}", init, (shape[0], o)))
        return flows.Perceptrons(kernels=tuple(kernels), biases=tuple(biases))
