"""A data set as Arrow tables and JSON, and back, bit for bit."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from whyrec.data.event_columns import EventColumns
from whyrec.data.features import Features
from whyrec.data.fields import FeatureSchema
from whyrec.data.interactions import Interactions
from whyrec.data.report import Report
from whyrec.data.rows import offsets_of
from whyrec.data.vocabulary import Vocabulary
from whyrec.errors import ArgumentError, StorageError
from whyrec.types import Int64Array

if TYPE_CHECKING:
    from whyrec.data.dataset import Dataset


def write_tables(dataset: "Dataset") -> dict[str, pa.Table]:
    """Return the arrays of a data set as tables."""
    interactions = dataset.interactions
    events: dict[str, Any] = {
        "user": interactions.users(),
        "item": interactions.items,
        "kind": interactions.kinds,
        "value": interactions.values,
        "timestamp": interactions.timestamps,
        "recorded": dataset.recorded,
    }
    labels = pa.array(dataset.item_labels, pa.large_string())
    return {
        "users": dataset.users.to_arrow(),
        "items": dataset.items.to_arrow().append_column("label", labels),
        "events": pa.table({name: column for name, column in events.items() if column is not None}),
        "item_features": _write_features(dataset.item_features),
        "user_features": _write_features(dataset.user_features),
    }


def write_state(dataset: "Dataset") -> dict[str, Any]:
    """Return everything of a data set that is no array as JSON data."""
    return {
        "kind_names": list(dataset.interactions.kind_names),
        "item_schema": dataset.item_features.schema.to_json(),
        "user_schema": dataset.user_features.schema.to_json(),
        "columns": asdict(dataset.columns),
        "report": dataset.report.to_json(),
        "forgotten": dataset.forgotten,
    }


def read_dataset(tables: Mapping[str, pa.Table], state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a data set from what was written.

    Raises:
        StorageError: a table, a column or a key is missing or damaged.
    """
    try:
        users = Vocabulary.from_arrow(tables["users"], "user")
        items = Vocabulary.from_arrow(tables["items"], "item")
        item_schema = FeatureSchema.from_json(state["item_schema"])
        user_schema = FeatureSchema.from_json(state["user_schema"])
        events = tables["events"]
        return {
            "users": users,
            "items": items,
            "interactions": _read_interactions(events, state["kind_names"], len(users), len(items)),
            "item_features": _read_features(tables["item_features"], item_schema, len(items)),
            "user_features": _read_features(tables["user_features"], user_schema, len(users)),
            "item_labels": tuple(tables["items"]["label"].to_pylist()),
            "columns": EventColumns(**state["columns"]),
            "report": Report.from_json(state["report"]),
            "recorded": _array(events, "recorded") if "recorded" in events.column_names else None,
            "forgotten": int(state.get("forgotten", 0)),
        }
    except (KeyError, TypeError, ValueError, ArgumentError) as error:
        raise StorageError(f"the stored data set is damaged: {error!r}") from error


def _write_features(features: Features) -> pa.Table:
    rows = np.repeat(np.arange(len(features), dtype=np.int32), np.diff(features.offsets))
    columns: dict[str, Any] = {"row": rows, "token": features.tokens, "weight": features.weights}
    return pa.table(columns)


def _read_features(table: pa.Table, schema: FeatureSchema, n_rows: int) -> Features:
    tokens = _indices(table, "token", schema.n_tokens)
    offsets = _offsets(table, "row", n_rows)
    return Features(schema, offsets, tokens, _array(table, "weight"))


def _read_interactions(
    table: pa.Table, kind_names: Sequence[str], n_users: int, n_items: int
) -> Interactions:
    names = table.column_names
    return Interactions(
        _offsets(table, "user", n_users),
        _indices(table, "item", n_items),
        _indices(table, "kind", len(kind_names)),
        tuple(kind_names),
        _array(table, "value") if "value" in names else None,
        _array(table, "timestamp") if "timestamp" in names else None,
    )


def _array(table: pa.Table, name: str) -> Any:
    # A copy, because PyTorch warns of memory that cannot be written to, which Arrow's is.
    return np.array(table[name].to_numpy())


def _indices(table: pa.Table, name: str, size: int) -> Any:
    indices = _array(table, name)
    if len(indices) and not 0 <= indices.min() <= indices.max() < size:
        raise StorageError(f'the column "{name}" has an index outside 0 to {size - 1}')
    return indices


def _offsets(table: pa.Table, name: str, n_rows: int) -> Int64Array:
    rows = _indices(table, name, n_rows)
    if (np.diff(rows) < 0).any():
        raise StorageError(f'the column "{name}" is not sorted')
    return offsets_of(np.bincount(rows, minlength=n_rows))
