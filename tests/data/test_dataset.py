"""Tables become a data set: what is read, and what is made of it."""

from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import polars as pl
import pytest

from whyrec.data.dataset import Dataset
from whyrec.data.event_columns import EventColumns
from whyrec.data.fields import Categorical, Numeric, Tags, Text
from whyrec.errors import ArgumentError, UnknownItemError, UnknownUserError

EVENTS = pl.DataFrame(
    {
        "user_id": ["ann", "bob", "ann", "cid"],
        "item_id": [10, 20, 30, 10],
        "timestamp": [datetime(2024, 1, 2), datetime(2024, 1, 1), datetime(2024, 1, 1), None],
    }
).with_columns(pl.col("timestamp").fill_null(datetime(2024, 1, 3)))
ITEMS = pl.DataFrame(
    {
        "item_id": [30, 20, 10, 40],
        "title": ["Fig", None, "", "Plum"],
        "colour": ["red", "red", "blue", None],
        "stock": [1.0, 2.0, 4.0, None],
        "origin": ["here"] * 4,
    }
)
USERS = pl.DataFrame({"user_id": ["dan", "ann"], "age": [30, 40]})


def values_of(dataset: Dataset, item_id: Any) -> list[tuple[str, object]]:
    features = dataset.item_features.take(dataset.items.indices_of([item_id]))
    pairs = zip(features.tokens, features.weights, strict=True)
    return [features.schema.describe(int(token), float(weight)) for token, weight in pairs]


def test_events_alone_make_a_data_set() -> None:
    dataset = Dataset.from_tables(EVENTS)
    assert dataset.users.ids == ("ann", "bob", "cid")
    assert dataset.items.ids == (10, 20, 30)
    assert dataset.interactions.items.tolist() == [2, 0, 1, 0]
    assert dataset.item_labels == ("10", "20", "30")
    assert len(dataset.item_features) == dataset.n_items == 3
    assert len(dataset.user_features) == dataset.n_users == 3
    assert dataset.item_features.schema.fields == ()


def test_the_catalog_is_the_items_table_in_its_order() -> None:
    dataset = Dataset.from_tables(EVENTS, ITEMS)
    assert dataset.items.ids == (30, 20, 10, 40)
    assert dataset.interactions.items.tolist() == [0, 2, 1, 2]


def test_users_are_those_of_the_users_table_and_then_those_of_the_events() -> None:
    dataset = Dataset.from_tables(EVENTS, users=USERS)
    assert dataset.users.ids == ("dan", "ann", "bob", "cid")
    assert dataset.interactions.offsets.tolist() == [0, 0, 2, 3, 4]
    assert dataset.user_features.offsets.tolist() == [0, 1, 2, 2, 2]


def test_columns_of_the_items_table_become_features() -> None:
    dataset = Dataset.from_tables(EVENTS, ITEMS)
    assert dataset.item_features.schema.field_names == ("colour", "stock")
    assert values_of(dataset, 10) == [("colour", "blue"), ("stock", 4)]
    assert values_of(dataset, 40) == []


def test_an_item_is_called_by_its_title_or_else_by_its_id() -> None:
    assert Dataset.from_tables(EVENTS, ITEMS).item_labels == ("Fig", "20", "10", "Plum")


def test_a_description_is_a_label_and_a_field() -> None:
    texts = ["ripe fig of the south", "ripe plum of the north", "a fig", "one more plum"]
    items = ITEMS.drop("title").with_columns(pl.Series("Description", texts))
    dataset = Dataset.from_tables(EVENTS, items)
    assert dataset.item_labels == tuple(texts)
    assert "Description" in dataset.item_features.schema.field_names


def test_unknown_ids_are_told_as_users_and_items() -> None:
    dataset = Dataset.from_tables(EVENTS)
    with pytest.raises(UnknownUserError):
        dataset.users.index_of("zoe")
    with pytest.raises(UnknownItemError):
        dataset.items.index_of(99)


def test_what_the_caller_says_of_a_field_holds_and_the_rest_is_guessed() -> None:
    dataset = Dataset.from_tables(
        EVENTS, ITEMS, item_fields={"stock": Categorical(), "title": Text(min_count=1)}
    )
    kinds = {field.name: field.kind for field in dataset.item_features.schema.fields}
    assert kinds == {"title": "text", "colour": "categorical", "stock": "categorical"}


def test_a_column_can_be_left_out() -> None:
    dataset = Dataset.from_tables(EVENTS, ITEMS, item_fields={"stock": None})
    assert dataset.item_features.schema.field_names == ("colour",)
    assert dataset.report.ignored_item_columns["stock"] == "it was left out by choice"


def test_fields_of_users_are_chosen_likewise() -> None:
    dataset = Dataset.from_tables(EVENTS, users=USERS, user_fields={"age": Categorical()})
    assert dataset.user_features.schema.fields[0].kind == "categorical"


def test_id_columns_of_any_name_are_found_or_said() -> None:
    events = EVENTS.rename({"user_id": "who", "item_id": "what"})
    dataset = Dataset.from_tables(
        events,
        ITEMS.rename({"item_id": "fruit"}),
        USERS.rename({"user_id": "nick"}),
        columns=EventColumns(user_id="who", item_id="what"),
        item_id="fruit",
        user_id="nick",
    )
    assert dataset.items.ids == (30, 20, 10, 40)
    assert dataset.columns == EventColumns(user_id="who", item_id="what", timestamp="timestamp")


