"""Meshes over the eight fake devices, and batches that divide over them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpose import devices

EIGHT = devices.mesh()
THREE = devices.mesh(jax.devices()[:3])


def test_the_mesh_is_every_device_in_a_row():
    assert EIGHT.shape == {"data": 8}
    assert THREE.shape == {"data": 3}


@pytest.mark.parametrize("batch_size", [8, 16, 800])
def test_batches_that_divide_pass(batch_size):
    devices.check_batch_size(batch_size, EIGHT)


@pytest.mark.parametrize(
    "batch_size, remedy",
    [(45, "such as 40 or 48$"), (7, "such as 8$"), (0, "such as 8$"), (-8, "such as")],
)
def test_others_are_refused_with_the_nearest_that_pass(batch_size, remedy):
    message = (
        rf"batch_size={batch_size} .* over 8 devices; use a multiple of 8, {remedy}"
    )
    with pytest.raises(ValueError, match=message):
        devices.check_batch_size(batch_size, EIGHT)


def test_one_process_loads_every_row():
    assert devices.local_rows(6) == slice(0, 6)


def test_a_batch_is_split_and_keeps_its_order():
    batch = {"a": np.arange(12).reshape(6, 2), "b": jnp.arange(6.0)}
    placed = devices.put_batch(batch, THREE)
    assert [s.data.shape for s in placed["a"].addressable_shards] == [(2, 2)] * 3
    jax.tree.map(np.testing.assert_array_equal, placed, batch)


def test_a_step_sees_the_whole_batch():
    def step(state, batch):
        return state + batch.sum(), {"mean": batch.mean(), "std": batch.std()}

    batch = np.random.default_rng(0).normal(size=24).astype(np.float32)
    state, metrics = devices.data_parallel(step, EIGHT)(
        jnp.zeros(()), devices.put_batch(batch, EIGHT)
    )
    np.testing.assert_allclose(state, batch.sum(), rtol=1e-5)
    np.testing.assert_allclose(metrics["mean"], batch.mean(), rtol=1e-5)
    np.testing.assert_allclose(metrics["std"], batch.std(), rtol=1e-5)
    assert state.sharding.is_fully_replicated


def test_donation_gives_the_old_state_away():
    for donate in (False, True):
        state = jax.device_put(jnp.zeros(4), devices.replicated(THREE))
        step = devices.data_parallel(lambda s, b: s + b.sum(), THREE, donate=donate)
        step(state, devices.put_batch(np.ones(3, np.float32), THREE))
        assert state.is_deleted() == donate
