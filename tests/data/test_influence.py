"""A user has no more to say than so many events, and one with each item."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whyrec.data.influence import capped
from whyrec.data.interactions import Interactions


def events_of(histories: list[list[int]]) -> Interactions:
    items = np.array([item for history in histories for item in history], np.int32)
    offsets = np.cumsum([0, *map(len, histories)])
    return Interactions(
        offsets,
        items,
        np.zeros(len(items), np.int16),
        ("",),
        timestamps=np.arange(len(items), dtype=np.float64),
    )


@given(st.lists(st.lists(st.integers(0, 5), max_size=12), max_size=5), st.integers(1, 8))
def test_each_user_keeps_so_many_events_each_the_last_with_its_item(
    histories: list[list[int]], most: int
) -> None:
    events = events_of(histories)
    kept = capped(events, most)
    assert kept.timestamps is not None
    for user, history in enumerate(histories):
        part = slice(kept.offsets[user], kept.offsets[user + 1])
        items = kept.items[part].tolist()
        assert len(items) == len(set(items)) == min(most, len(set(history)))
        places = (kept.timestamps[part] - events.offsets[user]).astype(int).tolist()
        assert places == sorted(places)
        assert [history[place] for place in places] == items
        assert not any(
            item in history[place + 1 :] for place, item in zip(places, items, strict=True)
        )


def test_whoever_did_no_more_is_left_as_is() -> None:
    events = events_of([[3, 1, 2], [], [5, 1]])
    kept = capped(events, 3)
    assert kept.items.tolist() == events.items.tolist()
    assert kept.offsets.tolist() == events.offsets.tolist()


def test_which_events_are_kept_is_drawn_and_the_same_for_a_seed() -> None:
    events = events_of([list(range(100))] * 2)
    kept = capped(events, 10)
    assert capped(events, 10).items.tolist() == kept.items.tolist()
    assert capped(events, 10, seed=1).items.tolist() != kept.items.tolist()
    first, second = np.split(kept.items, 2)
    assert first.tolist() != second.tolist()
    assert kept.items.mean() == pytest.approx(49.5, abs=25)
