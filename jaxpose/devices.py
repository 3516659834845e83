"""Data parallelism: one mesh axis over every device of every process."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import PyTree


def mesh(devices: list[jax.Device] | None = None) -> Mesh:
    """All devices, or the given ones, in a row."""
    # In the order of processes, each of which loads one block of rows; jax.make_mesh
    # may order by how devices are wired. Its explicit axes, the default there, refuse
    # the gathers and reshapes of ordinary models.
    ordered = sorted(devices or jax.devices(), key=lambda d: (d.process_index, d.id))
    return Mesh(np.array(ordered), ("data",), axis_types=(AxisType.Auto,))


def replicated(mesh: Mesh) -> NamedSharding:
    return NamedSharding(mesh, PartitionSpec())


def sharded(mesh: Mesh) -> NamedSharding:
    """Split along the first axis."""
    return NamedSharding(mesh, PartitionSpec("data"))


def check_batch_size(batch_size: int, mesh: Mesh) -> None:
    """Raises: ValueError unless every device gets the same number of examples."""
    if batch_size < 1 or batch_size % mesh.size:
        below = batch_size // mesh.size * mesh.size
        nearest = f"{below} or {below + mesh.size}" if below else str(mesh.size)
        raise ValueError(
            f"batch_size={batch_size} does not divide over {mesh.size} devices; use a "
            f"multiple of {mesh.size}, such as {nearest}"
        )


def local_rows(batch_size: int) -> slice:
    """The rows of a global batch that this process loads."""
    share = batch_size // jax.process_count()
    return slice(jax.process_index() * share, (jax.process_index() + 1) * share)


def put_batch(batch: PyTree, mesh: Mesh) -> PyTree:
    """Joins what each process loaded to one global batch, split over the devices."""
    return jax.tree.map(
        lambda x: jax.make_array_from_process_local_data(sharded(mesh), np.asarray(x)),
        batch,
    )


def data_parallel(
    step: Callable[..., Any], mesh: Mesh, *, donate: bool = False
) -> Callable[..., Any]:
    """Compiles `step(state, batch)` as one program over the mesh.

    The state and the results are replicated and the batch is split, and the mathematics
    is that of one device with the global batch: sums, means and batch statistics run
    over all of it.

    Args:
        donate: let the new state take the memory of the old one.
    """
    return jax.jit(
        step,
        in_shardings=(replicated(mesh), sharded(mesh)),
        out_shardings=replicated(mesh),
        donate_argnums=0 if donate else (),
    )
