from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from whyrec.data.numbers import holds_numbers, read_numbers
from whyrec.data.tables import Column, read_table
from whyrec.errors import DataError


def column(cells: Any) -> Column:
    return read_table(pa.table({"price": cells}), "items")["price"]


def objects(*cells: object) -> Column:
    return read_table(pd.DataFrame({"price": pd.Series(cells, dtype=object)}), "items")["price"]


@pytest.mark.parametrize(
    "cells",
    [
        pa.array([1, 2, None], pa.int8()),
        pa.array([1, 2, None], pa.uint64()),
        pa.array([1, 2, None], pa.float32()),
        pa.array([1, 2, float("nan")], pa.float64()),
        pa.array([Decimal("1.00"), Decimal("2.00"), None]),
    ],
    ids=lambda cells: str(cells.type),
)
def test_numbers_of_any_type_are_read_as_float64(cells: "pa.Array[Any]") -> None:
    numbers = read_numbers(column(cells))
    assert numbers.dtype == np.float64
    np.testing.assert_array_equal(numbers, [1.0, 2.0, np.nan])
    assert holds_numbers(column(cells))


def test_numbers_that_are_objects_are_read() -> None:
    cells = objects(1, 2.5, Decimal("0.1"), np.float32(4), None)
    np.testing.assert_array_equal(read_numbers(cells), [1.0, 2.5, 0.1, 4.0, np.nan])
    assert holds_numbers(cells)


def test_true_counts_as_one_but_is_no_number() -> None:
    cells = column([True, False, None])
    np.testing.assert_array_equal(read_numbers(cells), [1.0, 0.0, np.nan])
    assert not holds_numbers(cells)
    assert not holds_numbers(objects(True, 1))


def test_a_column_without_any_cell_is_missing_throughout() -> None:
    assert np.isnan(read_numbers(column(pa.nulls(2)))).all()


@pytest.mark.parametrize("bad", [float("inf"), float("-inf")])
def test_infinite_numbers_are_refused_with_their_rows(bad: float) -> None:
    with pytest.raises(
        DataError,
        match=r'items: column "price" has 2 non-finite values \(rows 0, 2\); drop or fill',
    ):
        read_numbers(column([bad, 1.0, bad]))


@pytest.mark.parametrize("bad", [1e39, -1e39])
def test_numbers_beyond_float32_are_refused_with_their_rows(bad: float) -> None:
    with pytest.raises(DataError, match=r"1 value beyond ±3.4e\+38 \(row 1\)"):
        read_numbers(column([1.0, bad]))


def test_an_integer_beyond_float64_is_refused() -> None:
    with pytest.raises(DataError, match=r"1 non-finite value \(row 1\)"):
        read_numbers(objects(1, 10**400))


@pytest.mark.parametrize(
    ("cells", "example"),
    [
        (column([None, "cheap"]), r"'cheap' \(row 1\)"),
        (objects(1, "cheap", (2,)), r"'cheap' \(rows 1, 2\)"),
        (column([[1]]), r"\[1\] \(row 0\)"),
    ],
    ids=["text", "objects", "lists"],
)
def test_what_is_no_number_is_named_with_its_rows(cells: Column, example: str) -> None:
    with pytest.raises(DataError, match=rf'"price" must hold numbers but holds {example}'):
        read_numbers(cells)


def test_whole_numbers_with_gaps_are_read_alike_from_pandas_and_polars() -> None:
    cells = [1, None, 3]
    frames = (
        pd.DataFrame({"price": cells}),
        pd.DataFrame({"price": pd.array(cells, dtype="Int64")}),
        pl.DataFrame({"price": cells}),
    )
    for frame in frames:
        np.testing.assert_array_equal(
            read_numbers(read_table(frame, "items")["price"]), [1.0, np.nan, 3.0]
        )
