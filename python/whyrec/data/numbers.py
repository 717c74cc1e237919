"""Columns of numbers and of times as float64, each cell that does not fit named by its row."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from whyrec.data.tables import Column
from whyrec.data.wording import some_rows
from whyrec.errors import DataError
from whyrec.types import BoolArray, Float64Array

SECONDS_PER_DAY = 86_400

_UNITS = {"seconds": 1e11, "milliseconds": 1e14, "microseconds": 1e17, "nanoseconds": np.inf}
"""The magnitude below which a number of the unit stays: 1e11 seconds is the year 5138, and 1e11
milliseconds the year 1973, so a column that lies on one side of it can be told."""


def holds_numbers(column: Column) -> bool:
    """Whether every cell is a number (or missing); true and false are no numbers."""
    if column.holds_objects:
        kinds = _kinds(column)
        return bool(kinds) and all(
            issubclass(kind, int | float | Decimal | np.integer | np.floating) and kind is not bool
            for kind in kinds
        )
    kind = column.cells.type
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


def holds_times(column: Column) -> bool:
    """Whether every cell is a date or a datetime (or missing)."""
    if column.holds_objects:
        kinds = _kinds(column)
        return bool(kinds) and all(issubclass(kind, date | np.datetime64) for kind in kinds)
    return bool(pa.types.is_timestamp(column.cells.type) or pa.types.is_date(column.cells.type))


def read_numbers(column: Column) -> Float64Array:
    """Return float64 [n_rows]: the numbers of a column, NaN where missing; true counts as 1.

    Raises:
        DataError: a cell is no number, or infinite; the message names the rows.
    """
    if column.holds_objects:
        numbers = _numbers_of_objects(column)
    else:
        kind = column.cells.type
        if not (holds_numbers(column) or pa.types.is_boolean(kind)):
            if column.missing().all():
                return np.full(len(column), np.nan)
            example = column.cells.drop_null()[0].as_py()
            raise DataError(
                f"{column} must hold numbers but holds {kind} such as {example!r}; convert it"
            )
        safe = pa.types.is_decimal(kind)
        cells = column.cells.cast(pa.float64(), safe=safe)
        numbers = cells.to_numpy().astype(np.float64)
    infinite = np.isinf(numbers)
    if infinite.any():
        raise DataError(
            f"{column} has {int(infinite.sum())} non-finite values ({some_rows(infinite)}); "
            "drop or fill them"
        )
    return numbers


def read_times(column: Column) -> tuple[Float64Array, str]:
    """Return float64 [n_rows] in seconds since 1970 (UTC), NaN where missing, and what they were.

    Datetimes and ISO 8601 texts without a zone are taken as UTC. Numbers are seconds, unless all
    of them are so large (1e11 and more) that only milliseconds, microseconds or nanoseconds make
    sense.

    Raises:
        DataError: cells are of mixed types or units, no times at all, or infinite.
    """
    if column.holds_objects:
        return _times_of_objects(column)
    kind = column.cells.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _times_of_arrow(column.cells), "datetimes"
    if pa.types.is_large_string(kind):
        return _times_of_texts(column), "ISO 8601 texts"
    if holds_numbers(column):
        return _times_of_numbers(column, read_numbers(column))
    raise DataError(
        f"{column} must hold times but holds {kind}; "
        "use datetimes, ISO 8601 texts or seconds since 1970"
    )


def _times_of_arrow(cells: Any) -> Float64Array:
    if pa.types.is_date(cells.type):
        cells = cells.cast(
            pa.timestamp("s") if pa.types.is_date32(cells.type) else pa.timestamp("ms")
        )
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[cells.type.unit]
    missing = np.asarray(pc.is_null(cells), bool)
    ticks = pc.fill_null(cells.cast(pa.int64()), 0).to_numpy()
    return np.where(missing, np.nan, ticks / per_second)


def _times_of_texts(column: Column) -> Float64Array:
    cells = column.cells
    for kind in (pa.timestamp("us"), pa.timestamp("us", "UTC")):
        try:
            return _times_of_arrow(cells.cast(kind))
        except pa.ArrowInvalid:
            continue  # Arrow reads fewer forms than Python, and does not name the row
    times: list[datetime | None] = []
    for row, text in enumerate(cells.to_pylist()):
        try:
            times.append(None if text is None else datetime.fromisoformat(text))
        except ValueError:
            raise DataError(
                f"{column} has {text!r} in row {row}, which is no ISO 8601 time such as "
                "2024-01-31T12:30:00; convert the column to datetimes"
            ) from None
    return _seconds_of(column, times)


def _times_of_numbers(column: Column, numbers: Float64Array) -> tuple[Float64Array, str]:
    names = list(_UNITS)
    present = ~np.isnan(numbers)
    bands = np.searchsorted(list(_UNITS.values()), np.abs(numbers[present]), side="right")
    if not len(bands):
        return numbers, "seconds since 1970"
    usual = int(np.bincount(bands).argmax())
    odd = np.zeros(len(numbers), bool)
    odd[np.flatnonzero(present)[bands != usual]] = True
    if odd.any():
        raise DataError(
            f"{column} is in {names[usual]} since 1970 by its size, but not in {some_rows(odd)}; "
            "use one unit"
        )
    return numbers / 10.0 ** (3 * usual), f"{names[usual]} since 1970"


def _times_of_objects(column: Column) -> tuple[Float64Array, str]:
    cells = column.objects()
    families = [None if cell is None else _family(cell) for cell in cells]
    first = next((family for family in families if family is not None), None)
    odd = np.array([family not in (first, None) for family in families])
    if odd.any():
        raise DataError(
            f"{column} mixes types: {first}s, but other values in {some_rows(odd)}; convert them"
        )
    if first in (None, "number"):
        return _times_of_numbers(column, read_numbers(column))
    if first in ("datetime", "date"):
        return _seconds_of(column, cells), "datetimes"
    if first == "text":
        texts = pa.chunked_array([pa.array(cells, pa.large_string())])
        return _times_of_texts(Column(column.table, column.name, texts)), "ISO 8601 texts"
    raise DataError(
        f"{column} must hold times but holds {first}s; "
        "use datetimes, ISO 8601 texts or seconds since 1970"
    )


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


def _seconds_of(column: Column, times: list[Any]) -> Float64Array:
    """Turn datetimes, all with or all without a zone, or dates into seconds since 1970."""
    present = [time for time in times if time is not None]
    if present and isinstance(present[0], datetime):
        zoned = present[0].tzinfo is not None
        odd = np.array([time is not None and (time.tzinfo is not None) != zoned for time in times])
        if odd.any():
            with_or_without = "with a zone" if zoned else "without a zone"
            raise DataError(
                f"{column} mixes times with and without a zone: row 0 is {with_or_without}, "
                f"{some_rows(odd)} not; convert them all to UTC"
            )
    return np.array([np.nan if time is None else _seconds(time) for time in times])


def _seconds(time: date) -> float:
    if not isinstance(time, datetime):
        time = datetime(time.year, time.month, time.day)
    return (time if time.tzinfo is not None else time.replace(tzinfo=UTC)).timestamp()


def _numbers_of_objects(column: Column) -> Float64Array:
    cells = column.objects()
    wrong: BoolArray = np.array(
        [cell is not None and not isinstance(cell, int | float | Decimal) for cell in cells],
        bool,
    )
    if wrong.any():
        example = cells[int(wrong.argmax())]
        raise DataError(
            f"{column} must hold numbers but holds {example!r} ({some_rows(wrong)}); convert them"
        )
    try:
        return np.array([np.nan if cell is None else float(cell) for cell in cells])
    except OverflowError as error:
        raise DataError(f"{column} holds a number too large for float64: {error}") from error


def _kinds(column: Column) -> set[type]:
    return {type(cell) for cell in column.objects() if cell is not None}
