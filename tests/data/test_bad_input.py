"""Bad input, one test per kind of it: the message says what, where, and what to do."""

from datetime import datetime
from typing import Any

import pandas as pd
import polars as pl
import pytest

from whyrec.data.dataset import Dataset
from whyrec.data.event_columns import EventColumns
from whyrec.data.fields import Categorical, Numeric, Text
from whyrec.errors import ArgumentError, DataError, WhyrecError

EVENTS = pl.DataFrame({"user_id": ["a", "b", "a"], "item_id": [1, 2, 3]})
ITEMS = pl.DataFrame({"item_id": [1, 2, 3], "price": [1.0, 2.0, 2.0]})
USERS = pl.DataFrame({"user_id": ["a", "b"], "age": [20, 30]})


def refused(
    message: str, *tables: Any, error: type[WhyrecError] = DataError, **settings: Any
) -> None:
    with pytest.raises(error, match=message):
        Dataset.from_tables(*tables, **settings)


def objects(**columns: list[Any]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in columns.items()})


def test_a_missing_column() -> None:
    refused(
        'events: no column looks like the item_id; name it with columns=EventColumns.*"user_id"',
        EVENTS.drop("item_id"),
    )
    refused(
        'events: there is no column "stars"; the columns are "user_id", "item_id"',
        EVENTS,
        columns=EventColumns(value="stars"),
    )
    refused("items: no column looks like the item_id", EVENTS, ITEMS.drop("item_id"))
    refused("users: no column looks like the user_id", EVENTS, None, USERS.drop("user_id"))
    refused('items: there is no column "sku"', EVENTS, ITEMS, item_id="sku")


@pytest.mark.parametrize("name", ["events", "items", "users"])
def test_an_empty_table(name: str) -> None:
    tables = {"events": EVENTS, "items": ITEMS, "users": USERS}
    tables[name] = tables[name].clear()
    refused(rf"{name}: the table is empty \(0 rows, 2 columns\)", *tables.values())


@pytest.mark.parametrize("column", ["user_id", "item_id"])
def test_a_null_id_in_the_events(column: str) -> None:
    gaps = EVENTS.with_columns(pl.when(pl.int_range(3) != 1).then(pl.col(column)).alias(column))
    message = rf'events: column "{column}" has null ids \(row 1\); drop or fill these rows'
    for events in (gaps, gaps.to_pandas(), gaps.to_arrow()):
        refused(message, events)
    refused(message, objects(**{**EVENTS.to_dict(as_series=False), column: [(1,), None, "x"]}))


def test_a_null_id_in_items_or_users() -> None:
    many = pl.DataFrame({"item_id": [1, 2, 3, *[None] * 7]})
    refused(r'items: column "item_id" has null ids \(rows 3, 4, 5, 6, 7 and 2 more\)', EVENTS, many)
    nobody = pl.DataFrame({"user_id": ["a", None]})
    refused(r'users: column "user_id" has null ids \(row 1\)', EVENTS, None, nobody)


def test_an_item_in_two_rows() -> None:
    refused(
        r'items: column "item_id" has items in more than one row: 1, 3 '
        r"\(rows 0, 2, 3, 4\); keep one row of each",
        EVENTS,
        pl.DataFrame({"item_id": [1, 2, 3, 1, 3]}),
    )


def test_a_user_in_two_rows() -> None:
    refused(
        r"users: column \"user_id\" has users in more than one row: 'a' \(rows 0, 1\)",
        EVENTS,
        None,
        pl.DataFrame({"user_id": ["a", "a", "b"]}),
    )


def test_an_event_of_an_unknown_item() -> None:
    events = pl.DataFrame({"user_id": ["a"] * 9, "item_id": [1, 9, 2, 9, 4, 5, 6, 7, 8]})
    refused(
        r'events: column "item_id" has 7 events of 6 items that the items table does not have: '
        r"9, 4, 5, 6, 7 and 1 more \(rows 1, 3, 4, 5, 6 and 2 more\); "
        r'add them to items, or pass unknown_items="drop"',
        events,
        ITEMS,
    )


@pytest.mark.parametrize("unknown_items", ["error", "drop"])
def test_events_of_unknown_items_alone(unknown_items: str) -> None:
    refused(
        r"no event is of a known item \(ids are str here, int there\)",
        EVENTS.with_columns(pl.col("item_id").cast(pl.String)),
        ITEMS,
        unknown_items=unknown_items,
    )


def test_a_choice_for_unknown_items_that_there_is_not() -> None:
    refused(
        'unknown_items must be "error" or "drop", not \'keep\'',
        EVENTS,
        error=ArgumentError,
        unknown_items="keep",
    )


@pytest.mark.parametrize("bad", [float("inf"), float("-inf")])
def test_a_value_that_is_not_finite(bad: float) -> None:
    refused(
        r'events: column "value" has 1 non-finite value \(row 2\); drop or fill them',
        EVENTS.with_columns(value=pl.Series([1.0, None, bad])),
    )


