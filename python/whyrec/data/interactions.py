"""Events as typed arrays, user by user and oldest first, and the histories read from them."""

from dataclasses import dataclass, replace

import numpy as np

from whyrec.data.features import Features
from whyrec.data.rows import gather_rows, offsets_of
from whyrec.types import BoolArray, Float32Array, Float64Array, Int16Array, Int32Array, Int64Array


@dataclass(frozen=True, slots=True, eq=False)
class Histories:
    """What a batch of users did and what is known of them: the whole input of a recommender."""

    offsets: Int64Array
    """int64 [n_rows + 1]: the events of row r are those from offsets[r] to offsets[r + 1]."""

    items: Int32Array
    """int32 [n_events]: item index, oldest event first."""

    kinds: Int16Array
    """int16 [n_events]: index into the kinds of event that the data set knows."""

    values: Float32Array
    """float32 [n_events]: the value as it came (a rating, say); NaN where an event has none."""

    ages: Float32Array
    """float32 [n_events]: days before the newest event of the row; 0 without timestamps."""

    attributes: Features
    """One row of user features per row."""

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def counts(self) -> Int64Array:
        """Return int64 [n_rows]: how many events each row has."""
        return np.diff(self.offsets)

    def take(self, rows: Int64Array) -> "Histories":
        """Return the rows asked for, in the order asked for."""
        rows = np.asarray(rows, np.int64)
        offsets, positions = gather_rows(self.offsets, rows)
        return self._with_events(offsets, positions, self.attributes.take(rows))

    def only_events(self, present: BoolArray) -> "Histories":
        """Leave out every event whose entry in present (bool [n_events]) is False.

        Ages stay as they were: they count from the newest event of the whole history, which a
        coalition does not move.
        """
        kept = offsets_of(present)
        return self._with_events(kept[self.offsets], np.flatnonzero(present), self.attributes)

    def _with_events(
        self, offsets: Int64Array, positions: Int64Array, attributes: Features
    ) -> "Histories":
        return Histories(
            offsets,
            self.items[positions],
            self.kinds[positions],
            self.values[positions],
            self.ages[positions],
            attributes,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Interactions:
    """All events of a data set, user by user, oldest first; ties keep the order of the table."""

    offsets: Int64Array
    """int64 [n_users + 1]."""

    items: Int32Array
    """int32 [n_events]: item index."""

    kinds: Int16Array
    """int16 [n_events]: index into kind_names."""

    kind_names: tuple[str, ...]
    """The kinds of event, such as view and purchase; one empty name where events have no kind."""

    values: Float32Array | None = None
    """float32 [n_events], NaN where missing; None when the table has no value column."""

    timestamps: Float64Array | None = None
    """float64 [n_events]: seconds since 1970 (UTC); None when the table has no timestamps."""

    def __len__(self) -> int:
        return len(self.items)

    @property
    def n_users(self) -> int:
        """How many users there are, with or without events."""
        return len(self.offsets) - 1

    def users(self) -> Int32Array:
        """Return int32 [n_events]: the user index of every event."""
        return np.repeat(np.arange(self.n_users, dtype=np.int32), np.diff(self.offsets))

    def has_same_items(self, other: "Interactions") -> bool:
        """Tell whether each user did something with the same items, in the same order."""
        return np.array_equal(self.items, other.items) and np.array_equal(
            self.users(), other.users()
        )

    def take(self, users: Int64Array) -> "Interactions":
        """Return the events of the users asked for, a row for each, in the order asked for."""
        offsets, positions = gather_rows(self.offsets, np.asarray(users, np.int64))
        return replace(self.at(positions), offsets=offsets)

    def with_stranger(self) -> "Interactions":
        """Return the same users and one more, who did nothing."""
        return replace(self, offsets=np.append(self.offsets, self.offsets[-1]))

    def at(self, positions: Int64Array) -> "Interactions":
        """Return the events at some positions; offsets stay as they are, and are for the caller."""
        return replace(
            self,
            items=self.items[positions],
            kinds=self.kinds[positions],
            values=None if self.values is None else self.values[positions],
            timestamps=None if self.timestamps is None else self.timestamps[positions],
        )

    def only(self, chosen: BoolArray) -> "Interactions":
        """Keep the events whose entry in chosen (bool [n_events]) is True; users stay."""
        kept = offsets_of(chosen)
        return replace(self.at(np.flatnonzero(chosen)), offsets=kept[self.offsets])

    def histories(
        self, users: Int64Array, attributes: Features, *, max_events: int | None = None
    ) -> Histories:
        """Read the histories of some users, the newest max_events of each.

        attributes holds one row per user of the data set.
        """
        users = np.asarray(users, np.int64)
        offsets, positions = gather_rows(self.offsets, users)
        if max_events is not None:
            counts = np.diff(offsets)
            from_end = np.repeat(offsets[1:], counts) - np.arange(len(positions))
            positions = positions[from_end <= max_events]
            offsets = offsets_of(np.minimum(counts, max_events))
        counts = np.diff(offsets)
        if self.timestamps is None:
            ages = np.zeros(len(positions), np.float32)
        else:
            times = self.timestamps[positions]
            newest = times[np.maximum(offsets[1:] - 1, 0)] if len(times) else np.zeros(len(users))
            ages = ((np.repeat(newest, counts) - times) / 86_400).astype(np.float32)
        values = np.full(len(positions), np.nan, np.float32)
        return Histories(
            offsets,
            self.items[positions],
            self.kinds[positions],
            values if self.values is None else self.values[positions],
            ages,
            attributes.take(users),
        )
