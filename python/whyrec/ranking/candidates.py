"""Sets of items that may, or may not, be in an answer: one for each query, or one for all."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from whyrec.data.rows import gather_rows, offsets_of
from whyrec.errors import ArgumentError
from whyrec.types import BoolArray, Int32Array, Int64Array


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Item indices, set by set; neither their order nor duplicates matter.

    >>> seen = Candidates.per_query([[3, 1], []])
    >>> gone = Candidates.shared([7])
    >>> seen.union(gone).items
    array([3, 1, 7, 7], dtype=int32)
    """

    items: Int32Array
    """int32 [n_entries]: the item indices of all sets, one set after the other."""

    offsets: Int64Array | None = None
    """int64 [n_queries + 1]: the set of query q is from offsets[q] to offsets[q + 1].

    None for one set that holds for every query.
    """

    @classmethod
    def shared(cls, items: ArrayLike) -> "Candidates":
        """Make one set, of these item indices, that holds for every query.

        Raises:
            ArgumentError: an entry is no item index.
        """
        return cls(_item_indices(items))

    @classmethod
    def per_query(cls, sets: Sequence[ArrayLike]) -> "Candidates":
        """Make a set of item indices for each query.

        Raises:
            ArgumentError: an entry is no item index.
        """
        parts = [_item_indices(items) for items in sets]
        counts = np.array([len(part) for part in parts], np.int64)
        return cls(np.concatenate([np.empty(0, np.int32), *parts]), offsets_of(counts))

    def take(self, queries: Int64Array) -> "Candidates":
        """Return the sets of the queries asked for, in the order asked for."""
        if self.offsets is None:
            return self
        offsets, positions = gather_rows(self.offsets, queries)
        return Candidates(self.items[positions], offsets)

    def union(self, other: "Candidates") -> "Candidates":
        """Return, query by query, the items that are in either.

        Raises:
            ArgumentError: each has sets of its own, but for different numbers of queries.
        """
        if self.offsets is None:
            if other.offsets is None:
                return Candidates(np.concatenate([self.items, other.items]))
            return other.union(self)
        offsets, items = self.offsets, other.items
        if other.offsets is None:
            n_queries = len(offsets) - 1
            others = np.arange(n_queries + 1, dtype=np.int64) * len(items)
            items = np.tile(items, n_queries)
        else:
            others = other.offsets
        if len(offsets) != len(others):
            raise ArgumentError(
                f"the sets of {len(offsets) - 1} queries cannot be joined with those of "
                f"{len(others) - 1}"
            )
        joined = np.empty(len(self.items) + len(items), np.int32)
        joined[np.arange(len(self.items)) + np.repeat(others[:-1], np.diff(offsets))] = self.items
        joined[np.arange(len(items)) + np.repeat(offsets[1:], np.diff(others))] = items
        return Candidates(joined, offsets + others)

    def among(self, items: Int32Array, rows: Int64Array) -> BoolArray:
        """Tell which of some items the sets of some queries have.

        Args:
            items: int32 [n_items], rising.
            rows: int64 [n_rows], the queries.

        Returns:
            bool [n_rows, n_items].
        """
        if self.offsets is None:
            return np.broadcast_to(np.isin(items, self.items), (len(rows), len(items)))
        offsets, positions = gather_rows(self.offsets, rows)
        mine, row = self.items[positions], np.repeat(np.arange(len(rows)), np.diff(offsets))
        known = np.flatnonzero(np.isin(mine, items))
        found = np.zeros((len(rows), len(items)), bool)
        found[row[known], np.searchsorted(items, mine[known])] = True
        return found


def _item_indices(items: ArrayLike) -> Int32Array:
    """Return int32 [n]; whether the catalog has such items is for the index to say."""
    given = np.asarray(items)
    if given.ndim != 1:
        raise ArgumentError(f"item indices: expected a flat sequence, got shape {given.shape}")
    if not given.size:
        return np.empty(0, np.int32)
    if given.dtype.kind not in "iu":
        raise ArgumentError(f"item indices: expected whole numbers, got dtype {given.dtype}")
    wrong = np.flatnonzero((given < 0) | (given > np.iinfo(np.int32).max))
    if wrong.size:
        raise ArgumentError(f"item indices: entry {wrong[0]} is {given[wrong[0]]}, no item index")
    return given.astype(np.int32)
