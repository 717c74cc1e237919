"""What holds of the data room for any input."""

import json
import tempfile
from collections.abc import Hashable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from hypothesis import example, given, settings
from hypothesis import strategies as st

from whyrec.data.dataset import Dataset
from whyrec.data.features import Features
from whyrec.data.fields import FeatureSchema, Numeric, Tags
from whyrec.data.interactions import Histories
from whyrec.data.split import leave_last_out, random_split
from whyrec.data.tables import Column, read_table
from whyrec.data.times import read_times
from whyrec.data.vocabulary import Vocabulary
from whyrec.testing import strategies

plain_ids = st.one_of(
    st.integers(),
    st.text(),
    st.binary(),
    st.booleans(),
    st.floats(allow_nan=False),
    st.uuids(),
    st.dates(),
    st.datetimes(timezones=st.sampled_from([None, UTC, timezone(timedelta(hours=-5))])),
    st.timedeltas(),
    st.decimals(allow_nan=False),
)
any_ids = st.recursive(
    plain_ids, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=5
)


@given(st.lists(any_ids, max_size=20))
def test_a_vocabulary_gives_every_id_back_as_it_was(ids: list[Hashable]) -> None:
    vocabulary = Vocabulary.from_ids(ids)
    found = [vocabulary[index] for index in vocabulary.indices_of(ids).tolist()]
    assert found == ids
    assert list(vocabulary) == list(dict.fromkeys(ids))
    back = Vocabulary.from_arrow(vocabulary.to_arrow())
    assert back == vocabulary
    assert list(map(repr, back)) == list(map(repr, vocabulary))
    assert [back.index_of(one) for one in vocabulary] == list(range(len(vocabulary)))


@given(st.lists(any_ids, min_size=1, max_size=20), st.lists(any_ids, min_size=1, max_size=20))
def test_ids_of_any_type_survive_a_table(users: list[Hashable], items: list[Hashable]) -> None:
    n = min(len(users), len(items))
    frame = pd.DataFrame(
        {
            "user_id": pd.Series(users[:n], dtype=object),
            "item_id": pd.Series(items[:n], dtype=object),
        }
    )
    dataset = Dataset.from_tables(frame)
    assert list(map(repr, dataset.users)) == list(map(repr, dict.fromkeys(users[:n])))
    assert list(map(repr, dataset.items)) == list(map(repr, dict.fromkeys(items[:n])))
    indices = sorted(
        zip(dataset.interactions.users().tolist(), dataset.interactions.items.tolist(), strict=True)
    )
    expected = zip(
        dataset.users.indices_of(users[:n]).tolist(),
        dataset.items.indices_of(items[:n]).tolist(),
        strict=True,
    )
    assert indices == sorted(expected)


rows_of_events = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(-2, 2)), min_size=1, max_size=40
)


@given(rows_of_events)
def test_events_of_one_time_keep_the_order_of_the_table(rows: list[tuple[int, int, int]]) -> None:
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    dataset = Dataset.from_tables(frame.with_columns(value=pl.int_range(len(rows))))
    events = dataset.interactions
    assert events.values is not None
    assert events.timestamps is not None
    places = {user: dataset.users.index_of(user) for user, _, _ in rows}
    order = sorted(range(len(rows)), key=lambda row: (places[rows[row][0]], rows[row][2]))
    assert events.values.tolist() == order  # sorted is stable
    assert events.timestamps.tolist() == [rows[row][2] for row in order]
    assert dataset.items.indices_of([rows[row][1] for row in order]).tolist() == list(events.items)
    assert events.users().tolist() == [places[rows[row][0]] for row in order]


def stored(dataset: Dataset) -> tuple[Any, ...]:
    """Return all bits of a data set, in a form that == compares."""
    parts = {
        name: [(column.type, comparable(column)) for column in table.columns]
        for name, table in dataset.to_tables().items()
    }
    return parts, json.dumps(dataset.to_json())


def comparable(column: Any) -> Any:
    """Return an Arrow column as bytes where it holds numbers, so that NaN equals itself."""
    if pa.types.is_floating(column.type):
        return column.to_numpy().tobytes()
    return column.to_pylist()


