"""What holds of any store: the same suite on SQLite and on PostgreSQL."""

import json
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pytest

from whyrec.data.dataset import Dataset
from whyrec.data.vocabulary import Vocabulary
from whyrec.errors import ArgumentError, StoreError, UnknownIdError
from whyrec.feedback import (
    Batch,
    Control,
    ControlKind,
    Database,
    Event,
    Impression,
    Rating,
    ReasonRating,
    Record,
    SQLite,
    SQLStore,
    Store,
    Undo,
    migrations,
)


class Opener(Protocol):
    """Opens one database again and again; code does the same in another process."""

    code: str

    def __call__(self) -> Database: ...


ITEMS = Vocabulary.from_ids(["fig", "pear", 7], "item")


def one_of_each(user: object = "ann") -> list[Record]:
    return [
        Event(user, "fig", "purchase", 2, timestamp=5.0, request_id="r1"),
        Event(user, 7),
        Control(user, ControlKind.FEATURE, "genres", "horror", weight=0.25),
        Control(user, ControlKind.HIDDEN_ITEM, 7),
        ReasonRating(user, Rating.WRONG, "fig", "history", "pear", request_id="r1"),
        Impression(user, "fig", "r1", 1, 0.5),
    ]


def everything(store: Store) -> list[Record]:
    kinds = (Event, Control, ReasonRating, Impression, Undo)
    return [record for kind in kinds for record in store.read(kind)]


def test_records_come_back_as_they_went_in(store: SQLStore) -> None:
    records = one_of_each()
    assert store.record(records) == len(records)
    assert everything(store) == records


def test_what_was_recorded_is_there_when_opened_again(
    open_database: Opener,
) -> None:
    records = one_of_each()
    first = SQLStore(open_database())
    first.record(records)
    first.close()
    assert everything(SQLStore(open_database())) == records


@pytest.mark.parametrize(
    "one",
    ["", "fig", "ünï\u2028", "nul\0", "lone \ud800", "i7", 0, -5, 2**80, ("shelf", 3), b"\0x"],
)
def test_an_id_of_any_kind_comes_back(store: SQLStore, one: object) -> None:
    store.record([Event(one, one), Control(one, ControlKind.FEATURE, "genres", one)])
    (event,), (control,) = store.read(Event, users=[one]), store.read(Control)
    assert (event.user_id, event.item_id, control.value) == (one, one, one)
    assert type(event.user_id) is type(one)
    assert store.histories([one], Vocabulary.from_ids([one], "item")).items.tolist() == [0]
    json.dumps(store.export(one))


def test_ids_that_are_equal_are_one_and_others_are_not(store: SQLStore) -> None:
    store.record([Event(1, "fig"), Event(np.int64(1), "fig"), Event(1.0, "fig"), Event("1", "fig")])
    assert [event.user_id for event in store.read(Event, users=[1])] == [1, 1, 1]
    assert [event.user_id for event in store.read(Event, users=["1"])] == ["1"]


def test_the_same_id_again_changes_nothing(store: SQLStore) -> None:
    records = one_of_each()
    store.record(records)
    for again in (records, [*records, *records], [replace(records[0], user_id="bob")]):
        assert store.record(again) == 0
        assert everything(store) == records


def test_the_first_of_two_records_with_one_id_in_one_call_is_kept(store: SQLStore) -> None:
    one, other = Event("ann", "fig", event_id="e"), Event("ann", "pear", event_id="e")
    assert store.record([one, other]) == 1
    assert store.read(Event) == [one]


def test_a_record_that_cannot_be_kept_keeps_the_others_out(store: SQLStore) -> None:
    with pytest.raises(ArgumentError, match="Event: value is inf"):
        store.record([Event("ann", "fig"), Event("ann", "fig", value=float("inf"))])
    with pytest.raises(UnknownIdError, match="no record 'nothing' of user 'ann'"):
        store.record([Event("ann", "fig"), Undo("ann", "nothing")])
    assert everything(store) == []
    assert store.record([Event("ann", "fig")]) == 1


