"""The store over a SQL database: each method is one transaction."""

import json
from collections.abc import Hashable, Iterable, Sequence
from typing import Any, Self, TypeVar

from whyrec.data.id_text import encode_id
from whyrec.data.interactions import Interactions
from whyrec.data.tables import Table
from whyrec.data.vocabulary import Vocabulary
from whyrec.errors import UnknownIdError
from whyrec.feedback.batch import Batch
from whyrec.feedback.codecs import Cell, decode_id
from whyrec.feedback.columns import interactions_of, json_of, json_record, table_of
from whyrec.feedback.database import Database, Row, Session
from whyrec.feedback.migrations import migrate
from whyrec.feedback.rate_limit import RateLimit, forget_arrivals
from whyrec.feedback.records import Record
from whyrec.feedback.schema import TABLES, UNDOABLE, UNDOS, RecordTable

R = TypeVar("R", bound=Record)


class SQLStore:
    """A `Store` in a SQL database: `SQLite`, or `PostgreSQL` for several hosts.

    Raises:
        StoreError: the database cannot be used, or has the schema of a newer whyrec.

    >>> import tempfile
    >>> from whyrec.feedback import Event, SQLite, SQLStore
    >>> with tempfile.TemporaryDirectory() as path:
    ...     store = SQLStore(SQLite(f"{path}/feedback.db"))
    ...     store.record([Event("ann", "fig", "purchase"), Event("ann", "pear", "view")])
    ...     [event.item_id for event in store.read(Event, users=["ann"])]
    ...     store.close()
    2
    ['fig', 'pear']
    """

    def __init__(self, database: Database, *, limit: RateLimit | None = None) -> None:
        """Take the database, and the most that it takes of one user; None sets no limit."""
        self._database, self._limit = database, limit
        migrate(database)

    def __repr__(self) -> str:
        return f"SQLStore({type(self._database).__name__}, {self._database})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def record(self, records: Batch | Iterable[Record]) -> int:
        """Keep records, all of them or none, see `Store.record`."""
        batch = records if isinstance(records, Batch) else Batch(records)
        if not len(batch):
            return 0

        def insert(session: Session) -> int:
            first = position = _take_positions(session, len(batch))
            n_new = 0
            for table, rows in batch.rows():
                if table is UNDOS:
                    n_new += sum(_undo(session, row, position + i) for i, row in enumerate(rows))
                else:
                    n_new += session.insert(table, rows, position)
                position += len(rows)
            if self._limit is not None:
                self._limit.count(session, first)
            return n_new

        return self._database.write(insert)

    def read(
        self,
        kind: type[R],
        *,
        users: Sequence[Hashable] | None = None,
        since: int = 0,
        until: int | None = None,
    ) -> list[R]:
        """Return the records of a class that are not undone, see `Store.read`."""
        table: RecordTable[R] = TABLES[kind]  # type: ignore[index]
        return [table.decode(row) for row in self._rows(table, users, since, until)]

    def table(
        self,
        kind: type[Record],
        *,
        users: Sequence[Hashable] | None = None,
        since: int = 0,
        until: int | None = None,
    ) -> Table:
        """Return what `read` does as a table, see `Store.table`."""
        columns = TABLES[kind]
        return table_of(columns, self._rows(columns, users, since, until))

    def histories(
        self, users: Sequence[Hashable], items: Vocabulary, kind_names: Sequence[str] = ()
    ) -> Interactions:
        """Return the events of some users, oldest first, see `Store.histories`."""
        query = (
            "SELECT user_id, position, timestamp, item_id, kind, value FROM events "
            f"WHERE undone = 0 AND {self._database.words['of_users']}"
        )
        rows = self._database.read(lambda session: session.rows(query, [_json_list(users)]))
        return interactions_of(rows, list(map(encode_id, users)), items, kind_names)

    def position(self) -> int:
        """Return the last position, see `Store.position`."""
        rows = self._database.read(lambda session: session.rows("SELECT position FROM store"))
        return int(rows[0][0])

    def export(self, user: Hashable) -> dict[str, Any]:
        """Return all that is kept of a user as data for JSON, see `Store.export`."""
        exported: dict[str, Any] = {"user_id": json_of(decode_id(encode_id(user)))}

        def read(session: Session) -> None:
            for table in TABLES.values():
                names = ("undone", *table.columns)
                rows = session.rows(
                    f"SELECT {', '.join(names)} FROM {table.name} "
                    f"WHERE {self._database.words['of_users']} ORDER BY position",
                    [_json_list([user])],
                )
                exported[table.name] = [
                    {"undone": bool(undone), **json_record(table, row)} for undone, *row in rows
                ]

        self._database.read(read)
        return exported

    def forget(self, user: Hashable) -> dict[str, int]:
        """Erase all that is kept of a user, see `Store.forget`."""
        of_user = self._database.words["of_users"]

        def erase(session: Session) -> dict[str, int]:
            forget_arrivals(session, encode_id(user))
            return {
                table.name: session.run(
                    f"DELETE FROM {table.name} WHERE {of_user}", [_json_list([user])]
                )
                for table in TABLES.values()
            }

        erased = self._database.write(erase)
        self._database.purge()
        return erased

    def close(self) -> None:
        """End all connections."""
        self._database.close()

    def _rows(
        self,
        table: RecordTable[Any],
        users: Sequence[Hashable] | None,
        since: int,
        until: int | None,
    ) -> list[Row]:
        conditions: list[str] = ["undone = 0", "position > ?"]
        parameters: list[Cell] = [since]
        if until is not None:
            conditions.append("position <= ?")
            parameters.append(until)
        if users is not None:
            conditions.append(self._database.words["of_users"])
            parameters.append(_json_list(users))
        query = (
            f"SELECT {', '.join(table.columns)} FROM {table.name} "
            f"WHERE {' AND '.join(conditions)} ORDER BY position"
        )
        return self._database.read(lambda session: session.rows(query, parameters))


def _json_list(users: Sequence[Hashable]) -> str:
    return json.dumps(list(map(encode_id, users)))


def _take_positions(session: Session, n_records: int) -> int:
    """Return the first of so many new positions.

    One writes at a time, so records are committed in the order of their positions, and whoever
    reads up to the last one has missed none.
    """
    session.run("UPDATE store SET position = position + ?", [n_records])
    last = int(session.rows("SELECT position FROM store")[0][0])
    return last - n_records + 1


def _undo(session: Session, row: Row, position: int) -> int:
    """Insert one row of undos, and mark what it undoes; return 0 if it was there already."""
    undo = UNDOS.decode(row)
    if not session.insert(UNDOS, [row], position):
        return 0
    n_marked = sum(
        session.run(
            f"UPDATE {table.name} SET undone = 1 WHERE event_id = ? AND user_id = ?",
            [undo.undone_id, encode_id(undo.user_id)],
        )
        for table in UNDOABLE
    )
    if not n_marked:
        raise UnknownIdError(
            f"there is no record {undo.undone_id!r} of user {undo.user_id!r} to undo"
        )
    return 1
