"""Ranked lists as the metrics read them: checked, cut, and each item where it comes first."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import index

import numpy as np

from whyrec.errors import ArgumentError
from whyrec.types import Int32Array, Int64Array


@dataclass(frozen=True, slots=True, eq=False)
class Lists:
    """Items of users, user by user and best first; no item twice for one user."""

    n_users: int

    users: Int64Array
    """int64 [n_entries]: row of the user."""

    items: Int64Array
    """int64 [n_entries]: item index."""

    places: Int64Array
    """int64 [n_entries]: place in the list of the user, from 0; an item left out keeps its own."""

    def first(self, k: int) -> "Lists":
        """Return the entries at the first k places."""
        kept = self.places < k
        return Lists(self.n_users, self.users[kept], self.items[kept], self.places[kept])

    def counts(self) -> Int64Array:
        """Return int64 [n_users]: how many entries each user has."""
        return np.bincount(self.users, minlength=self.n_users)


def read_lists(offsets: Int64Array, items: Int32Array, name: str) -> Lists:
    """Check ragged rows of item indices, and leave out what comes again in a row.

    Raises:
        ArgumentError: offsets that do not rise from 0 to the number of items, or items that are no
            item indices.
    """
    offsets, items = np.asarray(offsets), np.asarray(items)
    if offsets.ndim != 1 or not len(offsets) or offsets.dtype.kind not in "iu":
        raise ArgumentError(
            f"the offsets of the {name} must be int64 [n_users + 1], not {offsets.dtype} of shape "
            f"{offsets.shape}"
        )
    if items.ndim != 1 or items.dtype.kind not in "iu":
        raise ArgumentError(
            f"the {name} must be int32 [n_entries], not {items.dtype} of shape {items.shape}"
        )
    if offsets[0] != 0 or offsets[-1] != len(items) or (np.diff(offsets) < 0).any():
        raise ArgumentError(
            f"the offsets of the {name} must rise from 0 to the number of entries, {len(items)}"
        )
    if items.min(initial=0) < 0:
        entry = int(np.argmax(items < 0))
        raise ArgumentError(f"the {name} have {items[entry]} at entry {entry}, no item index")
    n_users, counts = len(offsets) - 1, np.diff(offsets)
    users = np.repeat(np.arange(n_users), counts)
    places = np.arange(len(items)) - np.repeat(offsets[:-1], counts)
    indices: Int64Array = items.astype(np.int64)
    _, first = np.unique(users * (1 + indices.max(initial=0)) + indices, return_index=True)
    kept = np.sort(first)
    return Lists(n_users, users[kept], indices[kept], places[kept])


def read_cutoffs(k: int | Iterable[int]) -> tuple[int, ...]:
    """Return the cut-offs, rising, each once.

    Raises:
        ArgumentError: there is none, or one is no whole number from 1.
    """
    try:
        cutoffs = sorted({index(each) for each in (k if isinstance(k, Iterable) else (k,))})
    except TypeError as error:
        raise ArgumentError(f"k must be a whole number, or several, not {k!r}") from error
    if not cutoffs:
        raise ArgumentError("k must be a whole number, or several; there is none")
    if cutoffs[0] < 1:
        raise ArgumentError(f"k must be at least 1, not {cutoffs[0]}")
    return tuple(cutoffs)


def told(means: Mapping[str, float], cutoffs: tuple[int, ...]) -> str:
    """Return figures as text, those of each cut-off on a line."""
    return "\n".join(
        ", ".join(
            f"{name} {value:.4f}" for name, value in means.items() if name.endswith(f"@{cutoff}")
        )
        for cutoff in cutoffs
    )
