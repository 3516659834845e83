"""The stacked hourglass as PyTorch-Pose's and hgpose's compute it, and its fields."""

import functools
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import published_networks
import pytest
import random_variables
import recorded
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxpose import config as configs
from jaxpose.learners import optimizers
from jaxpose.models import batch_norm, group_norm, hourglass
from jaxpose.weights import pytorch_pose

CONFIGS = pathlib.Path(__file__).parents[2] / "configs"
NORMS = {"hg": batch_norm.BatchNorm, "hg_gn": group_norm.GroupNorm}
IMAGE = jnp.array(np.random.default_rng(3).uniform(size=(2, 16, 24, 3)), jnp.float32)
SMALL = functools.partial(
    hourglass.StackedHourglass, num_keypoints=3, features=16, depth=1, stem=(8, 8, 16)
)


def original(arch="hg", **fields):
    """A network of the original's widths; its inputs have no mean any more."""
    return hourglass.StackedHourglass(
        num_keypoints=16, norm=NORMS[arch], mean=(0.0, 0.0, 0.0), **fields
    )


def shapes_of(model, size=64):
    image = jax.ShapeDtypeStruct((2, size, size, 3), jnp.float32)
    return jax.eval_shape(
        lambda x: model.init(jax.random.key(0), x, train=False), image
    )


def count(tree):
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


@pytest.fixture(scope="module", params=NORMS)
def case(request, reference):
    arch = request.param
    record = reference(f"hg_model_{arch}_s2_b1")
    shapes = published_networks.hourglass(stacks=2, running=arch == "hg")
    state = published_networks.filled(shapes)
    variables = pytorch_pose.hourglass(lambda: state, shapes_of(original(arch)))
    run = recorded.run(
        record,
        original(arch, dtype="float64"),
        variables,
        optimizers.rmsprop(learning_rate=2.5e-4),
    )
    return record, shapes, run


def test_forward_and_losses_are_the_recorded_ones(case):
    record, _, run = case
    recorded.assert_forward(run, record)


def test_gradients_and_running_statistics_are_the_recorded_ones(case):
    record, shapes, run = case
    recorded.assert_gradients(run, record, pytorch_pose.hourglass, shapes)


def test_what_a_step_leaves_is_the_recorded(case):
    record, shapes, run = case
    recorded.assert_step(run, record, pytorch_pose.hourglass, shapes)


def test_hgpose_differs_in_its_stem_alone(reference):
    """The other original; in evaluation, and in training with what that leaves."""
    record = reference("adv_hg_forward")
    state = published_networks.hgpose(record["keys"])
    model = original(stem=(64, 128, 128))
    variables = pytorch_pose.hourglass(lambda: state, shapes_of(model))
    image = jnp.array(record["x"].transpose(0, 2, 3, 1))
    expected = record["out_eval"].transpose(1, 0, 3, 4, 2)
    # Up to 10 in 30 layers of float32.
    np.testing.assert_allclose(evaluate(model, variables, image), expected, atol=1e-4)
    # Not the maps of training: the innermost normalizations see two numbers a channel,
    # and 1e-7 of the weights changes those maps by a quarter, in float64 too.
    _, updated = model.apply(
        jax.device_put(variables), image, train=True, mutable=["batch_stats"]
    )
    stem = updated["batch_stats"]["stem_norm"]
    for kind in ("mean", "var"):
        expected = record[f"bn1_{kind}_after_train"]
        np.testing.assert_allclose(stem[kind], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("arch", "stacks", "blocks", "parameters"),
    [
        ("hg", 1, 1, 3_586_960),
        ("hg", 2, 1, 6_730_912),
        ("hg", 8, 1, 25_594_624),
        ("hg", 2, 4, 24_751_264),
        ("hg_gn", 2, 1, 6_730_912),
    ],
)
def test_parameters_are_as_many_as_in_pytorch(arch, stacks, blocks, parameters):
    variables = shapes_of(original(arch, stacks=stacks, blocks=blocks))
    assert count(variables["params"]) == parameters
    assert ("batch_stats" in variables) == (arch == "hg")


@pytest.fixture(scope="module")
def small():
    return random_variables.like(shapes_of(SMALL()))


def evaluate(model, variables, image=IMAGE):
    return jax.jit(lambda v, x: model.apply(v, x, train=False))(variables, image)


def test_each_stack_has_heatmaps_on_a_quarter_of_the_grid(small):
    maps = evaluate(SMALL(), small)
    assert maps.shape == (2, 2, 4, 6, 3)
    assert not np.allclose(maps[0], maps[1])
    mirrored = evaluate(SMALL(), small, IMAGE[::-1])
    np.testing.assert_allclose(maps[:, ::-1], mirrored, atol=1e-5)


