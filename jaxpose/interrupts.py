"""Being asked to stop, by SIGTERM or Ctrl-C."""

import signal
from typing import Self

import jax
from jax.experimental import multihost_utils


class StopSignal:
    """Turns SIGTERM and the first Ctrl-C into a question that the loop asks."""

    def __enter__(self) -> Self:
        self._asked = False
        # Of several processes all must leave at the same step: JAX listens for SIGTERM
        # itself, tells the others, and agrees on one.
        alone = jax.process_count() == 1
        self._before = {
            number: signal.signal(number, self._note)
            for number in (signal.SIGTERM, signal.SIGINT)
            if alone
        }
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: object) -> None:
        self._asked = True
        signal.signal(number, self._before[signal.Signals(number)])

    def received(self, step: int) -> bool:
        if jax.process_count() == 1:
            return self._asked
        return multihost_utils.reached_preemption_sync_point(step)
