"""torchvision's residual networks as trunks of regressors."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import published_networks
import pytest
import torch_bytes

from jaxpose.models import density_regressor, regressor, resnet
from jaxpose.weights import resnet as resnet_weights

IMAGE = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)


@pytest.fixture(scope="module")
def published():
    """A ResNet-50 with torchvision's names, of which 53 layers are the trunk's."""
    state = published_networks.filled(published_networks.pose_resnet50())
    trunk = {n[9:]: v for n, v in state.items() if n.startswith("backbone.")}
    return trunk | {"fc.weight": np.ones((9, 2048), np.float32)}


@pytest.mark.parametrize(
    "make", [regressor.Regressor, density_regressor.DensityRegressor]
)
def test_a_regressor_takes_the_trunk_and_keeps_its_head(make, published, tmp_path):
    entries = {name: torch_bytes.tensor(name, v) for name, v in published.items()}
    path = tmp_path / "resnet50.pth"
    path.write_bytes(torch_bytes.zipped(entries, published))
    model = make(num_keypoints=16, trunk=resnet.resnet(layers=50))
    init = functools.partial(model.init, train=False)
    shapes = jax.eval_shape(init, jax.random.key(0), IMAGE)
    fresh = jax.tree.map(lambda x: np.full(x.shape, 7, x.dtype), shapes)
    found = resnet_weights.Trunk(path=str(path))(fresh)
    assert jax.tree.structure(found) == jax.tree.structure(fresh)
    trunk, head = found["params"].pop("trunk"), found["params"]
    np.testing.assert_array_equal(
        trunk["stem_conv"]["kernel"], published["conv1.weight"].transpose(2, 3, 1, 0)
    )
    assert all(np.all(leaf != 7) for leaf in jax.tree.leaves(trunk))
    assert all(np.all(leaf == 7) for leaf in jax.tree.leaves(head))
    running = found["batch_stats"]["trunk"]["stage4_2"]["norm3"]
    expected = published["layer4.2.bn3.running_var"]
    np.testing.assert_array_equal(running["var"], expected)
