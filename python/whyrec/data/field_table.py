"""The fields of items as a table of their values, and the rows of which an expression holds."""

import re
from collections.abc import Sequence
from datetime import date
from typing import Any, TypeAlias

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from whyrec.data.features import Features
from whyrec.data.fields import FittedField, FittedNumeric
from whyrec.data.rows import offsets_of
from whyrec.data.wording import listed
from whyrec.errors import ArgumentError
from whyrec.types import BoolArray, Float32Array, Int64Array

Where: TypeAlias = pc.Expression | nw.Expr
"""What is asked of a row: `pc.field("year") > 1990`, or `nw.col("genres").list.contains("War")`."""

_ROW = "\0row"
_UNKNOWN = re.compile(r"FieldRef\.Name\((.*?)\)|not found: \['(.*?)'", re.DOTALL)


def field_table(features: Features) -> pa.Table:
    """Return the values of every field as a column, row by row.

    A category is a value, null where there is none or it was left out as too rare; tags are a list,
    in the order of the schema; a number is a number, a date a date; of a text, the words that were
    kept are a list. What is neither of one type nor text is told as text.
    """
    schema, columns = features.schema, {}
    rows = np.repeat(np.arange(len(features)), np.diff(features.offsets))
    fields = schema.token_fields[features.tokens]
    for index, field in enumerate(schema.fields):
        chosen = fields == index
        tokens = features.tokens[chosen] - schema.offsets[index]
        make = _numbers if isinstance(field, FittedNumeric) else _values
        columns[field.name] = make(
            field, len(features), rows[chosen], tokens, features.weights[chosen]
        )
    return pa.table(columns)


def rows_where(table: pa.Table, where: Where, told: str = "where") -> BoolArray:
    """Return bool [n_rows]: whether the expression is true of each row; null is not.

    Args:
        table: from `field_table`.
        where: an expression of pyarrow.compute or narwhals over its columns.
        told: what messages call the expression.

    Raises:
        ArgumentError: the expression is of another kind, names a column that is not there, does
            not fit the type of one, or does not give one boolean a row.
    """
    try:
        if isinstance(where, pc.Expression):
            numbered = table.append_column(_ROW, pa.array(np.arange(table.num_rows)))
            holds = np.zeros(table.num_rows, bool)
            holds[numbered.filter(where)[_ROW].to_numpy()] = True
            return holds
        if isinstance(where, nw.Expr):
            frame = nw.from_native(table, eager_only=True)
            found: Any
            (found,) = frame.select(where).to_native().columns
            if not pa.types.is_boolean(found.type) or len(found) not in (1, table.num_rows):
                raise ArgumentError(
                    f"{told}: {where!r} gives {len(found)} values of type {found.type}; "
                    f"one boolean an item is needed, of which there are {table.num_rows}"
                )
            kept: BoolArray = found.fill_null(False).to_numpy()
            return np.broadcast_to(kept, table.num_rows).copy()
    except (pa.ArrowException, nw.exceptions.NarwhalsError, TypeError, ValueError) as error:
        if isinstance(error, ArgumentError):
            raise
        raise ArgumentError(f"{told}: {_reason(table, where, error)}") from None
    raise ArgumentError(
        f"{told} must be an expression of pyarrow.compute or narwhals over fields of the items, "
        f"not {type(where).__module__}.{type(where).__qualname__}"
    )


def _reason(table: pa.Table, where: object, error: Exception) -> str:
    """Say which field is not there, or which may be of another type than was thought."""
    fields = ", ".join(f'"{each.name}" ({each.type})' for each in table.schema) or "none"
    unknown = _UNKNOWN.search(str(error))
    if unknown:
        name = unknown[1] if unknown[1] is not None else unknown[2]
        return f'there is no field "{name}" of the items; the fields are {fields}'
    used = [name for name in table.column_names if name in str(where)]
    reason = str(error).splitlines()[0]
    return f"it does not fit field {listed(used)}: {reason}; the fields are {fields}"


def _values(
    field: FittedField,
    n_rows: int,
    rows: Int64Array,
    tokens: Int64Array,
    weights: Float32Array,  # noqa: ARG001
) -> Any:
    known = _array([field.describe(token, 1.0) for token in range(field.n_tokens)])
    if field.kind == "categorical":
        return known.take(_indices(n_rows, rows, tokens))
    offsets: Any = pa.array(offsets_of(np.bincount(rows, minlength=n_rows)))
    return pa.LargeListArray.from_arrays(offsets, known.take(pa.array(tokens)))


def _numbers(
    field: FittedField,
    n_rows: int,
    rows: Int64Array,
    tokens: Int64Array,  # noqa: ARG001
    weights: Float32Array,
) -> Any:
    distinct, places = np.unique(weights, return_inverse=True)
    told: list[Any] = [field.describe(0, weight) for weight in distinct.tolist()]
    if isinstance(field, FittedNumeric) and field.unit == "day":
        told = [date.fromisoformat(each) for each in told]
    kind = pa.int64() if all(type(each) is int for each in told) else None
    return pa.array(told, kind).take(_indices(n_rows, rows, places.ravel()))


def _indices(n_rows: int, rows: Int64Array, indices: Int64Array) -> Any:
    """Return the index of each row, null where a row has none."""
    missing = np.ones(n_rows, bool)
    missing[rows] = False
    index_of = np.zeros(n_rows, np.int64)
    index_of[rows] = indices
    return pa.array(index_of, mask=missing)


def _array(values: Sequence[object]) -> Any:
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError, UnicodeEncodeError):
        return pa.array([ascii(each) if isinstance(each, str) else str(each) for each in values])
