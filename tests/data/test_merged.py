"""Events of a data set and of a store become one history each."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from whyrec.data.interactions import Interactions
from whyrec.data.merged import merge
from whyrec.data.rows import offsets_of

Row = tuple[int, int, float]
"""Item, kind and time."""


def interactions(rows: list[list[Row]], kind_names: tuple[str, ...]) -> Interactions:
    flat = [event for row in rows for event in sorted(row, key=lambda event: event[2])]
    items, kinds, times = (np.array([event[at] for event in flat]) for at in range(3))
    return Interactions(
        offsets_of(np.array([len(row) for row in rows], np.int64)),
        items.astype(np.int32),
        kinds.astype(np.int16),
        kind_names,
        np.arange(len(flat), dtype=np.float32),
        times.astype(np.float64),
    )


events = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 1), st.sampled_from([0.0, 1.0, 2.0])), max_size=5
)


@given(st.lists(st.tuples(events, events), min_size=1, max_size=4))
def test_a_row_has_the_events_of_both_by_time_and_what_is_in_both_once(
    rows: list[tuple[list[Row], list[Row]]],
) -> None:
    fitted = interactions([one for one, _ in rows], ("view", "buy"))
    stored = interactions([other for _, other in rows], ("view", "buy", "more"))
    merged, places = merge(fitted, stored)
    assert merged.timestamps is not None
    assert merged.values is not None
    assert merged.kind_names == ("view", "buy", "more")
    for row, (one, other) in enumerate(rows):
        span = slice(merged.offsets[row], merged.offsets[row + 1])
        by_time = [sorted(each, key=lambda event: event[2]) for each in (one, other)]
        kept = [*by_time[0], *(event for event in by_time[1] if event not in one)]
        assert list(
            zip(merged.items[span], merged.kinds[span], merged.timestamps[span], strict=True)
        ) == sorted(kept, key=lambda event: event[2])
    whole = np.concatenate([fitted.values, stored.values])
    np.testing.assert_array_equal(merged.values, whole[places])


def test_without_times_what_is_stored_comes_last_and_counts_each_time() -> None:
    fitted = replace(
        interactions([[(1, 0, 0.0), (2, 0, 0.0)], []], ("",)), timestamps=None, values=None
    )
    stored = interactions([[(1, 0, 5.0)], [(0, 0, 3.0)]], ("",))
    merged, places = merge(fitted, stored)
    assert (merged.items.tolist(), merged.offsets.tolist()) == ([1, 2, 1, 0], [0, 3, 4])
    assert places.tolist() == [0, 1, 2, 3]
    assert merged.timestamps is None
    assert merged.values is None


def test_without_kinds_item_and_time_tell_what_is_in_both() -> None:
    fitted = interactions([[(1, 0, 4.0)]], ("",))
    stored = interactions([[(1, 1, 4.0), (1, 1, 5.0)]], ("", "view"))
    merged, _ = merge(fitted, stored)
    assert merged.timestamps is not None
    assert merged.timestamps.tolist() == [4.0, 5.0]
