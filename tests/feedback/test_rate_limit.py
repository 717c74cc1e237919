"""A limit of what a store takes of one user: the same on SQLite and on PostgreSQL."""

import subprocess
import sys
import threading
import time
from typing import Protocol

import pytest

from whyrec.errors import ArgumentError, RateLimitError
from whyrec.feedback import (
    Buffer,
    Control,
    ControlKind,
    Database,
    Event,
    Impression,
    RateLimit,
    Rating,
    ReasonRating,
    Record,
    SQLStore,
    Undo,
    migrations,
)

NOON = time.time() // 86_400 * 86_400 + 43_200.0


class Opener(Protocol):
    """Opens one database again and again; code does the same in another process."""

    code: str

    def __call__(self) -> Database: ...


class Clock:
    """A clock that is set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = NOON
        monkeypatch.setattr("whyrec.feedback.rate_limit.time.time", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def limited(open_database: Opener) -> SQLStore:
    return SQLStore(open_database(), limit=RateLimit(per_minute=3, per_day=5))


def events(user: object, n_events: int) -> list[Record]:
    return [Event(user, i, timestamp=NOON - 1000 * i) for i in range(n_events)]


def test_what_is_beyond_a_minutes_limit_is_refused_until_the_minute_ends(
    limited: SQLStore, clock: Clock
) -> None:
    assert limited.record(events("ann", 3)) == 3
    clock.now += 59
    with pytest.raises(
        RateLimitError, match=r"user 'ann': .* a minute are 3; .* 12:01:00 UTC"
    ) as e:
        limited.record(events("ann", 1))
    assert (e.value.user_id, e.value.most, e.value.ends) == ("ann", 3, NOON + 60)
    assert limited.record(events("bob", 3)) == 3
    clock.now = e.value.ends
    assert limited.record(events("ann", 2)) == 2
    assert len(limited.read(Event, users=["ann"])) == 5


def test_a_days_limit_holds_in_every_minute_of_it(limited: SQLStore, clock: Clock) -> None:
    for _ in range(5):
        limited.record(events("ann", 1))
        clock.now += 60
    with pytest.raises(RateLimitError, match="a day are 5") as e:
        limited.record(events("ann", 1))
    assert e.value.ends == NOON + 43_200
    clock.now = e.value.ends
    assert limited.record(events("ann", 1)) == 1


def test_a_call_that_is_refused_keeps_and_counts_nothing(limited: SQLStore, clock: Clock) -> None:
    position = limited.position()
    with pytest.raises(RateLimitError, match="'eve'"):
        limited.record([*events("ann", 2), *events("eve", 4)])
    assert limited.read(Event) == []
    assert limited.position() == position
    assert limited.record([*events("ann", 3), *events("eve", 3)]) == 6
    assert clock.now == NOON


def test_what_is_there_already_is_neither_counted_nor_refused(
    limited: SQLStore, clock: Clock
) -> None:
    three = events("ann", 3)
    limited.record(three)
    assert limited.record(three) == 0
    clock.now += 60
    assert limited.record([*three, *events("ann", 2)]) == 2


def test_ratings_of_reasons_count_and_what_a_user_may_always_say_does_not(
    limited: SQLStore, clock: Clock
) -> None:
    control = Control("ann", ControlKind.EVENT, "fig")
    for n in range(6):
        limited.record(
            [control, Undo("ann", control.event_id), Impression("ann", "fig", f"r{n}", 1)]
        )
        control = Control("ann", ControlKind.EVENT, "fig")
    limited.record(events("ann", 2))
    rating = ReasonRating("ann", Rating.WRONG, "fig", "history", "pear")
    assert limited.record([rating]) == 1
    with pytest.raises(RateLimitError):
        limited.record([ReasonRating("ann", Rating.WRONG, "fig", "history", "pear")])
    assert clock.now == NOON


def test_a_clock_that_is_behind_starts_no_new_minute(limited: SQLStore, clock: Clock) -> None:
    limited.record(events("ann", 3))
    clock.now -= 60
    with pytest.raises(RateLimitError) as e:
        limited.record(events("ann", 1))
    assert e.value.ends == NOON + 60


def test_whoever_is_forgotten_is_not_counted_any_more(limited: SQLStore, clock: Clock) -> None:
    limited.record(events("ann", 3))
    limited.forget("ann")
    found = limited._database.read(lambda session: session.rows("SELECT * FROM arrivals"))
    assert found == []
    assert limited.record(events("ann", 3)) == 3
    assert clock.now == NOON


def test_without_a_limit_nothing_is_counted_or_refused(open_database: Opener) -> None:
    store = SQLStore(open_database())
    assert store.record(events("ann", 1000)) == 1000
    assert store._database.read(lambda session: session.rows("SELECT * FROM arrivals")) == []


def test_a_store_from_before_there_was_a_limit_takes_one(
    open_database: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "MIGRATIONS", migrations.MIGRATIONS[:1])
        SQLStore(open_database()).record(events("ann", 9))
    store = SQLStore(open_database(), limit=RateLimit(per_day=2))
    assert store.record(events("ann", 2)) == 2
    with pytest.raises(RateLimitError):
        store.record(events("ann", 1))
    assert len(store.read(Event)) == 11


def test_a_buffer_drops_what_is_beyond_and_keeps_what_is_of_others(
    limited: SQLStore, clock: Clock
) -> None:
    buffer = Buffer(limited, size=100)
    for i in range(9):
        buffer.add(Event("bot", i))
    for i in range(3):
        buffer.add(Event("ann", i))
    buffer.add(Impression("bot", "fig", "r", 1))
    buffer.flush()
    assert (buffer.n_durable, buffer.n_refused, buffer.n_pending) == (4, 9, 0)
    assert [event.user_id for event in limited.read(Event)] == ["ann"] * 3
    assert clock.now == NOON


WRITER = """
import sys, threading
from whyrec.errors import RateLimitError
from whyrec.feedback import Event, PostgreSQL, RateLimit, SQLite, SQLStore
store = SQLStore({opening}, limit=RateLimit(per_day=25))
kept, failures = [], []
def work(name):
    try:
        for i in range(8):
            try:
                store.record([Event("all", (name, i)), Event(name, i)])
                kept.append(1)
            except RateLimitError as error:
                assert error.user_id == "all"
    except BaseException as error:
        failures.append(error)
