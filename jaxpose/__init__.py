"""2D human pose networks in JAX: train, evaluate, predict."""

__version__ = "0.1.0"