def test_a_number_of_an_item_that_is_not_finite() -> None:
    items = ITEMS.with_columns(price=pl.Series([float("inf"), 1.0, float("-inf")]))
    message = r'items: column "price" has 2 non-finite values \(rows 0, 2\)'
    refused(message, EVENTS, items)
    refused(message, EVENTS, items, item_fields={"price": Numeric()})


def test_nan_is_missing_and_no_error() -> None:
    items = ITEMS.with_columns(price=pl.Series([float("nan"), 1.0, 2.0]))
    events = EVENTS.with_columns(value=pl.Series([float("nan"), 1.0, 2.0]))
    dataset = Dataset.from_tables(events, items)
    assert dataset.item_features.offsets.tolist() == [0, 0, 1, 2]


def test_timestamps_of_mixed_types() -> None:
    times = [datetime(2024, 1, 1), "2024-01-02", datetime(2024, 1, 3)]
    refused(
        r'events: column "timestamp" mixes types: datetime first, but text in row 1; convert',
        objects(user_id=["a"] * 3, item_id=[1, 2, 3], timestamp=times),
    )


def test_a_missing_timestamp() -> None:
    times = pl.Series([datetime(2024, 1, 1), None, None])
    refused(
        r'events: column "timestamp" has null times \(rows 1, 2\); drop or fill these rows',
        EVENTS.with_columns(timestamp=times),
    )


def test_nested_ids() -> None:
    for frame in (pl.DataFrame({"user_id": [["a"]], "item_id": [1]}),):
        refused(r'events: column "user_id" is nested', frame)
    refused(
        r'events: column "item_id" is nested', pl.DataFrame({"user_id": [1], "item_id": [{"a": 1}]})
    )


@pytest.mark.parametrize("bad", [["x"], {"x": 1}, {1, 2}, (1, ["x"])], ids=repr)
def test_ids_that_cannot_be_hashed(bad: Any) -> None:
    refused(
        rf'events: column "user_id" holds a {type(bad).__name__} in row 1, which cannot be hashed',
        objects(user_id=["a", bad], item_id=[1, 2]),
    )


def test_a_value_column_of_strings() -> None:
    refused(
        r"events: column \"rating\" must hold numbers but holds 'good' \(rows 0, 2\); convert",
        EVENTS.with_columns(rating=pl.Series(["good", None, "bad"])),
    )


def test_a_path_that_is_not_there_or_of_another_kind(tmp_path: Any) -> None:
    refused("events: there is no file", tmp_path / "events.csv")
    refused(r'items: the suffix "\.xls" of .* is unknown', EVENTS, str(tmp_path / "items.xls"))


def test_what_is_no_table_at_all() -> None:
    refused("events: builtins.dict is not a table", {"user_id": [1]})
    refused("users: builtins.int is not a table", EVENTS, None, 5)


def test_two_columns_of_one_name() -> None:
    frame = pd.DataFrame([["a", 1, 2]], columns=["user_id", "item_id", "item_id"])
    refused("events: more than one column", frame)


def test_a_field_of_a_column_that_is_not_there() -> None:
    refused(
        'items: a field is asked for column "brand", "size", which is not there; '
        'the columns are "item_id", "price"',
        EVENTS,
        ITEMS,
        item_fields={"brand": Categorical(), "size": Numeric(), "price": Numeric()},
    )
    refused("users: a field is asked for", EVENTS, None, USERS, user_fields={"x": Numeric()})


def test_a_field_that_is_none() -> None:
    refused(
        "'text' is no field; use Categorical, Tags, Numeric or Text",
        EVENTS,
        ITEMS,
        error=ArgumentError,
        item_fields={"price": "text"},
    )


def test_a_field_without_a_value_that_enough_rows_share() -> None:
    items = ITEMS.with_columns(note=pl.Series(["one", "two", "three"]))
    message = r'items: column "note" has no value that enough rows share; lower min_count'
    refused(message, EVENTS, items, item_fields={"note": Text()})
    refused(message, EVENTS, items, item_fields={"note": Categorical(min_count=2)})


@pytest.mark.parametrize("setting", ["item_id", "item_fields", "user_id", "user_fields"])
def test_a_setting_of_a_table_that_is_not_given(setting: str) -> None:
    value: Any = {} if setting.endswith("fields") else "id"
    refused(
        f"no {setting.split('_')[0]}s are given", EVENTS, error=ArgumentError, **{setting: value}
    )


def test_more_kinds_of_event_than_can_be_told_apart() -> None:
    n = 33_000
    events = pl.DataFrame({"user_id": [1] * n, "item_id": [1] * n, "kind": range(n)})
    refused(r'events: column "kind" has 33,000 kinds of event', events)
