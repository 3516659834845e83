"""AlexNet at full size: what TensorFlow computed and how Adagrad trained it.

The recorded runs had TensorFlow 1.0, weights from recipes A and B of
shared/reference/README.md, no dropout, and no scaling of their input.
"""

import types

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import watching

from jaxpose.learners import layer_groups, optimizers
from jaxpose.models import alexnet, local_response, regressor
from jaxpose.objectives import coordinates

SIZE = (227, 227)
MODEL = regressor.Regressor(
    num_keypoints=14, trunk=alexnet.AlexNet(scaling="none", dropout=0.0)
)
# In the order of the recipes; the classifier fc8 is left out.
LAYERS = {
    name: number
    for number, name in enumerate(
        ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "", "coordinates")
    )
    if name
}
DEVIATIONS = {name: 0.005 if name in ("fc6", "fc7") else 0.01 for name in LAYERS}
BIASES = {name: 0.1 for name in ("conv2", "conv4", "conv5", "fc6", "fc7")}


@pytest.fixture(scope="module")
def record(reference):
    return reference("deeppose_tf_alexnet")


def test_initial_values_are_the_recorded_ones(record):
    """init_*: mean, deviation, largest weight, smallest and largest bias."""
    model = regressor.Regressor(
        num_keypoints=14,
        trunk=alexnet.AlexNet(features=(96, 96, 64, 64, 64), hidden=512),
        kernel_init=jax.nn.initializers.truncated_normal(0.01),
    )
    image = jax.ShapeDtypeStruct((1, 67, 71, 3), jnp.float32)
    variables = model.lazy_init(jax.random.key(0), image, train=False)
    for name, layer in by_layer(variables["params"]).items():
        recorded = "fc_regression" if name == "coordinates" else name
        mean, deviation, largest, *bias = record[f"init_{recorded}"]
        kernel, expected = np.asarray(layer["kernel"]), DEVIATIONS[name]
        # Four deviations of the estimates from some 10,000 numbers and more.
        error = 4 * deviation / np.sqrt(kernel.size)
        assert abs(kernel.mean()) < error and abs(mean) < error
        assert abs(kernel.std() - deviation) < error
        assert 1.98 * expected < kernel.max() <= 2 * expected >= largest
        np.testing.assert_array_equal(layer["bias"], np.float32(bias[0]))
        assert bias == [BIASES.get(name, 0)] * 2


def by_layer(params):
    return {**params["trunk"], "coordinates": params["coordinates"]}


def as_params(layers):
    trunk = {name: layer for name, layer in layers.items() if name != "coordinates"}
    return {"trunk": trunk, "coordinates": layers["coordinates"]}


def layers_of(recipe):
    """Full-size layers, each made by a recipe from its name and the kernel's shape."""
    image = jax.ShapeDtypeStruct((3, *SIZE, 3), jnp.float32)
    variables = jax.eval_shape(
        lambda image: MODEL.init(jax.random.key(0), image, train=False), image
    )
    shapes = by_layer(variables["params"])
    return {name: recipe(name, shapes[name]["kernel"].shape) for name in LAYERS}


def recipe_a(name, shape):
    number = 1000 + 2 * LAYERS[name]
    kernel = np.random.RandomState(number).standard_normal(shape)
    kernel *= np.sqrt(2 / np.prod(shape[:-1]))
    bias = 0.1 * np.random.RandomState(number + 1).standard_normal(shape[-1])
    small = np.float32(0.02 if name == "coordinates" else 1)
    return {"kernel": np.float32(kernel) * small, "bias": np.float32(bias) * small}


def recipe_b(name, shape):
    kernel = np.random.RandomState(2000 + LAYERS[name]).standard_normal(shape)
    bias = np.full(shape[-1], BIASES.get(name, 0), np.float32)
    return {"kernel": np.float32(DEVIATIONS[name] * kernel), "bias": bias}


def recorded_image(seed, scale):
    """What the network sees, blue first, as the RGB in 0..1 that it takes."""
    x = np.float32(scale * np.random.RandomState(seed).standard_normal((3, *SIZE, 3)))
    return jnp.array(x[..., ::-1] / np.float32(255))


@pytest.fixture(scope="module")
def descend(record):
    """Loss, outputs and gradients by the objective in the original's way."""
    targets = coordinates.Targets(
        coordinates=jnp.array(record["gt"]),
        labeled=jnp.array(record["valid"]).all(axis=2),
        weight=jnp.ones(len(record["gt"])),
    )
    objective = coordinates.Coordinates(size=SIZE, extent=0.5, per_person=True)

    def loss_of(params, image):
        outputs = MODEL.apply({"params": params}, image, train=False)
        return objective.loss(outputs, targets)[0], outputs

    return jax.jit(jax.value_and_grad(loss_of, has_aux=True))


@pytest.fixture(scope="module")
def recipe_a_ran(descend):
    params = as_params(layers_of(recipe_a))
    image = recorded_image(77, 60)
    (loss, _), grads = descend(params, image)
    outputs, seen = watching.watched(MODEL, {"params": params}, image, train=False)
    return types.SimpleNamespace(outputs=outputs, seen=seen, loss=loss, grads=grads)


