"""A data set as Arrow tables and JSON, and back."""

import json
from collections.abc import Callable
from datetime import date
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from whyrec.data.dataset import Dataset
from whyrec.data.features import Features
from whyrec.errors import StorageError

IDS = ["u", 7, (1, "b"), UUID(int=1)]


@pytest.fixture
def dataset() -> Dataset:
    events = pd.DataFrame(
        {
            "user_id": pd.Series([*IDS, "u"], dtype=object),
            "item_id": ["x", "y", "z", "x", "w"],
            "timestamp": [1.1, 2.2, 3.3, 4.4, 0.1],
            "value": [0.1, np.nan, 5.0, -1.0, 3.0],
            "kind": ["view", None, "buy", "view", "buy"],
        }
    )
    items = pl.DataFrame(
        {
            "item_id": ["w", "x", "y", "z"],
            "title": ["Whale", None, "Yes", "Zoo"],
            "year": [1990, 2000, None, 1970],
            "tags": [["a", "b"], ["a"], [], None],
            "plot": ["the sea and a whale", "the sea at night", "a night at sea", "none of it"],
            "since": [date(2020, 1, 1), date(2021, 5, 5), None, date(1999, 9, 9)],
        }
    )
    users = pd.DataFrame({"user_id": pd.Series(["v", *IDS], dtype=object), "city": list("aabba")})
    return Dataset.from_tables(events, items, users)


def round_trip(dataset: Dataset) -> Dataset:
    return Dataset.from_storage(dataset.to_tables(), json.loads(json.dumps(dataset.to_json())))


def arrays_of(features: Features) -> list[Any]:
    return [features.offsets, features.tokens, features.weights]


def test_every_bit_comes_back(dataset: Dataset) -> None:
    back = round_trip(dataset)
    assert back.users == dataset.users
    assert back.items == dataset.items
    assert back.item_labels == dataset.item_labels
    assert back.columns == dataset.columns
    assert back.report == dataset.report
    assert str(back.report) == str(dataset.report)
    assert back.item_features.schema == dataset.item_features.schema
    assert back.user_features.schema == dataset.user_features.schema
    mine, its = dataset.interactions, back.interactions
    assert its.kind_names == mine.kind_names
    pairs = [
        *zip(arrays_of(dataset.item_features), arrays_of(back.item_features), strict=True),
        *zip(arrays_of(dataset.user_features), arrays_of(back.user_features), strict=True),
        (mine.offsets, its.offsets),
        (mine.items, its.items),
        (mine.kinds, its.kinds),
        (mine.values, its.values),
        (mine.timestamps, its.timestamps),
    ]
    for before, after in pairs:
        assert before.dtype == after.dtype
        assert before.tobytes() == after.tobytes()


def test_what_comes_back_encodes_visitors_alike(dataset: Dataset) -> None:
    visitor = {"city": "b"}
    back = round_trip(dataset).user_features.schema.encode_one(visitor)
    assert back.tokens.tolist() == dataset.user_features.schema.encode_one(visitor).tokens.tolist()


def test_arrays_that_come_back_can_be_written_to(dataset: Dataset) -> None:
    back = round_trip(dataset)
    assert all(array.flags.writeable for array in arrays_of(back.item_features))
    assert back.interactions.items.flags.writeable


def test_absent_values_and_times_stay_absent() -> None:
    back = round_trip(Dataset.from_tables(pl.DataFrame({"user_id": [1], "item_id": [2]})))
    assert back.interactions.values is None
    assert back.interactions.timestamps is None


def test_ids_that_cannot_be_stored_are_refused() -> None:
    frame = pd.DataFrame(
        {"user_id": pd.period_range("2020", freq="Y", periods=1), "item_id": ["x"]}
    )
    with pytest.raises(StorageError, match="Period"):
        Dataset.from_tables(frame).to_tables()


def without(name: str) -> Callable[[dict[str, pa.Table]], object]:
    return lambda tables: tables.pop(name)


def changed(name: str, column: str, value: int) -> Callable[[dict[str, pa.Table]], object]:
    def change(tables: dict[str, pa.Table]) -> None:
        table = tables[name]
        index = table.column_names.index(column)
        cells = table[column].to_numpy().copy()
        cells[0] = value
        tables[name] = table.set_column(index, column, pa.array(cells))

    return change


@pytest.mark.parametrize(
    "damage",
    [
        *map(without, ["users", "items", "events", "item_features", "user_features"]),
        changed("events", "user", 3),
        changed("events", "user", 99),
        changed("events", "item", 99),
        changed("events", "item", -1),
        changed("events", "kind", 9),
        changed("item_features", "token", 999),
        changed("item_features", "row", 99),
    ],
)
def test_damaged_tables_are_refused(
    dataset: Dataset, damage: Callable[[dict[str, pa.Table]], object]
) -> None:
    tables = dataset.to_tables()
    damage(tables)
    with pytest.raises(StorageError):
        Dataset.from_storage(tables, dataset.to_json())


@pytest.mark.parametrize("key", ["kind_names", "item_schema", "user_schema", "columns", "report"])
def test_a_damaged_state_is_refused(dataset: Dataset, key: str) -> None:
    state = dataset.to_json()
    del state[key]
    with pytest.raises(StorageError, match="damaged"):
        Dataset.from_storage(dataset.to_tables(), state)
    with pytest.raises(StorageError):
        Dataset.from_storage(dataset.to_tables(), {**state, key: {"x": 1}})
