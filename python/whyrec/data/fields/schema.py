"""The fields of a table, fitted together: what turns cells into tokens with weights and back."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from whyrec.data.features import Features
from whyrec.data.fields.closed_set import FittedSet
from whyrec.data.fields.guess import Ignored, guess_field
from whyrec.data.fields.numeric import FittedNumeric
from whyrec.data.fields.specs import Categorical, Field, Numeric, Tags, Text
from whyrec.data.fields.text import FittedText
from whyrec.data.rows import offsets_of
from whyrec.data.tables import Column, Table, read_table
from whyrec.data.wording import listed
from whyrec.errors import ArgumentError, DataError, StorageError
from whyrec.types import Int16Array, Int64Array

FittedField: TypeAlias = FittedSet | FittedNumeric | FittedText

_FITTED: dict[str, type[FittedField]] = {
    "categorical": FittedSet,
    "tags": FittedSet,
    "numeric": FittedNumeric,
    "text": FittedText,
}


@dataclass(frozen=True)
class FeatureSchema:
    """The fields of a table; the tokens of all fields are numbered one field after the other."""

    fields: tuple[FittedField, ...] = ()

    @classmethod
    def fit(cls, table: Table, specs: Mapping[str, Field]) -> "FeatureSchema":
        """Fit one field per column named in specs, in the order of specs.

        Raises:
            DataError: a column is missing, or its cells do not fit its field.
        """
        return cls(tuple(_fit(table[name], spec) for name, spec in specs.items()))

    @cached_property
    def offsets(self) -> Int64Array:
        """int64 [n_fields + 1]: where the tokens of each field begin, and how many there are."""
        return offsets_of(np.array([field.n_tokens for field in self.fields], np.int64))

    @property
    def n_tokens(self) -> int:
        """How many tokens all fields have together."""
        return int(self.offsets[-1])

    @cached_property
    def token_fields(self) -> Int16Array:
        """int16 [n_tokens]: the index of the field that each token belongs to."""
        return np.repeat(np.arange(len(self.fields), dtype=np.int16), np.diff(self.offsets))

    @property
    def field_names(self) -> tuple[str, ...]:
        """The names of the fields, which are those of the columns."""
        return tuple(field.name for field in self.fields)

    def encode(self, table: object) -> Features:
        """Read the feature values of every row of a table, which may have more columns.

        Raises:
            DataError: a column is missing, or its cells do not fit its field.
        """
        rows = read_table(table, "table")
        return self._encode({name: rows[name] for name in self.field_names}, len(rows))

    def encode_one(self, values: Mapping[str, object]) -> Features:
        """Read the values of one row, such as what is known of a visitor.

        A field may be left out; a category that was never seen counts as no value.

        Raises:
            ArgumentError: there is no field of a name, or a value does not fit its field.
        """
        unknown = [name for name in values if name not in self.field_names]
        if unknown:
            raise ArgumentError(
                f"unknown field {listed(list(map(str, unknown)))}; "
                f"the fields are {listed(self.field_names)}"
            )
        columns = {}
        for name, value in values.items():
            cells = np.empty(1, object)
            cells[0] = value
            columns[name] = Column("attributes", name, cells)
        try:
            return self._encode(columns, 1)
        except DataError as error:
            raise ArgumentError(str(error)) from error

    def describe(self, token: int, weight: float) -> tuple[str, object]:
        """Return the name of a token's field, and its category, tag, word or number."""
        index = int(self.token_fields[token])
        field = self.fields[index]
        return field.name, field.describe(int(token - self.offsets[index]), weight)

    def token_of(self, field: str, value: object) -> int | None:
        """Return the token of a value of a field, None where the field does not know the value.

        A numeric field has one token, whatever the number.

        Raises:
            ArgumentError: there is no field of that name.
        """
        if field not in self.field_names:
            raise ArgumentError(
                f"unknown field {field!r}; the fields are {listed(self.field_names)}"
            )
        index = self.field_names.index(field)
        found = self.fields[index].token_of(value)
        return None if found is None else int(self.offsets[index]) + found

    def _encode(self, columns: Mapping[str, Column], n_rows: int) -> Features:
        parts = [
            (field.encode(columns[field.name]), start)
            for field, start in zip(self.fields, self.offsets, strict=False)
            if field.name in columns
        ]
        if not parts:
            return Features.none(n_rows, self)
        rows = np.concatenate([entries.rows for entries, _ in parts])
        tokens = np.concatenate([entries.tokens + start for entries, start in parts])
        weights = np.concatenate([entries.weights for entries, _ in parts])
        order = np.lexsort((tokens, rows))
        return Features(
            self,
            offsets_of(np.bincount(rows, minlength=n_rows)),
            tokens[order].astype(np.int32),
            weights[order],
        )

    def to_json(self) -> dict[str, Any]:
        """Return the whole state as JSON data."""
        return {"fields": [field.to_json() for field in self.fields]}

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> "FeatureSchema":
        """Read back what `to_json` gave.

        Raises:
            StorageError: the state was not written by `to_json`.
        """
        try:
            return cls(tuple(_FITTED[field["kind"]].from_json(field) for field in state["fields"]))
        except (KeyError, TypeError, ValueError) as error:
            raise StorageError(f"the feature schema is damaged: {error!r}") from error


def fit_fields(
    table: Table, specs: Mapping[str, Field | None] | None, skipped: Collection[str]
) -> tuple[FeatureSchema, dict[str, str]]:
    """Fit every column of a table that is of use, and say why the others are ignored.

    A column is read as specs says (None leaves it out); the kinds of the others are guessed, save
    those skipped.

    Raises:
        DataError: specs names a column that is not there or has no usable value, or a cell does
            not fit its field.
    """
    specs = specs or {}
    strange = [name for name in specs if name not in table.columns]
    if strange:
        raise DataError(
            f"{table.name}: a field is asked for column {listed(strange)}, which is not there; "
            f"the columns are {listed(table.names)}"
        )
    fields: list[FittedField] = []
    ignored: dict[str, str] = {}
    for name, column in table.columns.items():
        if name not in specs and name in skipped:
            continue
        choice = specs[name] if name in specs else guess_field(column)
        if choice is None:
            ignored[name] = "it was left out by choice"
        elif isinstance(choice, Ignored):
            ignored[name] = choice.why
        else:
            field = _fit(column, choice)
            if field.n_tokens:
                fields.append(field)
            elif name in specs:
                raise DataError(f"{column} has no value that enough rows share; lower min_count")
            else:
                ignored[name] = "no two rows share a word"
    return FeatureSchema(tuple(fields)), ignored


def _fit(column: Column, spec: Field) -> FittedField:
    match spec:
        case Categorical() | Tags():
            return FittedSet.fit(column, spec)
        case Numeric():
            return FittedNumeric.fit(column, spec)
        case Text():
            return FittedText.fit(column, spec)
        case _:
            raise ArgumentError(
                f"{column}: {spec!r} is no field; use Categorical, Tags, Numeric or Text"
            )
