"""Any table in, one uniform thing out: named columns that hold every cell as it came."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from whyrec.data.files import read_file
from whyrec.data.wording import listed
from whyrec.errors import DataError
from whyrec.types import BoolArray

ObjectArray: TypeAlias = NDArray[np.object_]
Cells: TypeAlias = Any
"""pyarrow.ChunkedArray where Arrow can hold the cells, otherwise object [n_rows]."""


@dataclass(frozen=True, slots=True)
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

    def missing(self) -> BoolArray:
        """Return bool [n_rows]: whether the cell is null, None, NaN or NaT."""
        if self.holds_objects:
            return np.fromiter(map(is_missing, self.cells), bool, len(self.cells))
        nulls = pc.is_null(self.cells, nan_is_null=pa.types.is_floating(self.cells.type))
        return np.asarray(nulls, dtype=bool)

    def objects(self) -> list[Any]:
        """Return the cells as Python objects, None where missing."""
        if self.holds_objects:
            return [None if is_missing(cell) else _as_python(cell) for cell in self.cells]
        cells: list[Any] = self.cells.to_pylist()
        if pa.types.is_floating(self.cells.type):
            return [None if cell != cell else cell for cell in cells]
        return cells


@dataclass(frozen=True, slots=True)
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
    """
    if isinstance(source, Table):
        return source
    if isinstance(source, str | os.PathLike):
        return _of_arrow(read_file(Path(source), name), name)
    try:
        frame = nw.from_native(source, pass_through=True)
        if isinstance(frame, nw.LazyFrame):
            frame = frame.collect()
    except nw.exceptions.DuplicateError:
        return _of_names([str(column) for column in _native_names(source)], {}, name, 0)
    if isinstance(frame, nw.DataFrame):
        return _of_frame(frame, name)
    if hasattr(source, "__arrow_c_stream__") or hasattr(source, "__arrow_c_array__"):
        try:
            return _of_arrow(pa.table(source), name)
        except (pa.ArrowException, TypeError, ValueError) as error:
            raise DataError(f"{name}: the Arrow data cannot be read as a table: {error}") from error
    raise DataError(
        f"{name}: a {type(source).__module__}.{type(source).__qualname__} is not a table; pass a "
        "pandas, polars or pyarrow table, an object with __arrow_c_stream__, or the path of a "
        "CSV or Parquet file"
    )


def is_missing(cell: object) -> bool:
    """Whether a Python object stands for no value: None, NaN, NaT or pandas.NA."""
    if cell is None or type(cell).__name__ == "NAType":
        return True
    if isinstance(cell, str | bytes | int | tuple | list | set | frozenset | dict | np.ndarray):
        return False
    unequal = cell != cell  # only NaN and its kin differ from themselves
    return isinstance(unequal, bool | np.bool_) and bool(unequal)


def _as_python(cell: object) -> object:
    return cell.item() if isinstance(cell, np.generic) else cell


def _native_names(source: Any) -> list[object]:
    return list(source.column_names if isinstance(source, pa.Table) else source.columns)


def _of_frame(frame: "nw.DataFrame[Any]", name: str) -> Table:
    names = [str(column) for column in frame.columns]
    cells = {
        text: _cells_of(frame[column]) for text, column in zip(names, frame.columns, strict=True)
    }
    return _of_names(names, cells, name, len(frame))


def _of_arrow(table: pa.Table, name: str) -> Table:
    cells = dict(zip(table.column_names, map(_plain, table.columns), strict=True))
    return _of_names(table.column_names, cells, name, table.num_rows)


def _of_names(names: list[str], cells: dict[str, Cells], table: str, n_rows: int) -> Table:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(
            f"{table}: more than one column is called {listed(repeated)}; rename or drop them"
        )
    if not names or not n_rows:
        raise DataError(f"{table}: the table is empty ({n_rows} rows, {len(names)} columns)")
    columns = {name: Column(table, name, cells[name]) for name in names}
    return Table(table, n_rows, columns)


def _cells_of(series: "nw.Series[Any]") -> Cells:
    if series.dtype not in (nw.Object, nw.Unknown):
        try:
            return _plain(series.to_arrow())
        except (pa.ArrowException, TypeError, ValueError):
            pass  # a dtype that Arrow does not know, such as a category of mixed objects
    return _cells_of_objects(series.to_list())


def _cells_of_objects(values: list[object]) -> Cells:
    # Strings alone are the common case and much faster as Arrow; nothing is converted then.
    if all(type(value) is str or is_missing(value) for value in values):
        try:
            texts = [value if type(value) is str else None for value in values]
            return pa.chunked_array([pa.array(texts, pa.large_string())])
        except pa.ArrowException:
            pass  # a lone surrogate, which UTF-8 cannot hold
        except UnicodeEncodeError:
            pass
    cells = np.empty(len(values), object)
    cells[:] = values
    return cells


def _plain(cells: Any) -> Cells:
    """Undo encodings that only matter for storage, so that few Arrow types are left."""
    if isinstance(cells, pa.Array):
        cells = pa.chunked_array([cells])
    kind = cells.type
    if pa.types.is_dictionary(kind):
        return _plain(cells.cast(kind.value_type))
    if pa.types.is_run_end_encoded(kind):
        return _plain(pa.chunked_array([pc.run_end_decode(chunk) for chunk in cells.chunks]))
    if isinstance(kind, pa.BaseExtensionType):
        return _cells_of_objects(cells.to_pylist())
    if pa.types.is_null(kind) or pa.types.is_string(kind) or pa.types.is_string_view(kind):
        return cells.cast(pa.large_string())
    if pa.types.is_binary(kind) or pa.types.is_binary_view(kind):
        return cells.cast(pa.large_binary())
    return cells
