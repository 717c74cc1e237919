"""What a data set and a store know of users together: the histories that answers are drawn from."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from whyrec.data.dataset import Dataset
from whyrec.data.id_text import encode_id
from whyrec.data.interactions import Histories, Interactions
from whyrec.data.merged import merge
from whyrec.data.rows import offsets_of
from whyrec.errors import ArgumentError
from whyrec.feedback.controls import ControlReader, Weights, Wishes, by_user
from whyrec.feedback.records import Control, Event
from whyrec.feedback.store import Store
from whyrec.types import BoolArray, Int16Array, Int32Array, Int64Array

DISMISSAL = "dismissal"
"""The kind of event that says what somebody did not want."""


@dataclass(frozen=True, slots=True, eq=False)
class Remembered:
    """What is known of some users."""

    ids: list[Hashable]
    histories: Histories
    """Without what they want to be left out."""

    seen: tuple[Int32Array, Int64Array]
    """Items of all their events, int32, with offsets, int64 [n_users + 1]."""

    hidden: tuple[Int32Array, Int64Array]
    """Items that are never to be shown to them, the same."""

    weights: tuple[Weights, ...]
    """What else they want to count for less, of each."""


class Memory:
    """Reads users out of a data set and a store, which is asked once for all of them.

    Events of kinds that the recommender does not know are left out of histories, as are those of
    items that it does not know; their items have been seen all the same. An event without a kind
    has the first kind of the data set, as in a visitor's history. Where the data set has no kinds,
    every event counts but a dismissal.
    """

    def __init__(self, dataset: Dataset, *, fractions: bool = True) -> None:
        """Take the data set, and whether events and attributes can count for less than whole."""
        self._dataset = dataset = dataset.unrecorded()  # the store itself tells what it has
        self.controls = ControlReader(dataset, fractions=fractions)
        # Somebody whom the data set does not know is the row after the last.
        self._interactions = dataset.interactions.with_stranger()
        self._attributes = dataset.user_features.with_stranger()

    def recall(self, ids: Sequence[Hashable], store: Store) -> Remembered:
        """Return what is known of some users, who may be there twice.

        Raises:
            UnknownUserError: some are known neither to the data set nor to the store.
            StoreError: the store cannot be read.
        """
        rows = self._dataset.users.places_of(ids, self._dataset.n_users)
        merged, _ = self.events(ids, rows, store)
        asked_for = by_user(store.read(Control, users=_storable(ids)[1]))
        self._demand_known(ids, rows, merged, asked_for, store)
        counted, _ = self.counted(merged)
        histories = counted.histories(np.arange(len(ids)), self._attributes.take(rows))
        wishes = {
            row: self.controls.wishes(asked_for[user])
            for row, user in enumerate(ids)
            if user in asked_for
        }
        hidden = [
            self.controls.hidden(wishes[row]) if row in wishes else np.zeros(0, np.int32)
            for row in range(len(ids))
        ]
        return Remembered(
            [
                self._dataset.users[row] if row < self._dataset.n_users else user
                for row, user in zip(rows.tolist(), ids, strict=True)
            ],
            self._left_in(histories, wishes),
            (merged.items, merged.offsets),
            (
                np.concatenate([np.zeros(0, np.int32), *hidden]),
                offsets_of(np.array([len(each) for each in hidden], np.int64)),
            ),
            tuple(
                self.controls.weights(wishes[row], histories.take(np.array([row])))
                if row in wishes
                else Weights()
                for row in range(len(ids))
            ),
        )

    def events(
        self, ids: Sequence[Hashable], rows: Int64Array, store: Store
    ) -> tuple[Interactions, Int64Array]:
        """Return all events of some users with items that are known, and where each was.

        Args:
            ids: of the users.
            rows: int64 [n_users], theirs in the data set, the one after the last for a stranger.
            store: what else there is.
        """
        kept, users = _storable(ids)
        kind_names = self._dataset.interactions.kind_names
        stored = store.histories(users, self._dataset.items, kind_names)
        if len(kept) < len(ids):
            counts = np.zeros(len(ids), np.int64)
            counts[kept] = np.diff(stored.offsets)
            stored = replace(stored, offsets=offsets_of(counts))
        return merge(self._interactions.take(rows), stored)

    def counted(self, events: Interactions) -> tuple[Interactions, BoolArray]:
        """Return the events that count in a history, and which they are: bool [n_events]."""
        counts, kinds = self.kinds(events.kind_names)
        chosen = counts[events.kinds]
        kept = events.only(chosen)
        names = self._dataset.interactions.kind_names
        return replace(kept, kinds=kinds[kept.kinds], kind_names=names), chosen

    def kinds(self, names: Sequence[str]) -> tuple[BoolArray, Int16Array]:
        """Return, of kinds of event, whether they count in a history, and as which kind.

        Args:
            names: those of the data set, then others.
        """
        known = self._dataset.interactions.kind_names
        has_none = known == ("",)
        counts = [
            index < len(known) or name == "" or (has_none and name != DISMISSAL)
            for index, name in enumerate(names)
        ]
        numbers = [index if index < len(known) else 0 for index in range(len(names))]
        return np.array(counts, bool), np.array(numbers, np.int16)

    def _left_in(self, histories: Histories, wishes: dict[int, Wishes]) -> Histories:
        """Leave out events and attributes that are not to count at all."""
        if not wishes:
            return histories
        attributes = histories.attributes
        events, values = np.ones(len(histories.items), bool), np.ones(len(attributes.tokens), bool)
        for row, each in wishes.items():
            span = slice(histories.offsets[row], histories.offsets[row + 1])
            events[span] = self.controls.event_weights(each, histories.items[span]) > 0
            span = slice(attributes.offsets[row], attributes.offsets[row + 1])
            fields = attributes.schema.token_fields[attributes.tokens[span]]
            values[span] = (self.controls.field_weights(each) > 0)[fields]
        left = histories.only_events(events)
        return replace(left, attributes=attributes.only(values))

    def _demand_known(
        self,
        ids: Sequence[Hashable],
        rows: Int64Array,
        merged: Interactions,
        asked_for: Mapping[Hashable, list[Control]],
        store: Store,
    ) -> None:
        """Refuse ids of whom nothing at all is known."""
        is_new = (rows == self._dataset.n_users) & (np.diff(merged.offsets) == 0)
        strangers = [
            ids[row] for row in np.flatnonzero(is_new).tolist() if ids[row] not in asked_for
        ]
        if strangers:
            # Somebody may have events of items alone that are not known yet.
            recorded = store.read(Event, users=_storable(strangers)[1])
            known = {event.user_id for event in recorded}
            unknown = [one for one in strangers if one not in known]
            if unknown:
                self._dataset.users.indices_of(unknown)


def _storable(ids: Sequence[Hashable]) -> tuple[list[int], list[Hashable]]:
    """Return the places of ids that a store can hold, and these ids."""
    kept = []
    for place, one in enumerate(ids):
        try:
            encode_id(one)
        except ArgumentError:
            continue
        kept.append(place)
    return kept, [ids[place] for place in kept]
