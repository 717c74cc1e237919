"""The databases that every store is held to: a SQLite file, and a PostgreSQL server of our own."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from whyrec.feedback import Database, PostgreSQL, SQLite, SQLStore

SERVER_USER = "postgres"
"""Who runs the server where we are root, which it refuses to run as."""


class Server:
    """A PostgreSQL server in a directory of its own, reached by a socket in it."""

    def __init__(self, binaries: Path, directory: Path) -> None:
        self.binaries, self.directory = binaries, directory
        self.data, self.log = directory / "data", directory / "log"
        self.user = SERVER_USER if os.getuid() == 0 else None
        if self.user:
            shutil.chown(directory, self.user)
        self.run("initdb", "-D", str(self.data), "-U", "whyrec", "-A", "trust", "-E", "UTF8")

    @property
    def conninfo(self) -> str:
        return f"host={self.directory} user=whyrec dbname=postgres"

    def run(self, program: str, *arguments: str) -> None:
        """Run a program of PostgreSQL's, and show what it said if it fails."""
        command = [str(self.binaries / program), *arguments]
        done = subprocess.run(
            command, cwd=self.directory, capture_output=True, text=True, check=False, user=self.user
        )
        log = self.log.read_text() if self.log.exists() else ""
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}{log}"

    def start(self) -> None:
        options = f"-c listen_addresses='' -c unix_socket_directories='{self.directory}'"
        self.run("pg_ctl", "-D", str(self.data), "-l", str(self.log), "-w", "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop it; the mode "immediate" is a crash."""
        self.run("pg_ctl", "-D", str(self.data), "-w", "-m", mode, "stop")


def find_binaries() -> Path | None:
    """Find initdb: on the path, or where Debian puts it."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, default=None)


def _version(binaries: Path) -> float:
    return float(binaries.parent.name)


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
