"""What events weigh for some items, and how that adds up where some of them are left out."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
import torch
from numpy.typing import NDArray

from whyrec.data.interactions import Histories
from whyrec.types import Float32Array, Int64Array


@dataclass(frozen=True, slots=True, eq=False)
class HistoryWeights:
    """What the events of some rows weigh for some items, padded with zeros."""

    weights: torch.Tensor
    """float32 [n_rows, n_items, n_event_places], in logits."""

    before: torch.Tensor
    """int64 [n_rows, n_event_places]: 1 + the place of the event before of the same item, or 0."""

    most_alike: int
    """The most events before of one item."""

    foretold: torch.Tensor
    """int64 [n_foretold], rising: which pairs, row by row, have an item without weights."""

    of_values: torch.Tensor
    """float32 [n_foretold, n_event_places, n_feature_places], in logits."""

    def values(self, events: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """Return [n_rows, n_items, n_coalitions]: the sum over the distinct items that are there.

        An event counts where none before it has the same item: with w its weight, p its presence,

            Σ w p Π over the events before of the same item of (1 − p).

        Where w is foretold by features, it is the sum of what those say that are there.

        Args:
            events: their presence, [n_rows, n_items, n_coalitions, n_event_places].
            features: the same, [n_rows, n_items, n_coalitions, n_feature_places].
        """
        counting = events
        if self.most_alike:
            before = self.before[:, None, None].expand(events.shape)
            absent = 1 - events
            nobody = torch.ones_like(events)
            for _ in range(self.most_alike):
                after = torch.nn.functional.pad(nobody * absent, (1, 0), value=1.0)
                nobody = after.gather(-1, before)
            counting = events * nobody
        values: torch.Tensor = (counting * self.weights[:, :, None]).sum(-1)
        if len(self.foretold):
            parts = counting.flatten(0, 1)[self.foretold] @ self.of_values
            found = (parts * features.flatten(0, 1)[self.foretold]).sum(-1)
            values = values.flatten(0, 1).index_add(0, self.foretold, found).view(values.shape)
        return values


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """The entries of a sparse matrix, to be looked up."""

    keys: Int64Array
    """int64 [n_entries], rising: row · n_columns + column."""

    entries: Float32Array

    n_columns: int

    @classmethod
    def of(cls, matrix: scipy.sparse.csr_matrix) -> "Entries":
        """Number the entries row by row."""
        rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
        return cls(rows * matrix.shape[1] + matrix.indices, matrix.data, matrix.shape[1])

    def __call__(
        self, rows: NDArray[Any], columns: NDArray[Any], chosen: NDArray[np.bool_]
    ) -> Float32Array:
        """Return float32 of the shape that all three broadcast to: 0 where none is or chosen."""
        if not len(self.keys):
            return np.zeros(chosen.shape, np.float32)
        keys = rows * self.n_columns + columns
        place = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(chosen & (self.keys[place] == keys), self.entries[place], np.float32(0))


def events_before(histories: Histories, at: Int64Array) -> tuple[Int64Array, int]:
    """Return `HistoryWeights.before`, and the most events before of one item."""
    counts = histories.counts()
    rows = np.repeat(np.arange(len(histories)), counts)
    place = np.arange(len(rows)) - np.repeat(histories.offsets[:-1], counts)
    order = np.lexsort((place, histories.items, rows))
    same = np.zeros(len(order), bool)
    same[1:] = (np.diff(rows[order]) == 0) & (np.diff(histories.items[order]) == 0)
    before = np.zeros(at.shape, np.int64)
    later = np.flatnonzero(same)
    before[rows[order[later]], place[order[later]]] = place[order[later - 1]] + 1
    starts = np.flatnonzero(~same)
    runs = np.diff(np.append(starts, len(same)))
    return before, int(runs.max(initial=1)) - 1
