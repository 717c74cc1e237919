"""The databases that every store is held to: a SQLite file, and a PostgreSQL server of our own."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bench.postgres import Server, find_binaries

from whyrec.feedback import Database, PostgreSQL, SQLite, SQLStore


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


@pytest.fixture(params=["sqlite", "postgresql"])
def open_database(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Callable[[], Database]]:
    """Return what opens the same, at first empty, database again and again."""
    opened: list[Database] = []
    server = request.getfixturevalue("server") if request.param == "postgresql" else None
    name = f"test_{abs(hash(request.node.nodeid)):x}"

    def open_one() -> Database:
        database: Database = (
            PostgreSQL(server.conninfo, schema=name) if server else SQLite(tmp_path / "feedback.db")
        )
        opened.append(database)
        return database

    yield open_one
    if server:
        open_one().write(lambda session: session.run(f"DROP SCHEMA {name} CASCADE"))
    for database in opened:
        database.close()


@pytest.fixture
def store(open_database: Callable[[], Database]) -> SQLStore:
    return SQLStore(open_database())
