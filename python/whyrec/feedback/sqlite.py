"""A store in one SQLite file, beside the model: embedded, for threads and processes of one host."""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import apsw

from whyrec.errors import StoreError
from whyrec.feedback.codecs import Cell
from whyrec.feedback.connections import Connections
from whyrec.feedback.database import Row, Session
from whyrec.feedback.schema import RecordTable

T = TypeVar("T")

APPLICATION_ID = 0x77687972
"""Marks a file as a store of whyrec's: "whyr"."""

SAFE_VERSION = (3, 51, 3)
"""SQLite before it may lose a commit when a checkpoint meets a writer that starts the log again."""

_PART = 32_768
"""Positions that are indexed by user together.

Events of many users arrive in turn, so an index by user alone would dirty a page for each event,
and a commit write all of them. Within a part the index is small, and so is what a commit writes,
however large the store is. Whoever reads the events of a user looks into each part.
"""

_CHECKPOINT = 4_000
"""Pages of log, 16 MB, after which it is copied to the file."""

_CACHE = 8_000
"""Kilobytes of pages that a connection keeps in memory."""

_WAIT = 1_000
"""Milliseconds that SQLite itself waits for a lock before we look at the clock."""


class SQLite:
    """A SQLite file as the database of a store.

    What was committed survives a kill and a loss of power: the log is synced at each commit. One
    writes at a time and the others wait, threads and processes alike; readers wait for nobody. The
    file must be on a local disk. Beside it are two more while it is in use, with the endings -wal
    and -shm.

    Raises:
        StoreError: the file cannot be opened, is damaged or none of whyrec's, or SQLite is too old.
    """

    words: ClassVar[Mapping[str, str]] = {
        "text": "TEXT",
        "real": "REAL",
        "integer": "INTEGER",
        "by_user": f"position / {_PART}, user_id",
        "of_users": (
            "user_id IN (SELECT value FROM json_each(?)) "
            f"AND position / {_PART} IN (WITH RECURSIVE parts (part) AS (SELECT 0 UNION ALL "
            f"SELECT part + 1 FROM parts WHERE part < (SELECT position / {_PART} FROM store)) "
            "SELECT part FROM parts)"
        ),
    }

    def __init__(self, path: str | os.PathLike[str], *, patience: float = 60.0) -> None:
        """Take the path of the file, and the seconds to wait for others before giving up."""
        version = tuple(map(int, apsw.sqlite_lib_version().split(".")))
        if version < SAFE_VERSION:
            raise StoreError(
                f"SQLite {apsw.sqlite_lib_version()} can lose commits; install the apsw of PyPI, "
                f"which brings {'.'.join(map(str, SAFE_VERSION))} or newer: pip install -U apsw"
            )
        self._path = Path(path)
        self._patience = patience
        self._turns: dict[int, threading.Lock] = {}
        self._connections = Connections(
            self._connect, _disconnect, _leave, shared=str(self._path.resolve())
        )

    def __str__(self) -> str:
        return str(self._path)

    def has_table(self, session: Session, name: str) -> bool:
        """Tell whether there is a table."""
        query = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?"
        return bool(session.rows(query, [name]))

    def read(self, work: Callable[[Session], T]) -> T:
        """Return what work makes of one state of the file."""
        return self._transaction("BEGIN", work)

    def write(self, work: Callable[[Session], T]) -> T:
        """Commit what work does, all of it or nothing, and sync it to the disk."""
        # A lock of Python's own lets the threads of a process in one by one, at once.
        with self._turns.setdefault(os.getpid(), threading.Lock()):
            return self._transaction("BEGIN IMMEDIATE", work)

    def purge(self) -> None:
        """Empty the log, which may hold rows that were deleted; the file has zeros in their place.

        Raises:
            StoreError: readers keep the log in use for longer than our patience. What was deleted
                is gone for all who read the store; purge again to empty the log.
        """
        with self._turns.setdefault(os.getpid(), threading.Lock()), self._errors():
            self._until_free(self._empty_log)

    def check(self) -> None:
        """Read the whole file, and demand that every table and index is intact.

        Raises:
            StoreError: something is damaged; the message says what.
        """
        found = self.read(lambda session: session.rows("PRAGMA integrity_check"))
        if found != [("ok",)]:
            lines = "; ".join(str(line) for (line,) in found[:3])
            raise StoreError(self._damaged(lines))

    def close(self) -> None:
        """End all connections; the last one to end in any process empties the log."""
        self._connections.close()

    def _transaction(self, begin: str, work: Callable[[Session], T]) -> T:
        def attempt() -> T:
            with self._connections.borrow() as connection:
                connection.execute(begin)
                result = work(_SQLiteSession(connection))
                connection.execute("COMMIT")
                return result

        with self._errors():
            return self._until_free(attempt)

    def _until_free(self, attempt: Callable[[], T]) -> T:
        """Try again while others hold a lock, until our patience ends."""
        last = time.monotonic() + self._patience
        while True:
            try:
                return attempt()
            except apsw.BusyError:
                if time.monotonic() > last:
                    raise

    def _empty_log(self) -> None:
        with self._connections.borrow() as connection:
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)

    def _connect(self) -> apsw.Connection:
        connection = apsw.Connection(str(self._path))
        try:
            connection.set_busy_timeout(_WAIT)
            self._demand_ours(connection)
            if connection.pragma("journal_mode") != "wal" and (
                connection.pragma("journal_mode", "wal") != "wal"
            ):
                raise StoreError(f"{self._path}: no log can be kept; use a local disk")
            connection.pragma("synchronous", "full")
            connection.pragma("fullfsync", True)
            connection.pragma("checkpoint_fullfsync", True)
            connection.pragma("secure_delete", True)
            connection.pragma("cache_size", -_CACHE)
            connection.wal_autocheckpoint(_CHECKPOINT)
        except BaseException:
            _disconnect(connection)
            raise
        return connection

    def _demand_ours(self, connection: apsw.Connection) -> None:
        found = connection.pragma("application_id")
        if found == APPLICATION_ID:
            return
        if found or connection.execute("SELECT 1 FROM sqlite_schema").fetchall():
            raise StoreError(
                f"{self._path}: is a SQLite file, but no store of whyrec's; name another file"
            )
        connection.pragma("application_id", APPLICATION_ID)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except apsw.Error as error:
            raise StoreError(self._told(error)) from error

    def _told(self, error: apsw.Error) -> str:
        """Say what was wrong and what to do."""
        match error:
            case apsw.CorruptError() | apsw.NotADBError():
                return self._damaged(str(error))
            case apsw.FullError():
                return f"{self._path}: the disk is full; make room, then record again ({error})"
            case apsw.ReadOnlyError() | apsw.CantOpenError() | apsw.PermissionsError():
                return (
                    f"{self._path}: cannot be opened for writing ({error}); the file and its "
                    "directory must exist and be writable"
                )
            case apsw.BusyError():
                return (
                    f"{self._path}: another process has kept it locked for {self._patience} "
                    f"seconds; end what holds it ({error})"
                )
            case apsw.IOError():
                code = apsw.mapping_extended_result_codes.get(getattr(error, "extendedresult", 0))
                return (
                    f"{self._path}: the disk failed, or the file may not grow ({error}, {code}); "
                    "see to it, then record again"
                )
        return f"{self._path}: {error}"

    def _damaged(self, what: str) -> str:
        return (
            f"{self._path}: is damaged ({what}); keep the file, and recover what is readable with "
            "whyrec.feedback.salvage(path, into), or `whyrec salvage STORE INTO`"
        )


class _SQLiteSession:
    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def rows(self, statement: str, parameters: Sequence[Cell] = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement, parameters).fetchall()

    def run(self, statement: str, parameters: Sequence[Cell] = ()) -> int:
        before = self._connection.total_changes()
        self._connection.execute(statement, parameters)
        return self._connection.total_changes() - before

    def insert(self, table: RecordTable[Any], rows: Sequence[Row], first: int) -> int:
        columns = ("position", *table.columns)
        marks = ", ".join("?" * len(columns))
        statement = (
            f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({marks}) "
            "ON CONFLICT (event_id) DO NOTHING"
        )
        before = self._connection.total_changes()
        numbered = ((position, *row) for position, row in enumerate(rows, first))
        self._connection.executemany(statement, numbered)
        return self._connection.total_changes() - before


def _disconnect(connection: apsw.Connection) -> None:
    connection.close(force=True)


def _leave(connection: apsw.Connection) -> None:
    """Close a connection that a fork has inherited, without a look at the log.

    While it is open, SQLite takes the locks of the process before the fork for locks of this one.
    """
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.close(force=True)