@pytest.mark.parametrize("place", range(6))
def test_what_is_undone_has_no_effect_and_stays_in_the_export(store: SQLStore, place: int) -> None:
    records = one_of_each()
    store.record(records)
    undone = records[place]
    undo = Undo("ann", undone.event_id)
    assert store.record([undo]) == 1
    left = [record for record in records if record is not undone]
    assert everything(store) == [*left, undo]
    assert store.record([undo]) == 0
    exported = store.export("ann")
    flags = {
        one["event_id"]: one["undone"]
        for rows in exported.values()
        for one in rows[0:9]
        if isinstance(one, dict)
    }
    assert flags == {one.event_id: one is undone for one in [*records, undo]}


def test_a_record_and_its_undo_may_come_in_one_call(store: SQLStore) -> None:
    event = Event("ann", "fig")
    assert store.record([Undo("ann", event.event_id), event]) == 2
    assert store.read(Event) == []


def test_nobody_undoes_what_another_user_did(store: SQLStore) -> None:
    event = Event("ann", "fig")
    store.record([event])
    with pytest.raises(UnknownIdError, match="of user 'bob' to undo"):
        store.record([Undo("bob", event.event_id)])
    assert store.read(Event) == [event]


def test_an_undo_sent_again_for_something_else_changes_nothing(store: SQLStore) -> None:
    one, other = Event("ann", "fig"), Event("ann", "pear")
    store.record([one, other, Undo("ann", one.event_id, event_id="u")])
    assert store.record([Undo("ann", other.event_id, event_id="u")]) == 0
    assert store.read(Event) == [other]


def test_what_is_forgotten_is_gone_and_others_stay(store: SQLStore) -> None:
    mine, theirs = one_of_each("ann"), one_of_each("bob")
    store.record([*mine, *theirs, Undo("ann", mine[0].event_id)])
    erased = store.forget("ann")
    assert erased == {"events": 2, "controls": 2, "ratings": 1, "impressions": 1, "undos": 1}
    assert everything(store) == theirs
    assert not any(rows for name, rows in store.export("ann").items() if name != "user_id")
    assert not any(store.forget("ann").values())


def test_what_is_recorded_after_forgetting_comes_after_the_last_position(store: SQLStore) -> None:
    store.record(one_of_each("ann"))
    seen = store.position()
    store.forget("ann")
    event = Event("ann", "fig")
    store.record([event])
    assert store.read(Event, since=seen) == [event]


def test_an_export_is_json_and_whole(store: SQLStore) -> None:
    records = one_of_each("ann")
    store.record([*records, *one_of_each("bob")])
    exported = json.loads(json.dumps(store.export("ann")))
    assert exported["user_id"] == "ann"
    assert [
        one["event_id"]
        for name in ("events", "controls", "ratings", "impressions")
        for one in exported[name]
    ] == [record.event_id for record in records]
    assert exported["controls"][0] == {
        "undone": False,
        "user_id": "ann",
        "kind": "feature",
        "source": "genres",
        "value": "horror",
        "weight": 0.25,
        "timestamp": records[2].timestamp,
        "request_id": None,
        "event_id": records[2].event_id,
    }


def test_histories_are_in_the_order_of_time_and_then_of_recording(store: SQLStore) -> None:
    store.record(
        [
            Event("ann", "pear", "view", timestamp=20),
            Event("bob", 7, "click", 1.5, timestamp=3),
            Event("ann", "fig", "view", 4, timestamp=10),
            Event("ann", 7, "buy", timestamp=20),
            Event("ann", "gone", "view", timestamp=15),
        ]
    )
    found = store.histories(["cid", "ann", "bob", "ann"], ITEMS, ("view", "rating"))
    assert found.offsets.tolist() == [0, 0, 3, 4, 7]
    assert found.items.tolist() == [0, 1, 2, 2, 0, 1, 2]
    assert found.kind_names == ("view", "rating", "buy", "click")
    assert found.kinds.tolist() == [0, 0, 2, 3, 0, 0, 2]
    assert found.timestamps is not None
    assert found.timestamps.tolist() == [10, 20, 20, 3, 10, 20, 20]
    np.testing.assert_array_equal(
        found.values, np.array([4, np.nan, np.nan, 1.5, 4] + [np.nan] * 2)
    )
    assert found.values is not None
    dtypes = [array.dtype for array in (found.items, found.kinds, found.values)]
    assert dtypes == [np.int32, np.int16, np.float32]


