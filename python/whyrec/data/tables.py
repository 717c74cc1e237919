"""Any table in, one uniform thing out: named columns that hold every cell as it came."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from whyrec.data.files import read_file
from whyrec.data.wording import count, listed
from whyrec.errors import DataError
from whyrec.types import BoolArray

_NEVER_MISSING = frozenset({str, bytes, int, bool, tuple, list, set, frozenset, dict})

Cells: TypeAlias = Any
"""pyarrow.ChunkedArray where Arrow can hold the cells, otherwise object [n_rows]."""


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One column; cells that Arrow would have to convert stay the Python objects they are."""

    table: str
    name: str
    cells: Cells

    def __len__(self) -> int:
        return len(self.cells)

    def __str__(self) -> str:
        return f'{self.table}: column "{self.name}"'

    @property
    def holds_objects(self) -> bool:
        """Whether the cells are Python objects and not an Arrow array."""
        return isinstance(self.cells, np.ndarray)

    @property
    def holds_text(self) -> bool:
        """Whether every cell is a string (or missing)."""
        return not self.holds_objects and bool(pa.types.is_large_string(self.cells.type))

    @property
    def holds_lists(self) -> bool:
        """Whether every cell is a list, a tuple, a set or an array (or missing)."""
        if self.holds_objects:
            return bool(self.types()) and self.types() <= {list, tuple, set, frozenset, np.ndarray}
        return bool(pa.types.is_large_list(self.cells.type))

    def types(self) -> set[type]:
        """Return the Python types of cells that are objects, missing ones left out."""
        return {type(cell) for cell in self.objects() if cell is not None}

    def missing(self) -> BoolArray:
        """Return bool [n_rows]: whether the cell is null, None, NaN or NaT."""
        if self.holds_objects:
            return np.fromiter(map(is_missing, self.cells), bool, len(self.cells))
        return np.asarray(self.cells.is_null(nan_is_null=True), dtype=bool)

    def objects(self) -> list[Any]:
        """Return the cells as Python objects, None where missing."""
        cells: list[Any]
        if self.holds_objects:
            cells = [None if is_missing(cell) else as_python(cell) for cell in self.cells]
        else:
            cells = self.cells.to_pylist()
            if pa.types.is_floating(self.cells.type):
                cells = [None if is_missing(cell) else cell for cell in cells]
        return cells


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Named columns of one length; reading it never changes what the caller holds."""

    name: str
    """What messages call it: events, items or users."""

    n_rows: int
    columns: Mapping[str, Column]

    def __len__(self) -> int:
        return self.n_rows

    def __getitem__(self, name: str) -> Column:
        if name not in self.columns:
            raise DataError(
                f'{self.name}: there is no column "{name}"; the columns are {listed(self.names)}'
            )
        return self.columns[name]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in their order."""
        return tuple(self.columns)


def read_table(source: object, name: str) -> Table:
    """Read any table: a dataframe, Arrow data, or the path of a CSV or Parquet file.

    Args:
        source: what narwhals knows (pandas, polars eager and lazy, pyarrow, …), anything with the
            Arrow PyCapsule interface, or a str or Path that ends in .csv, .csv.gz or .parquet.
        name: what messages call the table.

    Raises:
        DataError: the source is no table, has no rows, or two columns of one name.

    >>> import pyarrow
    >>> read_table(pyarrow.table({"price": [1.5, None]}), "items")["price"].objects()
    [1.5, None]
    """
    if isinstance(source, Table):
        return source
    if isinstance(source, str | os.PathLike):
        return _of_arrow(read_file(Path(source), name), name)
    try:
        frame: Any = nw.from_native(source, pass_through=True)
        if isinstance(frame, nw.LazyFrame):
            frame = frame.collect()
        if isinstance(frame, nw.DataFrame):
            return _of_frame(frame, name)
        if hasattr(source, "__arrow_c_stream__") or hasattr(source, "__arrow_c_array__"):
            arrow: Any = source
            return _of_arrow(pa.table(arrow), name)
    except nw.exceptions.DuplicateError as error:
        raise DataError(f"{name}: more than one column has the same name: {error}") from error
    except (pa.ArrowException, TypeError) as error:
        raise DataError(f"{name}: the data cannot be read as a table: {error}") from error
    raise DataError(
        f"{name}: {type(source).__module__}.{type(source).__qualname__} is not a table; pass a "
        "pandas, polars or pyarrow table, an object with __arrow_c_stream__, or the path of a "
        "CSV or Parquet file"
    )


