"""The items table and the users table: ids, labels and feature values row by row."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np

from whyrec.data.distinct import distinct_ids
from whyrec.data.event_columns import find_id_column, find_label_column
from whyrec.data.features import Features
from whyrec.data.fields import FeatureSchema, Field, FittedField, FittedSet, fit_fields
from whyrec.data.tables import Column, Table
from whyrec.data.vocabulary import Noun, Vocabulary
from whyrec.data.wording import SHOWN, count, some, some_rows
from whyrec.errors import DataError


@dataclass(frozen=True, slots=True)
class Entities:
    """What is known of each item, or of each user."""

    ids: Vocabulary
    features: Features
    """One row per id."""

    labels: tuple[str, ...]
    """What a reader calls each."""

    id_column: str | None = None
    label_column: str | None = None
    ignored: Mapping[str, str] = field(default_factory=dict)
    """Columns that are no field, and why."""

    @classmethod
    def without_table(cls, ids: Vocabulary) -> "Entities":
        """Return ids of which nothing else is known."""
        features = Features.none(len(ids), FeatureSchema())
        return cls(ids, features, tuple(map(str, ids)))

    def extended(self, ids: Vocabulary) -> "Entities":
        """Append ids of which nothing else is known; ids begins with the ones held already."""
        offsets = self.features.offsets
        appended = np.full(len(ids) - len(self.ids), offsets[-1])
        return replace(
            self,
            ids=ids,
            features=replace(self.features, offsets=np.concatenate([offsets, appended])),
            labels=self.labels + tuple(map(str, ids.ids[len(self.ids) :])),
        )

    def renewed(self, newer: "Entities") -> "Entities":
        """Return all ids, those of newer that are new after the others; what newer says counts."""
        ids = Vocabulary.from_ids((*self.ids, *newer.ids), self.ids.of)
        place_of = np.arange(len(ids))
        place_of[ids.indices_of(newer.ids)] = len(self.ids) + np.arange(len(newer.ids))
        old, new = self.features, newer.features
        stacked = Features(
            old.schema,
            np.concatenate([old.offsets, new.offsets[1:] + old.offsets[-1]]),
            np.concatenate([old.tokens, new.tokens]),
            np.concatenate([old.weights, new.weights]),
        )
        labels = self.labels + newer.labels
        return replace(
            self,
            ids=ids,
            features=stacked.take(place_of),
            labels=tuple(labels[place] for place in place_of.tolist()),
        )

    def summaries(self) -> dict[str, str]:
        """Return what each column was read as."""
        return {one.name: _summary(one) for one in self.features.schema.fields}


def read_entities(
    table: Table,
    in_events: str,
    id_column: str | None,
    fields: Mapping[str, Field | None] | None,
) -> Entities:
    """Read the items or the users table.

    Raises:
        DataError: an id is null or there twice, or a column cannot be used.
    """
    noun = cast(Noun, table.name[:-1])
    id_name = find_id_column(table, id_column, f"{noun}_id", in_events)
    ids = _distinct_rows(table[id_name], noun)
    label_column = find_label_column(table) if noun == "item" else None
    if label_column == id_name:
        label_column = None
    # A title says who an item is, which its identity says already; a description says more.
    is_name = label_column is not None and label_column.lower() != "description"
    skipped = {id_name, label_column or id_name} if is_name else {id_name}
    schema, ignored = fit_fields(table, fields, skipped=skipped)
    labels = _labels(table, ids, label_column)
    return Entities(ids, schema.encode(table), labels, id_name, label_column, ignored)


def read_more_entities(
    table: Table,
    noun: Noun,
    in_events: str,
    id_column: str | None,
    schema: FeatureSchema,
    label_column: str | None,
) -> Entities:
    """Read further rows of a table as the first ones were read.

    Args:
        table: with the columns of the first.
        noun: "item" or "user".
        in_events: what the id column is called in the events table.
        id_column: the id column of the first table; None guesses, where there was none.
        schema: the fields that were learned from the first.
        label_column: what named the rows of the first, if anything did.

    Raises:
        DataError: a column is missing, an id is null or there twice, or a cell does not fit.
    """
    ids = _distinct_rows(table[find_id_column(table, id_column, f"{noun}_id", in_events)], noun)
    return Entities(ids, schema.encode(table), _labels(table, ids, label_column))


def _labels(table: Table, ids: Vocabulary, column: str | None) -> tuple[str, ...]:
    """Return what a reader calls each row: its cell of a column, or else its id."""
    labels = tuple(map(str, ids))
    if column is None:
        return labels
    return tuple(
        label if text is None or text == "" else str(text)
        for text, label in zip(table[column].objects(), labels, strict=True)
    )


def _summary(one: FittedField) -> str:
    if not isinstance(one, FittedSet):
        return one.kind if one.n_tokens == 1 else f"{one.kind}, {count(one.n_tokens, 'word')}"
    rare = f" ({one.n_rare:,} rare ones left out)" if one.n_rare else ""
    return f"{one.kind}, {count(one.n_tokens, 'value')}{rare}"


def _distinct_rows(column: Column, noun: Noun) -> Vocabulary:
    distinct = distinct_ids(column)
    counts = np.bincount(distinct.codes)
    if counts.max() > 1:
        repeated = np.flatnonzero(counts > 1)
        ids = [distinct.values[code] for code in repeated[:SHOWN]]
        raise DataError(
            f"{column} has {noun}s in more than one row: {some(ids, len(repeated))} "
            f"({some_rows((counts > 1)[distinct.codes])}); keep one row of each"
        )
    return Vocabulary.from_ids(distinct.values, noun)
