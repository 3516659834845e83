"""The trunk: sizes, widths, form of the blocks, refusals. Its values: test_pose_resnet."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import random_variables

from jaxpose.models import resnet

# torchvision's counts, less their classifier's 1000 x (channels + 1).
PARAMETERS = {
    18: 11_689_512 - 513_000,
    34: 21_797_672 - 513_000,
    50: 25_557_032 - 2_049_000,
    101: 44_549_160 - 2_049_000,
    152: 60_192_808 - 2_049_000,
}
IMAGE = jax.ShapeDtypeStruct((1, 64, 96, 3), jnp.float32)


def shapes_of(model, image=IMAGE):
    key = jax.random.key(0)
    return jax.eval_shape(lambda x: model.init_with_output(key, x, train=False), image)


@pytest.mark.parametrize("layers", resnet.VARIANTS)
def test_published_depths(layers):
    features, variables = shapes_of(resnet.resnet(layers=layers))
    assert features.shape == (1, 2, 3, 2048 if layers >= 50 else 512)
    params = variables["params"]
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == PARAMETERS[layers]
    # Each convolution and the classifier is a layer; shortcuts do not count.
    convs = [p for p in jax.tree_util.tree_leaves_with_path(params) if p[1].ndim == 4]
    main = [p for p in convs if "skip_conv" not in jax.tree_util.keystr(p[0])]
    assert len(main) + 1 == layers


def test_a_small_trunk_has_the_stride_it_says():
    model = resnet.ResNet(blocks=(1, 2, 1), bottleneck=False, features=(8, 12, 16))
    features, variables = shapes_of(model)
    assert model.stride == 16
    assert features.shape == (1, 64 // 16, 96 // 16, 16)
    assert set(variables["params"]) == {
        "stem_conv",
        "stem_norm",
        "stage1_0",
        "stage2_0",
        "stage2_1",
        "stage3_0",
    }


def test_bfloat16_computes_between_float32_parameters():
    fields = {"blocks": (1, 1), "bottleneck": True, "features": (8, 8)}
    image = jnp.array(
        np.random.default_rng(0).uniform(size=(1, 16, 16, 3)), jnp.float32
    )
    full, half = (resnet.ResNet(**fields, dtype=d) for d in ("float32", "bfloat16"))
    _, shapes = shapes_of(half, image)
    assert {leaf.dtype for leaf in jax.tree.leaves(shapes)} == {jnp.dtype("float32")}
    variables = random_variables.like(shapes)
    expected, found = (
        jax.jit(functools.partial(model.apply, train=False))(variables, image)
        for model in (full, half)
    )
    assert found.dtype == jnp.bfloat16
    np.testing.assert_allclose(
        found.astype(jnp.float32), expected, atol=0.03 * expected.max()
    )


def test_refusals():
    image = jax.ShapeDtypeStruct((1, 64, 80, 3), jnp.float32)
    with pytest.raises(
        ValueError, match="64 x 80 pixels; 4 stages take multiples of 32"
    ):
        shapes_of(resnet.resnet(layers=18), image)
    with pytest.raises(
        ValueError, match="layers=20 must be one of 18, 34, 50, 101, 152"
    ):
        resnet.resnet(layers=20)
    uneven = resnet.ResNet(blocks=(1, 1), bottleneck=False, features=(8,))
    with pytest.raises(ValueError, match=r"blocks=\(1, 1\) and features=\(8,\) must"):
        shapes_of(uneven)


def test_mean_and_std_are_taken_out_of_the_image():
    """ImageNet's unless told otherwise; the numbers are torchvision's."""
    fields = {"blocks": (1,), "bottleneck": False, "features": (8,)}
    image = jnp.array(np.random.default_rng(0).uniform(size=(1, 8, 8, 3)), jnp.float32)
    usual = resnet.ResNet(**fields)
    plain = resnet.ResNet(**fields, mean=(0.0,) * 3, std=(1.0,) * 3)
    variables = usual.init(jax.random.key(0), image, train=False)
    by_hand = (np.array(image) - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    found = usual.apply(variables, image, train=False)
    expected = plain.apply(variables, jnp.array(by_hand, jnp.float32), train=False)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    assert np.abs(plain.apply(variables, image, train=False) - found).max() > 0.1
    named = resnet.resnet(layers=18, mean=(0.1, 0.2, 0.3), std=(1.0, 2.0, 3.0))
    assert (named.mean, named.std) == ((0.1, 0.2, 0.3), (1.0, 2.0, 3.0))
