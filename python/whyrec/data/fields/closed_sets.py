"""Fields whose values come from a closed set: categories, one a row, and tags, several a row."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from whyrec.data.distinct import Distinct, distinct_values, number_arrow, number_values
from whyrec.data.fields.entries import Entries, equal_shares
from whyrec.data.fields.specs import Categorical, Tags
from whyrec.data.tables import Column, is_missing
from whyrec.data.tagged import decode_value, encode_value
from whyrec.data.vocabulary import Vocabulary
from whyrec.errors import DataError
from whyrec.types import Int64Array


@dataclass(frozen=True, slots=True)
class FittedCategorical:
    """A categorical field and the categories it knows."""

    name: str
    spec: Categorical
    values: Vocabulary

    @classmethod
    def fit(cls, column: Column, spec: Categorical) -> "FittedCategorical":
        """Learn the categories of a column."""
        categories = _without_empty_text(distinct_values(column))
        return cls(column.name, spec, _frequent(categories, spec))

    @property
    def n_tokens(self) -> int:
        """One token a category."""
        return len(self.values)

    def encode(self, column: Column) -> Entries:
        """Read the category of each row; one that is not known is no value."""
        rows, tokens = _known(_without_empty_text(distinct_values(column)), self.values)
        return Entries(rows, tokens, np.ones(len(rows), np.float32))

    def describe(self, token: int, weight: float) -> Hashable:  # noqa: ARG002
        """Return the category of a token."""
        return self.values[token]

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON data."""
        return {
            "kind": "categorical",
            "name": self.name,
            "min_count": self.spec.min_count,
            "max_values": self.spec.max_values,
            "values": [encode_value(value) for value in self.values],
        }

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> "FittedCategorical":
        """Read back what `to_json` gave."""
        spec = Categorical(min_count=state["min_count"], max_values=state["max_values"])
        return cls(state["name"], spec, Vocabulary(tuple(map(decode_value, state["values"]))))


@dataclass(frozen=True, slots=True)
class FittedTags:
    """A field of tags and the tags it knows."""

    name: str
    spec: Tags
    values: Vocabulary

    @classmethod
    def fit(cls, column: Column, spec: Tags) -> "FittedTags":
        """Learn the tags of a column."""
        return cls(column.name, spec, _frequent(split_tags(column, spec.separator), spec))

    @property
    def n_tokens(self) -> int:
        """One token a tag."""
        return len(self.values)

    def encode(self, column: Column) -> Entries:
        """Read the tags of each row; those that are not known are left out."""
        return equal_shares(*_known(split_tags(column, self.spec.separator), self.values))

    def describe(self, token: int, weight: float) -> Hashable:  # noqa: ARG002
        """Return the tag of a token."""
        return self.values[token]

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON data."""
        return {
            "kind": "tags",
            "name": self.name,
            "separator": self.spec.separator,
            "min_count": self.spec.min_count,
            "max_values": self.spec.max_values,
            "values": [encode_value(value) for value in self.values],
        }

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> "FittedTags":
        """Read back what `to_json` gave."""
        spec = Tags(
            separator=state["separator"],
            min_count=state["min_count"],
            max_values=state["max_values"],
        )
        return cls(state["name"], spec, Vocabulary(tuple(map(decode_value, state["values"]))))


def split_tags(column: Column, separator: str | None) -> Distinct:
    """Find the distinct tags of a column; a row has as many codes as it has different tags.

    A string is split at the separator and its parts trimmed; without a separator, it is one tag.

    Raises:
        DataError: a cell is neither a list nor a string, or a tag cannot be hashed.
    """
    if column.holds_objects:
        tags = _split_objects(column, separator)
    else:
        tags = _split_arrow(column, separator)
    tags = _without_empty_text(tags)
    # A row that names a tag twice has it once.
    pairs = np.unique(tags.rows * max(len(tags.values), 1) + tags.codes)
    rows, codes = np.divmod(pairs, max(len(tags.values), 1))
    return Distinct(tags.values, codes, rows)


def _split_arrow(column: Column, separator: str | None) -> Distinct:
    cells = column.cells
    if pa.types.is_large_string(cells.type):
        if separator is None:
            return distinct_values(column)
        cells = pc.split_pattern(cells, separator)
    kind = cells.type
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        raise DataError(f"{column} must hold lists or strings to be read as tags, not {kind}")
    if isinstance(cells, pa.ChunkedArray):
        cells = cells.combine_chunks()
    rows = pc.list_parent_indices(cells).to_numpy().astype(np.int64)
    entries = pc.list_flatten(cells)
    present = np.asarray(pc.is_valid(entries), bool)
    entries = entries.filter(pa.array(present))
    if pa.types.is_nested(entries.type):
        raise DataError(f"{column} holds lists in lists ({kind}); a tag must be a plain value")
    if pa.types.is_string(entries.type) or pa.types.is_large_string(entries.type):
        entries = pc.utf8_trim_whitespace(entries)
    values, codes = number_arrow(entries)
    return Distinct(values, codes, rows[present])


def _split_objects(column: Column, separator: str | None) -> Distinct:
    rows: list[int] = []
    tags: list[Any] = []
    for row, cell in enumerate(column.objects()):
        if cell is None:
            continue
        entries = _tags_of(cell, separator)
        if entries is None:
            kind = type(cell).__name__
            raise DataError(f"{column} holds a {kind} in row {row}; tags are lists or strings")
        rows += [row] * len(entries)
        tags += entries
    try:
        values, codes = number_values(tags)
    except TypeError as error:
        raise DataError(f"{column} holds a tag that cannot be hashed: {error}") from error
    return Distinct(values, codes, np.array(rows, np.int64))


def _tags_of(cell: Any, separator: str | None) -> list[Any] | None:
    if isinstance(cell, str):
        entries: list[Any] = [cell] if separator is None else cell.split(separator)
    elif isinstance(cell, np.ndarray):
        entries = cell.tolist()
    elif isinstance(cell, list | tuple):
        entries = list(cell)
    elif isinstance(cell, set | frozenset):
        entries = sorted(cell, key=repr)  # the order of a set changes from run to run
    else:
        return None
    entries = [entry.item() if isinstance(entry, np.generic) else entry for entry in entries]
    return [
        entry.strip() if isinstance(entry, str) else entry
        for entry in entries
        if not is_missing(entry)
    ]


def _without_empty_text(distinct: Distinct) -> Distinct:
    if "" not in distinct.values:
        return distinct
    empty = distinct.values.index("")
    kept = distinct.codes != empty
    codes = distinct.codes[kept]
    values = distinct.values[:empty] + distinct.values[empty + 1 :]
    return Distinct(values, codes - (codes > empty), distinct.rows[kept])


def _frequent(distinct: Distinct, spec: Categorical | Tags) -> Vocabulary:
    counts = np.bincount(distinct.codes, minlength=len(distinct.values))
    ranking = np.argsort(-counts, kind="stable")[: spec.max_values]
    kept = np.sort(ranking[counts[ranking] >= spec.min_count])
    return Vocabulary.from_ids(distinct.values[index] for index in kept)


def _known(distinct: Distinct, values: Vocabulary) -> tuple[Int64Array, Int64Array]:
    is_known = np.array([value in values for value in distinct.values], bool)
    tokens = np.zeros(len(distinct.values), np.int64)
    tokens[is_known] = values.indices_of(
        value for value, known in zip(distinct.values, is_known, strict=True) if known
    )
    kept = is_known[distinct.codes]
    return distinct.rows[kept], tokens[distinct.codes[kept]]
