"""CSV and Parquet files as Arrow tables; codes that only look like numbers stay text."""

import re
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from whyrec.data.wording import listed
from whyrec.errors import DataError

_LOSSY_NUMBER = r"^[+-]?(0[0-9]|[0-9]{16,}$)"
"""A leading zero, or more digits than a float64 holds: as a number it would not come back."""


def read_file(path: Path, name: str) -> pa.Table:
    """Read a table from a file whose suffix is .csv, .csv.gz, .parquet or .pq.

    Raises:
        DataError: there is no such file, its suffix is unknown, or its content is damaged.
    """
    suffix = "".join(path.suffixes[-2:]) if path.suffix == ".gz" else path.suffix
    reader = _READERS.get(suffix.lower())
    if reader is None:
        raise DataError(
            f'{name}: the suffix "{suffix}" of {path} is unknown; '
            "it must be .csv, .csv.gz, .parquet or .pq"
        )
    if not path.exists():
        raise DataError(f"{name}: there is no file {path}")
    try:
        table = reader(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{name}: {path} cannot be read: {error}") from error
    if reader is _read_csv:
        _demand_utf8(table, path, name)
    return table


def _read_parquet(path: Path) -> pa.Table:
    table: pa.Table = pyarrow.parquet.read_table(path)
    # pandas writes the index of a dataframe as such a column; it is no column of the caller's.
    indices = [name for name in table.column_names if re.fullmatch(r"__index_level_\d+__", name)]
    return table.drop_columns(indices)


def _read_csv(path: Path) -> pa.Table:
    table = pyarrow.csv.read_csv(path)
    if len(set(table.column_names)) < len(table.column_names):
        return table  # columns cannot be told apart; whoever asked says so
    return _empty_text_as_null(_with_codes_as_text(table, path))


def _with_codes_as_text(table: pa.Table, path: Path) -> pa.Table:
    """Read columns of numbers again as text, and keep the text where a number would lose some."""
    numbers = [
        field.name
        for field in table.schema
        if pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
    ]
    if not numbers:
        return table
    as_text = pyarrow.csv.ConvertOptions(
        column_types=dict.fromkeys(numbers, pa.large_string()), include_columns=numbers
    )
    texts = pyarrow.csv.read_csv(path, convert_options=as_text)
    for name in numbers:
        is_float = pa.types.is_floating(table.schema.field(name).type)
        pattern = _LOSSY_NUMBER if is_float else r"^[+-]?0[0-9]"
        if pc.any(pc.match_substring_regex(texts[name], pattern)).as_py():
            table = table.set_column(table.column_names.index(name), name, texts[name])
    return table


def _empty_text_as_null(table: pa.Table) -> pa.Table:
    for index, field in enumerate(table.schema):
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
            column = table.column(index)
            cells = pc.if_else(
                pc.equal(column, pa.scalar("", field.type)), pa.scalar(None, field.type), column
            )
            table = table.set_column(index, field.name, cells)
    return table


def _demand_utf8(table: pa.Table, path: Path, name: str) -> None:
    binary = [field.name for field in table.schema if pa.types.is_binary(field.type)]
    if binary:
        raise DataError(f"{name}: {path} is not UTF-8 in column {listed(binary)}; convert the file")


_READERS: dict[str, Callable[[Path], pa.Table]] = {
    ".csv": _read_csv,
    ".csv.gz": _read_csv,
    ".parquet": _read_parquet,
    ".pq": _read_parquet,
}
