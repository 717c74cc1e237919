"""The databases that every store is held to: a SQLite file, and a PostgreSQL server of our own."""

import itertools
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from bench.postgres import Server, find_binaries

from whyrec.feedback import Database, PostgreSQL, SQLite, SQLStore

NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """Start a server; skip where there is none to start."""
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install psycopg[binary]")
    binaries = find_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL's server is not installed: apt-get install postgresql")
    # Below pytest's own directory, which only root may enter, no other user could run it.
    with tempfile.TemporaryDirectory(prefix="whyrec-") as directory:
        running = Server(binaries, Path(directory))
        running.start()
        yield running
        running.stop("immediate")


@dataclass
class Opener:
    """Opens one database again and again; code does the same in another process."""

    code: str
    opened: list[Database] = field(default_factory=list)

    def __call__(self) -> Database:
        database: Database = eval(self.code, {"SQLite": SQLite, "PostgreSQL": PostgreSQL})
        self.opened.append(database)
        return database


@pytest.fixture(params=["sqlite", "postgresql"])
def open_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    """Return what opens the same, at first empty, database again and again."""
    if request.param == "sqlite":
        opener = Opener(f"SQLite({str(tmp_path / 'feedback.db')!r})")
        yield opener
    else:
        server: Server = request.getfixturevalue("server")
        name = f"test_{next(NUMBERS)}"
        opener = Opener(f"PostgreSQL({server.conninfo!r}, schema={name!r})")
        yield opener
        opener().write(lambda session: session.run(f"DROP SCHEMA {name} CASCADE"))
    for database in opener.opened:
        database.close()


@pytest.fixture
def store(open_database: Opener) -> SQLStore:
    return SQLStore(open_database())
