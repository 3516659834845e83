"""Tables of numbers: as text, one beside another, and as JSON data."""

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from jaxpose.types import Table

_WIDTH = 8  # of a column of numbers


def text(table: Table) -> str:
    """One number a line, the mean and the summaries below, the convention last.

    Above the convention stands the row that its source prints, in shares of 1 with tabs
    between them, as the source does.
    """
    return "\n".join([*_lines([table]), *_row(table), table.convention])


def joined_text(tables: Sequence[Table]) -> str:
    """Tables of the same rows as columns, without summaries but the mean."""
    return "\n".join(_lines([dataclasses.replace(t, extra={}) for t in tables]))


def means(splits: Mapping[str, Sequence[Table]]) -> str:
    """Means alone: a row for each split, a column for each metric, blank for none."""
    decimals: dict[str, int] = {}  # alike below one another
    for table in itertools.chain(*splits.values()):
        digits = _decimals(table)
        decimals[table.name] = min(digits, decimals.get(table.name, digits))
    cells = {}
    for split, tables in splits.items():
        known = {table.name: table.mean for table in tables}
        cells[split] = [
            f"{known[name]:.{digits}f}" if name in known else ""
            for name, digits in decimals.items()
        ]
    return "\n".join(_columns([*decimals], cells))


def side_by_side(columns: Mapping[str, Table]) -> str:
    """Tables of the same rows as columns by name; blank where one lacks a summary.

    Below stands what each of them counts.
    """
    named = [dataclasses.replace(table, name=name) for name, table in columns.items()]
    below = [f"{table.name} {table.convention}" for table in columns.values()]
    return "\n".join([*_lines(named), *below])


def same_rows(tables: Sequence[Table]) -> list[list[Table]]:
    """Tables of the same keypoints, or the same limbs, put together."""
    groups: dict[tuple[str, ...], list[Table]] = {}
    for table in tables:
        groups.setdefault(tuple(table.values), []).append(table)
    return list(groups.values())


def rows(tables: Sequence[Table]) -> dict[str, list[str]]:
    """Name of a row -> one number a table, as text: values, mean, summaries."""
    numbers = [{**t.values, "mean": t.mean, **t.extra} for t in tables]
    names = dict.fromkeys(
        [*tables[0].values, "mean", *(name for t in tables for name in t.extra)]
    )
    return {
        name: [
            f"{column[name]:.{_decimals(table)}f}" if name in column else ""
            for table, column in zip(tables, numbers, strict=True)
        ]
        for name in names
    }


def as_data(table: Table) -> dict[str, Any]:
    """For JSON; `keypoints` holds one number a keypoint or, of PCP, a stick.

    JSON has no nan and no infinity: both become None.
    """

    def numbers(values: Mapping[str, float]) -> dict[str, float | None]:
        return {k: v if math.isfinite(v) else None for k, v in values.items()}

    fields: dict[str, Any] = numbers({"mean": table.mean}) | {
        "name": table.name,
        "keypoints": numbers(table.values),
        "extra": numbers(table.extra),
        "row": numbers(table.row),
        "convention": table.convention,
    }
    return fields


def from_data(data: Mapping[str, Any]) -> Table:
    """The table that `as_data` was given, with nan where it put None.

    Older files have no row.
    """

    def numbers(values: Mapping[str, float | None]) -> dict[str, float]:
        return {k: math.nan if v is None else v for k, v in values.items()}

    return Table(
        name=data["name"],
        convention=data["convention"],
        values=numbers(data["keypoints"]),
        mean=numbers({"mean": data["mean"]})["mean"],
        extra=numbers(data["extra"]),
        row=numbers(data.get("row", {})),
    )


def _lines(tables: Sequence[Table]) -> list[str]:
    """The heading, flush with its column where there are several, and the rows."""
    cells = rows(tables)
    if len(tables) == 1:
        return [tables[0].name, *_aligned(cells, [_WIDTH])]
    return _columns([table.name for table in tables], cells)


def _columns(names: Sequence[str], cells: Mapping[str, Sequence[str]]) -> list[str]:
    """Named columns, each as wide as its name."""
    return _aligned({"": names, **cells}, [max(_WIDTH, len(name)) for name in names])


def _aligned(cells: Mapping[str, Sequence[str]], widths: Sequence[int]) -> list[str]:
    first = max(map(len, cells))
    return [
        "  ".join(
            [name.ljust(first), *(c.rjust(w) for c, w in zip(row, widths, strict=True))]
        ).rstrip()
        for name, row in cells.items()
    ]


def _row(table: Table) -> list[str]:
    """Names and numbers, or nothing."""
    if not table.row:
        return []
    shares = (f"{value / 100:.3f}" for value in table.row.values())
    return ["\t".join(table.row), "\t".join(shares)]


def _decimals(table: Table) -> int:
    return 2 if table.mean >= 1 else 5  # percent, or squares of small numbers
