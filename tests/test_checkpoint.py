import dataclasses
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpose import checkpoint, devices, saved_states

SPEC = checkpoint.Checkpoints(every=1, keep=2, best="test/PCK")


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class State:
    step: jax.Array
    weights: jax.Array
    count: jax.Array


def state(step: int, mesh=None) -> State:
    fresh = State(
        jnp.asarray(step, jnp.int32),
        jax.random.normal(jax.random.key(step), (64, 33)),
        jnp.arange(5, dtype=jnp.uint8),
    )
    return jax.device_put(fresh, devices.replicated(mesh or devices.mesh()))


def abstract(mesh=None) -> State:
    where = devices.replicated(mesh or devices.mesh())
    return jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=where), state(0)
    )


def save(path: pathlib.Path, scores: dict[int, float | None]) -> None:
    store = checkpoint.Store(path, SPEC)
    for step, score in scores.items():
        store.save(state(step), {} if score is None else {"test/PCK": score})
    store.finish()
    store.close()


def equal(a: State, b: State) -> bool:
    return all(jax.tree.leaves(jax.tree.map(np.array_equal, a, b)))


def test_a_checkpoint_comes_back_bit_for_bit_on_any_devices(tmp_path):
    save(tmp_path, {3: 1.0})
    one = devices.mesh(jax.devices()[:1])
    store = checkpoint.Store(tmp_path, SPEC)
    for mesh in (one, devices.mesh()):
        back = store.restore(3, abstract(mesh))
        assert equal(back, state(3))
        assert back.weights.sharding.mesh.size == mesh.size


def test_latest_and_best_are_kept_also_after_a_restart(tmp_path):
    save(tmp_path, {1: 0.1, 2: 0.9, 3: 0.3, 4: None})
    save(tmp_path, {5: 0.4, 6: None, 7: float("nan")})
    store = checkpoint.Store(tmp_path, SPEC, read_only=True)
    assert store.steps() == [2, 6, 7]
    assert store.choose("best") == [2]
    assert store.choose("latest") == [7]
    assert store.choose("all") == [2, 6, 7]
    assert store.choose("6") == [6]
    with pytest.raises(ValueError, match=r"latest, best, all or one of \[2, 6, 7\]"):
        store.choose("5")


def test_smallest_may_be_best(tmp_path):
    spec = checkpoint.Checkpoints(every=1, keep=1, best="mse", largest=False)
    store = checkpoint.Store(tmp_path, spec)
    for step, error in ((1, 0.5), (2, 0.1), (3, 0.4)):
        store.save(state(step), {"mse": error})
    store.finish()
    assert store.steps() == [2, 3] and store.choose("best") == [2]


def test_without_checkpoints(tmp_path):
    store = checkpoint.Store(tmp_path, SPEC)
    assert store.resume(abstract()) is None
    with pytest.raises(ValueError, match="train first"):
        store.choose("latest")


def test_a_step_that_is_there_is_not_written_again(tmp_path):
    save(tmp_path, {1: 0.5})
    store = checkpoint.Store(tmp_path, SPEC)
    other = dataclasses.replace(state(2), step=jnp.asarray(1, jnp.int32))
    store.save(other, {})
    store.finish()
    assert equal(store.restore(1, abstract()), state(1))


def largest_file(folder: pathlib.Path) -> pathlib.Path:
    return max(
        (p for p in folder.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size
    )


def truncate(path: pathlib.Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_a_byte(path: pathlib.Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [truncate, flip_a_byte])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path, damage, capsys):
    save(tmp_path, {1: 0.5, 2: 0.6})
    damage(largest_file(tmp_path / "checkpoints" / "2" / "state"))
    reader = checkpoint.Store(tmp_path, SPEC, read_only=True)
    with pytest.raises(ValueError, match="checkpoints/2 (cannot be read|has changed)"):
        reader.restore(2, abstract())
    store = checkpoint.Store(tmp_path, SPEC)
    assert equal(store.resume(abstract()), state(1))
    said = capsys.readouterr().out
    assert "going back to the one before it" in said
    assert "moving the broken checkpoint 2" in said
    assert len(list((tmp_path / "broken_checkpoints").iterdir())) == 1
    # The run makes step 2 again.
    store.save(state(2), {})
    store.finish()
    assert equal(store.restore(2, abstract()), state(2))


def test_metrics_that_a_power_cut_emptied_do_not_stop_the_run(tmp_path):
    save(tmp_path, {1: 0.5, 2: 0.6})
    (tmp_path / "checkpoints" / "2" / "metrics" / "metrics").write_text("")
    store = checkpoint.Store(tmp_path, SPEC)
    assert store.steps() == [1]
    assert equal(store.resume(abstract()), state(1))


def test_best_needs_an_evaluated_checkpoint(tmp_path):
    save(tmp_path, {1: None, 2: None})
    store = checkpoint.Store(tmp_path, SPEC, read_only=True)
    with pytest.raises(
        ValueError, match="no checkpoint .* was evaluated for 'test/PCK'"
    ):
        store.choose("best")


def test_nothing_but_damage_is_refused(tmp_path):
    save(tmp_path, {1: 0.5})
    truncate(largest_file(tmp_path / "checkpoints" / "1" / "state"))
    store = checkpoint.Store(tmp_path, SPEC)
    with pytest.raises(ValueError, match=r"none of the checkpoints \[1\]"):
        store.resume(abstract())


def test_every_word_counts_in_the_digest():
    a = state(1)
    before = saved_states.digest(a)
    for at in ((0, 0), (63, 32)):
        changed = a.weights.at[at].set(jnp.nextafter(a.weights[at], 10.0))
        assert saved_states.digest(dataclasses.replace(a, weights=changed)) != before
    swapped = dataclasses.replace(a, count=a.count[jnp.array([1, 0, 2, 3, 4])])
    assert saved_states.digest(swapped) != before
    one = devices.mesh(jax.devices()[:1])
    assert saved_states.digest(state(1, one)) == before


def test_a_state_of_another_shape_is_refused(tmp_path):
    save(tmp_path, {1: 0.5})
    store = checkpoint.Store(tmp_path, SPEC)
    wrong = dataclasses.replace(
        abstract(), weights=jax.ShapeDtypeStruct((32, 33), jnp.float32)
    )
    with pytest.raises(ValueError, match="checkpoints/1 cannot be read"):
        store.restore(1, wrong)


def test_a_disk_without_room_is_refused_before_training(tmp_path, monkeypatch):
    usage = checkpoint.shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(checkpoint.shutil, "disk_usage", lambda path: usage)
    store = checkpoint.Store(tmp_path, SPEC)
    with pytest.raises(OSError, match="GB free and needs .* for 4 checkpoints"):
        store.check_space(abstract())


def test_best_must_be_measured():
    SPEC.check({"test/PCK", "test/MSE"})
    with pytest.raises(ValueError, match="'test/PCK' is not measured.*test/MSE"):
        SPEC.check({"test/MSE"})
