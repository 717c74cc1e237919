"""Results as JSON, Arrow and pandas."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from whyrec.errors import MissingDependencyError
from whyrec.reasons.reason import Reason
from whyrec.reasons.text import ENGLISH, Wording

if TYPE_CHECKING:
    import pandas as pd

Row = Mapping[str, object]

_COLUMNS: dict[str, pa.DataType | None] = {
    "user_id": None,
    "rank": pa.int64(),
    "item_id": None,
    "label": pa.string(),
    "score": pa.float64(),
    "margin": pa.float64(),
    "base_value": pa.float64(),
    "other_contribution": pa.float64(),
    "efficiency_gap": pa.float64(),
    "tier": pa.string(),
    "slot": pa.string(),
    "reason": pa.int64(),
    "reason_id": pa.string(),
    "kind": pa.string(),
    "source": pa.string(),
    "value": pa.string(),
    "event": pa.string(),
    "contribution": pa.float64(),
    "share": pa.float64(),
    "confidence": pa.float64(),
    "text": pa.string(),
    "partner": pa.string(),
    "interaction": pa.float64(),
    "n_players": pa.int64(),
}
"""Every column of a table of results; None where the type is that of the ids."""


def reason_dict(reason: Reason, wording: Wording = ENGLISH) -> dict[str, object]:
    """Return a reason as a dict of its fields, with the words of a language."""
    return {
        "reason_id": reason.reason_id,
        "kind": reason.kind.value,
        "source": reason.source,
        "value": reason.value,
        "event": reason.event,
        "contribution": reason.contribution,
        "share": reason.share,
        "confidence": reason.confidence,
        "template": reason.template,
        "parameters": reason.parameters,
        "text": reason.text_in(wording),
        "partner": None if reason.partner is None else asdict(reason.partner),
        "n_players": reason.n_players,
        "players": list(reason.players),
        "may_object": reason.may_object,
    }


def rows_of(head: Row, reasons: Iterable[Reason]) -> list[Row]:
    """Return one row per reason, numbered from 1, each with the head; one row if there is none."""
    rows: list[Row] = []
    for number, reason in enumerate(reasons, start=1):
        body = reason_dict(reason)
        texts = {name: text_of(body[name]) for name in ("source", "value")}
        rows.append({**head, "reason": number, **body, **texts, **_partner_cells(reason)})
    return rows or [head]


def _partner_cells(reason: Reason) -> Row:
    """Return the partner in two columns: what it is, and what it is worth with the reason."""
    partner = reason.partner
    if partner is None:
        return {"partner": None, "interaction": None}
    told = f"{partner.field}: {text_of(partner.value)}"
    return {"partner": told, "interaction": partner.interaction}


def arrow_table(rows: Iterable[Row], leave_out: frozenset[str] = frozenset()) -> pa.Table:
    """Return rows as a table; a column of ids is int64 or string if all its ids are, else text."""
    rows = list(rows)
    columns = {
        name: ([row.get(name) for row in rows], kind)
        for name, kind in _COLUMNS.items()
        if name not in leave_out
    }
    return pa.table(
        {
            name: _ids(values) if kind is None else pa.array(values, kind)
            for name, (values, kind) in columns.items()
        }
    )


def json_text(content: object, indent: int | None) -> str:
    """Return JSON: numbers, strings, booleans and None as they are, any other value by str()."""
    return json.dumps(_plain(content), ensure_ascii=False, allow_nan=False, indent=indent)


def text_of(value: object) -> str | None:
    """Return an id or a value as text; None stays None."""
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return None if value is None else str(value)


def pandas_frame(table: pa.Table) -> "pd.DataFrame":
    """Return a table as a data frame, if there is pandas."""
    try:
        import pandas as pd  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            "to_pandas() needs pandas: pip install pandas; to_arrow() and to_dict() do without"
        ) from error
    return table.to_pandas()


def _ids(values: list[Any]) -> "pa.Array[Any]":
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int}:
        try:
            return pa.array(values, pa.int64())
        except OverflowError:
            pass  # beyond 64 bits: as text
    return pa.array([text_of(value) for value in values], pa.string())


def _plain(value: object) -> object:
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case np.generic():
            return _plain(value.item())
        case Mapping():
            return {str(key): _plain(each) for key, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
        case _:
            return str(value)