def test_histories_do_not_depend_on_who_else_is_asked_for(store: SQLStore) -> None:
    random = np.random.default_rng(3)
    users = [f"u{i}" for i in range(12)]
    store.record(
        Event(
            users[random.integers(12)],
            ["fig", "pear", 7][random.integers(3)],
            "view",
            timestamp=int(random.integers(30)),
        )
        for _ in range(200)
    )
    together = store.histories(users, ITEMS)
    for row, user in enumerate(users):
        alone = store.histories([user], ITEMS)
        here = slice(*together.offsets[row : row + 2])
        assert alone.items.tolist() == together.items[here].tolist()
        assert alone.timestamps is not None
        assert together.timestamps is not None
        assert alone.timestamps.tolist() == together.timestamps[here].tolist()


def test_histories_of_nobody_are_empty(store: SQLStore) -> None:
    assert store.histories([], ITEMS).offsets.tolist() == [0]
    assert len(store.histories(["ann"], ITEMS)) == 0


def test_an_event_of_an_unknown_item_comes_once_the_item_is_known(store: SQLStore) -> None:
    store.record([Event("ann", "new")])
    assert len(store.histories(["ann"], ITEMS)) == 0
    assert store.histories(["ann"], Vocabulary.from_ids(["new"], "item")).items.tolist() == [0]


def test_reading_goes_on_from_a_position(store: SQLStore) -> None:
    events = [Event("ann", item, timestamp=100 - item) for item in range(9)]
    store.record(events[:4])
    first = store.position()
    store.record(events[4:6])
    second = store.position()
    store.record(events[6:])
    assert store.read(Event, until=first) == events[:4]
    assert store.read(Event, since=first, until=second) == events[4:6]
    assert store.read(Event, since=second) == events[6:]
    assert store.read(Event, since=store.position()) == []
    assert store.read(Event, users=["bob"]) == []


def test_training_reads_the_table_of_events(store: SQLStore) -> None:
    store.record([Event("ann", "fig", "view", 3, timestamp=5), Event("bob", 7, timestamp=6)])
    table = store.table(Event)
    assert table["item_id"].objects() == ["fig", 7]
    dataset = Dataset.from_tables(table)
    assert (dataset.users.ids, dataset.items.ids) == (("ann", "bob"), ("fig", 7))
    assert store.table(Event, users=["ann"])["item_id"].holds_text
    assert len(store.table(Impression)) == 0


def test_a_table_of_events_is_recorded_at_once(store: SQLStore) -> None:
    table = pa.table(
        {
            "user_id": [3, 4],
            "item_id": ["fig", "pear"],
            "timestamp": [10, 20],
            "rating": [1.5, None],
            "event": ["view", None],
            "event_id": [1, None],
            "request_id": [None, "r"],
        }
    )
    assert store.record(Batch.of_table(table)) == 2
    assert store.record(Batch.of_table(table.slice(0, 1))) == 0
    one, other = store.read(Event)
    assert one == Event(3, "fig", "view", 1.5, timestamp=10.0, event_id="1")
    assert other == Event(4, "pear", timestamp=20.0, request_id="r", event_id=other.event_id)


def test_threads_lose_nothing_and_meet_no_lock(store: SQLStore) -> None:
    n_threads, n_rounds = 8, 12
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for round_ in range(n_rounds):
                store.record([Event(f"u{number}", round_), Event("all", (number, round_))])
                assert len(store.read(Event, users=[f"u{number}"])) == round_ + 1
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(store.read(Event, users=["all"])) == n_threads * n_rounds


