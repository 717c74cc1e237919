"""Columns of times as seconds since 1970; cells of mixed types or units are named by their rows."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from whyrec.data.numbers import holds_numbers, read_numbers
from whyrec.data.tables import Column
from whyrec.data.wording import some_rows
from whyrec.errors import DataError
from whyrec.types import Float64Array

SECONDS_PER_DAY = 86_400

_UNITS = {"seconds": 1e11, "milliseconds": 1e14, "microseconds": 1e17, "nanoseconds": np.inf}
"""The size below which a number of the unit stays: 1e11 seconds is the year 5138, and 1e11
milliseconds the year 1973, so a column that lies on one side of it can be told."""


def holds_times(column: Column) -> bool:
    """Whether every cell is a date or a datetime (or missing)."""
    if column.holds_objects:
        return all(issubclass(kind, date) for kind in column.types() or {object})
    return bool(pa.types.is_timestamp(column.cells.type) or pa.types.is_date(column.cells.type))


def read_times(column: Column) -> tuple[Float64Array, str]:
    """Return float64 [n_rows] in seconds since 1970 (UTC), and what the cells were taken as.

    A missing cell is NaN. Datetimes and ISO 8601 texts without a zone are taken as UTC. Numbers
    are seconds, unless all of them are so large (from 1e11) that only milliseconds, microseconds
    or nanoseconds make sense.

    Raises:
        DataError: cells are of mixed types or units, or no times at all; the message names rows.
    """
    if column.holds_objects:
        return _of_objects(column)
    if column.holds_text:
        return _of_texts(column), "ISO 8601 texts"
    if holds_times(column):
        return _of_arrow(column.cells), "datetimes"
    if holds_numbers(column):
        return _of_numbers(column)
    raise _no_times(column, str(column.cells.type))


def _of_arrow(cells: Any) -> Float64Array:
    if pa.types.is_date(cells.type):
        cells = cells.cast(pa.timestamp("ms"))
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[cells.type.unit]
    missing = np.asarray(cells.is_null(), bool)
    ticks = cells.cast(pa.int64()).fill_null(0).to_numpy()
    return np.where(missing, np.nan, ticks / per_second)


def _of_texts(column: Column) -> Float64Array:
    for kind in (pa.timestamp("us"), pa.timestamp("us", "UTC")):
        try:
            return _of_arrow(column.cells.cast(kind))
        except pa.ArrowInvalid:
            continue  # Arrow reads fewer forms than Python, and does not name the row
    times: list[datetime | None] = []
    for row, text in enumerate(column.objects()):
        try:
            times.append(None if text is None else datetime.fromisoformat(text))
        except ValueError:
            raise DataError(
                f"{column} has {text!r} in row {row}, which is no ISO 8601 time such as "
                "2024-01-31T12:30:00; convert the column to datetimes"
            ) from None
    return _of_datetimes(column, times)


def _of_numbers(column: Column) -> tuple[Float64Array, str]:
    numbers = read_numbers(column)
    units = list(_UNITS)
    rows = np.flatnonzero(~np.isnan(numbers))
    if not len(rows):
        return numbers, "seconds since 1970"
    unit_of_row = np.searchsorted(list(_UNITS.values()), np.abs(numbers[rows]), side="right")
    usual = int(np.bincount(unit_of_row).argmax())
    odd = np.zeros(len(numbers), bool)
    odd[rows[unit_of_row != usual]] = True
    if odd.any():
        raise DataError(
            f"{column} is in {units[usual]} since 1970 by its size, but not in {some_rows(odd)}; "
            "use one unit"
        )
    return numbers / 10.0 ** (3 * usual), f"{units[usual]} since 1970"


def _of_objects(column: Column) -> tuple[Float64Array, str]:
    cells = column.objects()
    families = [None if cell is None else _family(cell) for cell in cells]
    first = next((family for family in families if family is not None), None)
    odd = np.array([family not in (first, None) for family in families])
    if odd.any():
        other = families[int(odd.argmax())]
        raise DataError(
            f"{column} mixes types: {first} first, but {other} in {some_rows(odd)}; "
            "convert them all to datetimes"
        )
    if first in (None, "number"):
        return _of_numbers(column)
    if first in ("datetime", "date"):
        return _of_datetimes(column, cells), "datetimes"
    if first == "text":
        texts = pa.chunked_array([pa.array(cells, pa.large_string())])
        return _of_texts(Column(column.table, column.name, texts)), "ISO 8601 texts"
    raise _no_times(column, str(first))


def _family(cell: object) -> str:
    if isinstance(cell, datetime):
        return "datetime"
    if isinstance(cell, date):
        return "date"
    if isinstance(cell, str):
        return "text"
    if isinstance(cell, int | float | Decimal) and not isinstance(cell, bool):
        return "number"
    return type(cell).__name__


def _of_datetimes(column: Column, times: list[Any]) -> Float64Array:
    """Read datetimes that all have a zone, or all have none, or dates."""
    zoned = [isinstance(time, datetime) and time.tzinfo is not None for time in times]
    present = [time is not None for time in times]
    odd = np.array(present) & (np.array(zoned) != zoned[present.index(True)])
    if odd.any():
        raise DataError(
            f"{column} mixes times with and without a zone (see {some_rows(odd)}); "
            "convert them all to UTC"
        )
    return np.array([np.nan if time is None else _seconds(time) for time in times])


def _seconds(time: date) -> float:
    if not isinstance(time, datetime):
        time = datetime(time.year, time.month, time.day)
    return (time if time.tzinfo is not None else time.replace(tzinfo=UTC)).timestamp()


def _no_times(column: Column, kind: str) -> DataError:
    return DataError(
        f"{column} must hold times but holds {kind}; "
        "use datetimes, ISO 8601 texts or seconds since 1970"
    )