def activations(seen):
    """By their recorded names; what is no layer's output is the next one's input."""

    def relu(name):
        return jnp.maximum(seen[name][1], 0)

    return {
        "conv1_Relu": relu("conv1"),
        "conv1_lrn": local_response.normalize(relu("conv1")),
        "conv1_maxpool": seen["conv2"][0],
        "conv2_relu": relu("conv2"),
        "conv2_LRN": local_response.normalize(relu("conv2")),
        "conv2_MaxPool": seen["conv3"][0],
        "conv3_relu": relu("conv3"),
        "conv4_relu": relu("conv4"),
        "conv5_maxpool": seen["fc6"][0].reshape(3, 6, 6, 256),
        "fc6_relu": relu("fc6"),
        "fc7_relu": relu("fc7"),
        "fc_regression_fc_regression": seen["coordinates"][1],
    }


def test_recorded_activations(recipe_a_ran, record):
    computed = activations(recipe_a_ran.seen)
    recorded = {n[4:-6] for n in record if n.startswith("act_") and n.endswith("shape")}
    assert computed.keys() == recorded
    for name, x in computed.items():
        assert x.shape == tuple(record[f"act_{name}_shape"])
        np.testing.assert_allclose(
            np.abs(x).mean(), record[f"act_{name}_meanabs"], rtol=1e-5
        )
        expected = record[f"act_{name}_slice"]
        flat = np.asarray(x).reshape(3, -1)
        flat = flat[:, :: flat.shape[1] // expected.shape[1]][:, : expected.shape[1]]
        # Sums of up to 9216 products in float32, of numbers that cancel.
        atol = 1e-5 * np.abs(expected).max()
        np.testing.assert_allclose(flat, expected, atol=atol, err_msg=name)


def test_recorded_prediction_loss_and_gradients(recipe_a_ran, record):
    outputs = np.asarray(recipe_a_ran.outputs).reshape(3, 28)
    largest = np.abs(record["pred"]).max()
    np.testing.assert_allclose(outputs, record["pred"], atol=1e-5 * largest)
    np.testing.assert_allclose(recipe_a_ran.loss, record["loss"], rtol=1e-6)
    computed = recorded_names(recipe_a_ran.grads)
    norms = dict(zip(record["grad64_names"], record["grad64_l2norm"], strict=True))
    assert {f"{name}:0" for name in computed} == norms.keys()
    for name, grad in computed.items():
        norm = np.linalg.norm(np.asarray(grad, np.float64))
        # Of float32 gradients; ours are up to 3e-7 from the record's.
        np.testing.assert_allclose(norm, norms[f"{name}:0"], rtol=1e-6, err_msg=name)


def recorded_names(params):
    """Raveled arrays by TensorFlow's names."""
    return {
        f"{name.replace('coordinates', 'fc_regression')}/{kind}": layer[ours].ravel()
        for name, layer in by_layer(params).items()
        for kind, ours in (("weight", "kernel"), ("bias", "bias"))
    }


@pytest.fixture(scope="module")
def recipe_b_ran(descend):
    """Two steps with the convolutions frozen, then six of everything."""
    adagrad = optimizers.adagrad(learning_rate=5e-4)
    dense = ("trunk/fc*", "coordinates/*")
    optimizer = layer_groups.by_layer(
        groups={
            "conv": layer_groups.Group(
                layers=("trunk/conv*",), optimizer=adagrad, frozen_steps=2
            ),
            "dense": layer_groups.Group(layers=dense, optimizer=adagrad),
        }
    )

    def move(grads, params, state):
        updates, state = optimizer.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    move = jax.jit(move, donate_argnums=(1, 2))
    image = recorded_image(78, 1)
    params = jax.tree.map(jnp.array, as_params(layers_of(recipe_b)))
    state, losses, outputs = optimizer.init(params), [], []
    for step in range(9):
        (loss, seen), grads = descend(params, image)
        losses.append(float(loss))
        outputs.append(np.asarray(seen).reshape(3, 28))
        if step < 8:
            params, state = move(grads, params, state)
    return types.SimpleNamespace(
        losses=losses, outputs=outputs, params=jax.device_get(params)
    )


def test_recorded_adagrad(recipe_b_ran, record):
    """The same run in float64 has the same distances from the record as this one.

    So they are TensorFlow's rounding: 1.1e-5 in losses, 2.1e-4 in predictions, 4e-7 in
    weights and 3.0e-6 in biases.
    """
    np.testing.assert_allclose(recipe_b_ran.losses, record["B_loss_traj"], atol=5e-5)
    np.testing.assert_allclose(recipe_b_ran.outputs[0], record["B_pred0"], atol=1e-6)
    np.testing.assert_allclose(recipe_b_ran.outputs[1:], record["B_preds"], atol=3e-4)
    for name, value in recorded_names(recipe_b_ran.params).items():
        expected = record[f"B_after_{name.replace('/', '_')}"]
        part = value[:: max(value.size // expected.size, 1)][: expected.size]
        atol = 4e-6 if name.endswith("bias") else 1e-6
        np.testing.assert_allclose(part, expected, rtol=0, atol=atol, err_msg=name)
