"""Cells of several tags each, as lists or separated strings, taken apart."""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from whyrec.data.distinct import Distinct, distinct_values, number_values
from whyrec.data.tables import Column, as_python, is_missing, plain_cells
from whyrec.errors import DataError


def split_tags(column: Column, separator: str | None) -> Distinct:
    """Find the distinct tags of a column; a row has as many codes as it has different tags.

    A string is split at the separator and its parts trimmed; without a separator, it is one tag.

    Raises:
        DataError: a cell is neither a list nor a string, or a tag cannot be hashed.
    """
    tags = _of_objects(column, separator) if column.holds_objects else _of_arrow(column, separator)
    # A row that names a tag twice has it once.
    order = np.lexsort((tags.codes, tags.rows))
    rows, codes = tags.rows[order], tags.codes[order]
    is_first = (np.diff(rows, prepend=-1) != 0) | (np.diff(codes, prepend=-1) != 0)
    return Distinct(tags.values, codes[is_first], rows[is_first])


def _of_arrow(column: Column, separator: str | None) -> Distinct:
    cells = column.cells
    if column.holds_text:
        if separator is None:
            return distinct_values(column)
        cells = pc.split_pattern(cells, separator)
        cells = cells.cast(pa.large_list(pa.large_string()))
    elif not column.holds_lists:
        raise DataError(f"{column} must hold lists or strings to be read as tags, not {cells.type}")
    cells = cells.combine_chunks()
    rows = np.repeat(np.arange(len(cells)), cells.value_lengths().fill_null(0).to_numpy())
    tags = Column(column.table, column.name, plain_cells(cells.flatten()))
    if tags.holds_text:
        tags = replace(tags, cells=pc.call_function("utf8_trim_whitespace", [tags.cells]))
    found = distinct_values(tags)
    return Distinct(found.values, found.codes, rows[found.rows])


def _of_objects(column: Column, separator: str | None) -> Distinct:
    rows: list[int] = []
    tags: list[Any] = []
    for row, cell in enumerate(column.objects()):
        if cell is None:
            continue
        found = _tags_of(cell, separator)
        if found is None:
            kind = type(cell).__name__
            raise DataError(f"{column} holds a {kind} in row {row}; tags are lists or strings")
        rows += [row] * len(found)
        tags += found
    try:
        values, codes = number_values(tags)
    except TypeError as error:
        raise DataError(f"{column} holds a tag that cannot be hashed: {error}") from error
    return Distinct(values, codes, np.array(rows, np.int64))


def _tags_of(cell: Any, separator: str | None) -> list[Any] | None:
    if isinstance(cell, str):
        tags: list[Any] = [cell] if separator is None else cell.split(separator)
    elif isinstance(cell, np.ndarray | list | tuple):
        tags = list(cell)
    elif isinstance(cell, set | frozenset):
        tags = sorted(cell, key=repr)  # the order of a set changes from run to run
    else:
        return None
    tags = [as_python(tag) for tag in tags if not is_missing(tag)]
    return [tag.strip() if isinstance(tag, str) else tag for tag in tags]