@settings(deadline=None, max_examples=40)
@given(strategies.tables())
def test_the_same_table_of_any_kind_makes_the_same_data_set(
    both: tuple[pa.Table, pa.Table],
) -> None:
    expected = stored(Dataset.from_tables(*both))
    as_pandas = [table.to_pandas() for table in both]
    assert stored(Dataset.from_tables(*as_pandas)) == expected
    as_objects = [frame.astype(object) for frame in as_pandas]
    assert len(Dataset.from_tables(*as_objects).interactions) == both[0].num_rows
    frames: list[Any] = [pl.from_arrow(table) for table in both]
    assert stored(Dataset.from_tables(*frames)) == expected
    assert stored(Dataset.from_tables(*[frame.lazy() for frame in frames])) == expected
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, f"{name}.parquet") for name in ("events", "items")]
        for table, file in zip(both, files, strict=True):
            pq.write_table(table, file)
        assert stored(Dataset.from_tables(*files)) == expected
        files = [file.with_suffix(".csv") for file in files]
        for table, file in zip(both, files, strict=True):
            pyarrow.csv.write_csv(table, file)
        assert stored(Dataset.from_tables(*map(str, files))) == expected


@settings(deadline=None, max_examples=60)
@given(strategies.tables())
def test_a_data_set_comes_back_from_storage_bit_for_bit(both: tuple[pa.Table, pa.Table]) -> None:
    dataset = Dataset.from_tables(*both)
    state = json.loads(json.dumps(dataset.to_json()))
    assert stored(Dataset.from_storage(dataset.to_tables(), state)) == stored(dataset)


@st.composite
def histories(draw: st.DrawFn) -> Histories:
    rows = draw(rows_of_events)
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    people = pl.DataFrame({"user_id": [0, 1, 9], "age": [20, 30, 50], "likes": [["a"], [], ["b"]]})
    dataset = Dataset.from_tables(frame, users=people)
    chosen = draw(st.lists(st.integers(0, dataset.n_users - 1), min_size=1, max_size=5))
    return dataset.histories(np.array(chosen), max_events=draw(st.none() | st.integers(0, 6)))


def bits(of: Histories | Features) -> list[bytes]:
    if isinstance(of, Features):
        return [array.tobytes() for array in (of.offsets, of.tokens, of.weights)]
    arrays = (of.offsets, of.items, of.kinds, of.values, of.ages)
    return [*(array.tobytes() for array in arrays), *bits(of.attributes)]


