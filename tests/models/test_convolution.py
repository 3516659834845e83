"""Convolutions against slow loops and XLA's own, and how they start."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from jaxpose.models import convolution

RANDOM = np.random.default_rng(0)
SMALL = nn.initializers.normal(0.01)


def slow(x, kernel, stride):
    """Zeros around the image, as many on each side, and a sum a window."""
    side, pad = len(kernel), len(kernel) // 2
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    rows, columns = range(0, x.shape[1], stride), range(0, x.shape[2], stride)
    result = np.zeros((len(x), len(rows), len(columns), kernel.shape[-1]))
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            window = padded[:, row : row + side, column : column + side]
            result[:, i, j] = np.einsum("brci,rcio->bo", window, kernel)
    return result


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [1, 3, 7])
def test_padding_is_alike_on_both_sides(kernel, stride):
    x = RANDOM.normal(size=(2, 6, 8, 3)).astype(np.float32)
    conv = convolution.Conv(5, kernel, stride)
    variables = conv.init(jax.random.key(0), jnp.array(x))
    params = jax.tree.map(np.asarray, variables["params"])
    expected = slow(x, params["kernel"].astype(np.float64), stride) + params["bias"]
    # Sums of up to 147 products of some units, in float32.
    np.testing.assert_allclose(conv.apply(variables, jnp.array(x)), expected, atol=1e-5)


@pytest.mark.parametrize("stride", [1, 2])
def test_a_flat_product_is_the_convolution_also_in_its_gradients(stride):
    x, kernel = RANDOM.normal(size=(2, 4, 6, 3)), RANDOM.normal(size=(1, 1, 3, 5))
    conv = convolution.Conv(5, 1, stride, use_bias=False)

    def flat(x, kernel):
        return conv.apply({"params": {"kernel": kernel}}, x)

    def plain(x, kernel):
        layout = ("NHWC", "HWIO", "NHWC")
        return jax.lax.conv_general_dilated(
            x, kernel, (stride, stride), "VALID", dimension_numbers=layout
        )

    assert_alike(flat, plain, jnp.float32(x), jnp.float32(kernel))


@pytest.mark.parametrize(
    ("kernel", "stride"), [(7, 2), (3, 2), (5, 2), (11, 4), (3, 3)]
)
def test_blocks_are_the_convolution_also_in_its_gradients(kernel, stride):
    x = RANDOM.normal(size=(2, 24, 12, 3))
    weights = RANDOM.normal(size=(kernel, kernel, 3, 5)) / kernel

    def plain(x, kernel):
        pad = (kernel.shape[0] // 2,) * 2
        layout = ("NHWC", "HWIO", "NHWC")
        return jax.lax.conv_general_dilated(
            x, kernel, (stride, stride), (pad, pad), dimension_numbers=layout
        )

    def blocks(x, kernel):
        return convolution.blockwise(x, kernel, stride)

    assert_alike(blocks, plain, jnp.float32(x), jnp.float32(weights))


def test_images_of_odd_sides_are_convolved_as_well():
    x = RANDOM.normal(size=(1, 7, 9, 3)).astype(np.float32)
    conv = convolution.Conv(2, 3, 2, use_bias=False)
    variables = conv.init(jax.random.key(0), jnp.array(x))
    kernel = np.asarray(variables["params"]["kernel"], np.float64)
    np.testing.assert_allclose(
        conv.apply(variables, jnp.array(x)), slow(x, kernel, 2), atol=1e-5
    )


def test_four_phases_are_the_transposed_convolution_also_in_their_gradients():
    x, kernel = RANDOM.normal(size=(2, 3, 5, 4)), RANDOM.normal(size=(4, 4, 4, 6))

    def transposed(x, kernel):
        # Zeros between the cells and two around them; PyTorch's kernel is turned.
        turned = kernel[::-1, ::-1]
        return jax.lax.conv_transpose(x, turned, (2, 2), ((2, 2), (2, 2)))

    assert_alike(convolution.double, transposed, jnp.float32(x), jnp.float32(kernel))


def assert_alike(ours, theirs, *arguments):
    """Values, and gradients of a sum that weighs each value by another number."""
    expected = theirs(*arguments)
    np.testing.assert_allclose(ours(*arguments), expected, atol=1e-5)
    weight = jnp.array(RANDOM.normal(size=expected.shape), jnp.float32)
    found, wanted = (
        jax.grad(lambda *a, f=f: (f(*a) * weight).sum(), (0, 1))(*arguments)
        for f in (ours, theirs)
    )
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5)


def test_one_cell_reaches_four_by_four():
    """PyTorch: cell i writes 2i - 1 + k with row k of the kernel."""
    x = jnp.zeros((1, 4, 4, 1)).at[0, 1, 2, 0].set(1.0)
    kernel = jnp.arange(1.0, 17.0).reshape(4, 4, 1, 1)
    result = np.array(convolution.double(x, kernel)[0, :, :, 0])
    np.testing.assert_array_equal(result[1:5, 3:7], kernel[:, :, 0, 0])
    result[1:5, 3:7] = 0
    np.testing.assert_array_equal(result, 0)


def test_deconv_starts_as_told_and_doubles():
    layer = convolution.Deconv(64, jax.nn.initializers.normal(0.001))
    x = jnp.ones((1, 3, 5, 32))
    out, variables = layer.init_with_output(jax.random.key(0), x)
    assert out.shape == (1, 6, 10, 64)
    assert list(variables["params"]) == ["kernel"]
    # 32,768 numbers tell a deviation to 0.4 %: four of these.
    np.testing.assert_allclose(variables["params"]["kernel"].std(), 0.001, rtol=0.016)


@pytest.mark.parametrize("kernel", [1, 3])
def test_pytorchs_start(kernel):
    x = jnp.zeros((1, 4, 4, 16))
    variables = convolution.Conv(256, kernel).init(jax.random.key(0), x)
    bound = (16 * kernel**2) ** -0.5
    for entry in ("kernel", "bias"):
        values = np.abs(variables["params"][entry])
        # Of 256 numbers the largest is above 0.96 of the bound but once in 30,000.
        assert 0.96 * bound < values.max() <= bound


def test_torchvisions_start():
    x = jnp.zeros((1, 4, 4, 64))
    conv = convolution.Conv(128, 3, use_bias=False, kernel_init=convolution.he_normal)
    params = conv.init(jax.random.key(0), x)["params"]
    assert list(params) == ["kernel"]
    # 73,728 numbers tell a deviation to 0.26 %: four of these.
    np.testing.assert_allclose(
        params["kernel"].std(), np.sqrt(2 / (9 * 128)), rtol=0.011
    )


@pytest.mark.parametrize("kernel", [1, 3])
def test_bfloat16_computes_and_float32_stays(kernel):
    x = jnp.array(RANDOM.normal(size=(2, 4, 4, 8)), jnp.float32)
    conv = convolution.Conv(8, kernel, dtype="bfloat16")
    out, variables = conv.init_with_output(jax.random.key(0), x)
    assert out.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    full = convolution.Conv(8, kernel).apply(variables, x)
    np.testing.assert_allclose(out.astype(jnp.float32), full, atol=0.03)


def test_a_transposed_convolution_has_no_start_of_its_own():
    """PyTorch's counts outputs, unlike `torch_uniform`."""
    with pytest.raises(TypeError, match="kernel_init"):
        convolution.Deconv(64)


