"""Draws on every core: programs that send their pictures back through a pipe.

Not Python's multiprocessing, whose processes would start the caller's program again
(a training with JAX, seconds each), or fork one that already has threads.
"""

import contextlib
import dataclasses
import os
import pathlib
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import IO, Any

import cv2

from . import scenes

# The package is `figures` here as under `tfds build`, from its parent folder.
_FOLDER = pathlib.Path(__file__).parents[1]
_PROGRAM = f"import sys; sys.path.insert(0, {os.fspath(_FOLDER)!r}); from figures import workers; workers.serve()"  # fmt: skip


def records(
    recipe: scenes.Recipe, split: str, count: int, *, processes: int
) -> Iterator[dict[str, Any]]:
    """The first `count` pictures of a split, in order.

    Raises: ChildProcessError if a worker ends early; its own message stands above.
    """
    if processes == 1:
        yield from (scenes.record(recipe, split, number) for number in range(count))
        return
    with contextlib.ExitStack() as stack:
        workers = [
            stack.enter_context(_worker(recipe, split, range(first, count, processes)))
            for first in range(processes)
        ]
        for number in range(count):
            yield _receive(workers[number % processes], number)


def _receive(worker: subprocess.Popen[bytes], number: int) -> dict[str, Any]:
    try:
        return pickle.load(_pipe(worker.stdout))
    except (EOFError, pickle.UnpicklingError):
        status = worker.wait()
        told = "its message stands above"
        if status < 0:
            told = (
                f"it was killed by signal {-status}, maybe for want of memory: free some, "
                "or let fewer cores draw (taskset -c 0)"
            )
        raise ChildProcessError(
            f"the process that draws picture {number} ended with status {status}; {told}"
        ) from None


@contextlib.contextmanager
def _worker(
    recipe: scenes.Recipe, split: str, numbers: range
) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, "-c", _PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        # As plain fields: the worker knows the recipe's class under another name.
        task = dataclasses.asdict(recipe), split, numbers
        with _pipe(process.stdin) as stdin:
            pickle.dump(task, stdin)
        try:
            yield process
        finally:
            process.kill()


def _pipe(end: IO[bytes] | None) -> IO[bytes]:
    """An end of a process's pipe, which is there because it was asked for."""
    if end is None:
        raise TypeError("the process was started without this pipe")
    return end


def serve() -> None:
    """A worker's life: reads which pictures to draw, and writes them."""
    # One core each: there are as many workers as cores. Ctrl-C is for the parent.
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    fields, split, numbers = pickle.load(sys.stdin.buffer)
    recipe = scenes.Recipe(**fields)
    with contextlib.suppress(BrokenPipeError):  # The parent is gone.
        for number in numbers:
            pickle.dump(scenes.record(recipe, split, number), sys.stdout.buffer)
            sys.stdout.buffer.flush()
