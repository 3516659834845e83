"""States as they were saved: read without the learner they are of, and checked."""

import contextlib
import json
import pathlib
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from jaxtyping import Array, PyTree, UInt32


def read(workdir: pathlib.Path, step: int = 0) -> dict[str, Any]:
    """The state of any run as arrays of NumPy, in dictionaries by the names of fields.

    Args:
        step: of the checkpoint; 0 for the latest.

    Raises: ValueError if there is no such checkpoint, or it is damaged.
    """
    path = find(workdir, step)
    with reading(path):
        state = _without_target(path / "state")
        facts = json.loads((path / "facts" / "metadata").read_text())
    # Fields of dictionaries are in another order.
    check(path, sorted(digest(state)), sorted(facts["digest"]))
    return state


def steps(workdir: pathlib.Path) -> list[int]:
    """Of the checkpoints of any run; empty if it has none."""
    folder = workdir / "checkpoints"
    return sorted(int(p.name) for p in folder.glob("*") if p.name.isdecimal())


def find(workdir: pathlib.Path, step: int = 0) -> pathlib.Path:
    """The folder of a checkpoint, 0 for the latest.

    Raises: ValueError if there is none.
    """
    folder, known = (workdir / "checkpoints").absolute(), steps(workdir)
    if not known or step not in (0, *known):
        missing = f"no checkpoint {step}" if step else "no checkpoint"
        raise ValueError(
            f"{folder} has {missing}; it has {known}; choose one of these, or the workdir "
            "of another run"
        )
    return folder / str(step or known[-1])


@contextlib.contextmanager
def reading(path: pathlib.Path) -> Iterator[None]:
    """Raises: ValueError that names the checkpoint, whatever was wrong with it."""
    try:
        yield
    except Exception as error:
        raise ValueError(f"checkpoint {path} cannot be read: {error}") from error


def check(path: pathlib.Path, now: list[int], then: list[int]) -> None:
    """Compares digests. Raises: ValueError if they differ."""
    if now != then:
        raise ValueError(
            f"checkpoint {path} has changed since it was written (its digest differs)"
        )


def _without_target(path: pathlib.Path) -> dict[str, Any]:
    """On any number of devices, whatever had saved it."""
    as_array = ocp.RestoreArgs(restore_type=np.ndarray)
    with ocp.Checkpointer(ocp.PyTreeCheckpointHandler()) as checkpointer:
        tree = checkpointer.metadata(path).item_metadata.tree
        every = jax.tree.map(lambda _: as_array, tree)
        args = ocp.args.PyTreeRestore(restore_args=every)
        return checkpointer.restore(path, args=args)


@jax.jit
def _checksums(state: PyTree) -> UInt32[Array, "leaves"]:
    """One number a leaf that changes with any single changed word.

    Words are multiplied by odd numbers, so that no change of one word gives a sum of 0
    modulo 2^32, and added as integers, so that every number of devices agrees.
    """

    def checksum(leaf: Array) -> UInt32[Array, ""]:
        words = jax.lax.bitcast_convert_type(leaf.ravel(), _WORDS[leaf.dtype.itemsize])
        odd = 2 * jnp.arange(words.size, dtype=jnp.uint32) + 1
        return (words.astype(jnp.uint32).ravel() * odd).sum(dtype=jnp.uint32)

    return jnp.stack([checksum(leaf) for leaf in jax.tree.leaves(state)])


_WORDS = {1: jnp.uint8, 2: jnp.uint16, 4: jnp.uint32}


def digest(state: PyTree) -> list[int]:
    """Numbers that tell whether a state is still, bit for bit, what it was: one a leaf."""
    return np.asarray(_checksums(state)).tolist()
