"""The catalog's vectors, ready to be ranked: the way from query vectors to ranked items."""

from os import PathLike
from typing import TypeAlias

import numpy as np
import torch

from whyrec import _native
from whyrec.data.pairs import Pairs
from whyrec.errors import ArgumentError
from whyrec.ranking.candidates import Candidates
from whyrec.ranking.ranking import Ranking
from whyrec.types import BoolArray, Float32Array, Int32Array, UInt8Array

Vectors: TypeAlias = Float32Array | torch.Tensor
"""float32, C-contiguous: an array of NumPy's, one mapped from a file, or a tensor."""


class ItemIndex:
    """Item vectors and biases, checked once and copied; it never changes.

    The score of a query and an item is their dot product, summed in float32 in the order of the
    dimensions with fused multiply-adds, plus the item's bias. Its bits are the same in every call,
    whatever the batch, the number of threads and the processor. Items are ranked by score, highest
    first, then by index, lowest first.

    Beside the vectors the index keeps codes of one byte a value, by falling norm. They tell which
    few items may be in an answer, without ever missing one; only the vectors of these are read. New
    and changed items give a new index, which shares with the old what has not changed: an index
    that serves goes on serving.

    >>> vectors = np.array([[1, 0], [0, 1], [1, 1]], np.float32)
    >>> index = ItemIndex(vectors, np.array([0, 0, 0.5], np.float32))
    >>> ranking = index.top_k(np.array([[2, 1]], np.float32), k=2)
    >>> ranking.items, ranking.scores
    (array([2, 0], dtype=int32), array([3.5, 2. ], dtype=float32))
    """

    __slots__ = ("_index",)

    _index: _native.ItemIndex

    def __init__(self, vectors: Vectors, biases: Vectors | None = None) -> None:
        """Check, copy and code the catalog.

        Args:
            vectors: float32 [n_items, dimension].
            biases: float32 [n_items], in logits; None for no biases.

        Raises:
            ArgumentError: an array of another dtype, shape or layout, or a value that is not
                finite; the message says which.
        """
        self._index = _native.ItemIndex(_array(vectors), _biases(vectors, biases))

    @classmethod
    def open(cls, path: str | PathLike[str], *, verify: bool = False) -> "ItemIndex":
        """Map an index that `save` wrote into memory; it is read as it is needed.

        The file must stay as it is while the index is in use. If it was altered between two calls,
        the next one says so; a file that is cut short in the middle of a call ends the process on
        most systems. To put another in its place is fine: `save` does so at once or not at all, and
        who has the old one open keeps it.

        Args:
            path: the file.
            verify: read all of it and compare checksums, not only those of its header.

        Raises:
            StorageError: a file that is missing, of another format, cut short, grown or damaged.
        """
        native = _native.ItemIndex.open(path)
        if verify:
            native.verify()
        return cls._of(native)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the index to one file, which `open` maps; a file of that name is replaced.

        Raises:
            StorageError: a file that cannot be written.
        """
        self._index.save(path)

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

    def appended(self, vectors: Vectors, biases: Vectors | None = None) -> "ItemIndex":
        """Return an index with more items, whose indices follow those that there are.

        That takes about as long as it takes to build an index of the new items alone, but for the
        joining of parts: over n items added in any portions each is copied log₂ n times at most.

        >>> index = ItemIndex(np.zeros((3, 2), np.float32))
        >>> index.appended(np.ones((1, 2), np.float32)).n_items, index.n_items
        (4, 3)

        Args:
            vectors: float32 [n_new, dimension].
            biases: float32 [n_new]; None for no biases.

        Raises:
            ArgumentError: as when an index is made, and vectors of another dimension.
        """
        return self._of(self._index.appended(_array(vectors), _biases(vectors, biases)))

    def replaced(
        self, items: Int32Array, vectors: Vectors, biases: Vectors | None = None
    ) -> "ItemIndex":
        """Return an index in which some items have other vectors and biases.

        Args:
            items: int32 [n_changed]: item indices, each once.
            vectors: float32 [n_changed, dimension].
            biases: float32 [n_changed]; None for no biases.

        Raises:
            ArgumentError: as `appended`, and an item that is not there or comes twice.
        """
        return self._of(self._index.replaced(items, _array(vectors), _biases(vectors, biases)))

    @classmethod
    def _of(cls, native: _native.ItemIndex) -> "ItemIndex":
        index = cls.__new__(cls)
        index._index = native
        return index

    def top_k(
        self,
        queries: Vectors,
        k: int,
        *,
        excluded: Candidates | None = None,
        only: Candidates | None = None,
        mask: BoolArray | None = None,
        threads: int | None = None,
    ) -> Ranking:
        """Find the k best items of each query.

        Args:
            queries: float32 [n_queries, dimension].
            k: how many items each query gets at most; all of them, if there are fewer.
            excluded: items that are not in the answer.
            only: the only items that may be; None allows all.
            mask: bool [n_items], or [n_queries, n_items]: True for the items that may be.
            threads: how many threads may work, by default all of the machine; the answer does not
                depend on it.

        Raises:
            ArgumentError: k or threads below 1, queries, candidates or a mask that do not fit the
                catalog, values that are not finite or so large that a score may not be.
            StorageError: the file that the index was opened from has been altered.
        """
        return Ranking(
            *_native.top_k(
                self._index,
                _array(queries),
                k,
                excluded_offsets=None if excluded is None else excluded.offsets,
                excluded_items=None if excluded is None else excluded.items,
                only_offsets=None if only is None else only.offsets,
                only_items=None if only is None else only.items,
                mask=None if mask is None else _bytes(mask),
                threads=threads,
            )
        )

    def scores(self, queries: Vectors, pairs: Pairs, *, threads: int | None = None) -> Float32Array:
        """Return float32 [n_pairs]: the score of each pair, to the bits that `top_k` gives it.

        Args:
            queries: float32 [n_queries, dimension].
            pairs: rows of queries, each with an item.
            threads: how many threads may work, by default all of the machine.

        Raises:
            ArgumentError: as `top_k`, and for a pair outside the queries or the catalog.
        """
        return _native.score_pairs(
            self._index, _array(queries), pairs.rows, pairs.items, threads=threads
        )


def _array(values: Vectors) -> Float32Array:
    """Return the values of a tensor as an array, which shares its memory where it can."""
    return values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else values


def _biases(vectors: Vectors, biases: Vectors | None) -> Float32Array:
    return np.zeros(len(vectors), np.float32) if biases is None else _array(biases)


def _bytes(mask: BoolArray) -> UInt8Array:
    """Return the mask as uint8, which shares its memory."""
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
        found = mask.dtype if isinstance(mask, np.ndarray) else type(mask).__name__
        raise ArgumentError(f"mask: expected an array of bool, got {found}")
    return mask.view(np.uint8)
