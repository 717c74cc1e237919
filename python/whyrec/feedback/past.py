"""What one user can see of what is kept: the history, and everything as data for JSON."""

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from whyrec.data.dataset import Dataset
from whyrec.feedback.columns import json_of
from whyrec.feedback.memory import Memory
from whyrec.feedback.records import Control, Event
from whyrec.feedback.store import Store
from whyrec.reasons.narrator import described


@dataclass(frozen=True, slots=True)
class PastEvent:
    """Something that a user did."""

    item_id: Hashable
    kind: str
    """Empty where events have none."""

    value: float | None
    """A rating, a quantity; None where there is none."""

    timestamp: float | None
    """In seconds since 1970 (UTC); None where the data set has no times."""

    event_id: str | None
    """What names the record, so that it can be undone; None of what the SDK was fitted on."""

    counts: bool
    """Whether the next answer is drawn from it: its item and its kind are known to the recommender,
    and the user does not object to it.
    """


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was erased of a user, and what was not."""

    user_id: Hashable

    records: dict[str, int]
    """How many records of each kind the store had."""

    fitted_events: int
    """How many events of theirs the data set had."""

    needs_refit: bool
    """Whether recommender and explainer have learned from their events: only fitting anew, on data
    without them, removes what is left of that in the weights. `SDK.refit` does so.
    """

    def __str__(self) -> str:
        erased = ", ".join(f"{number:,} {kind}" for kind, number in self.records.items())
        told = [f"erased of user {self.user_id!r}: {erased or 'no records'}, and "]
        told.append(f"{self.fitted_events:,} events of the data set")
        if self.needs_refit:
            told.append("; what the model has learned from them only another fit removes")
        return "".join(told)


def history_of(
    dataset: Dataset, memory: Memory, user: Hashable, store: Store | None
) -> list[PastEvent]:
    """Return the events of a user in data set and store, oldest first.

    Raises:
        UnknownUserError: nobody knows the user.
    """
    rows = dataset.users.places_of([user], dataset.n_users)
    if store is None:
        dataset.users.index_of(user)
        return _fitted_events(dataset, int(rows[0]))
    dataset = dataset.unrecorded()
    memory.recall([user], store)
    merged, places = memory.events([user], rows, store)
    fitted = _fitted_events(dataset, int(rows[0])) if rows[0] < dataset.n_users else []
    records = store.read(Event, users=[user])
    # A store gives them oldest first, and of items that are known alone.
    stored = sorted(
        (each for each in records if each.item_id in dataset.items),
        key=lambda each: each.timestamp,
    )
    wishes = memory.controls.wishes(store.read(Control, users=[user]))
    is_known, _ = memory.kinds(merged.kind_names)
    counts = is_known[merged.kinds] & (memory.controls.event_weights(wishes, merged.items) > 0)
    both = [*fitted, *(_past(each) for each in stored)]
    found = [
        replace(both[place], counts=bool(each))
        for place, each in zip(places.tolist(), counts, strict=True)
    ]
    return found + [_past(each) for each in records if each.item_id not in dataset.items]


def export_of(dataset: Dataset, user: Hashable, store: Store | None) -> dict[str, Any]:
    """Return all that data set and store have of a user, as data for JSON."""
    fitted: dict[str, Any] = {"events": [], "attributes": []}
    dataset = dataset if store is None else dataset.unrecorded()
    if user in dataset.users:
        row = dataset.users.index_of(user)
        fitted["events"] = [
            {
                "item_id": json_of(each.item_id),
                "kind": each.kind,
                "value": each.value,
                "timestamp": each.timestamp,
            }
            for each in _fitted_events(dataset, row)
        ]
        features = dataset.user_features
        positions = range(int(features.offsets[row]), int(features.offsets[row + 1]))
        fitted["attributes"] = [
            {"field": name, "value": json_of(value)}
            for name, value in (described(features, position) for position in positions)
        ]
    stored = {"user_id": json_of(user)} if store is None else store.export(user)
    return {**stored, "fitted": fitted}


def _fitted_events(dataset: Dataset, row: int) -> list[PastEvent]:
    events = dataset.interactions.take(np.array([row]))
    values = [None] * len(events) if events.values is None else list(events.values)
    times = [None] * len(events) if events.timestamps is None else events.timestamps.tolist()
    return [
        PastEvent(
            dataset.items[item],
            events.kind_names[kind],
            # The shortest decimal, as it came in.
            None if value is None or np.isnan(value) else float(str(value)),
            time,
            None,
            True,
        )
        for item, kind, value, time in zip(
            events.items.tolist(), events.kinds.tolist(), values, times, strict=True
        )
    ]


def _past(event: Event) -> PastEvent:
    return PastEvent(event.item_id, event.kind, event.value, event.timestamp, event.event_id, False)
