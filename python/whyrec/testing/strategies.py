"""Hypothesis strategies: tables of events and items, histories of people, catalogs and scorers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from whyrec.data.dataset import Dataset
from whyrec.data.features import Features
from whyrec.data.interactions import Histories
from whyrec.data.rows import offsets_of
from whyrec.testing.scorer import Scorer
from whyrec.types import Float32Array

_names = st.text("abcdefgh", min_size=1, max_size=3).map(lambda text: f"n{text}")
_times = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)).map(
    lambda moment: moment.replace(microsecond=0)
)
_fractions = st.integers(-40, 40).map(lambda number: number + 0.25)  # a CSV has no 2.0, only 2
_VALUES = (float("nan"), -1.0, 0.0, 1.5, 4.0)


class Event(NamedTuple):
    """Something that somebody did, in the indices of a data set."""

    item: int
    kind: int
    value: float
    """NaN where there is none."""

    age: float
    """In days before the newest event."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a history, oldest event first."""

    events: tuple[Event, ...]
    like_user: int | None
    """The user whose attributes the person has; None has none."""


@st.composite
def catalogs(draw: st.DrawFn, *, max_items: int = 8) -> pa.Table:
    """Draw a table of items, at least one, with fields of every kind and cells that are missing."""
    ids = st.integers(0, 30) if draw(st.booleans()) else _names
    item_ids = draw(st.lists(ids, min_size=1, max_size=max_items, unique=True))
    n_items = len(item_ids)
    genres = st.lists(_names, max_size=3).map("|".join)
    items: dict[str, Any] = {
        "item_id": pa.array(item_ids),
        "title": pa.array(_column(draw, st.none() | _names, n_items), pa.string()),
        "year": pa.array(_column(draw, st.none() | st.integers(1900, 2030), n_items), pa.int64()),
        "price": pa.array(_column(draw, st.none() | _fractions, n_items), pa.float64()),
        "genres": pa.array(_column(draw, st.none() | genres, n_items), pa.string()),
        "colour": pa.array(_column(draw, st.none() | st.sampled_from("rgb"), n_items), pa.string()),
        "fresh": pa.array(_column(draw, st.booleans(), n_items), pa.bool_()),
    }
    return pa.table(items)


@st.composite
def event_tables(
    draw: st.DrawFn, item_ids: Sequence[object] | None = None, *, max_events: int = 15
) -> pa.Table:
    """Draw a table of events, at least one, with times, and with values and kinds or none.

    Args:
        draw: given by Hypothesis.
        item_ids: of the items that there are; None draws ids.
        max_events: how many rows at most.
    """
    n_events = draw(st.integers(1, max_events))
    ids: st.SearchStrategy[object] = _names if item_ids is None else st.sampled_from(item_ids)
    kinds = st.none() | st.sampled_from(["view", "buy"])
    events: dict[str, Any] = {
        "user_id": pa.array(_column(draw, _names, n_events)),
        "item_id": pa.array(_column(draw, ids, n_events)),
        "timestamp": pa.array(_column(draw, _times, n_events), pa.timestamp("s")),
        "value": pa.array(_column(draw, st.none() | _fractions, n_events), pa.float64()),
        "kind": pa.array(_column(draw, kinds, n_events), pa.string()),
    }
    return pa.table(events)


@st.composite
def tables(draw: st.DrawFn) -> tuple[pa.Table, pa.Table]:
    """Draw events with a catalog that has all of their items."""
    items = draw(catalogs())
    return draw(event_tables(items["item_id"].to_pylist())), items


def datasets() -> st.SearchStrategy[Dataset]:
    """Draw a data set of events and items, such as a recommender is fitted on."""
    return tables().map(lambda both: Dataset.from_tables(*both))


