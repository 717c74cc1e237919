"""What is refused before it comes near a store, and how it is told."""

import time
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from whyrec.data.event_columns import EventColumns
from whyrec.errors import ArgumentError, DataError
from whyrec.feedback import (
    Batch,
    Control,
    ControlKind,
    Event,
    Impression,
    Rating,
    ReasonRating,
    Record,
    Undo,
)
from whyrec.feedback.records import new_event_ids
from whyrec.feedback.schema import EVENTS

DAY = 86_400


class Word(StrEnum):
    FIG = "fig"


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (Event(None, "fig"), "Event: user_id is missing"),
        (Event("ann", float("nan")), "Event: item_id is missing"),
        (Event("ann", object()), "Event: item_id an id or category of type builtins.object"),
        (Event("ann", "fig", value=float("inf")), "Event: value is inf; it must be a"),
        (Event("ann", "fig", value=1e39), "value is 1e"),
        (Event("ann", "fig", value=10**400), "value is inf"),
        (Event("ann", "fig", value="5"), "value must be a number, not '5'"),  # type: ignore[arg-type]
        (Event("ann", "fig", value=True), "value must be a number, not True"),
        (Event("ann", "fig", timestamp=-1), "timestamp is -1.0; it must be in seconds since 1970"),
        (Event("ann", "fig", timestamp=time.time() * 1000), "no later than a day from now"),
        (Event("ann", "fig", timestamp=float("nan")), "timestamp is nan"),
        (Event("ann", "fig", kind=3), "kind must be a string, not 3"),  # type: ignore[arg-type]
        (Event("ann", "fig", kind="a\0"), "kind has a NUL"),
        (Event("ann", "fig", event_id=""), "event_id must not be empty"),
        (Event("ann", "fig", request_id="\ud800"), "request_id has a NUL or a lone surrogate"),
        (Control("ann", "no", "fig"), "kind is 'no'; it must be one of \"event\", "),  # type: ignore[arg-type]
        (Control("ann", ControlKind.EVENT, 7, weight=1.5), "weight is 1.5; it must be from 0 to 1"),
        (ReasonRating("ann", Rating.WRONG, "fig", "", "pear"), "kind must not be empty"),
        (Impression("ann", "fig", "r", 1.5), "rank is 1.5; it must be a whole"),  # type: ignore[arg-type]
        (Impression("ann", "fig", "r", 1, 0), "propensity is 0.0; it must be above 0 to 1"),
        (Undo("ann", ""), "Undo: undone_id must not be empty"),
    ],
)  # fmt: skip
def test_a_record_that_cannot_be_kept_is_told_by_its_field(record: Record, told: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        Batch([record])
    assert told in str(caught.value)


def test_what_is_no_record_is_refused() -> None:
    with pytest.raises(ArgumentError, match="'fig' is no record; the records are Event, Control"):
        Batch(["fig"])  # type: ignore[list-item]


def test_clocks_may_be_some_hours_apart() -> None:
    assert len(Batch([Event("ann", "fig", timestamp=time.time() + DAY / 2)])) == 1


def table(**columns: list[Any]) -> pa.Table:
    users, items = ["ann", "bob", "cid"], ["fig", "pear", "fig"]
    return pa.table({"user_id": users, "item_id": items, **columns})


@pytest.mark.parametrize(
    ("events", "told"),
    [
        (table(timestamp=[1.0, -5.0, None]), "later than a day from now (rows 1, 2)"),
        (table(time=[1.0, 2.0, 9e10]), "later than a day from now (row 2)"),
        (table(rating=[1.0, 2.0, float("inf")]), 'column "rating" has 1 non-finite value (row 2)'),
        (table(item_id=["fig", "pear", None]), 'column "item_id" has null ids (row 2)'),
        (table(event_id=["", "b", "c"]), 'column "event_id" must not be empty (row 0)'),
        (table(kind=["a", "b\0", "b\0"]), "lone surrogate in 'b\\x00'; leave it out (rows 1, 2)"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_kept_is_told_by_its_rows(events: pa.Table, told: str) -> None:
    with pytest.raises(DataError) as caught:
        Batch.of_table(events)
    assert told in str(caught.value)


def test_an_id_of_a_table_that_cannot_be_stored_is_told() -> None:
    frame = pd.DataFrame({"user_id": ["ann", "bob"], "item_id": [object(), "fig"]})
    with pytest.raises(DataError, match=r'column "item_id" an id or category .* \(row 0\)'):
        Batch.of_table(frame)


def test_a_table_and_single_events_are_kept_alike() -> None:
    moment = datetime(2024, 1, 31, 12, 30, tzinfo=UTC)
    frame = pd.DataFrame(
        {
            "who": [1, 2],
            "what": ["fig", ("shelf", 3)],
            "when": [moment, moment],
            "stars": [1.1, None],
            "action": ["view", None],
            "event_id": ["a", "b"],
        }
    )
    columns = EventColumns(
        user_id="who", item_id="what", timestamp="when", value="stars", kind="action"
    )
    one = Batch.of_table(frame, columns)
    other = Batch(
        [
            Event(1, "fig", "view", 1.1, timestamp=moment.timestamp(), event_id="a"),
            Event(2, ("shelf", 3), timestamp=moment.timestamp(), event_id="b"),
        ]
    )
    assert one.rows() == other.rows()


def test_numpy_scalars_and_words_are_numbers_and_ids() -> None:
    odd = Event(np.int64(3), np.str_("fig"), value=float(np.float32(2)), event_id="a", timestamp=1)
    worded = Event(True + 2, Word.FIG, value=2, event_id="a", timestamp=1)
    plain = Event(3, "fig", value=2, event_id="a", timestamp=1)
    assert Batch([odd]).rows() == Batch([worded]).rows() == Batch([plain]).rows()


def test_events_without_time_or_id_happened_now_and_get_ids_of_their_own() -> None:
    before = time.time()
    ((_, rows),) = Batch.of_table(table()).rows()
    columns = [dict(zip(EVENTS.columns, row, strict=True)) for row in rows]
    assert all(before <= float(row["timestamp"] or 0) <= time.time() for row in columns)
    assert len({row["event_id"] for row in columns}) == 3


def test_ids_that_are_made_differ_and_rise() -> None:
    ids = [*new_event_ids(2000), *new_event_ids(0)]
    assert len(set(ids)) == 2000
    assert ids == sorted(ids)
    time.sleep(0.002)
    assert new_event_ids(1)[0] > ids[-1]
