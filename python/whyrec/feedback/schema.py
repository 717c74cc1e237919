"""The tables of a store, the steps from one version of them to the next, and their rows."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Generic, TypeVar, get_type_hints

from whyrec.errors import ArgumentError, StoreError
from whyrec.feedback.codecs import Cell, Codec
from whyrec.feedback.database import Row
from whyrec.feedback.records import Control, Event, Impression, ReasonRating, Record, Undo

R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True, eq=False)
class RecordTable(Generic[R]):
    """Where records of one class are kept: a column for each field, by its name."""

    name: str
    record: type[R]
    columns: tuple[str, ...]
    codecs: tuple[Codec, ...]
    fields_of: Callable[[R], tuple[Any, ...]]

    @classmethod
    def of(cls, name: str, record: type[R]) -> "RecordTable[R]":
        """Read the columns off the fields of a class and their annotations."""
        hints = get_type_hints(record, include_extras=True)
        columns = tuple(field.name for field in dataclasses.fields(record))
        codecs = tuple(hints[column].__metadata__[0] for column in columns)
        return cls(name, record, columns, codecs, attrgetter(*columns))

    def encode(self, record: R) -> Row:
        """Return the row of a record.

        Raises:
            ArgumentError: a field cannot be kept; the message names it.
        """
        values = self.fields_of(record)
        try:
            return tuple(
                [codec.encode(value) for codec, value in zip(self.codecs, values, strict=True)]
            )
        except ArgumentError as error:
            raise ArgumentError(f"{type(record).__name__}: {self._wrong(values)}") from error

    def decode(self, row: Sequence[Cell]) -> R:
        """Return the record of a row.

        Raises:
            StoreError: the row was not written by `encode`.
        """
        try:
            cells = [codec.decode(cell) for codec, cell in zip(self.codecs, row, strict=True)]
        except (ValueError, TypeError) as error:
            raise StoreError(f"the row {row!r} of {self.name} is damaged: {error}") from error
        return self.record(**dict(zip(self.columns, cells, strict=True)))

    def _wrong(self, values: tuple[Any, ...]) -> str:
        for column, codec, value in zip(self.columns, self.codecs, values, strict=True):
            try:
                codec.encode(value)
            except ArgumentError as error:
                return f"{column} {error}"
        raise AssertionError("some field could not be kept")


EVENTS = RecordTable.of("events", Event)
CONTROLS = RecordTable.of("controls", Control)
RATINGS = RecordTable.of("ratings", ReasonRating)
IMPRESSIONS = RecordTable.of("impressions", Impression)
UNDOS = RecordTable.of("undos", Undo)

UNDOABLE: tuple[RecordTable[Any], ...] = (EVENTS, CONTROLS, RATINGS, IMPRESSIONS)
TABLES: dict[type[Record], RecordTable[Any]] = {
    Event: EVENTS,
    Control: CONTROLS,
    ReasonRating: RATINGS,
    Impression: IMPRESSIONS,
    Undo: UNDOS,
}
"""By class; what undoes others comes last, so that it finds them in its own batch too."""
