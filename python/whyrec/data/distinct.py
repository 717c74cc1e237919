"""The distinct values of a column in order of first appearance, and which row has which."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from whyrec.data.tables import Column, as_python, plain_cells
from whyrec.data.vocabulary import Vocabulary
from whyrec.data.wording import some_rows
from whyrec.errors import DataError
from whyrec.types import Int64Array


@dataclass(frozen=True, slots=True)
class Distinct:
    """A column in two parts: each value once, and where it stands."""

    values: list[Hashable]
    """Python objects, in order of first appearance."""

    codes: Int64Array
    """int64 [n_present]: index into values."""

    rows: Int64Array
    """int64 [n_present]: the row of each code, rising; a row without a value is left out."""

    def without_empty_text(self) -> "Distinct":
        """Return the same without the empty string, which is no value to a field."""
        if "" not in self.values:
            return self
        empty = self.values.index("")
        kept = self.codes != empty
        codes = self.codes[kept]
        values = self.values[:empty] + self.values[empty + 1 :]
        return Distinct(values, codes - (codes > empty), self.rows[kept])

    def known_in(self, vocabulary: Vocabulary) -> tuple[Int64Array, Int64Array]:
        """Return the rows whose value a vocabulary knows, and the index of each such value."""
        is_known = np.array([value in vocabulary for value in self.values], bool)
        known = [value for value in self.values if value in vocabulary]
        indices, place = vocabulary.indices_of(known), np.cumsum(is_known) - 1
        kept = is_known[self.codes]
        return self.rows[kept], indices[place[self.codes[kept]]]


def distinct_values(column: Column) -> Distinct:
    """Find the distinct values of a column; missing cells have none.

    Raises:
        DataError: the cells are nested or cannot be hashed.
    """
    missing = column.missing()
    rows = np.flatnonzero(~missing)
    if column.holds_objects:
        cells = [as_python(cell) for cell in column.cells[rows]]
        values, codes = _number_objects(cells, column, rows)
    else:
        kind = column.cells.type
        if pa.types.is_nested(kind):
            raise DataError(f"{column} is nested ({kind}); a plain value is needed in each cell")
        values, codes = number_arrow(column.cells.filter(pa.array(~missing)))
    return Distinct(values, codes, rows)


def distinct_ids(column: Column) -> Distinct:
    """Find the distinct ids of a column, in which every row must have one.

    Raises:
        DataError: an id is null, nested or cannot be hashed; the message names the rows.
    """
    missing = column.missing()
    if missing.any():
        raise DataError(f"{column} has null ids ({some_rows(missing)}); drop or fill these rows")
    return distinct_values(column)


def number_arrow(cells: Any) -> tuple[list[Hashable], Int64Array]:
    """Return the distinct values of an Arrow array without nulls, and their code cell by cell."""
    cells = plain_cells(cells)
    if isinstance(cells, np.ndarray):
        return number_values(cells)
    cells = cells.combine_chunks()
    if pa.types.is_timestamp(cells.type) and cells.type.unit == "ns":
        # Python's datetime ends at microseconds; finer cells stay whatever Arrow makes of them.
        microseconds = pc.cast(cells, pa.timestamp("us", cells.type.tz), safe=False)
        if pc.all(pc.equal(microseconds.cast(cells.type), cells)).as_py():
            cells = microseconds
    try:
        encoded = pc.dictionary_encode(cells)
    except pa.ArrowNotImplementedError:
        return number_values(cells.to_pylist())
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy().astype(np.int64)


def number_values(values: Iterable[Hashable]) -> tuple[list[Hashable], Int64Array]:
    """Return the distinct values among Python objects, and the code of each object."""
    seen: dict[Hashable, int] = {}
    codes = [seen.setdefault(value, len(seen)) for value in values]
    return list(seen), np.array(codes, np.int64)


def _number_objects(
    cells: list[Any], column: Column, rows: Int64Array
) -> tuple[list[Hashable], Int64Array]:
    try:
        return number_values(cells)
    except TypeError:
        row = next(int(row) for row, cell in zip(rows, cells, strict=True) if not _hashes(cell))
        kind = type(column.cells[row]).__name__
        raise DataError(
            f"{column} holds a {kind} in row {row}, which cannot be hashed; "
            "use a string, a number or a tuple"
        ) from None


def _hashes(cell: object) -> bool:
    try:
        hash(cell)
    except TypeError:
        return False
    return True