def test_the_mean_goes_from_each_channel(small):
    mean = (0.1, 0.2, 0.3)
    maps = evaluate(SMALL(mean=mean), small)
    shifted = evaluate(SMALL(mean=(0.0, 0.0, 0.0)), small, IMAGE - jnp.array(mean))
    np.testing.assert_allclose(maps, shifted, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "mean"),
    [
        ("hourglass_mpii", (0.4404428, 0.4440267, 0.4326828)),
        ("hourglass_lsp", (0.4442081, 0.4302157, 0.4039498)),
        ("hourglass_coco", (0.4566077, 0.4368823, 0.4061418)),
    ],
)
def test_the_mean_is_that_of_the_data_set(name, mean):
    """Stored in PyTorch-Pose's repository: specs/hourglass.md, section 2.1."""
    assert configs.load(str(CONFIGS / f"{name}.py")).learner.model.mean == mean


def descend(model, variables, image):
    def loss(params):
        maps, updated = model.apply(
            {**variables, "params": params}, image, train=True, mutable=["batch_stats"]
        )
        return jnp.square(maps).mean(), (maps, updated["batch_stats"])

    return jax.value_and_grad(loss, has_aux=True)(variables["params"])


def test_rematerialisation_changes_no_number():
    models = [SMALL(stacks=1, remat=remat) for remat in (False, True)]
    variables = random_variables.like(shapes_of(models[0]))
    plain, anew = (
        jax.jit(functools.partial(descend, model))(variables, IMAGE) for model in models
    )
    assert jax.tree.structure(plain) == jax.tree.structure(anew)
    for a, b in zip(jax.tree.leaves(plain), jax.tree.leaves(anew), strict=True):
        # The compiler orders sums at will, and normalizations of 12 numbers amplify
        # that. Below 1e-6 are gradients that truly are zero.
        np.testing.assert_allclose(a, b, atol=2e-3 * np.abs(a).max() + 1e-6)


def test_rematerialisation_keeps_less_for_the_gradient(small):
    def kept(model):
        """Numbers from the forward to the backward pass, parameters aside."""

        def forward(params):
            variables = {**small, "params": params}
            return model.apply(variables, IMAGE, train=True, mutable=["batch_stats"])[0]

        backward = jax.eval_shape(lambda p: jax.vjp(forward, p)[1], small["params"])
        return count(backward) - count(small["params"])

    assert kept(SMALL(remat=True)) < kept(SMALL()) / 2


def test_bfloat16_computes_between_float32_parameters_and_heatmaps(small):
    model = SMALL(dtype="bfloat16")
    (_, (maps, stats)), grads = jax.eval_shape(
        functools.partial(descend, model), small, IMAGE
    )
    for tree in (shapes_of(model), maps, stats, grads):
        assert {leaf.dtype for leaf in jax.tree.leaves(tree)} == {jnp.dtype("float32")}
    half, full = evaluate(model, small), evaluate(SMALL(), small)
    # A number has 8 bits, and some 30 layers follow each other.
    np.testing.assert_allclose(half, full, atol=0.03 * float(jnp.abs(full).max()))
    assert not np.array_equal(half, full)


def test_channels_may_grow_with_each_halving():
    params = shapes_of(SMALL(depth=2, increase=8), size=32)["params"]
    parts = params["stack0"]["hourglass"]
    widths = {name: parts[name]["conv3"]["kernel"].shape[-1] for name in parts}
    assert widths == {
        "level1_skip_0": 16,
        "level1_down_0": 24,
        "level0_skip_0": 24,
        "level0_down_0": 32,
        "bottom_0": 32,
        "level0_up_0": 24,
        "level1_up_0": 16,
    }


def test_a_sharded_batch_stays_where_it_is(small):
    """The flat products of 1 x 1 convolutions cut along the examples alone."""
    mesh = Mesh(np.array(jax.devices()[:2]), ("data",))
    everywhere = NamedSharding(mesh, PartitionSpec())
    cut = NamedSharding(mesh, PartitionSpec("data"))
    step = jax.jit(
        lambda variables, image: SMALL().apply(variables, image, train=False),
        in_shardings=(everywhere, cut),
    )
    text = step.lower(small, IMAGE).compile().as_text()
    assert "all-gather" not in text and "all-to-all" not in text


@pytest.mark.parametrize("size", [(60, 64), (64, 33)])
def test_odd_sizes_are_refused(size):
    image = jax.ShapeDtypeStruct((1, *size, 3), jnp.float32)
    message = f"{size[0]} x {size[1]} pixels; an hourglass of depth 4 takes multiples"
    with pytest.raises(ValueError, match=f"{message} of 64.*or lower the depth"):
        jax.eval_shape(
            lambda x: original().init(jax.random.key(0), x, train=False), image
        )


def test_an_hourglass_without_stacks_is_refused():
    with pytest.raises(ValueError, match="stacks=0 must be 1 or more"):
        SMALL(stacks=0)


def test_halves_are_maxima_and_doubles_are_copies():
    x = jnp.arange(32.0).reshape(1, 4, 4, 2)
    np.testing.assert_array_equal(
        hourglass.halved(x)[0, :, :, 1], [[11.0, 15.0], [27.0, 31.0]]
    )
    twice = hourglass.doubled(x)
    for row, column in np.ndindex(2, 2):
        np.testing.assert_array_equal(twice[:, row::2, column::2], x)
