"""Starts JAX and imports jaxpose, and tells a line of JSON for each step that worked.

The doctor runs it in a process of its own: an unknown flag in XLA_FLAGS ends the process
that starts JAX, a driver may hang it, and what it takes of a GPU is free when it ends.
"""

import importlib
import json
import sys
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def devices() -> list[dict[str, Any]]:
    """Platform, kind, and bytes that JAX may use, None where it does not say."""
    return [
        {
            "platform": device.platform,
            "kind": device.device_kind,
            "limit": (device.memory_stats() or {}).get("bytes_limit"),
        }
        for device in jax.local_devices()
    ]


def compiled() -> dict[str, float]:
    """Seconds of a small function's first call, which compiles it, and of the next.

    Raises: ArithmeticError if its result is wrong.
    """
    program = jax.jit(lambda x: jnp.tanh(x @ x).mean())
    x = np.full((256, 256), 1 / 16, np.float32)
    begin = time.perf_counter()
    found = float(program(x))
    middle = time.perf_counter()
    program(x).block_until_ready()
    end = time.perf_counter()
    # x @ x is 1 everywhere. TPUs multiply in bfloat16, hence the tolerance.
    if not abs(found - np.tanh(1)) < 0.01:
        raise ArithmeticError(f"a mean of tanh(1) is {found}, not {np.tanh(1):.4f}")
    return {"first": middle - begin, "next": end - middle}


def imported() -> dict[str, Any]:
    """Seconds that importing what trains takes, and whether that brings TensorFlow."""
    begin = time.perf_counter()
    importlib.import_module("jaxpose.train")
    seconds = time.perf_counter() - begin
    return {"seconds": seconds, "tensorflow": "tensorflow" in sys.modules}


def main() -> None:
    for step in (devices, compiled, imported):
        # On lines of their own, flushed: a later step may end the process.
        print("\n" + json.dumps({step.__name__: step()}), flush=True)


if __name__ == "__main__":
    main()
