"""The associative hourglass as hgpose-ae computes it, and its fields."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import published_networks
import pytest
import random_variables

from jaxpose.models import associative
from jaxpose.weights import associative as published

IMAGE = jnp.array(np.random.default_rng(3).uniform(size=(2, 16, 24, 3)), jnp.float32)
SMALL = functools.partial(
    associative.AssociativeHourglass,
    num_keypoints=3,
    tags=2,
    stacks=2,
    features=16,
    increase=8,
    depth=1,
    stem=(8, 8, 16),
)
ORIGINAL = functools.partial(
    associative.AssociativeHourglass, num_keypoints=17, channels=68
)


def shapes_of(model, size=(16, 24)):
    image = jax.ShapeDtypeStruct((2, *size, 3), jnp.float32)
    return jax.eval_shape(
        lambda x: model.init(jax.random.key(0), x, train=False), image
    )


def count(tree):
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def test_outputs_are_the_recorded_ones(reference):
    """Of the first and the last stack; the 34 channels without a meaning aside."""
    record = reference("ae_hg_ae_forward")
    shapes = published_networks.associative(stacks=4)
    assert {f"{name}|{shape}" for name, shape in shapes.items()} == set(record["keys"])
    state = {
        name: published_networks.det_filled(name, shape)
        for name, shape in shapes.items()
    }
    fresh = shapes_of(ORIGINAL(), (128, 128))
    variables = jax.device_put(published.associative_hourglass(lambda: state, fresh))
    image = jnp.array(record["x"].transpose(0, 2, 3, 1))
    outputs = ORIGINAL().apply(variables, image, train=False)
    expected = record["out"][:, :, :34].transpose(1, 0, 3, 4, 2)
    # Up to 1 after 50 layers of float32.
    np.testing.assert_allclose(outputs[jnp.array([0, 3])], expected, atol=5e-6)


@pytest.mark.parametrize(
    ("fields", "parameters"),
    [
        ({}, 138_893_840),
        # 34 channels less, each of 257 in 4 heads and of 256 in 3 merges.
        ({"channels": 0}, 138_893_840 - 34 * (4 * 257 + 3 * 256)),
        ({"channels": 0, "tags": 3}, 138_893_840),
    ],
)
def test_parameters_are_as_many_as_in_pytorch(fields, parameters):
    """138,893,840 of the original: specs/adversarial_ae.md, section 0."""
    assert count(shapes_of(ORIGINAL(**fields), (64, 64))) == parameters


@pytest.mark.parametrize("fields", [{}, {"dtype": "bfloat16", "remat": True}])
def test_full_size(fields):
    model = ORIGINAL(**fields)
    image = jax.ShapeDtypeStruct((1, 512, 384, 3), jnp.float32)
    outputs = jax.eval_shape(
        functools.partial(model.apply, train=True), shapes_of(model, (64, 64)), image
    )
    assert (outputs.shape, outputs.dtype) == ((4, 1, 128, 96, 34), jnp.float32)


def test_fresh_layers_are_as_in_pytorch():
    """Uniform in +- 1 / sqrt(fan in): specs/adversarial_ae.md, section 1."""
    model = associative.Hourglass(depth=1, increase=0)
    params = model.lazy_init(jax.random.key(0), IMAGE)["params"]
    assert params.keys() == {"skip", "down", "inner", "up"}
    for leaf in jax.tree.leaves(params):
        assert 0 < np.abs(leaf).max() <= (3 * 9) ** -0.5
    kernels = np.array([layer["kernel"] for layer in params.values()])
    # Of 324 numbers the largest is below 0.95 of the bound once in 16 million times.
    assert np.abs(kernels).max() > 0.95 * (3 * 9) ** -0.5


@pytest.fixture(scope="module")
def small():
    return random_variables.like(shapes_of(SMALL()))


def evaluate(model, variables):
    return jax.jit(lambda v, x: model.apply(v, x, train=False))(variables, IMAGE)


@pytest.fixture(scope="module")
def outputs(small):
    return evaluate(SMALL(), small)


def test_each_stack_has_heatmaps_and_tags_on_a_quarter_of_the_grid(outputs):
    assert outputs.shape == (2, 2, 4, 6, 9)
    assert not np.allclose(outputs[0], outputs[1])


def squares(model, variables):
    def loss(params):
        outputs = model.apply({"params": params}, IMAGE, train=True)
        return jnp.square(outputs).mean(), outputs

    return jax.value_and_grad(loss, has_aux=True)(variables["params"])


def test_channels_beyond_the_tags_are_seen_by_the_next_stack_alone():
    model = SMALL(channels=11)
    variables = random_variables.like(shapes_of(model))
    (_, outputs), grads = jax.jit(functools.partial(squares, model))(variables)
    assert outputs.shape[-1] == 9
    for path, leaf in jax.tree_util.tree_leaves_with_path(grads):
        assert np.all(np.isfinite(leaf)) and np.any(leaf), jax.tree_util.keystr(path)
    for stack, felt in (("stack0", True), ("stack1", False)):
        kernel = np.asarray(grads[stack]["maps"]["kernel"])[0, 0]
        assert np.all(np.any(kernel[:, :9], axis=0))
        assert np.all(np.any(kernel[:, 9:], axis=0) == felt)


def test_rematerialisation_changes_no_number():
    models = [SMALL(stacks=1, remat=remat) for remat in (False, True)]
    variables = random_variables.like(shapes_of(models[0]))
    plain, anew = (
        jax.jit(functools.partial(squares, model))(variables) for model in models
    )
    assert jax.tree.structure(plain) == jax.tree.structure(anew)
    for a, b in zip(jax.tree.leaves(plain), jax.tree.leaves(anew), strict=True):
        # The compiler orders sums at will: of 192 cells and 216 inputs at most.
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * np.abs(a).max())


def test_rematerialisation_keeps_less_for_the_gradient(small):
    def kept(model):
        def forward(params):
            return model.apply({"params": params}, IMAGE, train=True)

        return count(jax.eval_shape(lambda p: jax.vjp(forward, p)[1], small["params"]))

    without = count(small)
    assert kept(SMALL(remat=True)) - without < (kept(SMALL()) - without) / 2


def test_bfloat16_computes_between_float32_parameters_and_outputs(small, outputs):
    model = SMALL(dtype="bfloat16")
    found = jax.eval_shape(functools.partial(squares, model), small)
    for tree in (shapes_of(model), found):
        assert {leaf.dtype for leaf in jax.tree.leaves(tree)} == {jnp.dtype("float32")}
    half = evaluate(model, small)
    # A number has 8 bits, and some 20 layers follow each other.
    np.testing.assert_allclose(half, outputs, atol=0.03 * float(jnp.abs(outputs).max()))
    assert not np.array_equal(half, outputs)


@pytest.mark.parametrize("size", [(60, 64), (64, 33)])
def test_odd_sizes_are_refused(size):
    message = f"{size[0]} x {size[1]} pixels; an hourglass of depth 4 takes multiples"
    with pytest.raises(ValueError, match=f"{message} of 64.*or lower the depth"):
        shapes_of(ORIGINAL(), size)


@pytest.mark.parametrize("field", ["stacks", "depth", "tags"])
def test_a_network_without_a_part_is_refused(field):
    with pytest.raises(ValueError, match=f"{field}=0 must be 1 or more"):
        SMALL(**{field: 0})


def test_too_few_channels_are_refused():
    message = "channels=8 must be 0 or at least 9, for 3 heatmaps and as many tags of 2"
    with pytest.raises(ValueError, match=message):
        SMALL(channels=8)
