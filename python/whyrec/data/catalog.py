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
    labels = tuple(map(str, ids))
    if label_column is not None:
        texts = table[label_column].objects()
        labels = tuple(
            label if text is None or text == "" else str(text)
            for text, label in zip(texts, labels, strict=True)
        )
    return Entities(ids, schema.encode(table), labels, label_column, ignored)


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