def test_events_of_unknown_items_can_be_dropped_and_are_counted() -> None:
    dataset = Dataset.from_tables(EVENTS, ITEMS.head(2), unknown_items="drop")
    assert dataset.interactions.items.tolist() == [0, 1]
    assert dataset.report.dropped_events == 2
    assert dataset.report.dropped_items == ("10",)
    assert dataset.report.n_events == 2
    assert dataset.users.ids == ("ann", "bob", "cid")  # nobody is lost with their events
    assert "2 events of unknown items dropped (10)" in str(dataset.report)


def test_without_timestamps_events_keep_the_order_of_the_table() -> None:
    dataset = Dataset.from_tables(EVENTS.drop("timestamp"))
    assert dataset.interactions.timestamps is None
    assert dataset.interactions.items.tolist() == [0, 2, 1, 0]


def test_without_values_and_kinds_there_are_none() -> None:
    interactions = Dataset.from_tables(EVENTS).interactions
    assert interactions.values is None
    assert interactions.kind_names == ("",)
    assert interactions.kinds.tolist() == [0] * 4


def test_kinds_are_numbered_in_order_of_appearance_as_text() -> None:
    events = EVENTS.with_columns(kind=pl.Series([7, 3, 7, 3]))
    interactions = Dataset.from_tables(events).interactions
    assert interactions.kind_names == ("7", "3")
    assert interactions.kinds.tolist() == [0, 0, 1, 1]


def test_ids_of_any_type_come_back_as_they_went_in() -> None:
    ids = [1, "1", (1, 2), UUID(int=5), 2.5]
    frame = pd.DataFrame(
        {"user_id": pd.Series(ids, dtype=object), "item_id": pd.Series(ids[::-1], dtype=object)}
    )
    dataset = Dataset.from_tables(frame)
    assert dataset.users.ids == tuple(ids)
    assert dataset.items.ids == tuple(ids[::-1])
    assert [type(one) for one in dataset.users.ids] == [type(one) for one in ids]


def test_ids_match_between_tables_of_different_kinds() -> None:
    events = pd.DataFrame({"user_id": [1, 2], "item_id": pd.Series([10, 20], dtype=object)})
    items = pl.DataFrame({"item_id": [20, 10]}, schema={"item_id": pl.UInt8})
    dataset = Dataset.from_tables(events, items)
    assert dataset.interactions.items.tolist() == [1, 0]


def test_the_report_says_what_was_guessed_and_ignored() -> None:
    report = Dataset.from_tables(EVENTS, ITEMS, USERS).report
    assert str(report).splitlines() == [
        "4 events of 4 users with 4 items",
        "  events: user_id is column 'user_id'",
        "  events: item_id is column 'item_id'",
        "  events: timestamp is column 'timestamp'",
        "  events: timestamps were read as datetimes",
        "  items: 'title' names them",
        "  items: 'colour' was read as categorical, 2 values",
        "  items: 'stock' was read as numeric",
        "  items: 'origin' was ignored: every row has the same value, 'here'",
        "  users: 'age' was read as numeric",
    ]


def test_the_report_counts_rare_values_and_words() -> None:
    items = ITEMS.with_columns(
        tags=pl.Series([["a", "b"], ["a"], ["c"], []]),
        note=pl.Series(["ripe and red", "ripe or not", "red again and again", "gone by now"]),
    )
    report = Dataset.from_tables(
        EVENTS, items, item_fields={"tags": Tags(min_count=2), "stock": Numeric()}
    ).report
    assert report.item_fields["tags"] == "tags, 1 value (2 rare ones left out)"
    assert report.item_fields["note"] == "text, 3 words"


def test_a_guessed_text_without_a_common_word_is_ignored() -> None:
    items = ITEMS.with_columns(note=pl.Series(["a1 b1 c1", "a2 b2 c2", "a3 b3 c3", "a4 b4 c4"]))
    report = Dataset.from_tables(EVENTS, items).report
    assert report.ignored_item_columns["note"] == "no two rows share a word"


def test_other_events_can_be_put_in() -> None:
    dataset = Dataset.from_tables(EVENTS, ITEMS)
    fewer = dataset.interactions.only(np.array([True, False, False, False]))
    assert dataset.with_interactions(fewer).interactions is fewer
    assert dataset.with_interactions(fewer).items is dataset.items


def test_events_of_other_users_or_items_cannot_be_put_in() -> None:
    dataset, other = Dataset.from_tables(EVENTS), Dataset.from_tables(EVENTS, users=USERS)
    with pytest.raises(ArgumentError, match="of 4 users, the data set of 3"):
        dataset.with_interactions(other.interactions)
    small = Dataset.from_tables(EVENTS, ITEMS).interactions
    with pytest.raises(ArgumentError, match="outside 0 to 0"):
        Dataset.from_tables(
            pl.DataFrame({"user_id": ["ann", "bob", "cid"], "item_id": [1, 1, 1]})
        ).with_interactions(small)


def test_the_tables_of_the_caller_stay_as_they_were() -> None:
    events, items = EVENTS.to_pandas(), ITEMS.to_pandas()
    before = events.copy(deep=True), items.copy(deep=True)
    dataset = Dataset.from_tables(events, items)
    dataset.interactions.items[:] = 0
    dataset.item_features.weights[:] = 0
    pd.testing.assert_frame_equal(events, before[0])
    pd.testing.assert_frame_equal(items, before[1])