def some_rows(data: st.DataObject, n_rows: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    chosen = data.draw(st.lists(st.integers(0, n_rows - 1), max_size=6)) if n_rows else []
    return np.array(chosen, np.int64)


@given(histories(), st.data())
def test_taking_rows_of_rows_takes_them_directly(whole: Histories, data: st.DataObject) -> None:
    first = some_rows(data, len(whole))
    second = some_rows(data, len(first))
    assert bits(whole.take(first).take(second)) == bits(whole.take(first[second]))
    assert bits(whole.take(np.arange(len(whole)))) == bits(whole)


@given(histories(), st.data())
def test_leaving_events_out_twice_leaves_them_out_at_once(
    whole: Histories, data: st.DataObject
) -> None:
    draws = st.lists(st.booleans(), min_size=len(whole.items), max_size=len(whole.items))
    first, second = (np.array(data.draw(draws), bool) for _ in range(2))
    once = whole.only_events(first & second)
    assert bits(whole.only_events(first).only_events(second[first])) == bits(once)
    assert bits(whole.only_events(np.ones(len(whole.items), bool))) == bits(whole)
    assert len(whole.only_events(np.zeros(len(whole.items), bool)).items) == 0


@given(histories(), st.data())
def test_a_row_leaves_its_events_out_alone_as_it_does_among_others(
    whole: Histories, data: st.DataObject
) -> None:
    n_events = len(whole.items)
    present = np.array(
        data.draw(st.lists(st.booleans(), min_size=n_events, max_size=n_events)), bool
    )
    fewer = whole.only_events(present)
    for row in range(len(whole)):
        own = present[whole.offsets[row] : whole.offsets[row + 1]]
        alone = whole.take(np.array([row])).only_events(own)
        assert bits(alone) == bits(fewer.take(np.array([row])))


@given(histories(), st.data())
def test_features_of_rows_of_rows_are_taken_directly(whole: Histories, data: st.DataObject) -> None:
    features = whole.attributes
    first = some_rows(data, len(features))
    second = some_rows(data, len(first))
    assert bits(features.take(first).take(second)) == bits(features.take(first[second]))
    for place, row in enumerate(first):
        taken = features.take(first).fields_of(place)
        assert taken.tolist() == features.fields_of(int(row)).tolist()


numbers = st.floats(-1e6, 1e6) | st.integers(-(10**6), 10**6).map(float)


@given(st.lists(numbers, min_size=1, max_size=30))
@example([0.0, 8e-172])  # whose deviations have squares of 0
@example([0.0, 1e-158])
def test_a_number_is_shown_as_precisely_as_its_weight_can_tell(cells: list[float]) -> None:
    table = read_table(pl.DataFrame({"x": cells}), "items")
    features = FeatureSchema.fit(table, {"x": Numeric()}).encode(table)
    for cell, weight in zip(cells, features.weights, strict=True):
        shown = features.schema.describe(0, float(weight))[1]
        assert isinstance(shown, int | float)
        again = features.schema.encode_one({"x": shown}).weights[0]
        # One step of float32 is all that may lie between what is shown and what was.
        assert abs(again - weight) <= np.spacing(abs(weight))
        assert abs(shown - cell) <= 1e-5 * max(1.0, np.ptp(cells), abs(cell) * 1e-6)


@given(st.lists(st.lists(st.text(max_size=2), max_size=4), min_size=1, max_size=10))
def test_tags_of_a_row_are_its_distinct_words_of_unit_length(rows: list[list[str]]) -> None:
    table = read_table(pl.DataFrame({"x": rows}, schema={"x": pl.List(pl.String)}), "items")
    features = FeatureSchema.fit(table, {"x": Tags()}).encode(table)
    for row, cell in enumerate(rows):
        own = slice(features.offsets[row], features.offsets[row + 1])
        tags = {features.schema.describe(int(token), 1.0)[1] for token in features.tokens[own]}
        assert tags == {tag.strip() for tag in cell} - {""}
        if tags:
            np.testing.assert_allclose(np.square(features.weights[own]).sum(), 1, rtol=1e-6)


@given(st.lists(st.datetimes(timezones=st.just(timezone(timedelta(hours=3)))), min_size=1))
def test_times_are_those_of_python(moments: list[datetime]) -> None:
    expected = [moment.timestamp() for moment in moments]
    as_objects = Column("events", "at", np.array(moments, object))
    as_texts = read_table(pl.DataFrame({"at": [one.isoformat() for one in moments]}), "events")[
        "at"
    ]
    as_arrow = read_table(pa.table({"at": pa.array(moments)}), "events")["at"]
    for column in (as_objects, as_texts, as_arrow):
        np.testing.assert_allclose(read_times(column)[0], expected, rtol=1e-15, atol=1e-6)


@given(rows_of_events, st.integers(0, 2**32), st.tuples(*[st.integers(1, 9)] * 3))
def test_a_split_puts_every_event_in_one_part_of_its_user(
    rows: list[tuple[int, int, int]], seed: int, ratios: tuple[int, int, int]
) -> None:
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    events = Dataset.from_tables(frame.with_columns(value=pl.int_range(len(rows)))).interactions
    for split in (random_split(events, ratios, seed=seed), leave_last_out(events)):
        parts = (split.train, split.validation, split.test)
        together = [(user, value) for part in parts for user, value in _events_of(part)]
        assert sorted(together) == sorted(_events_of(events))
        for part in parts:
            kept = [event for event in _events_of(events) if event in set(_events_of(part))]
            assert kept == _events_of(part)


def _events_of(part: Any) -> list[tuple[int, float]]:
    return list(zip(part.users().tolist(), part.values.tolist(), strict=True))
