"""How many events a second a store makes durable, in SQLite and in PostgreSQL, and how it reads."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
from bench.timing import timed, write_table
from tests.feedback.postgres_server import Server, find_binaries

from whyrec.data.vocabulary import Vocabulary
from whyrec.feedback import Batch, Buffer, Event, PostgreSQL, SQLite, SQLStore

N_USERS, N_ITEMS = 20_000, 9_000
BATCH = 1_000
N_BATCHES = 300
N_SINGLE = 200


def main() -> None:
    """Measure and write bench/results/feedback.md; `--batches 50` tries it on fewer."""
    n_batches = int(sys.argv[2]) if sys.argv[1:2] == ["--batches"] else N_BATCHES
    tables = [table_of(batch) for batch in range(n_batches)]
    with tempfile.TemporaryDirectory() as directory, stores(Path(directory)) as opened:
        synced = [timed(lambda: sync(Path(directory) / "probe")) for _ in range(50)]
        rows = [row for name, make in opened.items() for row in measured(name, make, tables)]
    write_table(
        "feedback",
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
            "user_id": random.integers(0, N_USERS, BATCH),
            "item_id": random.integers(0, N_ITEMS, BATCH),
            "kind": ["view"] * BATCH,
            "value": random.integers(1, 6, BATCH).astype(float),
        }
    )


def measured(name: str, make: Callable[[str], SQLStore], tables: list[pa.Table]) -> list[list[str]]:
    """Return the rows of one kind of store."""
    by_table, by_event, by_buffer, one = map(make, ("by_table", "by_event", "by_buffer", "one"))
    lists = [
        [Event(*row) for row in zip(*(column.to_pylist() for column in each.columns), strict=True)]
        for each in tables[: len(tables) // 3]
    ]
    buffer = Buffer(by_buffer, size=BATCH)

    def add(events: list[Event]) -> None:
        for event in events:
            buffer.add(event)
        buffer.flush()

    ways = {
        "tables of 1,000": [
            timed(lambda: by_table.record(Batch.of_table(each))) for each in tables
        ],
        "1,000 objects a call": [timed(lambda: by_event.record(each)) for each in lists],
        "objects through a buffer": [timed(lambda: add(each)) for each in lists],
    }
    rows = [told(name, f"record {way}", seconds, BATCH, "events") for way, seconds in ways.items()]
    single = [timed(lambda: one.record([event])) for event in lists[0][:N_SINGLE]]
    rows.append(told(name, "record one event a call", single, 1, "events"))
    items = Vocabulary.from_ids(range(N_ITEMS), "item")
    users = np.random.default_rng(0).permutation(N_USERS).tolist()
    reads = [timed(lambda: by_table.histories([user], items)) for user in users[:N_SINGLE]]
    rows.append(
        told(name, f"history of one user among {len(tables) * BATCH:,} events", reads, 1, "users")
    )
    many = [timed(lambda: by_table.histories(users[:BATCH], items)) for _ in range(10)]
    rows.append(told(name, "histories of 1,000 users in one call", many, BATCH, "users"))
    for store in (by_table, by_event, by_buffer, one):
        store.close()
    return rows


def told(name: str, what: str, seconds: list[float], n_each: int, unit: str) -> list[str]:
    """Return a row of the table."""
    return [
        name,
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


if __name__ == "__main__":
    main()
