from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from whyrec.data.tables import read_table
from whyrec.errors import DataError

PLAIN: Any = pa.table({"id": [1, 2, 3], "name": ["ann", None, "bob"], "price": [1.5, None, 2.0]})


class OnlyCapsule:
    """A table of which nothing is known but that it speaks the Arrow PyCapsule interface."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return PLAIN.__arrow_c_stream__(requested_schema)


SOURCES: dict[str, Any] = {
    "pyarrow table": PLAIN,
    "pyarrow batch": PLAIN.to_batches()[0],
    "pyarrow reader": PLAIN.to_reader(),
    "pandas": PLAIN.to_pandas(),
    "pandas with Arrow dtypes": PLAIN.to_pandas(types_mapper=pd.ArrowDtype),
    "polars": pl.DataFrame(PLAIN),
    "polars lazy": pl.LazyFrame(pl.DataFrame(PLAIN)),
    "capsule": OnlyCapsule(),
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES.keys())
def test_any_kind_of_table_reads_the_same(source: object) -> None:
    table = read_table(source, "items")
    assert table.names == ("id", "name", "price")
    assert len(table) == 3
    assert table["id"].objects() == [1, 2, 3]
    assert table["name"].objects() == ["ann", None, "bob"]
    assert table["price"].objects() == [1.5, None, 2.0]
    assert table["price"].missing().tolist() == [False, True, False]


def test_a_table_that_was_read_is_taken_as_it_is() -> None:
    table = read_table(PLAIN, "items")
    assert read_table(table, "users") is table


@pytest.mark.parametrize(
    "source",
    [{"id": [1]}, [1, 2], 5, None, pl.Series([1]), pd.Series([1]), pa.array([1])],
    ids=lambda source: type(source).__name__,
)
def test_what_is_no_table_is_refused_by_name(source: object) -> None:
    with pytest.raises(DataError, match=r"items: .*table"):
        read_table(source, "items")


@pytest.mark.parametrize(
    "source",
    [
        pd.DataFrame([[1, 2]], columns=["a", "a"]),
        pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]),
        pd.DataFrame([[1, 2]], columns=["1", 1]),
    ],
    ids=["pandas", "pyarrow", "a number and its text"],
)
def test_two_columns_of_one_name_are_refused(source: object) -> None:
    with pytest.raises(DataError, match=r"events: more than one column"):
        read_table(source, "events")


@pytest.mark.parametrize(
    "source",
    [pd.DataFrame(), pd.DataFrame({"a": []}), PLAIN.slice(0, 0), pl.DataFrame({"a": []})],
    ids=["no columns", "pandas", "pyarrow", "polars"],
)
def test_an_empty_table_is_refused(source: object) -> None:
    with pytest.raises(DataError, match=r"users: the table is empty \(0 rows"):
        read_table(source, "users")


def test_a_missing_column_is_told_with_those_that_are_there() -> None:
    with pytest.raises(
        DataError, match=r'items: there is no column "cost"; the columns are "id", "name", "price"'
    ):
        read_table(PLAIN, "items")["cost"]


def test_objects_stay_the_objects_they_are() -> None:
    cells = [1, "a", (1, "b"), UUID(int=7), 2.5, True, b"c", Decimal("1.10"), 10**30]
    column = read_table(pd.DataFrame({"id": pd.Series(cells, dtype=object)}), "items")["id"]
    assert column.objects() == cells
    assert [type(cell) for cell in column.objects()] == [type(cell) for cell in cells]


def test_polars_objects_stay_the_objects_they_are() -> None:
    frame = pl.DataFrame({"id": pl.Series([(1, 2), "a", None], dtype=pl.Object)})
    assert read_table(frame, "items")["id"].objects() == [(1, 2), "a", None]


def test_numpy_scalars_become_python_ones() -> None:
    frame = pd.DataFrame(
        {"id": pd.Series([np.int64(1), np.str_("a"), np.float32(0.5)], dtype=object)}
    )
    cells = read_table(frame, "items")["id"].objects()
    assert [type(cell) for cell in cells] == [int, str, float]


@pytest.mark.parametrize("gap", [None, float("nan"), pd.NA, pd.NaT, np.datetime64("NaT")])
def test_every_way_of_saying_nothing_is_missing(gap: object) -> None:
    column = read_table(pd.DataFrame({"x": pd.Series([(1,), gap], dtype=object)}), "items")["x"]
    assert column.missing().tolist() == [False, True]
    assert column.objects() == [(1,), None]


def test_lists_in_cells_stay_lists_even_if_all_of_one_length() -> None:
    column = read_table(pd.DataFrame({"x": [["a", "b"], ["c", "d"]]}), "items")["x"]
    assert column.objects() == [["a", "b"], ["c", "d"]]
    assert column.holds_lists


def test_storage_encodings_of_arrow_make_no_difference() -> None:
    table = pa.table(
        {
            "dictionary": pa.array(["a", "a", None]).dictionary_encode(),
            "view": pa.array(["a", "a", None], pa.string_view()),
            "runs": pa.RunEndEncodedArray.from_arrays(
                pa.array([2, 3], pa.int32()), pa.array(["a", None])
            ),
        }
    )
    columns = read_table(table, "items").columns.values()
    assert all(column.holds_text for column in columns)
    assert [column.objects() for column in columns] == [["a", "a", None]] * 3


def test_categories_of_mixed_objects_are_read() -> None:
    frame = pd.DataFrame({"x": pd.Categorical([1, "a", 1])})
    assert read_table(frame, "items")["x"].objects() == [1, "a", 1]


def test_uuids_of_arrow_come_as_uuids() -> None:
    table = pa.table({"id": pa.array([UUID(int=3).bytes], pa.uuid())})
    assert read_table(table, "items")["id"].objects() == [UUID(int=3)]


def test_a_text_that_utf_8_cannot_hold_is_kept() -> None:
    frame = pd.DataFrame({"id": pd.Series(["\ud800", "a"], dtype=object)})
    assert read_table(frame, "items")["id"].objects() == ["\ud800", "a"]


def test_columns_are_called_by_text() -> None:
    assert read_table(pd.DataFrame({0: [1], 1: [2]}), "items").names == ("0", "1")


def test_reading_changes_nothing_of_the_caller() -> None:
    frame = pd.DataFrame(
        {"id": pd.Series([1, "a"], dtype=object), "at": [datetime(2024, 1, 1)] * 2}
    )
    before = frame.copy(deep=True)
    column = read_table(frame, "items")["id"]
    column.cells[0] = "changed"
    pd.testing.assert_frame_equal(frame, before)