threads = [threading.Thread(target=work, args=(sys.argv[1] + str(n),)) for n in range(8)]
for each in threads: each.start()
for each in threads: each.join()
assert not failures, failures
store.close()
print(len(kept))
"""


def test_two_processes_of_eight_threads_share_one_count(open_database: Opener) -> None:
    if time.time() % 86_400 > 86_280:
        pytest.skip("a new day begins while the test runs")
    SQLStore(open_database())
    command = [sys.executable, "-c", WRITER.format(opening=open_database.code)]
    running = [
        subprocess.Popen(
            [*command, name], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for name in "ab"
    ]
    told = [each.communicate(timeout=600) for each in running]
    assert [each.returncode for each in running] == [0, 0], told
    kept = SQLStore(open_database()).read(Event)
    assert sum(int(out) for out, _ in told) == 25
    assert len([event for event in kept if event.user_id == "all"]) == 25
    assert len(kept) == 50


def test_a_limit_is_a_whole_number() -> None:
    for wrong in ({}, {"per_minute": 0}, {"per_day": -1}, {"per_day": 1.5}):
        with pytest.raises(ArgumentError, match=r"whole number from 1|needs per_minute"):
            RateLimit(**wrong)


def test_threads_of_one_store_share_one_count(limited: SQLStore, clock: Clock) -> None:
    refused: list[RateLimitError] = []

    def work() -> None:
        try:
            limited.record(events("ann", 1))
        except RateLimitError as error:
            refused.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(limited.read(Event)) == 3
    assert len(refused) == 5
    assert clock.now == NOON
