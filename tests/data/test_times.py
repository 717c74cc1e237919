from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from whyrec.data.tables import Column, read_table
from whyrec.data.times import holds_times, read_times
from whyrec.errors import DataError

NOON = 1_704_110_400.0
"""2024-01-01T12:00:00Z"""

EAST = timezone(timedelta(hours=2))


def column(cells: object, dtype: object = object) -> Column:
    if isinstance(cells, pa.Array):
        return read_table(pa.table({"at": cells}), "events")["at"]
    series: Any = pd.Series(cells, dtype=dtype)  # type: ignore[call-overload]
    return read_table(pd.DataFrame({"at": series}), "events")["at"]


@pytest.mark.parametrize(
    ("cell", "seconds"),
    [
        (datetime(2024, 1, 1, 12), NOON),
        (datetime(2024, 1, 1, 12, tzinfo=UTC), NOON),
        (datetime(2024, 1, 1, 12, tzinfo=EAST), NOON - 7200),
        (datetime(2024, 1, 1, 12, 0, 0, 500_000), NOON + 0.5),
        (date(2024, 1, 1), NOON - 43_200),
        (datetime(1969, 12, 31), -86_400.0),
        ("2024-01-01T12:00:00", NOON),
        ("2024-01-01 12:00", NOON),
        ("2024-01-01T12:00:00Z", NOON),
        ("2024-01-01T12:00:00+02:00", NOON - 7200),
        ("2024-01-01", NOON - 43_200),
        ("20240101T120000", NOON),
        (NOON, NOON),
        (int(NOON), NOON),
        (0, 0.0),
        (-5, -5.0),
    ],
    ids=repr,
)
def test_every_way_to_give_a_time_means_the_same(cell: Any, seconds: float) -> None:
    as_objects = Column("events", "at", np.array([cell, None], object))
    times, _ = read_times(as_objects)
    assert times.dtype == np.float64
    assert times[0] == seconds
    assert np.isnan(times[1])
    as_arrow, _ = read_times(column(pa.array([cell, None])))
    np.testing.assert_array_equal(as_arrow, times)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
def test_arrow_times_of_any_unit_are_read(unit: Any, zone: str | None) -> None:
    cells = pa.array([int(NOON)], pa.int64()).cast(pa.timestamp("s")).cast(pa.timestamp(unit))
    times, what = read_times(column(cells.cast(pa.timestamp(unit, zone))))
    assert times.tolist() == [NOON]
    assert what == "datetimes"


def test_times_of_pandas_and_polars_are_read() -> None:
    moments = [datetime(2024, 1, 1, 12), None]
    for frame in (pd.DataFrame({"at": moments}), pl.DataFrame({"at": moments})):
        times, _ = read_times(read_table(frame, "events")["at"])
        assert times[0] == NOON
        assert np.isnan(times[1])


@pytest.mark.parametrize(
    ("factor", "unit"),
    [(1, "seconds"), (1e3, "milliseconds"), (1e6, "microseconds"), (1e9, "nanoseconds")],
)
def test_the_unit_of_numbers_is_told_by_their_size(factor: float, unit: str) -> None:
    numbers = (np.array([NOON, NOON + 60]) * factor).astype(np.int64)
    times, what = read_times(column(numbers, "int64"))
    np.testing.assert_allclose(times, [NOON, NOON + 60])
    assert what == f"{unit} since 1970"


def test_small_numbers_are_seconds() -> None:
    times, what = read_times(column([3, 1, 2], "int64"))
    assert times.tolist() == [3.0, 1.0, 2.0]
    assert what == "seconds since 1970"


def test_numbers_of_two_units_are_refused_with_their_rows() -> None:
    cells = [NOON, NOON, NOON * 1000, NOON]
    with pytest.raises(DataError, match=r'"at" is in seconds .* but not in row 2; use one unit'):
        read_times(column(cells, "float64"))


@pytest.mark.parametrize(
    ("cells", "first", "rows"),
    [
        ([datetime(2024, 1, 1), "2024-01-01", None, 5], "datetime first, but text", "rows 1, 3"),
        (["2024-01-01", None, 1.5], "text first, but number", "row 2"),
        ([1, True], "number first, but bool", "row 1"),
        ([date(2024, 1, 1), datetime(2024, 1, 1)], "date first, but datetime", "row 1"),
    ],
    ids=["datetime", "text", "number", "date"],
)
def test_times_of_mixed_types_are_refused_with_their_rows(
    cells: list[Any], first: str, rows: str
) -> None:
    with pytest.raises(DataError, match=rf'events: column "at" mixes types: {first} in {rows};'):
        read_times(column(cells))


@pytest.mark.parametrize(
    "cells",
    [
        [datetime(2024, 1, 1), None, datetime(2024, 1, 1, tzinfo=UTC)],
        ["2024-01-01T12:00", None, "2024-01-01T12:00Z"],
    ],
    ids=["datetimes", "texts"],
)
def test_times_with_and_without_a_zone_are_refused_with_their_rows(cells: list[Any]) -> None:
    with pytest.raises(DataError, match=r"with and without a zone \(see row 2\)"):
        read_times(column(cells))


def test_a_text_that_is_no_time_is_named_with_its_row() -> None:
    with pytest.raises(DataError, match=r"'1/2/2024 8:26' in row 1, which is no ISO 8601 time"):
        read_times(column(["2024-01-01", "1/2/2024 8:26", "x"]))


@pytest.mark.parametrize(
    "cells",
    [pa.array([True]), pa.array([b"x"]), pa.array([[1]]), pa.array([1], pa.duration("s"))],
    ids=["bool", "bytes", "list", "duration"],
)
def test_what_is_no_time_is_refused(cells: "pa.Array[Any]") -> None:
    with pytest.raises(DataError, match="must hold times but holds"):
        read_times(column(cells))


def test_objects_that_are_no_time_are_refused() -> None:
    with pytest.raises(DataError, match="must hold times but holds tuple"):
        read_times(column([(1,), (2,)]))


def test_infinite_times_are_refused() -> None:
    with pytest.raises(DataError, match=r"1 non-finite value \(row 1\)"):
        read_times(column([1.0, float("inf")], "float64"))


def test_a_column_without_any_time_is_missing_throughout() -> None:
    times, _ = read_times(column(pa.array([None, None], pa.float64())))
    assert np.isnan(times).all()


def test_columns_of_times_are_told_from_others() -> None:
    assert holds_times(column(pa.array([date(2024, 1, 1)])))
    assert holds_times(column([datetime(2024, 1, 1), date(2024, 1, 1)]))
    assert not holds_times(column(["2024-01-01"]))
    assert not holds_times(column([1], "int64"))
    assert not holds_times(column([(1,)]))
