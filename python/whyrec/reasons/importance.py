"""What matters over many explanations: every item, feature value and attribute, by contribution."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import pyarrow as pa
from rich.table import Table

from whyrec.data.dataset import Dataset
from whyrec.data.features import Features
from whyrec.data.fields import FeatureSchema
from whyrec.data.interactions import Histories
from whyrec.explain.attribution import Attributions, PlayerKind
from whyrec.reasons.display import Grid
from whyrec.reasons.export import json_text, pandas_frame, text_of
from whyrec.reasons.importance_sums import ImportanceSums
from whyrec.reasons.reason import ReasonKind
from whyrec.types import Int32Array

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Importance:
    """What one source contributed over many explanations."""

    kind: ReasonKind
    source: Hashable
    """The item's id for history; the field's name otherwise."""

    value: object
    """The value of the field; None for history, and where a field is taken as a whole."""

    count: int
    """How many times it was a player."""

    mean_contribution: float
    """In logits; its sign tells which way the source speaks on the whole."""

    mean_absolute: float
    """The mean absolute contribution, in logits."""

    share: float
    """Its part of all absolute contributions, from 0 to 1."""

    def to_dict(self) -> dict[str, object]:
        """Return all fields, ids as they are."""
        return {
            "kind": self.kind.value,
            "source": self.source,
            "value": self.value,
            "count": self.count,
            "mean_contribution": self.mean_contribution,
            "mean_absolute": self.mean_absolute,
            "share": self.share,
        }


@dataclass(frozen=True, slots=True, repr=False)
class GlobalImportance(Sequence[Importance]):
    """All sources that were players, the one with the largest share first."""

    sources: tuple[Importance, ...]
    n_explanations: int

    def __len__(self) -> int:
        return len(self.sources)

    @overload
    def __getitem__(self, index: int) -> Importance: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Importance, ...]: ...
    def __getitem__(self, index: int | slice) -> Importance | tuple[Importance, ...]:
        return self.sources[index]

    def __iter__(self) -> Iterator[Importance]:
        return iter(self.sources)

    def to_dict(self) -> dict[str, object]:
        """Return everything as dicts and lists, ids as they are."""
        sources = [each.to_dict() for each in self.sources]
        return {"n_explanations": self.n_explanations, "sources": sources}

    def to_json(self, indent: int | None = None) -> str:
        """Return `to_dict` as JSON; what JSON does not know, such as a date, by its str()."""
        return json_text(self.to_dict(), indent)

    def to_arrow(self) -> pa.Table:
        """Return one row per source; what it is (source and value) is text."""
        columns: dict[str, pa.Array[Any]] = {
            "kind": pa.array([each.kind.value for each in self], pa.string()),
            "source": pa.array([text_of(each.source) for each in self], pa.string()),
            "value": pa.array([text_of(each.value) for each in self], pa.string()),
            "count": pa.array([each.count for each in self], pa.int64()),
        }
        for name in ("mean_contribution", "mean_absolute", "share"):
            columns[name] = pa.array([getattr(each, name) for each in self], pa.float64())
        return pa.table(columns)

    def to_pandas(self) -> "pd.DataFrame":
        """Return `to_arrow` as a data frame.

        Raises:
            MissingDependencyError: there is no pandas.
        """
        return pandas_frame(self.to_arrow())

    def _grid(self) -> Grid:
        rows = [
            (
                each.kind.value.replace("_", " "),
                str(each.source),
                text_of(each.value) or "",
                f"{each.count:,}",
                f"{each.mean_contribution:+.4f}",
                f"{each.mean_absolute:.4f}",
                f"{each.share:.1%}",
            )
            for each in self[:_SHOWN]
        ]
        more = len(self) - len(rows)
        return Grid(
            f"What matters over {self.n_explanations:,} explanations",
            ("kind", "source", "value", "count", "mean", "mean absolute", "share"),
            tuple(rows),
            f"{more:,} more" if more else None,
            frozenset({"count", "mean", "mean absolute", "share"}),
        )

    def __repr__(self) -> str:
        return f"GlobalImportance({len(self)} sources, {self.n_explanations} explanations)"

    def __str__(self) -> str:
        return self._grid().to_text()

    def __rich__(self) -> Table:
        return self._grid().to_rich()

    def _repr_html_(self) -> str:
        return self._grid().to_html()


def global_importance(
    dataset: Dataset, batches: Iterable[tuple[Histories, Attributions]]
) -> GlobalImportance:
    """Accumulate the contributions of many explanations by what their players stand for.

    An event counts for its item and a feature for its value; an attribute counts for its value
    where the field is categorical, and for the field as a whole otherwise.

    Args:
        dataset: what the indices stand for.
        batches: attributions, each with the histories that they are about.
    """
    keys = _Keys(dataset)
    sums = ImportanceSums.empty(keys.n_keys)
    n_explanations = 0
    for histories, attributions in batches:
        of_players = keys.of(histories, attributions)
        sums = sums.merge(ImportanceSums.of(of_players, attributions.contributions, keys.n_keys))
        n_explanations += len(attributions.pairs)
    met = sums.keys()
    absolute_sums = sums.absolute_sums[met]
    order = np.argsort(-absolute_sums, kind="stable")
    # Where nothing contributes, every share is 0.
    whole = float(sums.absolute_sums.sum()) or 1.0
    sources = [
        Importance(*keys.describe(key), count, mean, mean_absolute, absolute / whole)
        for key, count, mean, mean_absolute, absolute in zip(
            met[order].tolist(),
            sums.counts[met][order].tolist(),
            sums.mean()[order].tolist(),
            sums.mean_absolute()[order].tolist(),
            absolute_sums[order].tolist(),
            strict=True,
        )
    ]
    return GlobalImportance(tuple(sources), n_explanations)


class _Keys:
    """Numbers all that can contribute: items, tokens of items, tokens of users, fields of users."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._item_schema = dataset.item_features.schema
        self._user_schema = dataset.user_features.schema
        sizes = (
            dataset.n_items,
            self._item_schema.n_tokens,
            self._user_schema.n_tokens,
            len(self._user_schema.fields),
        )
        _, self._features, self._attributes, self._fields, self.n_keys = np.cumsum(
            (0, *sizes)
        ).tolist()

    def of(self, histories: Histories, attributions: Attributions) -> Int32Array:
        """Return int32 [n_players]: the key of each player."""
        players, pairs = attributions.players, attributions.pairs
        counts = players.counts()
        keys = np.zeros(len(players.kinds), np.int32)
        events = players.kinds == PlayerKind.EVENT
        starts = np.repeat(histories.offsets[pairs.rows], counts)
        keys[events] = histories.items[(starts + players.sources)[events]]
        features = players.kinds == PlayerKind.FEATURE
        starts = np.repeat(self._dataset.item_features.offsets[pairs.items], counts)
        positions = (starts + players.sources)[features]
        keys[features] = self._features + self._dataset.item_features.tokens[positions]
        attributes = players.kinds == PlayerKind.ATTRIBUTE
        rows = np.repeat(pairs.rows, counts)[attributes]
        keys_of_fields = self._keys_of_fields(histories.attributes)
        keys[attributes] = keys_of_fields[rows, players.sources[attributes]]
        return keys

    def _keys_of_fields(self, attributes: Features) -> Int32Array:
        """Return int32 [n_rows, n_fields]: the key of each user's value of each field."""
        fields = self._user_schema.fields
        keys = np.tile(self._fields + np.arange(len(fields), dtype=np.int32), (len(attributes), 1))
        rows = np.repeat(np.arange(len(attributes)), np.diff(attributes.offsets))
        of_token = self._user_schema.token_fields[attributes.tokens]
        categorical = np.array([field.kind == "categorical" for field in fields], bool)[of_token]
        keys[rows[categorical], of_token[categorical]] = (
            self._attributes + attributes.tokens[categorical]
        )
        return keys

    def describe(self, key: int) -> tuple[ReasonKind, Hashable, object]:
        """Return what a key stands for."""
        if key < self._features:
            return ReasonKind.HISTORY, self._dataset.items[key], None
        if key < self._attributes:
            token = key - self._features
            return ReasonKind.ITEM_FEATURE, *_described(self._item_schema, token)
        if key < self._fields:
            token = key - self._attributes
            return ReasonKind.USER_ATTRIBUTE, *_described(self._user_schema, token)
        return ReasonKind.USER_ATTRIBUTE, self._user_schema.field_names[key - self._fields], None


def _described(schema: FeatureSchema, token: int) -> tuple[str, object]:
    """Return a field's name and the value of a token; a numeric field has one token for all."""
    field = schema.fields[schema.token_fields[token]]
    return (field.name, None) if field.kind == "numeric" else schema.describe(token, 1.0)
