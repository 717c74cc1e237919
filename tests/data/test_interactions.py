"""Events as arrays: what is taken, left out and measured."""

import numpy as np
import polars as pl
import pytest

from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories, Interactions

DAY = 86_400


@pytest.fixture
def dataset() -> Dataset:
    events = pl.DataFrame(
        {
            "user_id": ["a", "b", "a", "a", "b"],
            "item_id": ["x", "x", "y", "z", "y"],
            "timestamp": [3 * DAY, 5 * DAY, 1 * DAY, 2 * DAY, 5 * DAY],
            "value": [1.0, None, 3.0, 4.0, 5.0],
            "kind": ["view", "buy", None, "view", "view"],
        }
    )
    users = pl.DataFrame({"user_id": ["a", "c", "d"], "city": ["Rome", "Oslo", "Rome"]})
    return Dataset.from_tables(events, users=users)


def rows_of(histories: Histories) -> list[list[int]]:
    return [part.tolist() for part in np.split(histories.items, histories.offsets[1:-1])]


def test_events_stand_by_user_and_oldest_first(dataset: Dataset) -> None:
    events = dataset.interactions
    assert dataset.users.ids == ("a", "c", "d", "b")
    assert dataset.items.ids == ("x", "y", "z")
    assert events.offsets.tolist() == [0, 3, 3, 3, 5]
    assert events.items.tolist() == [1, 2, 0, 0, 1]
    assert events.users().tolist() == [0, 0, 0, 3, 3]
    assert [events.kind_names[kind] for kind in events.kinds] == ["", "view", "view", "buy", "view"]
    assert events.values is not None
    np.testing.assert_array_equal(events.values, [3, 4, 1, np.nan, 5])
    assert events.timestamps is not None
    assert (events.timestamps / DAY).tolist() == [1, 2, 3, 5, 5]
    assert len(events) == 5
    assert events.n_users == 4


def test_arrays_have_the_types_they_say(dataset: Dataset) -> None:
    events = dataset.interactions
    assert events.values is not None
    assert events.timestamps is not None
    arrays = (events.offsets, events.items, events.kinds, events.values, events.timestamps)
    dtypes = [array.dtype.name for array in arrays]
    assert dtypes == ["int64", "int32", "int16", "float32", "float64"]


def test_histories_are_read_in_the_order_asked_for(dataset: Dataset) -> None:
    histories = dataset.histories(np.array([3, 1, 0, 3]))
    assert rows_of(histories) == [[0, 1], [], [1, 2, 0], [0, 1]]
    assert histories.counts().tolist() == [2, 0, 3, 2]
    assert len(histories.attributes) == len(histories) == 4


def test_ages_are_days_before_the_newest_event_of_the_row(dataset: Dataset) -> None:
    histories = dataset.histories(np.array([0, 3]))
    assert histories.ages.tolist() == [2, 1, 0, 0, 0]
    assert histories.ages.dtype == np.float32


def test_without_timestamps_every_event_is_new(dataset: Dataset) -> None:
    events = dataset.interactions
    timeless = Interactions(
        events.offsets, events.items, events.kinds, events.kind_names, events.values
    )
    histories = dataset.with_interactions(timeless).histories(np.array([0]))
    assert histories.ages.tolist() == [0, 0, 0]


def test_without_values_every_value_is_missing(dataset: Dataset) -> None:
    events = dataset.interactions
    bare = Interactions(events.offsets, events.items, events.kinds, events.kind_names)
    histories = dataset.with_interactions(bare).histories(np.array([0]))
    assert np.isnan(histories.values).all()


@pytest.mark.parametrize(
    ("most", "kept"), [(0, [[], [], []]), (1, [[0], [], [1]]), (2, [[2, 0], [], [0, 1]])]
)
def test_the_newest_events_are_kept_of_a_long_history(
    dataset: Dataset, most: int, kept: list[list[int]]
) -> None:
    assert rows_of(dataset.histories(np.array([0, 1, 3]), max_events=most)) == kept


def test_a_user_without_events_has_an_empty_history(dataset: Dataset) -> None:
    histories = dataset.histories(np.array([1, 2]))
    assert rows_of(histories) == [[], []]
    assert histories.attributes.offsets.tolist() == [0, 1, 2]


def test_no_users_have_no_histories(dataset: Dataset) -> None:
    histories = dataset.histories(np.array([], np.int64))
    assert len(histories) == 0
    assert len(histories.items) == 0


def test_leaving_events_out_keeps_the_ages_and_the_rows(dataset: Dataset) -> None:
    histories = dataset.histories(np.array([0, 1, 3]))
    fewer = histories.only_events(np.array([True, False, False, False, True]))
    assert rows_of(fewer) == [[1], [], [1]]
    assert fewer.ages.tolist() == [2, 0]
    assert fewer.attributes is histories.attributes


def test_rows_of_histories_are_taken_in_the_order_asked_for(dataset: Dataset) -> None:
    taken = dataset.histories(np.array([0, 1, 3])).take(np.array([2, 0]))
    assert rows_of(taken) == [[0, 1], [1, 2, 0]]
    assert taken.ages.tolist() == [0, 0, 2, 1, 0]
    assert taken.attributes.offsets.tolist() == [0, 0, 1]


def test_only_some_events_keep_all_users(dataset: Dataset) -> None:
    fewer = dataset.interactions.only(np.array([False, True, False, False, False]))
    assert fewer.offsets.tolist() == [0, 1, 1, 1, 1]
    assert fewer.items.tolist() == [2]
    assert fewer.n_users == 4
    assert fewer.values is not None
    assert fewer.values.tolist() == [4]
    assert fewer.timestamps is not None
    assert fewer.timestamps.tolist() == [2 * DAY]
