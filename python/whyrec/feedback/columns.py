"""Rows of a store as what others read: arrays of events, tables, data for JSON."""

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from whyrec.data.distinct import Distinct, number_values
from whyrec.data.interactions import Interactions
from whyrec.data.rows import gather_rows, offsets_of
from whyrec.data.tables import Column, Table
from whyrec.data.tagged import encode_value
from whyrec.data.vocabulary import Vocabulary
from whyrec.feedback.codecs import Cell, Codec, decode_id
from whyrec.feedback.database import Row
from whyrec.feedback.schema import RecordTable

_ARROW: dict[str, Any] = {"text": pa.large_string(), "real": pa.float64(), "integer": pa.int64()}
_NATIVE: dict[type, Any] = {str: pa.large_string(), int: pa.int64()}


def interactions_of(
    rows: Sequence[Row], users: Sequence[str], items: Vocabulary, kind_names: Sequence[str]
) -> Interactions:
    """Return rows of user, position, timestamp, item, kind and value as arrays.

    Each row of the answer is one of the users, by encoded id, who may be there twice; the rows read
    may be in any order.
    """
    user, position, timestamp, item, kind, value = zip(*rows, strict=True) if rows else [()] * 6
    keys, row_of_user = number_values(users)
    number_of = dict(zip(keys, range(len(keys)), strict=True))
    owners = np.fromiter(map(number_of.__getitem__, user), np.int64, len(user))
    times = np.array(timestamp, np.float64)
    known, indices = _distinct_ids(item).known_in(items)
    order = np.lexsort((np.array(position, np.int64)[known], times[known], owners[known]))
    offsets = offsets_of(np.bincount(owners[known], minlength=len(keys)))
    offsets, places = gather_rows(offsets, row_of_user)
    order = order[places]
    names, kinds = number_values((*kind_names, *sorted(set(kind)), *kind))
    return Interactions(
        offsets,
        indices[order].astype(np.int32),
        kinds[len(kinds) - len(kind) :][known][order].astype(np.int16),
        tuple(map(str, names)),
        np.array(value, np.float32)[known][order],
        times[known][order],
    )


def table_of(kept: RecordTable[Any], rows: Sequence[Row]) -> Table:
    """Return the rows of a table of records, a column for each of their fields."""
    cells = zip(*rows, strict=True) if rows else [()] * len(kept.columns)
    return Table(
        kept.name,
        len(rows),
        {
            name: Column(kept.name, name, _column(list(each), codec))
            for name, codec, each in zip(kept.columns, kept.codecs, cells, strict=True)
        },
    )


def json_record(kept: RecordTable[Any], row: Sequence[Cell]) -> dict[str, Any]:
    """Return the fields of one record as data for JSON."""
    return {
        name: json_of(codec.decode(cell))
        for name, codec, cell in zip(kept.columns, kept.codecs, row, strict=True)
    }


def json_of(value: Hashable) -> Any:
    """Return a value as JSON has it; other than texts and numbers with their type before them."""
    return value if value is None or isinstance(value, str | int | float) else encode_value(value)


def _distinct_ids(cells: Sequence[Cell]) -> Distinct:
    present = np.flatnonzero([cell is not None for cell in cells])
    texts, codes = number_values(cell for cell in cells if cell is not None)
    return Distinct([decode_id(str(text)) for text in texts], codes, present)


def _column(cells: list[Cell], codec: Codec) -> Any:
    """Return the cells of a column, as Arrow has them or else as an array of objects."""
    if not codec.is_id:
        return pa.chunked_array([pa.array(cells, _ARROW[codec.type])])
    found = _distinct_ids(cells)
    ids = np.full(len(cells), None, object)
    ids[found.rows] = np.fromiter(found.values, object, len(found.values))[found.codes]
    kinds = set(map(type, found.values)) or {str}
    native = _NATIVE.get(next(iter(kinds))) if len(kinds) == 1 else None
    if native is not None:
        try:
            return pa.chunked_array([pa.array(ids, native)])
        except (pa.ArrowException, OverflowError, UnicodeEncodeError):
            pass  # beyond 64 bits, or a lone surrogate: objects then
    return ids
