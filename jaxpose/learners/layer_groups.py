"""An optimizer for each of several groups of layers, some of them frozen at first."""

import collections
import dataclasses
import difflib
import fnmatch
import functools
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int, PyTree

from jaxpose.learners import optimizers


@dataclasses.dataclass(frozen=True, kw_only=True)
class Group:
    """Parameters that one optimizer moves.

    Attributes:
        layers: patterns of their paths, such as `trunk/conv*`; a `*` stands for any
            characters, slashes too.
        optimizer: has a state of its own in each group.
        frozen_steps: number of first steps in which neither the parameters move nor what
            the optimizer gathers; the schedule of its learning rate goes on.
    """

    layers: tuple[str, ...]
    optimizer: optax.GradientTransformation
    frozen_steps: int = 0

    def __post_init__(self) -> None:
        """Raises: TypeError if `layers` is no tuple; ValueError for negative steps."""
        if isinstance(self.layers, str):
            raise TypeError(
                f"layers={self.layers!r} must be a tuple of patterns; write "
                f"({self.layers!r},)"
            )
        if self.frozen_steps < 0:
            raise ValueError(f"frozen_steps={self.frozen_steps} must be 0 or more")


class FreezingState(NamedTuple):
    """An optimizer's state, and how many steps it has seen, frozen or not."""

    steps: Int[Array, ""]
    optimizer: optax.OptState


def by_layer(*, groups: Mapping[str, Group]) -> optax.GradientTransformation:
    """Each parameter by the optimizer of its group; the log calls groups by their names.

    The patterns are held against a network's parameters when its state is made.

    Raises: ValueError, then, if a pattern matches nothing, or if a parameter belongs to
        no group or to several.
    """
    frozen = {
        name: _frozen_at_first(group.optimizer, group.frozen_steps)
        for name, group in groups.items()
    }
    return optax.partition(frozen, functools.partial(_assign, groups))


def _assign(groups: Mapping[str, Group], params: PyTree) -> PyTree:
    """The name of the group in the place of each parameter."""
    paths = jax.tree_util.tree_map_with_path(
        lambda path, _: jax.tree_util.keystr(path, simple=True, separator="/"), params
    )
    members = _members(groups, jax.tree.leaves(paths))

    def group_of(path: str) -> str:
        if len(members[path]) != 1:
            raise ValueError(
                f"parameter {path} must belong to one group, and it belongs to "
                f"{' and '.join(sorted(members[path])) or 'none'} of "
                f"{', '.join(sorted(groups))}: change their layers"
            )
        return next(iter(members[path]))

    return jax.tree.map(group_of, paths)


def _members(groups: Mapping[str, Group], paths: list[str]) -> Mapping[str, set[str]]:
    """Path -> names of the groups that claim it."""
    members = collections.defaultdict(set)
    for name, group in groups.items():
        for pattern in group.layers:
            matches = fnmatch.filter(paths, pattern)
            if not matches:
                near = difflib.get_close_matches(pattern, paths, n=3, cutoff=0.0)
                raise ValueError(
                    f"no parameter matches {pattern!r} of the group {name}; the nearest "
                    f"are {', '.join(near)}"
                )
            for path in matches:
                members[path].add(name)
    return members


def _frozen_at_first(
    optimizer: optax.GradientTransformation, steps: int
) -> optax.GradientTransformation:
    def init(params: optax.Params) -> FreezingState:
        return FreezingState(jnp.zeros((), jnp.int32), optimizer.init(params))

    def update(updates: optax.Updates, state: FreezingState, params=None):
        moves, after = optimizer.update(updates, state.optimizer, params)
        seen = optax.safe_increment(state.steps)
        if not steps:
            # Choosing what is known already would cost a third of the update on CPU.
            return moves, FreezingState(seen, after)
        thawed = state.steps >= steps

        def choose(new: PyTree, old: PyTree) -> PyTree:
            # A schedule that ends with the run must end with it here too.
            if _is_schedule(new):
                return new
            return jnp.where(thawed, new, old)

        kept = jax.tree.map(choose, after, state.optimizer, is_leaf=_is_schedule)
        moves = jax.tree.map(lambda u: jnp.where(thawed, u, jnp.zeros_like(u)), moves)
        return moves, FreezingState(seen, kept)

    return optax.GradientTransformation(init, update)


def _is_schedule(node: PyTree) -> bool:
    return isinstance(node, optimizers.DescendState)
