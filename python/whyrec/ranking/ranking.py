"""Ranked items: what the index answers, and how the answers of shards become one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from whyrec import _native
from whyrec.data.pairs import Pairs
from whyrec.data.rows import gather_rows, offsets_of
from whyrec.errors import ArgumentError
from whyrec.types import Float32Array, Int32Array, Int64Array


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """The best items of each query, best first, with their scores in logits."""

    offsets: Int64Array
    """int64 [n_queries + 1]: the items of query q are those from offsets[q] to offsets[q + 1].

    A query has fewer than k where there are no more; it is never padded.
    """

    items: Int32Array
    """int32 [n_ranked]: item index."""

    scores: Float32Array
    """float32 [n_ranked]: the score that ranked the item."""

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def of(self, query: int) -> slice:
        """Return the slice of `items` and `scores` that belongs to one query."""
        return slice(int(self.offsets[query]), int(self.offsets[query + 1]))

    def take(self, queries: Int64Array) -> "Ranking":
        """Return the queries asked for, in the order asked for."""
        offsets, positions = gather_rows(self.offsets, queries)
        return Ranking(offsets, self.items[positions], self.scores[positions])

    def pairs(self) -> Pairs:
        """Return every ranked item with the row of its query, in order."""
        rows = np.repeat(np.arange(len(self), dtype=np.int32), np.diff(self.offsets))
        return Pairs(rows, self.items)

    def reordered(self, scores: Float32Array, k: int) -> "Ranking":
        """Return the k best items of each query by other scores; equal scores go by item index.

        >>> ranking = Ranking(
        ...     np.array([0, 3]), np.array([4, 7, 1], np.int32), np.array([3, 2, 1], np.float32)
        ... )
        >>> ranking.reordered(np.array([0.5, 2, 0.5], np.float32), k=2).items
        array([7, 1], dtype=int32)

        Args:
            scores: float32 [n_ranked], in logits.
            k: how many items each query gets at most.
        """
        rows = self.pairs().rows
        order = np.lexsort((self.items, -scores, rows))
        place = np.arange(len(rows)) - self.offsets[rows]
        order = order[place < k]
        offsets = offsets_of(np.minimum(np.diff(self.offsets), k))
        return Ranking(offsets, self.items[order], scores[order])

    def parted(self, k: int) -> "tuple[Ranking, Ranking]":
        """Return the first k items of each query, and those after them."""
        offsets = self.offsets
        place = np.arange(len(self.items)) - np.repeat(offsets[:-1], np.diff(offsets))
        cuts = offsets_of(np.diff(offsets).clip(max=k))
        first, rest = np.flatnonzero(place < k), np.flatnonzero(place >= k)
        return (
            Ranking(cuts, self.items[first], self.scores[first]),
            Ranking(offsets - cuts, self.items[rest], self.scores[rest]),
        )

    def renumbered(self, items: Int32Array) -> "Ranking":
        """Return the ranking of a shard with the item indices of the whole catalog.

        Args:
            items: int32 [n_items of the shard], rising: what each of its items is in the catalog.

        Raises:
            ArgumentError: items that do not rise, so that ties would be in another order, or fewer
                of them than were ranked.
        """
        if items.ndim != 1 or items.dtype != np.int32:
            raise ArgumentError(
                f"items: expected int32 [n_items], got {items.dtype} of shape {items.shape}"
            )
        falls = np.flatnonzero(np.diff(items) <= 0)
        if falls.size:
            raise ArgumentError(f"items: entry {falls[0] + 1} is no larger than the one before it")
        largest = self.items.max(initial=-1)
        if largest >= len(items):
            raise ArgumentError(
                f"items: the ranking has item {largest}, but there are {len(items)} entries"
            )
        return Ranking(self.offsets, items[self.items], self.scores)

    @classmethod
    def stacked(cls, rankings: Sequence["Ranking"]) -> "Ranking":
        """Put the rankings of some queries behind those of others."""
        if len(rankings) == 1:
            return rankings[0]
        counts = [np.diff(ranking.offsets) for ranking in rankings]
        return cls(
            offsets_of(np.concatenate([np.zeros(0, np.int64), *counts])),
            np.concatenate([np.zeros(0, np.int32), *(each.items for each in rankings)]),
            np.concatenate([np.zeros(0, np.float32), *(each.scores for each in rankings)]),
        )

    @classmethod
    def merge(cls, rankings: Sequence["Ranking"], k: int) -> "Ranking":
        """Merge the rankings of the shards of a catalog to that of the whole, to the bit.

        Each shard is a part of the catalog, in an index of its own, in this process or another,
        and was asked for k items of the same queries.

        >>> from whyrec.ranking import ItemIndex
        >>> vectors, biases = np.array([[1], [3], [2]], np.float32), np.zeros(3, np.float32)
        >>> query = np.ones((1, 1), np.float32)
        >>> shards = [np.array([0, 2], np.int32), np.array([1], np.int32)]
        >>> rankings = [
        ...     ItemIndex(vectors[items], biases[items]).top_k(query, 2).renumbered(items)
        ...     for items in shards
        ... ]
        >>> Ranking.merge(rankings, 2).items
        array([1, 2], dtype=int32)

        Args:
            rankings: one a shard, with the item indices of the whole catalog.
            k: how many items each query gets at most.

        Raises:
            ArgumentError: k below 1, rankings of different numbers of queries, out of order, or
                with an item in two of them.
        """
        shards = [(ranking.offsets, ranking.items, ranking.scores) for ranking in rankings]
        return cls(*_native.merge(shards, k))
