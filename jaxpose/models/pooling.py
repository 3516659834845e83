"""Max pooling whose gradient takes about as long as its value, on CPU too."""

import functools

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3))
def max_pool(
    x: Float[Array, "b h w c"], window: int, stride: int, padding: int = 0
) -> Float[Array, "b g v c"]:
    """The largest value of each square window, whose part around the map is ignored.

    Of equals in one window the first, row by row, has the whole gradient, as in PyTorch.
    XLA's own gradient goes from cell to cell and takes 10 to 30 times as long on CPU;
    here each place in the window is one comparison of whole maps.
    """
    return lax.reduce_window(
        x,
        jnp.array(-jnp.inf, x.dtype),
        lax.max,
        (1, window, window, 1),
        (1, stride, stride, 1),
        _around(padding),
    )


def _forward(
    x: Array, window: int, stride: int, padding: int
) -> tuple[Array, tuple[Array, Array]]:
    y = max_pool(x, window, stride, padding)
    return y, (x, y)


def _backward(
    window: int, stride: int, padding: int, seen: tuple[Array, Array], dy: Array
) -> tuple[Array]:
    """Cells whose padded row and column are i and j modulo the stride make a phase.

    In a phase, a place of the window meets every cell at most once, so that gradients
    are added as maps of the output's size, moved by whole cells.
    """
    x, y = seen
    padded = jnp.pad(x, _around(padding), constant_values=-jnp.inf)
    b, height, width, c = padded.shape
    # Rounded up: cells that no window reaches have a place too, and no gradient.
    rows, columns = -(-height // stride), -(-width // stride)
    zeros = jnp.zeros((b, rows, columns, c), dy.dtype)
    phases = [[zeros] * stride for _ in range(stride)]
    for (i, j), first in _firsts(padded, y, window, stride).items():
        (above, p), (left, q) = divmod(i, stride), divmod(j, stride)
        below, right = rows - above - y.shape[1], columns - left - y.shape[2]
        place = ((0, 0), (above, below), (left, right), (0, 0))
        phases[p][q] += jnp.pad(jnp.where(first, dy, 0), place)
    grid = jnp.stack([jnp.stack(row, axis=3) for row in phases], axis=2)
    dx = grid.reshape(b, stride * rows, stride * columns, c)
    _, h, w, _ = x.shape
    return (dx[:, padding : padding + h, padding : padding + w],)


def _firsts(
    padded: Array, y: Array, window: int, stride: int
) -> dict[tuple[int, int], Bool[Array, "b g v c"]]:
    """Row and column in the window -> where its first largest value stands there."""
    down, right = (stride * (n - 1) + 1 for n in y.shape[1:3])
    taken = jnp.zeros(y.shape, bool)
    found = {}
    for i in range(window):
        for j in range(window):
            seen = padded[:, i : i + down : stride, j : j + right : stride]
            found[i, j] = (seen == y) & ~taken
            taken |= found[i, j]
    return found


def _around(padding: int) -> tuple[tuple[int, int], ...]:
    return ((0, 0), (padding, padding), (padding, padding), (0, 0))


max_pool.defvjp(_forward, _backward)
