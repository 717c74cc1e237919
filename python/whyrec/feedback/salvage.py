"""What is readable of a damaged SQLite file, as a new store."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw

from whyrec.errors import StoreError, WhyrecError
from whyrec.feedback.database import Row, Session
from whyrec.feedback.migrations import migrate
from whyrec.feedback.schema import TABLES, RecordTable
from whyrec.feedback.sqlite import SQLite

_LAST = 2**63 - 1
_UNREADABLE = (apsw.Error, ValueError, WhyrecError)


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What a damaged store had that could be read."""

    n_records: dict[str, int]
    """How many records of each table are in the new store."""

    gaps: tuple[str, ...]
    """Where records may be missing, by table and position."""

    def __str__(self) -> str:
        found = ", ".join(f"{n:,} {name}" for name, n in self.n_records.items())
        return f"recovered {found}; " + ("; ".join(self.gaps) or "no gaps were met")


def salvage(path: str | os.PathLike[str], into: str | os.PathLike[str]) -> Salvaged:
    """Read what is readable of a damaged store, and write it to a new one.

    The damaged file is only read, with the log beside it; nobody should be writing to it. Records
    keep their ids, their positions and whether they are undone. A page that is damaged loses the
    records on it; where the first page is lost, that of a new store stands in for it.

    Args:
        path: the damaged SQLite file.
        into: where the new store goes; there must be no file yet.

    Raises:
        StoreError: there is no file at path, there is one at into, or nothing is readable.
    """
    source, target = Path(path), Path(into)
    if not source.is_file():
        raise StoreError(f"{source}: there is no such file")
    if target.exists():
        raise StoreError(f"{target}: exists already; name a new file to recover into")
    new = SQLite(target)
    try:
        migrate(new)
        new.purge()  # its first page must be in the file, not in the log
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".whyrec-salvage-") as scratch:
            copy = Path(scratch) / "damaged.db"
            for ending in ("", "-wal"):
                with suppress(FileNotFoundError):
                    shutil.copyfile(f"{source}{ending}", f"{copy}{ending}")
            if not _has_tables(copy):
                _replace_first_page(copy, target)
            return _move(copy, new, source)
    except BaseException:
        new.close()
        target.unlink(missing_ok=True)
        raise
    finally:
        new.close()


def _move(copy: Path, new: SQLite, source: Path) -> Salvaged:
    damaged = apsw.Connection(str(copy))
    gaps: list[str] = []
    n_records: dict[str, int] = {}

    def insert(session: Session) -> None:
        last = 0
        for table in TABLES.values():
            columns = ("position", "undone", *table.columns)
            marks = ", ".join("?" * len(columns))
            statement = (
                f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({marks}) "
                "ON CONFLICT DO NOTHING"
            )
            n_records[table.name] = 0
            for row in _readable(damaged, table, gaps):
                n_records[table.name] += session.run(statement, row)
                last = max(last, int(row[0] or 0))
        with suppress(*_UNREADABLE):
            ((counted,),) = damaged.execute("SELECT position FROM store")
            last = max(last, int(counted))
        session.run("UPDATE store SET position = ?", [last])

    try:
        new.write(insert)
    finally:
        with suppress(apsw.Error):
            damaged.close(force=True)
    if not any(n_records.values()) and gaps:
        raise StoreError(f"{source}: no record is readable; a backup is needed")
    return Salvaged(n_records, tuple(gaps))


def _readable(damaged: apsw.Connection, table: RecordTable[Any], gaps: list[str]) -> Iterator[Row]:
    """Give the rows of a table by position, and note where some cannot be read."""
    columns = ", ".join(("position", "undone", *table.columns))
    query = f"SELECT {columns} FROM {table.name} WHERE position > ? ORDER BY position"
    position = 0
    while position < _LAST:
        try:
            for row in damaged.execute(query, (position,)):
                _demand_sound(table, row, position)
                yield row
                position = row[0]
            return
        except _UNREADABLE:
            resumed = _next_readable(damaged, table, position)
            end = "the end" if resumed == _LAST else str(resumed)
            gaps.append(f"{table.name} between position {position} and {end}")
            position = resumed


def _next_readable(damaged: apsw.Connection, table: RecordTable[Any], position: int) -> int:
    """Return the first position from which reading goes on, as far as a bisection finds it."""
    columns = ", ".join(("position", "undone", *table.columns))
    query = f"SELECT {columns} FROM {table.name} WHERE position > ? ORDER BY position LIMIT 1"

    def goes_on(after: int) -> bool:
        try:
            for row in damaged.execute(query, (after,)):
                _demand_sound(table, row, after)
        except _UNREADABLE:
            return False
        return True

    bad, step = position, 1
    while not goes_on(min(position + step, _LAST - 1)):
        bad, step = position + step, step * 2
        if bad >= _LAST - 1:
            return _LAST
    good = min(position + step, _LAST - 1)
    while good - bad > 1:
        middle = (bad + good) // 2
        bad, good = (bad, middle) if goes_on(middle) else (middle, good)
    return good


def _demand_sound(table: RecordTable[Any], row: tuple[Any, ...], after: int) -> None:
    """Raise an error unless a row is one that was recorded once, and comes where it must."""
    position, undone, *cells = row
    if position <= after or undone not in (0, 1):
        raise StoreError("out of order")
    table.encode(table.decode(cells))


def _has_tables(path: Path) -> bool:
    connection = apsw.Connection(str(path))
    try:
        found = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    except _UNREADABLE:
        return False
    finally:
        connection.close(force=True)
    return {table.name for table in TABLES.values()} <= found


def _replace_first_page(path: Path, fresh: Path) -> None:
    """Put the first page of a new store, whose tables begin where ours do, before a file."""
    first = bytearray(fresh.read_bytes())
    size = int.from_bytes(first[16:18]) or 1
    size = 65_536 if size == 1 else size
    with path.open("r+b") as file:
        n_pages = -(-os.fstat(file.fileno()).st_size // size)
        first[28:32] = n_pages.to_bytes(4)
        first[32:40] = bytes(8)  # no free pages are known
        file.write(first[:size])
