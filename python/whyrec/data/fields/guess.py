"""Guesses what a column is, so that a table can be read without a word about its columns."""

import re
from dataclasses import dataclass

import numpy as np

from whyrec.data.distinct import Distinct, distinct_values
from whyrec.data.fields.specs import Categorical, Field, Numeric, Tags, Text
from whyrec.data.fields.tags import split_tags
from whyrec.data.numbers import holds_numbers, read_numbers
from whyrec.data.tables import Column
from whyrec.data.tagged import can_be_stored
from whyrec.data.times import holds_times
from whyrec.errors import DataError

_SEPARATORS = ("|", ";", ",")
_FAIR_SHARE = 0.2
"""The share of distinct strings that must have a separator before a column counts as tags."""

_LONGEST_TAG = 3
"""In words on average; longer parts are clauses of a text."""

_SHORTEST_TEXT = 3
"""In words on average."""

_CODE_NAME = re.compile(r"(^|_)(id|code|key|uuid|guid|sku|isbn|ean|upc|asin|zip|plz)$")
"""Column names whose whole numbers are names, not amounts."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """Why a column is no field."""

    why: str


def guess_field(column: Column) -> Field | Ignored:
    """Guess the kind of field that a column is, or why it is of no use.

    - Lists are tags.
    - Numbers and dates are numeric; whole numbers in a column called something like zip_code are
      categories.
    - Strings are tags where a separator (| or ; or a comma) splits a fair share of them into short
      parts that recur; text where they are several words long and mostly differ; categories
      otherwise.
    - Anything else that can be compared is a category, such as true and false.

    Of no use is a column that is empty, the same in every row, or another code in every row.
    """
    if column.missing().all():
        return Ignored("every cell is empty")
    if column.holds_lists:
        return _guess_lists(column)
    try:
        cells = distinct_values(column).without_empty_text()
    except DataError:
        return Ignored("its cells are nested")
    if not cells.values:
        return Ignored("every cell is empty")
    if len(cells.values) == 1 and len(cells.rows) == len(column):
        return Ignored(f"every row has the same value, {cells.values[0]!r}")
    differs = len(cells.values) == len(cells.rows) and len(cells.rows) > 1
    if holds_numbers(column):
        return _guess_numbers(column, differs)
    if holds_times(column):
        return Numeric()
    if column.holds_text:
        return _guess_texts(column, cells, differs)
    return _guess_codes(cells, differs)


def _guess_lists(column: Column) -> Field | Ignored:
    try:
        tags = split_tags(column, None).without_empty_text()
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
    if (numbers != np.round(numbers)).any():
        return Numeric()
    counts_up = numbers.min() in (0, 1) and np.ptp(numbers) == len(column) - 1
    if differs and counts_up and len(numbers) == len(column):
        return Ignored("it numbers the rows")
    if _CODE_NAME.search(_in_snake_case(column.name)):
        return Ignored("every row has another code") if differs else Categorical()
    return Numeric()


def _guess_texts(column: Column, cells: Distinct, differs: bool) -> Field | Ignored:
    texts = list(map(str, cells.values))
    for separator in _SEPARATORS:
        if _separates(separator, texts, column):
            return Tags(separator=separator)
    words = float(np.mean([len(text.split()) for text in texts]))
    if words >= _SHORTEST_TEXT and len(cells.values) >= len(cells.rows) / 2:
        return Text()
    return _guess_codes(cells, differs)


def _guess_codes(cells: Distinct, differs: bool) -> Field | Ignored:
    if differs:
        return Ignored("every row has another value")
    odd = next((value for value in cells.values if not can_be_stored(value)), None)
    if odd is not None:
        return Ignored(f"values of type {type(odd).__name__} cannot be stored")
    return Categorical()


def _separates(separator: str, texts: list[str], column: Column) -> bool:
    split = [text for text in texts if separator in text]
    if not split or len(split) < _FAIR_SHARE * len(texts):
        return False
    parts = [part for text in split for part in text.split(separator)]
    if float(np.mean([len(part.split()) for part in parts])) > _LONGEST_TAG:
        return False
    tags = split_tags(column, separator).without_empty_text()
    # A comma is found in names and sentences too, so its parts must recur more clearly.
    return len(tags.values) <= len(tags.rows) * (0.5 if separator == "," else 0.99)


def _in_snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|[^0-9A-Za-z]+", "_", name).lower()
