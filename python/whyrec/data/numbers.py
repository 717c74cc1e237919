"""Columns of numbers as float64; a cell that is none, or not finite, is named by its row."""

from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from whyrec.data.tables import Column
from whyrec.data.wording import count, some_rows
from whyrec.errors import DataError
from whyrec.types import BoolArray, Float64Array

LARGEST = float(np.finfo(np.float32).max)
"""Numbers end up as float32; a larger one would turn infinite without a word."""


def holds_numbers(column: Column) -> bool:
    """Whether every cell is a number (or missing); true and false are no numbers."""
    if column.holds_objects:
        return all(
            issubclass(kind, int | float | Decimal) and kind is not bool
            for kind in column.types() or {object}
        )
    kind = column.cells.type
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


def read_numbers(column: Column) -> Float64Array:
    """Return float64 [n_rows]: the numbers of a column, NaN where missing; true counts as 1.

    Raises:
        DataError: a cell is no number, infinite, or beyond float32; the message names the rows.
    """
    numbers = _of_objects(column) if column.holds_objects else _of_arrow(column)
    infinite = np.isinf(numbers)
    if infinite.any():
        raise DataError(
            f"{column} has {count(int(infinite.sum()), 'non-finite value')} "
            f"({some_rows(infinite)}); drop or fill them"
        )
    huge = np.abs(numbers) > LARGEST
    if huge.any():
        raise DataError(
            f"{column} has {count(int(huge.sum()), 'value')} beyond ±{LARGEST:.1e} "
            f"({some_rows(huge)}), which float32 cannot hold; use another unit"
        )
    return numbers


def _of_arrow(column: Column) -> Float64Array:
    kind = column.cells.type
    if not (holds_numbers(column) or pa.types.is_boolean(kind)):
        present = ~column.missing()
        if not present.any():
            return np.full(len(column), np.nan)
        example = column.cells[int(present.argmax())].as_py()
        raise _no_numbers(column, example, present)
    numbers: Float64Array = column.cells.cast(pa.float64(), safe=False).to_numpy()
    return numbers


def _of_objects(column: Column) -> Float64Array:
    cells = column.objects()
    wrong = np.array(
        [cell is not None and not isinstance(cell, int | float | Decimal) for cell in cells], bool
    )
    if wrong.any():
        raise _no_numbers(column, cells[int(wrong.argmax())], wrong)
    return np.array([np.nan if cell is None else _as_float(cell) for cell in cells])


def _as_float(number: Any) -> float:
    try:
        return float(number)
    except OverflowError:  # an int of more than 308 digits
        return float("inf")


def _no_numbers(column: Column, example: object, rows: BoolArray) -> DataError:
    return DataError(
        f"{column} must hold numbers but holds {example!r} ({some_rows(rows)}); convert the column"
    )
