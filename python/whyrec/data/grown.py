"""A data set with more events, items and users, read as the first ones were."""

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from whyrec.data.catalog import Entities, read_more_entities
from whyrec.data.dataset import Dataset
from whyrec.data.events import Events, read_events
from whyrec.data.interactions import Interactions
from whyrec.data.merged import merge
from whyrec.data.tables import read_table
from whyrec.data.vocabulary import Vocabulary
from whyrec.data.wording import listed
from whyrec.errors import DataError


def grown(
    dataset: Dataset,
    events: object | None = None,
    items: object | None = None,
    users: object | None = None,
) -> Dataset:
    """Return a data set with the rows of further tables, which have the columns of the first.

    Indices stay: new items and new users come after those that are there. Fields are read by the
    schema that was learned from the first tables, and a row of an item or a user that is there
    takes the place of what was known. An event with the user, item, kind and time of one that is
    there is that event, sent again; it counts once.

    Args:
        dataset: what is there.
        events: one row per event. Without an items table new items come from here; with one, an
            event of an item in neither table is what `unknown_items` said of it at first.
        items: one row per item, new or with other fields.
        users: one row per user, the same.

    Raises:
        DataError: a table, a column or a row cannot be used, or a kind of event is new; the message
            says which.

    >>> import polars
    >>> first = polars.DataFrame({"user": ["ann", "bob"], "item": ["fig", "pear"]})
    >>> more = polars.DataFrame({"user": ["ann", "cid"], "item": ["plum", "fig"]})
    >>> both = grown(Dataset.from_tables(first), more)
    >>> both.users.ids, both.items.ids, len(both.interactions)
    (('ann', 'bob', 'cid'), ('fig', 'pear', 'plum'), 4)
    """
    catalog = Entities(dataset.items, dataset.item_features, dataset.item_labels)
    people = Entities(dataset.users, dataset.user_features, tuple(map(str, dataset.users)))
    if items is not None:
        catalog = catalog.renewed(_read(dataset, items, "items"))
    if users is not None:
        people = people.renewed(_read(dataset, users, "users"))
    interactions = _with_rows(dataset.interactions, len(people.ids))
    if events is not None:
        read = _read_events(dataset, events, catalog, people.ids)
        catalog, people = catalog.extended(read.items), people.extended(read.users)
        newer = _with_kinds_of(dataset.interactions, read.interactions)
        interactions, _ = merge(_with_rows(interactions, len(people.ids)), newer)
    return replace(
        dataset,
        users=people.ids,
        items=catalog.ids,
        interactions=interactions,
        item_features=catalog.features,
        user_features=people.features,
        item_labels=catalog.labels,
        report=replace(
            dataset.report,
            n_events=len(interactions),
            n_users=len(people.ids),
            n_items=len(catalog.ids),
        ),
    )


def grown_users(dataset: Dataset, ids: Sequence[Hashable]) -> Dataset:
    """Return a data set with further users, of whom nothing is known and who did nothing."""
    people = Entities(dataset.users, dataset.user_features, ())
    people = people.extended(Vocabulary((*dataset.users, *ids), "user"))
    return replace(
        dataset,
        users=people.ids,
        interactions=_with_rows(dataset.interactions, len(people.ids)),
        user_features=people.features,
        report=replace(dataset.report, n_users=len(people.ids)),
    )


def _with_rows(interactions: Interactions, n_users: int) -> Interactions:
    """Return the same events of more users, the last of whom did nothing."""
    more = np.full(n_users - interactions.n_users, interactions.offsets[-1])
    return replace(interactions, offsets=np.concatenate([interactions.offsets, more]))


def _read(dataset: Dataset, source: object, name: Literal["items", "users"]) -> Entities:
    """Read further rows of the items or the users table."""
    table, report, columns = read_table(source, name), dataset.report, dataset.columns
    if name == "items":
        schema = dataset.item_features.schema
        return read_more_entities(
            table, "item", columns.item_id or "", report.item_id, schema, report.labels
        )
    schema = dataset.user_features.schema
    return read_more_entities(table, "user", columns.user_id or "", report.user_id, schema, None)


def _read_events(dataset: Dataset, source: object, catalog: Entities, users: Vocabulary) -> Events:
    """Read further events, and with them the items that they make known where no table does."""
    table, columns = read_table(source, "events"), dataset.columns
    items = catalog.ids
    if dataset.report.item_id is None:
        met = read_events(table, columns, known_items=None, known_users=(), drop_unknown=False)
        items = Vocabulary.from_ids((*items, *met.items), "item")
    return read_events(
        table,
        columns,
        known_items=items,
        known_users=users.ids,
        drop_unknown=dataset.report.unknown_items == "drop",
    )


def _with_kinds_of(known: Interactions, newer: Interactions) -> Interactions:
    """Return events with the kinds numbered as others have them."""
    new = [name for name in newer.kind_names if name not in known.kind_names]
    if new:
        raise DataError(
            f"events: {listed(new)} is a kind of event that the SDK was not fitted on; its kinds "
            f"are {listed(known.kind_names)}: leave such events out, or fit anew"
        )
    number_of = np.array([known.kind_names.index(name) for name in newer.kind_names], np.int16)
    return replace(newer, kinds=number_of[newer.kinds], kind_names=known.kind_names)
