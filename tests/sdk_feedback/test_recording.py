"""What is recorded counts in the next answer."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.sdk_feedback.conftest import USER, about, asked, assert_adds_up, everything

from whyrec import (
    SDK,
    ArgumentError,
    DataError,
    EASEConfig,
    ReasonKind,
    UnknownUserError,
)
from whyrec.data.dataset import Dataset
from whyrec.feedback import (
    Batch,
    Event,
    Impression,
    Store,
)


def test_a_store_with_nothing_of_a_user_changes_no_bit(of_every_kind: SDK, shop: Dataset) -> None:
    users = list(shop.users)
    alone = SDK(of_every_kind._fitted)
    of_every_kind.record(Event("somebody else", "i3", "view"))
    assert of_every_kind.recommend_with_reasons(users) == alone.recommend_with_reasons(users)


def test_the_next_answer_is_drawn_from_what_was_recorded(sdk: SDK) -> None:
    before = asked(sdk)
    new = before[0].item_id
    assert sdk.record(Event(USER, new, "purchase", 5.0)) == 1
    after = asked(sdk)
    assert new not in [each.item_id for each in after]
    assert (ReasonKind.HISTORY, new, None) in everything(after)
    assert_adds_up(after)


def test_what_was_recorded_counts_as_if_it_had_been_in_the_data(sdk: SDK, shop: Dataset) -> None:
    row = shop.users.index_of("u4")
    events = shop.interactions.take(np.array([row]))
    assert events.values is not None
    assert events.timestamps is not None
    values = [None if np.isnan(value) else float(value) for value in events.values]
    columns = zip(events.items, events.kinds, values, events.timestamps, strict=True)
    copies = [
        Event("copy", shop.items[item], events.kind_names[kind], value, timestamp=time)
        for item, kind, value, time in columns
    ]
    sdk.record(copies[::-1])
    # Nothing is known of the copy but its events, so the original is asked without attributes.
    sdk.object_to("u4", ReasonKind.USER_ATTRIBUTE)
    copy, original = asked(sdk, "copy"), asked(sdk, "u4")
    assert [(each.item_id, each.score) for each in copy] == [
        (each.item_id, each.score) for each in original
    ]
    assert [[about(one) for one in each.reasons] for each in copy] == [
        [about(one) for one in each.reasons] for each in original
    ]


def test_an_event_that_the_sdk_was_fitted_on_counts_once(sdk: SDK) -> None:
    before, last = asked(sdk, "u4"), sdk.history("u4")[-1]
    assert last.timestamp is not None
    again = Event("u4", last.item_id, last.kind, last.value, timestamp=last.timestamp)
    sdk.record(again)
    assert asked(sdk, "u4") == before
    assert sdk.history("u4")[-1] == last
    sdk.record(Event("u4", last.item_id, last.kind, last.value, timestamp=last.timestamp + 1))
    assert asked(sdk, "u4") != before


def test_a_user_of_whom_only_the_store_knows_is_answered(sdk: SDK) -> None:
    with pytest.raises(UnknownUserError, match="'new'"):
        sdk.recommend("new")
    sdk.record([Event("new", "i3", "view"), Event("new", "i5", "view")])
    answer = sdk.recommend("new", k=25)
    assert answer.personalised
    assert answer.user_id == "new"
    assert not {"i3", "i5"} & {each.item_id for each in answer}
    several = sdk.recommend(["u4", "new", USER, "new"], k=25)
    assert several == [sdk.recommend(user, k=25) for user in ("u4", "new", USER, "new")]
    with pytest.raises(UnknownUserError, match="1 unknown user: 'nobody'"):
        sdk.recommend(["new", "nobody"])
    with pytest.raises(UnknownUserError):
        sdk.recommend([None])


def test_an_item_that_is_not_known_yet_counts_once_it_is(
    towers: SDK, sdk: SDK, shop: Dataset
) -> None:
    sdk.record(Event("new", "i99", "view"))
    answer = sdk.recommend("new")
    assert not answer.personalised
    assert [each.counts for each in sdk.history("new")] == [False]
    known = replace(shop, items=type(shop.items)((*shop.items.ids[:-1], "i99"), "item"))
    later = SDK(towers._fitted.fitted_on(known), store=sdk.store)
    assert later.recommend("new").personalised
    assert [each.counts for each in later.history("new")] == [True]


def test_kinds_that_the_recommender_does_not_know_are_seen_but_do_not_count(sdk: SDK) -> None:
    before = asked(sdk)
    dismissed, unnamed = before[0].item_id, before[1].item_id
    sdk.record(Event(USER, dismissed, "dismissal"))
    after = asked(sdk)
    assert after.recommendations == tuple(replace(each, rank=each.rank - 1) for each in before[1:])
    sdk.record(Event(USER, unnamed))
    assert (ReasonKind.HISTORY, unnamed, None) in everything(asked(sdk))
    assert {each.item_id: each.counts for each in sdk.history(USER)}[dismissed] is False


def test_where_events_have_no_kinds_all_but_dismissals_count(store: Store) -> None:
    events = pa.table({"user_id": ["a", "a", "b", "b"], "item_id": ["x", "y", "y", "z"]})
    sdk = SDK.fit(events, model=EASEConfig(l2=1.0), store=store, progress=False)
    sdk.record([Event("c", "x", "purchase"), Event("d", "x", "dismissal")])
    assert sdk.recommend("c").personalised
    assert not sdk.recommend("d").personalised
    assert {each.item_id for each in sdk.recommend("d")} == {"y", "z"}


def test_record_takes_records_batches_tables_and_answers(sdk: SDK, tmp_path: Path) -> None:
    one = Event("a", "i3", "view")
    assert sdk.record(one) == 1
    assert sdk.record([one, Event("a", "i4", "view")]) == 1
    assert sdk.record(Batch([Event("b", "i4", "view")])) == 1
    assert sdk.record(Event("b", "i5", "view") for _ in range(2)) == 2
    table = pa.table({"user_id": ["c", "c"], "item_id": ["i1", "i2"], "event_id": ["x", "y"]})
    assert (sdk.record(table), sdk.record(table)) == (2, 0)
    path = tmp_path / "events.csv"
    path.write_text("user_id,item_id,kind,value\nd,i1,purchase,3\n")
    assert sdk.record(path) == 1
    assert [each.value for each in sdk.history("d")] == [3.0]
    answer = sdk.recommend("a", k=2)
    assert (sdk.record(answer), sdk.record([answer])) == (2, 0)
    shown = sdk.store.read(Impression, users=["a"])
    assert [(each.rank, each.request_id) for each in shown] == [
        (1, answer.request_id),
        (2, answer.request_id),
    ]
    sdk.record(Event("a", shown[0].item_id, "purchase", request_id=answer.request_id))
    (joined,) = [each for each in sdk.store.read(Event, users=["a"]) if each.request_id]
    assert joined.request_id == shown[0].request_id


def test_what_is_no_event_is_refused(sdk: SDK) -> None:
    with pytest.raises(ArgumentError, match="is no record; the records are Event"):
        sdk.record([{"user_id": "a"}])
    with pytest.raises(ArgumentError, match="visitor without an id"):
        sdk.record(sdk.recommend_for(["i3"]))
    with pytest.raises(ArgumentError, match="timestamp is -1"):
        sdk.record(Event("a", "i3", timestamp=-1))
    with pytest.raises(DataError, match="user_id"):
        sdk.record(pa.table({"item_id": ["i1"]}))
    assert sdk.store.position() == 0


def test_the_history_tells_what_counts(sdk: SDK, shop: Dataset) -> None:
    fitted = sdk.history("u4")
    assert len(fitted) == np.diff(shop.interactions.offsets)[shop.users.index_of("u4")]
    assert all(each.event_id is None and each.counts for each in fitted)
    new = Event("u4", "i1", "view", 2.5)
    sdk.record([new, Event("u4", "i77", "view")])
    *old, known, unknown = sdk.history("u4")
    assert old == fitted
    assert (known.item_id, known.value, known.event_id) == ("i1", 2.5, new.event_id)
    assert (unknown.item_id, unknown.counts) == ("i77", False)
    sdk.object_to("u4", next(one for one in sdk.explain("u4", "i2").reasons if one.source == "i1"))
    assert [each.counts for each in sdk.history("u4")[-2:]] == [False, False]
    with pytest.raises(UnknownUserError):
        sdk.history("nobody")


def test_a_buffer_is_read_once_it_is_flushed(sdk: SDK) -> None:
    with sdk.buffer(size=10) as buffer:
        buffer.add(Event("new", "i3", "view"))
        with pytest.raises(UnknownUserError):
            sdk.recommend("new")
    assert sdk.recommend("new").personalised