@pytest.mark.parametrize("dtype", ["bf16", "int8"])
def test_other_dtypes_are_refused(dtype):
    start = convolution.he_normal
    for layer in (
        convolution.Conv(4, dtype=dtype),
        convolution.Deconv(4, start, dtype=dtype),
    ):
        with pytest.raises(ValueError, match=f"dtype='{dtype}' must be one of bfloat"):
            layer.init(jax.random.key(0), jnp.zeros((1, 4, 4, 3)))


def test_groups_are_halves_of_the_channels():
    x = jax.random.normal(jax.random.key(0), (2, 9, 8, 6))
    ours = convolution.Conv(10, 5, groups=2, kernel_init=SMALL)
    theirs = nn.Conv(10, (5, 5), feature_group_count=2)
    variables = ours.lazy_init(jax.random.key(1), x)
    assert variables["params"]["kernel"].shape == (5, 5, 3, 10)
    split, grouped = jax.jit(lambda v: (ours.apply(v, x), theirs.apply(v, x)))(
        variables
    )
    # 75 products of 0.01 in another order.
    np.testing.assert_allclose(split, grouped, atol=1e-7)


def test_valid_leaves_out_the_padded_border():
    x = jax.random.normal(jax.random.key(0), (1, 227, 227, 3))
    same = convolution.Conv(4, 11, 4, padding="SAME", kernel_init=SMALL)
    variables = same.lazy_init(jax.random.key(1), x)
    padded = same.apply(variables, x)
    valid = same.clone(padding="VALID").apply(variables, x)
    # TensorFlow pads 227 pixels by 4 on each side, which is the stride.
    assert padded.shape == (1, 57, 57, 4) and valid.shape == (1, 55, 55, 4)
    np.testing.assert_allclose(valid, padded[:, 1:-1, 1:-1], atol=1e-6)