def test_a_reader_that_goes_on_from_positions_misses_nothing(store: SQLStore) -> None:
    n_threads, n_rounds = 4, 15
    seen: list[Event] = []
    last = 0
    threads = [
        threading.Thread(
            target=lambda number=number: [
                store.record([Event("ann", (number, i))]) for i in range(n_rounds)
            ]
        )
        for number in range(n_threads)
    ]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 60
    while len(seen) < n_threads * n_rounds and time.monotonic() < end:
        now = store.position()
        seen += store.read(Event, since=last, until=now)
        last = now
    for thread in threads:
        thread.join()
    assert len({event.event_id for event in seen}) == len(seen) == n_threads * n_rounds


WRITER = """
import sys, threading
from whyrec.feedback import Event, PostgreSQL, SQLite, SQLStore
store = SQLStore({opening})
failures = []
def work(name):
    try:
        for i in range(10):
            store.record([Event("all", (name, i, j)) for j in range(4)])
            assert len(store.read(Event, users=["all"])) >= 4 * (i + 1)
    except BaseException as error:
        failures.append(error)
threads = [threading.Thread(target=work, args=(sys.argv[1] + str(n),)) for n in range(8)]
for each in threads: each.start()
for each in threads: each.join()
assert not failures, failures
store.close()
"""


def test_two_processes_of_eight_threads_lose_nothing_and_meet_no_lock(
    open_database: Opener,
) -> None:
    script = WRITER.format(opening=open_database.code)
    command = [sys.executable, "-c", script]
    running = [
        subprocess.Popen([*command, name], stderr=subprocess.PIPE, text=True) for name in "ab"
    ]
    told = [each.communicate(timeout=600)[1] for each in running]
    assert [each.returncode for each in running] == [0, 0], told
    database = open_database()
    found = [event.item_id for event in SQLStore(database).read(Event)]
    assert len(found) == len(set(found)) == 2 * 8 * 10 * 4
    if isinstance(database, SQLite):
        database.check()


def test_stores_opened_at_once_make_one_schema(open_database: Opener) -> None:
    databases = [open_database() for _ in range(6)]
    failures: list[BaseException] = []

    def work(database: Database) -> None:
        try:
            SQLStore(database).record([Event("ann", "fig")])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(each,)) for each in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(SQLStore(databases[0]).read(Event)) == 6


def test_a_store_of_an_older_schema_is_brought_up_to_date(
    open_database: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = one_of_each()
    SQLStore(open_database()).record(records)
    step = ("ALTER TABLE events ADD COLUMN place {text}", "CREATE TABLE more (a {integer})")
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, step))
    database = open_database()
    assert everything(SQLStore(database)) == records
    found = database.read(lambda session: session.rows("SELECT place FROM events"))
    assert found == [(None,)] * 2
    assert database.read(lambda session: session.rows("SELECT schema_version FROM store")) == [
        (len(migrations.MIGRATIONS),)
    ]


def test_a_migration_that_fails_leaves_the_store_as_it_was(
    open_database: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = one_of_each()
    SQLStore(open_database()).record(records)
    with monkeypatch.context() as patched:
        step = ("CREATE TABLE more (a {integer})", "INSERT INTO nothing VALUES (1)")
        patched.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, step))
        with pytest.raises(StoreError):
            SQLStore(open_database())
    database = open_database()
    assert everything(SQLStore(database)) == records
    assert not database.read(lambda session: database.has_table(session, "more"))


def test_a_store_of_a_newer_schema_is_refused(open_database: Opener) -> None:
    database = open_database()
    SQLStore(database).record(one_of_each())
    database.write(lambda session: session.run("UPDATE store SET schema_version = 99"))
    with pytest.raises(StoreError, match=r"has schema 99; .* up to schema 2; upgrade whyrec"):
        SQLStore(open_database())


def test_a_closed_store_says_so(store: SQLStore) -> None:
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.record(one_of_each())
    store.close()


def test_a_store_says_what_it_is_in(store: SQLStore, tmp_path: Path) -> None:
    assert str(tmp_path) in repr(store) or "PostgreSQL" in repr(store)
