"""A data set that grows: rows are read as the first ones, and indices stay."""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from whyrec.data.dataset import Dataset
from whyrec.data.grown import grown, grown_users
from whyrec.errors import DataError

EVENTS = pa.table(
    {
        "user_id": ["ann", "ann", "bob"],
        "item_id": ["fig", "pear", "fig"],
        "timestamp": [10.0, 20.0, 15.0],
        "value": [1.0, 2.0, 3.0],
        "kind": ["view", "buy", "buy"],
    }
)
DATA = Dataset.from_tables(EVENTS)


def more(**columns: list[Any]) -> pa.Table:
    row: dict[str, list[Any]] = {
        "user_id": ["ann"],
        "item_id": ["fig"],
        "timestamp": [10.0],
        "value": [9.0],
    }
    return pa.table({**row, "value": [9.0], "kind": ["view"], **columns})


def test_nothing_more_changes_nothing() -> None:
    same = grown(DATA)
    assert same.to_tables() == DATA.to_tables()
    assert same.to_json() == DATA.to_json()


def test_an_event_that_is_sent_again_counts_once() -> None:
    assert len(grown(DATA, more()).interactions) == 3
    assert len(grown(DATA, EVENTS).interactions) == 3
    changes: list[dict[str, list[Any]]] = [
        {"kind": ["buy"]},
        {"timestamp": [11.0]},
        {"user_id": ["cid"]},
    ]
    for changed in changes:
        assert len(grown(DATA, more(**changed)).interactions) == 4


def test_events_come_in_the_order_of_their_times() -> None:
    data = grown(DATA, more(item_id=["plum"], timestamp=[15.0], kind=["buy"]))
    ann = data.interactions.take(np.array([0]))
    assert [data.items[item] for item in ann.items] == ["fig", "plum", "pear"]
    assert ann.values is not None
    assert ann.values.tolist() == [1.0, 9.0, 2.0]
    assert [ann.kind_names[kind] for kind in ann.kinds] == ["view", "buy", "buy"]
    assert (data.report.n_events, data.report.n_users, data.report.n_items) == (4, 2, 3)


def test_columns_are_those_of_the_first_tables() -> None:
    with pytest.raises(DataError, match="value"):
        grown(DATA, more().drop_columns(["value"]))
    with pytest.raises(DataError, match='"share" is a kind of event'):
        grown(DATA, more(kind=["share"]))
    items = pa.table({"code": ["fig", "pear"], "name": ["Fig", "Pear"]})
    named = Dataset.from_tables(EVENTS, items, item_id="code")
    again = grown(named, items=pa.table({"code": ["plum"], "name": ["Plum"]}))
    assert again.item_labels == ("Fig", "Pear", "Plum")
    with pytest.raises(DataError, match="code"):
        grown(named, items=pa.table({"item_id": ["plum"], "name": ["Plum"]}))


def test_new_users_are_known_with_nothing_done() -> None:
    data = grown_users(DATA, ["cid", "dan"])
    assert data.users.ids == ("ann", "bob", "cid", "dan")
    assert np.diff(data.interactions.offsets).tolist() == [2, 1, 0, 0]
    assert len(data.user_features) == 4


def test_recorded_events_are_told_apart_also_after_a_user_is_forgotten() -> None:
    recorded = np.array([False, True, True])
    marked = replace(DATA, recorded=recorded)
    data = Dataset.from_storage(marked.to_tables(), marked.to_json())
    assert data.recorded is not None
    assert data.recorded.tolist() == recorded.tolist()
    assert len(data.unrecorded().interactions) == 1
    assert len(data.settled().unrecorded().interactions) == 3
    without = data.without_user("bob")
    assert without.recorded is not None
    assert without.recorded.tolist() == [False, True]
    stored = Dataset.from_storage(without.to_tables(), without.to_json())
    assert (stored.forgotten, DATA.forgotten) == (1, 0)
