"""Tables of numbers as text."""

from jaxpose.types import Table


def text(table: Table) -> str:
    """One number a line, the mean and the summaries below, the convention last."""
    rows = [*table.values.items(), ("mean", table.mean), *table.extra.items()]
    width = max(len(name) for name, _ in rows)
    decimals = 2 if table.mean >= 1 else 5  # percent, or squares of small numbers
    lines = [f"{name:{width}}  {value:8.{decimals}f}" for name, value in rows]
    return "\n".join([table.name, *lines, table.convention])
