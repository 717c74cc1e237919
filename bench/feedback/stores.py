"""How many events a second a store makes durable, in SQLite and in PostgreSQL, and how it reads."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from bench.postgres import Server, find_binaries
from bench.timing import timed, write_table

from whyrec.data.vocabulary import Vocabulary
from whyrec.feedback import Batch, Buffer, Event, PostgreSQL, SQLite, SQLStore

N_USERS, N_ITEMS = 20_000, 9_000
BATCH = 1_000
N_BATCHES = 300
N_SINGLE = 200


def main(*, quick: bool = False) -> list[list[str]]:
    """Measure, write bench/results/feedback-stores.md and return what it shows.

    quick: a tenth of the events.
    """
    n_batches = N_BATCHES // 10 if quick else N_BATCHES
    tables = [table_of(batch) for batch in range(n_batches)]
    with tempfile.TemporaryDirectory() as directory, stores(Path(directory)) as opened:
        synced = [timed(lambda: sync(Path(directory) / "probe")) for _ in range(50)]
        rows = [row for name, make in opened.items() for row in measured(name, make, tables)]
    write_table(
        "feedback-stores",
        f"Feedback: {n_batches * BATCH:,} events of {N_USERS:,} users in turn",
        ["store", "what", "a second", "median", "slowest of a hundred"],
        rows,
        [
            "Events a second are all events over all seconds, with each commit synced to the disk "
            "and the copying of the log. Users and items are drawn at random for each event, which "
            "is the worst case for an index by user.",
            f"A sync of 4 kB takes this disk {np.median(synced) * 1e3:.1f} ms.",
        ],
    )
    asked = {"SQLite": "≥ 100,000 events a second", "PostgreSQL": "not asked for"}
    return [
        [f"{store}, {what}", asked[store], found]
        for store, what, found, *_ in rows
        if what == "record tables of 1,000"
    ]


@contextmanager
def stores(directory: Path) -> Iterator[dict[str, Callable[[str], SQLStore]]]:
    """Give what opens an empty store of each kind; PostgreSQL only where it is installed."""
    opened: dict[str, Callable[[str], SQLStore]] = {
        "SQLite": lambda name: SQLStore(SQLite(directory / f"{name}.db"))
    }
    binaries = find_binaries()
    if binaries is None:
        yield opened
        return
    with tempfile.TemporaryDirectory() as data:
        server = Server(binaries, Path(data))
        server.start()
        try:
            yield {
                **opened,
                "PostgreSQL": lambda name: SQLStore(PostgreSQL(server.conninfo, schema=name)),
            }
        finally:
            server.stop("immediate")


def table_of(number: int) -> pa.Table:
    """Return a batch of events as a table."""
    random = np.random.default_rng(number)
    return pa.table(
        {
            "user_id": pa.array(random.integers(0, N_USERS, BATCH)),
            "item_id": pa.array(random.integers(0, N_ITEMS, BATCH)),
            "kind": ["view"] * BATCH,
            "value": pa.array(random.integers(1, 6, BATCH).astype(float)),
        }
    )


def measured(name: str, make: Callable[[str], SQLStore], tables: list[pa.Table]) -> list[list[str]]:
    """Return the rows of one kind of store."""
    by_table, by_event, by_buffer, one = map(make, ("by_table", "by_event", "by_buffer", "one"))
    lists = [
        [Event(*row) for row in zip(*(column.to_pylist() for column in each.columns), strict=True)]
        for each in tables[: len(tables) // 3]
    ]
    singles = [[event] for event in lists[0][:N_SINGLE]]
    buffer = Buffer(by_buffer, size=BATCH)

    def record_table(table: pa.Table) -> None:
        by_table.record(Batch.of_table(table))

    def add(events: list[Event]) -> None:
        for event in events:
            buffer.add(event)
        buffer.flush()

    def read(user: int) -> None:
        by_table.histories([user], items)

    def read_many(users: list[int]) -> None:
        by_table.histories(users[:BATCH], items)

    random = np.random.default_rng(0)
    items, users = Vocabulary.from_ids(range(N_ITEMS), "item"), random.permutation(N_USERS).tolist()
    among = f"among {len(tables) * BATCH:,} events"
    rows = [
        told(name, "record tables of 1,000", "events", BATCH, record_table, tables),
        told(name, "record 1,000 objects a call", "events", BATCH, by_event.record, lists),
        told(name, "record objects through a buffer", "events", BATCH, add, lists),
        told(name, "record one event a call", "events", 1, one.record, singles),
        told(
            name,
            f"history of one user {among}",
            "users",
            1,
            read,
            users[:N_SINGLE],
        ),
        told(name, "histories of 1,000 users in one call", "users", BATCH, read_many, [users] * 10),
    ]
    for store in (by_table, by_event, by_buffer, one):
        store.close()
    return rows


def told(
    store: str, what: str, unit: str, n_each: int, call: Callable[[Any], object], over: list[Any]
) -> list[str]:
    """Time a call for each of some arguments, and return a row of the table."""
    seconds = [timed(partial(call, argument)) for argument in over]
    return [
        store,
        what,
        f"{n_each * len(seconds) / sum(seconds):,.0f} {unit}",
        f"{np.median(seconds) * 1e3:.2f} ms",
        f"{np.quantile(seconds, 0.99) * 1e3:.1f} ms",
    ]


def sync(path: Path) -> None:
    """Write 4 kB and wait for the disk."""
    with path.open("wb") as file:
        file.write(os.urandom(4096))
        file.flush()
        os.fsync(file.fileno())
