"""The catalog's vectors, ready to be ranked: the way from query vectors to ranked items."""

from dataclasses import dataclass

import numpy as np

from whyrec import _native
from whyrec.data.pairs import Pairs
from whyrec.data.rows import gather_rows
from whyrec.ranking.candidates import Candidates
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


class ItemIndex:
    """Item vectors and biases, checked once and copied; it never changes.

    The score of a query and an item is their dot product, summed in float32 in the order of the
    dimensions with fused multiply-adds, plus the item's bias. Its bits are the same in every call,
    whatever the batch, the number of threads and the processor. Items are ranked by score, highest
    first, then by index, lowest first.

    >>> vectors = np.array([[1, 0], [0, 1], [1, 1]], np.float32)
    >>> index = ItemIndex(vectors, np.array([0, 0, 0.5], np.float32))
    >>> ranking = index.top_k(np.array([[2, 1]], np.float32), k=2)
    >>> ranking.items, ranking.scores
    (array([2, 0], dtype=int32), array([3.5, 2. ], dtype=float32))
    """

    __slots__ = ("_index",)

    def __init__(self, vectors: Float32Array, biases: Float32Array) -> None:
        """Check and copy the catalog.

        Args:
            vectors: float32 [n_items, dimension].
            biases: float32 [n_items], in logits.

        Raises:
            ArgumentError: an array of another dtype, shape or layout, or a value that is not
                finite; the message says which.
        """
        self._index = _native.ItemIndex(vectors, biases)

    def __repr__(self) -> str:
        return f"ItemIndex({self.n_items} items, dimension {self.dimension})"

    @property
    def n_items(self) -> int:
        """How many items there are."""
        return self._index.n_items

    @property
    def dimension(self) -> int:
        """How many values the vector of an item has."""
        return self._index.dimension

    def top_k(
        self,
        queries: Float32Array,
        k: int,
        *,
        excluded: Candidates | None = None,
        only: Candidates | None = None,
        threads: int | None = None,
    ) -> Ranking:
        """Find the k best items of each query.

        Args:
            queries: float32 [n_queries, dimension].
            k: how many items each query gets at most; all of them, if there are fewer.
            excluded: items that are not in the answer.
            only: the only items that may be; None allows all.
            threads: how many threads may work, by default all of the machine; the answer does not
                depend on it.

        Raises:
            ArgumentError: k or threads below 1, queries or candidates that do not fit the catalog,
                values that are not finite or so large that a score may not be.
        """
        return Ranking(
            *_native.top_k(
                self._index,
                queries,
                k,
                excluded_offsets=None if excluded is None else excluded.offsets,
                excluded_items=None if excluded is None else excluded.items,
                only_offsets=None if only is None else only.offsets,
                only_items=None if only is None else only.items,
                threads=threads,
            )
        )

    def scores(
        self, queries: Float32Array, pairs: Pairs, *, threads: int | None = None
    ) -> Float32Array:
        """Return float32 [n_pairs]: the score of each pair, to the bits that `top_k` gives it.

        Args:
            queries: float32 [n_queries, dimension].
            pairs: rows of queries, each with an item.
            threads: how many threads may work, by default all of the machine.

        Raises:
            ArgumentError: as `top_k`, and for a pair outside the queries or the catalog.
        """
        return _native.score_pairs(self._index, queries, pairs.rows, pairs.items, threads=threads)
