"""Optimizers in the originals' form, with their learning rate on view in the state."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int


class DescendState(NamedTuple):
    updates: Int[Array, ""]
    learning_rate: Float[Array, ""]


def sgd(
    *, learning_rate: optax.ScalarOrSchedule, momentum: float, weight_decay: float
) -> optax.GradientTransformation:
    """PyTorch's SGD: v <- momentum v + (g + weight_decay p), p <- p - learning_rate v.

    The decay acts on every parameter, biases and normalization included.
    """
    return optax.chain(
        optax.add_decayed_weights(weight_decay),
        optax.trace(decay=momentum),
        descend(learning_rate),
    )


def adam(*, learning_rate: optax.ScalarOrSchedule) -> optax.GradientTransformation:
    """Adam without decay (Kingma and Ba 2015), as PyTorch's: betas 0.9 and 0.999."""
    return optax.chain(optax.scale_by_adam(), descend(learning_rate))


def adamw(
    *, learning_rate: optax.ScalarOrSchedule, weight_decay: float
) -> optax.GradientTransformation:
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""
    return optax.chain(
        optax.scale_by_adam(),
        optax.add_decayed_weights(weight_decay),
        descend(learning_rate),
    )


def rmsprop(
    *,
    learning_rate: optax.ScalarOrSchedule,
    decay: float = 0.99,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
) -> optax.GradientTransformation:
    """PyTorch's RMSprop, whose second moment starts at 0: the first steps are long.

    v <- decay v + (1 - decay) g^2, p <- p - learning_rate g / (sqrt(v) + 1e-8), where g
    includes weight_decay p; with momentum, that of PyTorch's SGD on g / (sqrt(v) + 1e-8).
    """
    return optax.chain(
        optax.add_decayed_weights(weight_decay),
        optax.scale_by_rms(decay, eps=1e-8, eps_in_sqrt=False),
        optax.trace(decay=momentum) if momentum else optax.identity(),
        descend(learning_rate),
    )


def adagrad(
    *,
    learning_rate: optax.ScalarOrSchedule,
    initial_accumulator: float = 1e-4,
    weight_decay: float = 0.0,
) -> optax.GradientTransformation:
    """TensorFlow's Adagrad: s <- s + g^2, p <- p - learning_rate g / sqrt(s).

    The sum s starts at `initial_accumulator`; nothing else guards the root. The gradient
    g includes weight_decay p, of biases too: so descends the loss with decay that
    DeepPose in TensorFlow logs, and does not follow.

    Source: Duchi, Hazan and Singer 2011.
    """
    return optax.chain(
        optax.add_decayed_weights(weight_decay),
        optax.scale_by_rss(initial_accumulator, eps=0.0),
        descend(learning_rate),
    )


def drops(*, start: float, at: tuple[int, ...], factor: float) -> optax.Schedule:
    """`start`, multiplied by `factor` from each of the steps in `at` on."""
    return optax.piecewise_constant_schedule(start, dict.fromkeys(at, factor))


def warmup_cosine(*, peak: float, warmup_steps: int, num_steps: int) -> optax.Schedule:
    """A straight rise to `peak`, then half a cosine down to 0 at the end of the run.

    In runs shorter than four times `warmup_steps` the rise is a quarter of the run.

    Source: the cosine is Loshchilov and Hutter 2017, without restarts.
    """
    rise = max(min(warmup_steps, num_steps // 4), 1)
    return optax.warmup_cosine_decay_schedule(0.0, peak, rise, max(num_steps, rise + 1))


def descend(learning_rate: optax.ScalarOrSchedule) -> optax.GradientTransformation:
    """Multiplies by minus the learning rate and keeps it in the state, to be logged."""

    def rate(count: Int[Array, ""]) -> Float[Array, ""]:
        value = learning_rate(count) if callable(learning_rate) else learning_rate
        return jnp.asarray(value, jnp.float32)

    def init(params: optax.Params) -> DescendState:
        start = jnp.zeros((), jnp.int32)
        return DescendState(start, rate(start))

    def update(updates: optax.Updates, state: DescendState, params=None):
        now = rate(state.updates)
        updates = jax.tree.map(lambda u: -now * u, updates)
        return updates, DescendState(optax.safe_increment(state.updates), now)

    return optax.GradientTransformation(init, update)


def learning_rates(state: optax.OptState) -> dict[str, Float[Array, ""]]:
    """What the last update of any `descend` was multiplied by, by name for the log.

    That is `learning_rate`; where an optimizer has groups, the largest one, beside each
    as `learning_rate/<group>`. Nothing if no optimizer shows any.
    """
    found = {}
    for path, rate in optax.tree.get_all_with_path(state, "learning_rate"):
        groups = [k.key for k in path if isinstance(k, jax.tree_util.DictKey)]
        found["/".join(["learning_rate", *groups])] = rate
    if not found:
        return {}
    return {"learning_rate": jnp.stack([*found.values()]).max(), **found}
