"""How messages name rows, ids and columns: a few of them, and how many more there are."""

from collections.abc import Iterable, Sequence

import numpy as np

from whyrec.types import BoolArray

SHOWN = 5
"""How many rows or ids a message names before it only counts."""


def some(values: Iterable[object], total: int | None = None) -> str:
    """Name the first few values as Python writes them, and count the rest."""
    values = list(values)
    total = len(values) if total is None else total
    shown = ", ".join(repr(value) for value in values[:SHOWN])
    more = total - min(len(values), SHOWN)
    return f"{shown} and {more} more" if more > 0 else shown


def some_rows(chosen: BoolArray) -> str:
    """Name the rows, counted from 0, whose entry in chosen (bool [n_rows]) is True."""
    rows = np.flatnonzero(chosen)
    noun = "row" if len(rows) == 1 else "rows"
    return f"{noun} {some(rows[:SHOWN].tolist(), len(rows))}"


def count(number: int, noun: str) -> str:
    """Write a number with its noun: 1 row, 2,000 rows."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def listed(names: Sequence[str]) -> str:
    """Quote column or field names, in their order."""
    return ", ".join(f'"{name}"' for name in names) or "none"
