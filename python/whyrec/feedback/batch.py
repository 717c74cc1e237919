"""Many records at once, checked and ready for a store: one by one, or a whole table of events."""

import time
from collections.abc import Hashable, Iterable, Set
from dataclasses import replace
from typing import Any

import numpy as np

from whyrec.data.distinct import Distinct, distinct_ids, distinct_values
from whyrec.data.event_columns import EventColumns
from whyrec.data.numbers import read_numbers
from whyrec.data.tables import Column, Table, read_table
from whyrec.data.times import read_times
from whyrec.data.wording import some_rows
from whyrec.errors import ArgumentError, DataError
from whyrec.feedback.codecs import ID, NAME, TEXT, Cell, Codec, latest_time
from whyrec.feedback.database import Row
from whyrec.feedback.records import Event, Record, new_event_ids
from whyrec.feedback.schema import EVENTS, TABLES, RecordTable


class Batch:
    """Records that are checked already; a store commits them together.

    >>> from whyrec.feedback import Batch, Event
    >>> len(Batch([Event("ann", "fig", "view"), Event("ann", "pear", "purchase", 2)]))
    2
    """

    def __init__(self, records: Iterable[Record] = ()) -> None:
        """Take any records.

        Raises:
            ArgumentError: a field of a record cannot be kept; the message names it.
        """
        self._rows: dict[type[Record], list[Row]] = {}
        for record in records:
            self.add(record)

    def add(self, record: Record) -> None:
        """Add one more.

        Raises:
            ArgumentError: a field cannot be kept; the message names it.
        """
        table = TABLES.get(type(record))
        if table is None:
            known = ", ".join(kind.__name__ for kind in TABLES)
            raise ArgumentError(f"{record!r} is no record; the records are {known}")
        row = table.encode(record)
        self._rows.setdefault(type(record), []).append(row)

    @classmethod
    def of_table(cls, events: object, columns: EventColumns | None = None) -> "Batch":
        """Read a table of events.

        Beside the columns that `EventColumns` names or guesses, "event_id" and "request_id" are
        read where they are. Events without a time happened now.

        Args:
            events: any table that `SDK.fit` takes.
            columns: which column means what.

        Raises:
            DataError: a column or a row cannot be used; the message says which.

        >>> import pyarrow
        >>> len(Batch.of_table(pyarrow.table({"user_id": [3, 4], "item_id": ["fig", "pear"]})))
        2
        """
        table = read_table(events, "events")
        columns = (columns or EventColumns()).resolve(table)
        given = {
            "event_id": _texts(table, "event_id"),
            "user_id": _ids(table[columns.user_id or ""]),
            "item_id": _ids(table[columns.item_id or ""]),
            "kind": _kinds(table, columns),
            "value": _values(table, columns),
            "timestamp": _times(table, columns),
            "request_id": _texts(table, "request_id"),
        }
        made = iter(new_event_ids(given["event_id"].count(None)))
        given["event_id"] = [one or next(made) for one in given["event_id"]]
        batch = cls()
        batch._rows[Event] = list(zip(*(given[name] for name in EVENTS.columns), strict=True))
        return batch

    def __len__(self) -> int:
        return sum(map(len, self._rows.values()))

    def drop(self, user: Hashable, kinds: Set[type[Record]]) -> int:
        """Leave out the records of a user that are of some classes, and return how many."""
        before, user_id = len(self), ID.encode(user)
        for kind in kinds & self._rows.keys():
            place = TABLES[kind].columns.index("user_id")
            self._rows[kind] = [row for row in self._rows[kind] if row[place] != user_id]
        return before - len(self)

    def rows(self) -> list[tuple[RecordTable[Any], list[Row]]]:
        """Return the rows of each table; those that undo others come last."""
        return [(TABLES[kind], self._rows[kind]) for kind in TABLES if kind in self._rows]


def _ids(column: Column) -> list[Cell]:
    return _encoded(column, distinct_ids(column), ID)


def _texts(table: Table, name: str) -> list[Cell]:
    """Return the texts of a column, None where missing or where there is no such column."""
    if name not in table.columns:
        return [None] * len(table)
    column = table[name]
    found = distinct_values(column)
    return _encoded(column, replace(found, values=list(map(str, found.values))), NAME)


def _kinds(table: Table, columns: EventColumns) -> list[Cell]:
    if not columns.kind:
        return [""] * len(table)
    column = table[columns.kind]
    found = distinct_values(column)
    kinds = _encoded(column, replace(found, values=list(map(str, found.values))), TEXT)
    return [kind or "" for kind in kinds]


def _values(table: Table, columns: EventColumns) -> list[Cell]:
    if not columns.value:
        return [None] * len(table)
    numbers = read_numbers(table[columns.value])
    return [None if number != number else number for number in numbers.tolist()]


def _times(table: Table, columns: EventColumns) -> list[Cell]:
    if not columns.timestamp:
        return [time.time()] * len(table)
    column = table[columns.timestamp]
    times, _ = read_times(column)
    wrong = ~((times >= 0) & (times <= latest_time()))
    if wrong.any():
        raise DataError(
            f"{column} has times that are missing, before 1970 or later than a day from now "
            f"({some_rows(wrong)}); drop or correct these rows"
        )
    return list(times.tolist())


def _encoded(column: Column, found: Distinct, codec: Codec) -> list[Cell]:
    """Return the cell of each row of a column, None where it has no value."""
    try:
        distinct = [codec.encode(value) for value in found.values]
    except ArgumentError as error:
        raise DataError(_told(column, found, codec)) from error
    codes = np.full(len(column), len(distinct))
    codes[found.rows] = found.codes
    return list(np.array([*distinct, None], object)[codes])


def _told(column: Column, found: Distinct, codec: Codec) -> str:
    """Say which value cannot be kept, and in which rows it is."""
    for code, value in enumerate(found.values):
        try:
            codec.encode(value)
        except ArgumentError as error:
            rows = np.zeros(len(column), bool)
            rows[found.rows[found.codes == code]] = True
            return f"{column} {error} ({some_rows(rows)})"
    raise AssertionError("every value can be kept")
