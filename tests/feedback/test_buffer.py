"""A buffer commits in batches, in order, and says what is durable."""

import threading
from collections.abc import Iterable
from pathlib import Path

import pytest

from whyrec.errors import ArgumentError, StoreError
from whyrec.feedback import (
    Batch,
    Buffer,
    Control,
    ControlKind,
    Event,
    Impression,
    Record,
    SQLite,
    SQLStore,
)


class Failing(SQLStore):
    """A store whose disk is full for a while."""

    is_full = False

    def record(self, records: Batch | Iterable[Record]) -> int:
        if self.is_full:
            raise StoreError("full")
        return super().record(records)


@pytest.fixture
def store(tmp_path: Path) -> Failing:
    return Failing(SQLite(tmp_path / "feedback.db"))


def test_what_is_called_durable_is_what_the_store_has(store: Failing) -> None:
    buffer = Buffer(store, size=4)
    events = [Event("ann", i) for i in range(10)]
    for n_added, event in enumerate(events, start=1):
        buffer.add(event)
        assert buffer.n_durable + buffer.n_pending == n_added
        assert store.read(Event) == events[: buffer.n_durable]
    assert (buffer.n_durable, buffer.n_pending) == (8, 2)
    buffer.flush()
    assert (buffer.n_durable, buffer.n_pending) == (10, 0)
    assert store.read(Event) == events


def test_an_error_within_still_keeps_what_was_added(store: Failing) -> None:
    def fail() -> None:
        with Buffer(store) as buffer:
            buffer.add(Event("ann", "fig"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert len(store.read(Event)) == 1


def test_nothing_is_lost_or_doubled_while_the_store_fails(store: Failing) -> None:
    buffer = Buffer(store, size=2)
    events = [Event("ann", i) for i in range(3)]
    buffer.add(events[0])
    buffer.add(events[1])
    store.is_full = True
    for _ in range(2):
        with pytest.raises(StoreError, match="full"):
            buffer.add(events[2])
        with pytest.raises(StoreError, match="full"):
            buffer.flush()
        assert (buffer.n_durable, buffer.n_pending) == (0, 2)
    store.is_full = False
    buffer.add(events[2])
    buffer.flush()
    assert store.read(Event) == events


def test_a_bad_record_is_refused_when_it_is_added(store: Failing) -> None:
    with Buffer(store) as buffer:
        buffer.add(Impression("ann", "fig", "r1", 1))
        with pytest.raises(ArgumentError, match="Impression: rank is 0"):
            buffer.add(Impression("ann", "fig", "r1", 0))
        with pytest.raises(ArgumentError, match=r"use Store\.record"):
            buffer.add(Control("ann", ControlKind.EVENT, "fig"))  # type: ignore[arg-type]
    assert len(store.read(Impression)) == 1


def test_threads_share_a_buffer(store: Failing) -> None:
    def work(number: int) -> None:
        for i in range(50):
            buffer.add(Event(number, i))

    with Buffer(store, size=7) as buffer:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert buffer.n_durable == len(store.read(Event)) == 300
    for number in range(6):
        assert [event.item_id for event in store.read(Event, users=[number])] == list(range(50))


def test_a_buffer_holds_something(store: Failing) -> None:
    with pytest.raises(ArgumentError, match="size must be at least 1"):
        Buffer(store, size=0)
