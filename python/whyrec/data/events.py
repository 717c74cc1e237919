"""The events table: ids to indices, times to seconds, and everything sorted by user and time."""

from collections.abc import Hashable
from dataclasses import dataclass, replace

import numpy as np

from whyrec.data.distinct import distinct_ids, distinct_values
from whyrec.data.event_columns import EventColumns
from whyrec.data.interactions import Interactions
from whyrec.data.numbers import read_numbers
from whyrec.data.rows import offsets_of
from whyrec.data.tables import Column, Table
from whyrec.data.times import read_times
from whyrec.data.vocabulary import Vocabulary
from whyrec.data.wording import SHOWN, count, some, some_rows
from whyrec.errors import DataError
from whyrec.types import BoolArray, Float32Array, Float64Array, Int16Array, Int64Array


@dataclass(frozen=True, slots=True)
class Events:
    """The events of a table, and the users and items that they are counted by."""

    interactions: Interactions
    users: Vocabulary
    items: Vocabulary
    time_unit: str | None
    dropped_events: int
    dropped_items: tuple[Hashable, ...]
    """The first few items whose events were dropped."""


def read_events(
    table: Table,
    columns: EventColumns,
    *,
    known_items: Vocabulary | None,
    known_users: tuple[Hashable, ...],
    drop_unknown: bool,
) -> Events:
    """Read the events table.

    Args:
        table: one row per event.
        columns: the columns by name, none left to guess.
        known_items: the catalog; None makes one of the items met.
        known_users: users that come before those met.
        drop_unknown: whether events of items outside the catalog are dropped.

    Raises:
        DataError: a row cannot be used, such as an event of an item outside the catalog; the
            message says which.
    """
    item_column = table[columns.item_id or ""]
    what, who = distinct_ids(item_column), distinct_ids(table[columns.user_id or ""])
    items = Vocabulary.from_ids(what.values, "item") if known_items is None else known_items
    users = Vocabulary.from_ids((*known_users, *who.values), "user")
    times, time_unit = _read_times(table, columns)
    kinds, kind_names = _read_kinds(table, columns)
    values = _read_values(table, columns)

    rows, item_of_row = what.known_in(items)
    unknown = np.ones(len(table), bool)
    unknown[rows] = False
    strangers = [what.values[code] for code in dict.fromkeys(what.codes[unknown].tolist())]
    if unknown.all() or (strangers and not drop_unknown):
        raise DataError(_tell_unknown(item_column, unknown, strangers, items))

    user_of_row = users.indices_of(who.values)[who.codes][rows]
    order = _by_user_and_time(user_of_row, None if times is None else times[rows])
    rows = rows[order]
    interactions = Interactions(
        offsets_of(np.bincount(user_of_row, minlength=len(users))),
        item_of_row[order].astype(np.int32),
        kinds[rows],
        kind_names,
        None if values is None else values[rows],
        None if times is None else times[rows],
    )
    dropped = (int(unknown.sum()), tuple(strangers[:SHOWN]))
    return Events(interactions, users, items, time_unit, *dropped)


def read_held_out(
    table: Table, columns: EventColumns, users: Vocabulary, items: Vocabulary
) -> Interactions:
    """Read events to evaluate on; those of users or items that are not known are left out.

    Raises:
        DataError: the table cannot be read, or no event is of a known user and item.
    """
    read = read_events(table, columns, known_items=items, known_users=users.ids, drop_unknown=True)
    n_events = int(read.interactions.offsets[len(users)])
    if not n_events:
        raise DataError(f"{table.name}: no event is of a user that is known")
    is_known = np.arange(len(read.interactions)) < n_events
    kept = read.interactions.only(is_known)
    return replace(kept, offsets=kept.offsets[: len(users) + 1])


def _by_user_and_time(users: Int64Array, times: Float64Array | None) -> Int64Array:
    """Return the order of events by user, then time; both sorts are stable."""
    if times is None:
        return np.argsort(users, kind="stable")
    return np.lexsort((times, users))


def _read_values(table: Table, columns: EventColumns) -> Float32Array | None:
    return read_numbers(table[columns.value]).astype(np.float32) if columns.value else None


def _read_times(table: Table, columns: EventColumns) -> tuple[Float64Array | None, str | None]:
    if not columns.timestamp:
        return None, None
    column = table[columns.timestamp]
    times, unit = read_times(column)
    missing = np.isnan(times)
    if missing.any():
        raise DataError(f"{column} has null times ({some_rows(missing)}); drop or fill these rows")
    return times, unit


def _read_kinds(table: Table, columns: EventColumns) -> tuple[Int16Array, tuple[str, ...]]:
    if not columns.kind:
        return np.zeros(len(table), np.int16), ("",)
    column = table[columns.kind]
    kinds = distinct_values(column)
    names = [str(kind) for kind in kinds.values]
    index_of = {name: index for index, name in enumerate(dict.fromkeys(names))}
    if len(kinds.rows) < len(table):
        index_of.setdefault("", len(index_of))
    if len(index_of) > np.iinfo(np.int16).max:
        raise DataError(
            f"{column} has {count(len(index_of), 'kind')} of event; is it the right column? "
            "If not, use EventColumns(kind=False)"
        )
    codes = np.full(len(table), index_of.get("", 0), np.int16)
    codes[kinds.rows] = np.array([index_of[name] for name in names], np.int16)[kinds.codes]
    return codes, tuple(index_of)


def _tell_unknown(
    column: Column, unknown: BoolArray, strangers: list[Hashable], items: Vocabulary
) -> str:
    message = (
        f"{column} has {count(int(unknown.sum()), 'event')} of {count(len(strangers), 'item')} "
        f"that the items table does not have: {some(strangers)} ({some_rows(unknown)}); "
    )
    if not unknown.all():
        return message + 'add them to items, or pass unknown_items="drop"'
    here, there = type(strangers[0]).__name__, type(items[0]).__name__
    return message + f"no event is of a known item (ids are {here} here, {there} there)"