def is_missing(cell: object) -> bool:
    """Whether a Python object stands for no value: None, NaN, NaT or pandas.NA."""
    if cell is None or type(cell).__name__ == "NAType":
        return True
    if type(cell) in _NEVER_MISSING or isinstance(cell, np.ndarray):
        return False
    unequal: object = cell != cell  # only NaN and its kin differ from themselves
    return isinstance(unequal, bool | np.bool_) and bool(unequal)


def as_python(cell: object) -> object:
    """Return a NumPy scalar as Python's own, anything else as it is."""
    return cell.item() if isinstance(cell, np.generic) else cell


def plain_cells(cells: Any) -> Cells:
    """Undo Arrow encodings that only matter for storage, so that few types are left."""
    if isinstance(cells, pa.Array):
        cells = pa.chunked_array([cells])
    kind = cells.type
    if pa.types.is_dictionary(kind):
        return plain_cells(cells.cast(kind.value_type))
    if pa.types.is_run_end_encoded(kind):
        decoded = [pc.call_function("run_end_decode", [chunk]) for chunk in cells.chunks]
        return plain_cells(pa.chunked_array(decoded, kind.value_type))
    if isinstance(kind, pa.BaseExtensionType):
        return _cells_of_objects(cells.to_pylist())
    if pa.types.is_null(kind) or pa.types.is_string(kind) or pa.types.is_string_view(kind):
        return cells.cast(pa.large_string())
    if (
        pa.types.is_binary(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_fixed_size_binary(kind)
    ):
        return cells.cast(pa.large_binary())
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        return cells.cast(pa.large_list(kind.value_type))
    return cells


def _of_frame(frame: "nw.DataFrame[Any]", name: str) -> Table:
    columns = [_cells_of(series) for series in frame.iter_columns()]
    return _table(name, [str(column) for column in frame.columns], columns, len(frame))


def _of_arrow(table: pa.Table, name: str) -> Table:
    columns = [plain_cells(cells) for cells in table.columns]
    return _table(name, table.column_names, columns, table.num_rows)


def _table(table: str, names: Sequence[str], cells: Sequence[Cells], n_rows: int) -> Table:
    repeated = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if repeated:
        raise DataError(
            f"{table}: more than one column is called {listed(repeated)}; rename or drop them"
        )
    if not names or not n_rows:
        raise DataError(
            f"{table}: the table is empty ({count(n_rows, 'row')}, {count(len(names), 'column')})"
        )
    columns = {name: Column(table, name, column) for name, column in zip(names, cells, strict=True)}
    return Table(table, n_rows, columns)


def _cells_of(series: "nw.Series[Any]") -> Cells:
    if series.dtype not in (nw.Object, nw.Unknown):
        try:
            return plain_cells(series.to_arrow())
        except (pa.ArrowException, TypeError, ValueError):
            pass  # a dtype that Arrow does not know, such as a category of mixed objects
    return _cells_of_objects(series.to_list())


def _cells_of_objects(values: Sequence[object]) -> Cells:
    # Strings, and lists of them, are the common cases, and as Arrow they are read much faster.
    # Nothing is converted then: both come back as they were.
    kind: pa.DataType | None = None
    if all(type(value) is str or is_missing(value) for value in values):
        kind = pa.large_string()
    elif all(_is_list_of_texts(value) or is_missing(value) for value in values):
        kind = pa.large_list(pa.large_string())
    if kind is not None:
        present = [None if is_missing(value) else value for value in values]
        try:
            return pa.chunked_array([pa.array(present, kind)])
        except (pa.ArrowException, UnicodeEncodeError):
            pass  # a lone surrogate, which UTF-8 cannot hold
    cells = np.empty(len(values), object)
    for row, value in enumerate(values):  # NumPy would unpack values that are lists
        cells[row] = value
    return cells


def _is_list_of_texts(value: object) -> bool:
    return type(value) is list and all(type(entry) is str for entry in value)
