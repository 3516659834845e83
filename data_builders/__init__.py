"""Builders of prepared datasets, one TFDS builder a folder; see README.md."""
