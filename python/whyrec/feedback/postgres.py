"""A store in PostgreSQL: for processes on several hosts."""

import contextlib
import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from whyrec.errors import ArgumentError, MissingDependencyError, StoreError
from whyrec.feedback.codecs import Cell
from whyrec.feedback.connections import Connections
from whyrec.feedback.database import Row, Session
from whyrec.feedback.schema import RecordTable

if TYPE_CHECKING:
    import psycopg

T = TypeVar("T")

_TYPES = {"text": "text", "real": "double precision", "integer": "bigint"}

_LOCK = 0x77687972
"""The advisory lock of whoever writes, with the hash of the schema's name."""


class PostgreSQL:
    """A schema of a PostgreSQL database as the database of a store.

    What was committed survives a kill and a loss of power, if the server's own fsync is on. One
    writes at a time and the others wait; readers wait for nobody.

    Raises:
        MissingDependencyError: psycopg is not installed.
        StoreError: the server cannot be reached, or refuses.
    """

    words: ClassVar[Mapping[str, str]] = {
        "text": 'TEXT COLLATE "C"',
        "real": "DOUBLE PRECISION",
        "integer": "BIGINT",
        "by_user": "user_id",
        "of_users": "user_id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(? AS jsonb))))",
    }

    def __init__(
        self, conninfo: str = "", *, schema: str = "whyrec", patience: float = 60.0
    ) -> None:
        """Take a connection string or URI, a schema, and the seconds to wait for other writers.

        The schema is made where it is missing; it should hold nothing else.
        """
        try:
            import psycopg
        except ImportError as error:
            raise MissingDependencyError(
                "a store in PostgreSQL needs psycopg: pip install 'whyrec[postgres]'"
            ) from error
        if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", schema):
            raise ArgumentError(
                f"schema must be a plain name of lower-case letters, not {schema!r}"
            )
        self._psycopg = psycopg
        self._conninfo, self._schema, self._patience = conninfo, schema, patience
        self._connections = Connections(self._connect, lambda each: each.close(), self._leave)
        # A fork must neither use nor end the sessions of the process before it.
        self._inherited: list[psycopg.Connection[Any]] = []
        if not self.read(self._has_schema):
            self.write(lambda session: session.run(f"CREATE SCHEMA IF NOT EXISTS {schema}"))

    def __str__(self) -> str:
        told = self._psycopg.conninfo.conninfo_to_dict(self._conninfo)
        where = [f"{name}={told[name]}" for name in ("host", "port", "dbname") if told.get(name)]
        return " ".join(["PostgreSQL", *where, f"schema={self._schema}"])

    def has_table(self, session: Session, name: str) -> bool:
        """Tell whether there is a table."""
        query = "SELECT 1 FROM pg_tables WHERE schemaname = ? AND tablename = ?"
        return bool(session.rows(query, [self._schema, name]))

    def read(self, work: Callable[[Session], T]) -> T:
        """Return what work makes of one state of the database."""
        return self._transaction("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", work)

    def write(self, work: Callable[[Session], T]) -> T:
        """Commit what work does, all of it or nothing, and wait until the server has synced it."""
        lock = f"SELECT pg_advisory_xact_lock({_LOCK}, hashtext('{self._schema}'))"
        return self._transaction(f"BEGIN ISOLATION LEVEL READ COMMITTED; {lock}", work)

    def purge(self) -> None:
        """Do nothing: the server itself vacuums what was deleted, in a while."""

    def close(self) -> None:
        """End all connections."""
        self._connections.close()

    def _transaction(self, begin: str, work: Callable[[Session], T]) -> T:
        with self._errors():
            try:
                return self._attempt(begin, work)
            except self._psycopg.OperationalError as error:
                if not _is_lost(error):
                    raise
            # The server went away, perhaps long ago. Records bear ids, so nothing is kept twice
            # even if the first try was committed.
            self._connections.forget_idle()
            return self._attempt(begin, work)

    def _attempt(self, begin: str, work: Callable[[Session], T]) -> T:
        with self._connections.borrow() as connection:
            connection.execute(begin)
            result = work(_PostgreSQLSession(connection))
            connection.execute("COMMIT")
            return result

    def _connect(self) -> "psycopg.Connection[Any]":
        connection = self._psycopg.connect(self._conninfo, autocommit=True)
        try:
            connection.execute(f"SET search_path = {self._schema}")
            connection.execute(f"SET lock_timeout = {int(self._patience * 1000)}")
            # Settings of the server that promise more, as to its replicas, stay.
            if connection.execute("SHOW synchronous_commit").fetchone() == ("off",):
                connection.execute("SET synchronous_commit = on")
        except BaseException:
            connection.close()
            raise
        return connection

    def _leave(self, connection: "psycopg.Connection[Any]") -> None:
        self._inherited.append(connection)

    def _has_schema(self, session: Session) -> bool:
        return bool(session.rows("SELECT 1 FROM pg_namespace WHERE nspname = ?", [self._schema]))

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except self._psycopg.Error as error:
            raise StoreError(self._told(error)) from error

    def _told(self, error: "psycopg.Error") -> str:
        """Say what was wrong and what to do."""
        errors = self._psycopg.errors
        what = " ".join(str(error).split())
        match error:
            case errors.DiskFull():
                return f"{self}: the disk is full; make room, then record again ({what})"
            case errors.ReadOnlySqlTransaction() | errors.InsufficientPrivilege():
                return f"{self}: cannot be written ({what}); name a server and a user that can"
            case errors.LockNotAvailable():
                return (
                    f"{self}: another session has kept it locked for {self._patience} seconds; "
                    f"end what holds it ({what})"
                )
            case self._psycopg.OperationalError():
                return f"{self}: cannot be reached ({what}); see whether the server is running"
        return f"{self}: {what}"


class _PostgreSQLSession:
    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        self._connection = connection

    def rows(self, statement: str, parameters: Sequence[Cell] = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(_marked(statement), parameters).fetchall()

    def run(self, statement: str, parameters: Sequence[Cell] = ()) -> int:
        return self._connection.execute(_marked(statement), parameters).rowcount

    def insert(self, table: RecordTable[Any], rows: Sequence[Row], first: int) -> int:
        types = ["bigint", *(_TYPES[codec.type] for codec in table.codecs)]
        arrays = ", ".join(f"%s::{each}[]" for each in types)
        statement = (
            f"INSERT INTO {table.name} (position, {', '.join(table.columns)}) "
            f"SELECT * FROM unnest({arrays}) ON CONFLICT (event_id) DO NOTHING"
        )
        positions = list(range(first, first + len(rows)))
        columns = [positions, *map(list, zip(*rows, strict=True))]
        return self._connection.execute(statement, columns).rowcount


@functools.cache
def _marked(statement: str) -> bytes:
    """Mark parameters as psycopg does."""
    return statement.replace("?", "%s").encode()


def _is_lost(error: "psycopg.Error") -> bool:
    """Tell whether the connection is gone, or the server has ended the session."""
    return error.sqlstate is None or error.sqlstate.startswith(("57P", "08"))
