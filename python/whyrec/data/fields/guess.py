"""Guesses what a column is, so that a table can be read without a word about its columns."""

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from whyrec.data.distinct import Distinct, distinct_values
from whyrec.data.fields.closed_sets import split_tags
from whyrec.data.fields.specs import Categorical, Field, Numeric, Tags, Text
from whyrec.data.numbers import holds_numbers, holds_times, read_numbers
from whyrec.data.tables import Column
from whyrec.errors import DataError

_SEPARATORS = ("|", ";", ",")
_FAIR_SHARE = 0.2
"""The share of rows that must have a separator before a column counts as tags."""

_LONGEST_TAG = 3
"""In words on average; longer parts are clauses of a text."""

_SHORTEST_TEXT = 3
"""In words on average."""

_CODE_NAME = re.compile(r"(^|_)(id|code|key|uuid|guid|sku|isbn|ean|upc|asin|url|uri)$")


@dataclass(frozen=True, slots=True)
class Ignored:
    """Why a column is no field."""

    why: str


def guess_field(column: Column) -> Field | Ignored:
    """Guess the kind of field that a column is, or why it is of no use.

    Lists are tags. Numbers and dates are numeric. Strings are tags where a separator (| ; or a
    comma) splits a fair share of them into short parts that recur, text where they are several
    words long and mostly differ, and categories otherwise. Of no use is a column that is empty,
    the same in every row, or another code in every row.
    """
    missing = column.missing()
    if missing.all():
        return Ignored("every cell is missing")
    if _holds_lists(column):
        return _guess_lists(column)
    try:
        cells = distinct_values(column)
    except DataError:
        return Ignored("its cells are nested")
    if len(cells.values) == 1 and len(cells.rows) == len(column):
        return Ignored(f"every row has the same value, {cells.values[0]!r}")
    differs = len(cells.values) == len(cells.rows) and len(cells.rows) > 1
    if holds_numbers(column):
        return _guess_numbers(column, differs)
    if holds_times(column):
        return Numeric()
    if all(isinstance(value, str) for value in cells.values):
        return _guess_texts(column, cells, differs)
    return Ignored("every row has another value") if differs else Categorical()


def _holds_lists(column: Column) -> bool:
    if column.holds_objects:
        kinds = {type(cell) for cell in column.objects() if cell is not None}
        return kinds <= {list, tuple, set, frozenset, np.ndarray}
    kind = column.cells.type
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _guess_lists(column: Column) -> Field | Ignored:
    try:
        tags = split_tags(column, None)
    except DataError:
        return Ignored("its lists are nested")
    if not tags.values:
        return Ignored("every list is empty")
    if len(tags.values) == 1 and len(tags.rows) == len(column):
        return Ignored(f"every row has the same tag, {tags.values[0]!r}")
    return Tags()


def _guess_numbers(column: Column, differs: bool) -> Field | Ignored:
    numbers = read_numbers(column)
    numbers = numbers[~np.isnan(numbers)]
    if differs and (numbers == np.round(numbers)).all():
        if np.ptp(numbers) == len(column) - 1:
            return Ignored("it numbers the rows")
        if _CODE_NAME.search(_snake(column.name)):
            return Ignored("every row has another code")
    return Numeric()


def _guess_texts(column: Column, cells: Distinct, differs: bool) -> Field | Ignored:
    texts = [str(value) for value in cells.values if value]
    if not texts:
        return Ignored("every cell is missing")
    for separator in _SEPARATORS:
        if _is_separator(separator, texts, column):
            return Tags(separator=separator)
    words = float(np.mean([len(text.split()) for text in texts]))
    mostly_differs = len(cells.values) >= len(cells.rows) / 2
    if words >= _SHORTEST_TEXT and mostly_differs:
        return Text()
    return Ignored("every row has another value") if differs else Categorical()


def _is_separator(separator: str, texts: list[str], column: Column) -> bool:
    split = [text for text in texts if separator in text]
    if len(split) < _FAIR_SHARE * len(texts):
        return False
    parts = [part.strip() for text in split for part in text.split(separator)]
    words = float(np.mean([len(part.split()) for part in parts]))
    if words > _LONGEST_TAG:
        return False
    tags = split_tags(column, separator)
    if separator == ",":  # found in names and sentences too, so the parts must clearly recur
        return len(tags.values) <= len(tags.rows) / 2
    return len(tags.values) < len(tags.rows)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|[^0-9A-Za-z]+", "_", name).lower()