def people(
    dataset: Dataset,
    *,
    least_events: int = 0,
    most_events: int = 8,
    values: Sequence[float] = _VALUES,
) -> st.SearchStrategy[Person]:
    """Draw somebody who knows the items of a data set, whether among its users or not.

    Args:
        dataset: whose items, kinds of event and attributes of users are drawn from.
        least_events: how many events there are at least.
        most_events: how many there are at most.
        values: what is drawn for the value of an event.
    """
    events = dataset.interactions
    ages = st.integers(0, 900) if events.timestamps is not None else st.just(0)
    one = st.tuples(
        st.integers(0, max(0, dataset.n_items - 1)),
        st.integers(0, len(events.kind_names) - 1),
        st.sampled_from(values) if events.values is not None else st.just(float("nan")),
        ages.map(float),
    )
    most = most_events if dataset.n_items else 0
    lists = st.lists(one, min_size=least_events, max_size=most).map(_oldest_first)
    users = st.integers(0, dataset.n_users - 1) if dataset.n_users else st.nothing()
    return st.builds(Person, lists, st.none() | users)


def histories(
    dataset: Dataset,
    *,
    most_rows: int = 5,
    most_events: int = 8,
    values: Sequence[float] = _VALUES,
) -> st.SearchStrategy[Histories]:
    """Draw the histories of some people, at least one, to be scored and explained.

    Args:
        dataset: as in `people`, like what follows.
        most_rows: how many people there are at most.
        most_events: how many events each of them has at most.
        values: what is drawn for the value of an event.

    >>> import whyrec
    >>> world = whyrec.datasets.synthetic(seed=0, n_users=5, n_items=25)
    >>> dataset = Dataset.from_tables(world.events, world.items)
    >>> from hypothesis import given, settings
    >>> @settings(max_examples=3, database=None)
    ... @given(histories(dataset, most_rows=2))
    ... def test_a_batch_is_no_larger_than_asked_for(found):
    ...     assert 1 <= len(found) <= 2
    >>> test_a_batch_is_no_larger_than_asked_for()
    """
    one = people(dataset, most_events=most_events, values=values)
    some = st.lists(one, min_size=1, max_size=most_rows)
    return some.map(lambda persons: histories_of(dataset, persons))


def histories_of(dataset: Dataset, persons: Sequence[Person]) -> Histories:
    """Return the histories of people, a row each."""
    schema = dataset.user_features.schema
    known = [
        Features.none(1, schema)
        if person.like_user is None
        else dataset.user_features.take(np.array([person.like_user]))
        for person in persons
    ]
    events = [event for person in persons for event in person.events]
    items, kinds, values, ages = zip(*events, strict=True) if events else ((),) * 4
    return Histories(
        offsets_of(np.array([len(person.events) for person in persons], np.int64)),
        np.array(items, np.int32),
        np.array(kinds, np.int16),
        np.array(values, np.float32),
        np.array(ages, np.float32),
        Features(
            schema,
            offsets_of(np.array([len(each.tokens) for each in known], np.int64)),
            np.concatenate([np.zeros(0, np.int32), *(each.tokens for each in known)]),
            np.concatenate([np.zeros(0, np.float32), *(each.weights for each in known)]),
        ),
    )


@st.composite
def scorers(draw: st.DrawFn, dataset: Dataset, *, dimension: int = 2) -> Scorer:
    """Draw a recommender whose scores are exact, with ties, and whose contributions are known.

    Args:
        draw: given by Hypothesis.
        dataset: whose items and attributes of users are scored.
        dimension: how many values each vector has.
    """

    # Eighths: sums and products of a few of them are exact in float32, and often the same.
    def vectors(n: int, width: int = dimension) -> Float32Array:
        eighths = st.integers(-8, 8).map(lambda number: number / 8)
        drawn: Float32Array = draw(arrays(np.float32, (n, width), elements=eighths))
        return drawn

    return Scorer(
        dataset.item_features,
        events=vectors(dataset.n_items),
        attributes=vectors(dataset.user_features.schema.n_tokens),
        items=vectors(dataset.n_items),
        features=vectors(dataset.item_features.schema.n_tokens),
        biases=vectors(dataset.n_items, 1)[:, 0].copy(),
    )


def _column(draw: st.DrawFn, cells: st.SearchStrategy[Any], size: int) -> list[Any]:
    return draw(st.lists(cells, min_size=size, max_size=size))


def _oldest_first(events: list[tuple[int, int, float, float]]) -> tuple[Event, ...]:
    newest = min((age for *_, age in events), default=0.0)
    told = [Event(item, kind, value, age - newest) for item, kind, value, age in events]
    return tuple(sorted(told, key=lambda event: -event.age))
