"""The whole of what an application knows, as arrays: the only thing that models are fitted on."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from whyrec.data.catalog import Entities, read_entities
from whyrec.data.event_columns import EventColumns
from whyrec.data.events import read_events
from whyrec.data.features import Features
from whyrec.data.fields import Field
from whyrec.data.interactions import Histories, Interactions
from whyrec.data.report import Report
from whyrec.data.stored import read_dataset, write_state, write_tables
from whyrec.data.tables import read_table
from whyrec.data.vocabulary import Vocabulary
from whyrec.errors import ArgumentError
from whyrec.types import BoolArray, Int64Array


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Events, items and users as immutable arrays; ids are known here and nowhere below."""

    users: Vocabulary
    items: Vocabulary
    """The catalog."""

    interactions: Interactions
    item_features: Features
    """One row per item."""

    user_features: Features
    """One row per user."""

    item_labels: tuple[str, ...]
    """What a reader calls each item: its title or name, or else its id."""

    columns: EventColumns
    """The columns of the events table as they were found."""

    report: Report

    recorded: BoolArray | None = None
    """bool [n_events]: which events came from a store, where they still are; None if none did."""

    forgotten: int = 0
    """How many users were erased that a model may have learned from."""

    @property
    def n_users(self) -> int:
        """How many users there are, with or without events."""
        return len(self.users)

    @property
    def n_items(self) -> int:
        """How many items the catalog has, with or without events."""
        return len(self.items)

    @classmethod
    def from_tables(
        cls,
        events: object,
        items: object | None = None,
        users: object | None = None,
        *,
        columns: EventColumns | None = None,
        item_id: str | None = None,
        user_id: str | None = None,
        item_fields: Mapping[str, Field | None] | None = None,
        user_fields: Mapping[str, Field | None] | None = None,
        unknown_items: Literal["error", "drop"] = "error",
    ) -> "Dataset":
        """Read tables of events, items and users.

        The catalog is the items table in its order; without one, the items of the events in order
        of first appearance. Users are those of the users table, then those of the events.

        Args:
            events: one row per event, see `EventColumns`.
            items: one row per item; its columns become fields.
            users: one row per user; its columns become fields.
            columns: which column of the events means what; guessed where it does not say.
            item_id: the id column of the items table; None guesses.
            user_id: the id column of the users table; None guesses.
            item_fields: what to read columns of the items table as, by name; None leaves a column
                out. The kinds of the columns not named are guessed. The column that names the
                items to a reader (title, name) is a field only if it is named here.
            user_fields: the same of the users table.
            unknown_items: whether an event of an item that the items table does not have is an
                error, or dropped and counted in the report.

        Raises:
            DataError: a table, a column or a row cannot be used; the message says which.
            ArgumentError: unknown_items is neither "error" nor "drop".

        >>> import polars
        >>> events = polars.DataFrame({"user": ["ann", "bob"], "item": ["fig", "pear"]})
        >>> Dataset.from_tables(events).items.ids
        ('fig', 'pear')
        """
        if unknown_items not in ("error", "drop"):
            raise ArgumentError(f'unknown_items must be "error" or "drop", not {unknown_items!r}')
        event_table = read_table(events, "events")
        columns = (columns or EventColumns()).resolve(event_table)
        catalog = _entities(items, "items", columns.item_id, item_id, item_fields)
        people = _entities(users, "users", columns.user_id, user_id, user_fields)
        read = read_events(
            event_table,
            columns,
            known_items=None if catalog is None else catalog.ids,
            known_users=() if people is None else people.ids.ids,
            drop_unknown=unknown_items == "drop",
        )
        catalog = catalog or Entities.without_table(read.items)
        people = (
            Entities.without_table(read.users) if people is None else people.extended(read.users)
        )
        report = Report(
            n_events=len(read.interactions),
            n_users=len(read.users),
            n_items=len(read.items),
            columns=columns.found(),
            dropped_events=read.dropped_events,
            dropped_items=tuple(map(repr, read.dropped_items)),
            time_unit=read.time_unit,
            unknown_items=unknown_items,
            item_id=catalog.id_column,
            user_id=people.id_column,
            labels=catalog.label_column,
            item_fields=catalog.summaries(),
            user_fields=people.summaries(),
            ignored_item_columns=catalog.ignored,
            ignored_user_columns=people.ignored,
        )
        return cls(
            read.users,
            read.items,
            read.interactions,
            catalog.features,
            people.features,
            catalog.labels,
            columns,
            report,
        )

    def histories(self, user_indices: Int64Array, max_events: int | None = None) -> Histories:
        """Read the histories of some users, the newest max_events of each."""
        return self.interactions.histories(user_indices, self.user_features, max_events=max_events)

    def visitor(self, history: Iterable[Hashable], attributes: Mapping[str, object]) -> Histories:
        """Read the history of somebody without an id, as a batch of one.

        Args:
            history: ids of items; nothing is known of value or time, so their order says nothing,
                and the kind of event is the first that the data set has.
            attributes: what is known of the visitor, by field; fields may be left out.

        Raises:
            UnknownItemError: an item is not in the catalog.
            ArgumentError: attributes name no field, or do not fit theirs.
        """
        items = self.items.indices_of(history).astype(np.int32)
        return Histories(
            np.array([0, len(items)], np.int64),
            items,
            np.zeros(len(items), np.int16),
            np.full(len(items), np.nan, np.float32),
            np.zeros(len(items), np.float32),
            self.user_features.schema.encode_one(attributes),
        )

    def with_interactions(self, interactions: Interactions) -> "Dataset":
        """Return the same users and items with other events, such as a part of a split.

        Raises:
            ArgumentError: the events are of another number of users, or of items beyond these.
        """
        if interactions.n_users != self.n_users:
            raise ArgumentError(
                f"the interactions are of {interactions.n_users} users, the data set of "
                f"{self.n_users}"
            )
        if len(interactions) and not 0 <= interactions.items.min() <= interactions.items.max() < (
            self.n_items
        ):
            raise ArgumentError(f"an item index is outside 0 to {self.n_items - 1}")
        return replace(self, interactions=interactions, recorded=None)

    def unrecorded(self) -> "Dataset":
        """Return the data set without the events that a store still has."""
        if self.recorded is None:
            return self
        return self.with_interactions(self.interactions.only(~self.recorded))

    def settled(self) -> "Dataset":
        """Return the data set with all events as its own, whatever store they came from."""
        return replace(self, recorded=None)

    def without_user(self, user: Hashable) -> "Dataset":
        """Return the data set without a user: neither id, nor events, nor attributes.

        Raises:
            UnknownUserError: there is no such user.
        """
        index = self.users.index_of(user)
        others = np.delete(np.arange(self.n_users), index)
        stays = self.interactions.users() != index
        return replace(
            self,
            users=self.users.without(user),
            interactions=self.interactions.take(others),
            user_features=self.user_features.take(others),
            recorded=None if self.recorded is None else self.recorded[stays],
            forgotten=self.forgotten + 1,
        )

    def to_tables(self) -> dict[str, pa.Table]:
        """Return all arrays as Arrow tables, to be stored with what `to_json` gives.

        Raises:
            StorageError: an id is of a type that cannot be stored.
        """
        return write_tables(self)

    def to_json(self) -> dict[str, Any]:
        """Return everything that is no array as JSON data."""
        return write_state(self)

    @classmethod
    def from_storage(cls, tables: Mapping[str, pa.Table], state: Mapping[str, Any]) -> "Dataset":
        """Read back what `to_tables` and `to_json` gave, bit for bit.

        Raises:
            StorageError: something is missing or damaged.
        """
        return cls(**read_dataset(tables, state))


def _entities(
    source: object | None,
    name: Literal["items", "users"],
    in_events: str | None,
    id_column: str | None,
    fields: Mapping[str, Field | None] | None,
) -> Entities | None:
    """Read the items or users table, if there is one."""
    if source is not None:
        return read_entities(read_table(source, name), in_events or "", id_column, fields)
    role = name[:-1]
    if id_column is not None or fields is not None:
        raise ArgumentError(
            f"{role}_id and {role}_fields describe the {name} table, but no {name} are given"
        )
    return None
