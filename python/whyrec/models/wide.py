"""The wide part: the weights between items of a linear model, exact for each event."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse
import torch
from numpy.typing import NDArray

from whyrec._native import sum_sparse_rows
from whyrec.data.dataset import Dataset
from whyrec.data.features import Features
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.data.rows import offsets_of
from whyrec.models.history_weights import Entries, HistoryWeights, events_before
from whyrec.models.linear import interaction_matrix
from whyrec.models.padding import padded, places
from whyrec.models.wide_model import Penalties, Solved, WideModel, most_popular
from whyrec.types import Float32Array, Int32Array, Int64Array

_MOST_ITEMS = 8_192
"""Items that have weights, the most popular ones: their matrix takes 256 MiB."""

_CELLS = 4_000_000
"""Scores of rows over the items that are held at once."""

_NAMES = "items", "offsets", "columns", "weights"
_VALUE_NAMES = "value_offsets", "value_columns", "value_weights"


class WideWeights:
    """wide(u, i) = Σ over the distinct items j of the history of weights[j, i].

    The weights are those of EASE of histories and windows of them, as far as they are kept. So the
    contributions of events are known exactly, as with EASE itself.

    An item that nobody has chosen yet has the weights that its features foretell (`FeatureModel`),

        weights[j, i] = Σ over its feature values t of x_it · of_values[j, t].

    One that was chosen too rarely for weights of its own has none: that says more than features.

    Source: H.-T. Cheng et al., Wide & Deep Learning for Recommender Systems (DLRS 2016); H. Steck,
    Embarrassingly Shallow Autoencoders for Sparse Data (WWW 2019).
    """

    def __init__(
        self,
        known: Int32Array,
        weights: scipy.sparse.csr_matrix,
        of_values: scipy.sparse.csr_matrix,
        rare: Int32Array,
        features: Features,
        solved: Solved | None = None,
    ) -> None:
        self._known, self._weights, self._of_values = known, weights, of_values
        self._rare, self._features = rare, features
        self.solved = solved
        """What the weights came from; None where there are none."""
        has_weight = np.zeros(features.schema.n_tokens, bool)
        has_weight[of_values.indices] = True
        is_foretold = np.diff(offsets_of(has_weight[features.tokens])[features.offsets]) > 0
        is_foretold[known] = is_foretold[rare] = False
        self._foretold = np.flatnonzero(is_foretold).astype(np.int32)
        self.items = np.union1d(known, self._foretold).astype(np.int32)
        """int32, rising: those that have weights, or features that foretell them."""

    @classmethod
    def of(
        cls, dataset: Dataset, model: WideModel, most: int, penalties: Penalties | None = None
    ) -> "WideWeights":
        """Solve for the weights, and keep the most of them that count for most.

        Some may have a ridge penalty of their own, beside that of all: {(from, to): in events}.

        A weight from an item that n users chose is in n of their scores, so it counts by
        weight² · n: what leaving it out adds to the squared error of all scores together. One that
        leads to a feature value counts by the squares of all that items have of it, too. Of these
        at most as many are kept.
        """
        interactions, features = dataset.interactions, dataset.item_features
        items = most_popular(interactions, dataset.n_items, _MOST_ITEMS)
        dense = model.solve(interactions, dataset.n_items, items, penalties or {})
        matrix = interaction_matrix(interactions, dataset.n_items)[:, items]
        n_users = np.asarray(matrix.sum(0), np.float32).ravel()
        shape = len(items), features.schema.n_tokens
        of_values = _no_weights(*shape)
        if model.features is not None:
            found, tokens, counts_for = model.features.weights_of_values(
                dense, features.matrix()[items], n_users
            )
            kept = _strongest(found, counts_for, most)
            columns = tokens[kept.indices]
            of_values = scipy.sparse.csr_matrix((kept.data, columns, kept.indptr), shape)
        kept = _strongest(dense, np.abs(dense) * np.sqrt(n_users)[:, None], most)
        rare = np.setdiff1d(interactions.items, items).astype(np.int32)
        solved = Solved(model, penalties or {})
        return cls(items, kept, of_values, rare, features, solved)

    def solved_again(self, dataset: Dataset, most: int) -> "WideWeights":
        """Solve for the same with other events, perhaps of more items."""
        if self.solved is None:
            return self.nothing(dataset.item_features)
        again = WideWeights.of(dataset, self.solved.model, most, self.solved.penalties)
        return again.times(self.solved.strength)

    @classmethod
    def nothing(cls, features: Features) -> "WideWeights":
        """Return no weights, for a recommender that has no wide part."""
        of_values = _no_weights(0, features.schema.n_tokens)
        nothing = np.zeros(0, np.int32)
        return cls(nothing, _no_weights(0, 0), of_values, nothing, features)

    @property
    def n_items(self) -> int:
        """Of the catalog."""
        return len(self._features)

    def with_item_features(self, features: Features) -> "WideWeights":
        """Return the same weights over other features of the items."""
        return WideWeights(
            self._known, self._weights, self._of_values, self._rare, features, self.solved
        )

    def times(self, strength: float) -> "WideWeights":
        """Return all weights times a number; times 0 there is nothing."""
        if not strength:
            return self.nothing(self._features)
        of = self.solved
        solved = None if of is None else replace(of, strength=of.strength * strength)
        weights, of_values = (
            each * np.float32(strength) for each in (self._weights, self._of_values)
        )
        return WideWeights(self._known, weights, of_values, self._rare, self._features, solved)

    def scores(self, histories: Histories) -> Float32Array:
        """Return float32 [n_rows, n_weighted]: the sums for all `items`, in logits."""
        at, is_known = _find(self._known, histories.items)
        rows = np.repeat(np.arange(len(histories)), histories.counts())[is_known]
        # Each item of a history once, in rising order.
        cells = np.unique(rows * len(self._known) + at[is_known])
        rows, chosen = np.divmod(cells, max(1, len(self._known)))
        asked = offsets_of(np.bincount(rows, minlength=len(histories))), chosen.astype(np.int32)
        known = sum_sparse_rows(*self._rows, len(self._known), *asked)
        if not len(self._foretold):
            return known
        sums = np.zeros((len(histories), len(self.items)), np.float32)
        sums[:, np.searchsorted(self.items, self._known)] = known
        of_values = sum_sparse_rows(*self._value_rows, len(self._values), *asked)
        foretold = self._matrix_of_foretold @ of_values.T
        sums[:, np.searchsorted(self.items, self._foretold)] = foretold.T
        return sums

    def pair_values(self, histories: Histories, pairs: Pairs) -> Float32Array:
        """Return float32 [n_pairs], the same bits of a pair whatever else is asked."""
        values = np.zeros(len(pairs), np.float32)
        at, known = _find(self.items, pairs.items)
        rows_at_once = max(1, _CELLS // max(1, len(self.items)))
        for start in range(0, len(histories), rows_at_once):
            rows = np.arange(start, min(start + rows_at_once, len(histories)))
            sums = self.scores(histories.take(rows))
            mine = np.flatnonzero(known & (pairs.rows >= rows[0]) & (pairs.rows <= rows[-1]))
            values[mine] = sums[pairs.rows[mine] - start, at[mine]]
        return values

    def of_pairs(
        self,
        histories: Histories,
        rows: Int64Array,
        items: Int64Array,
        widths: tuple[int, int, int],
    ) -> HistoryWeights:
        """Return what events weigh, before any is left out.

        Args:
            histories: what the rows are of.
            rows: int64 [n_rows].
            items: int64 [n_rows, n_items], item indices.
            widths: places for events, attributes and features.
        """
        part = histories.take(rows)
        at = places(part.offsets, np.arange(len(rows)), widths[0])
        events = padded(torch.from_numpy(part.items).long(), at).numpy()
        from_at, from_known = _find(self._known, events)
        from_known &= at >= 0
        to_at, to_known = _find(self._known, items)
        known = from_known[:, None, :] & to_known[:, :, None]
        weights = self._weights_at(from_at[:, None, :], to_at[:, :, None], known)
        _, is_foretold = _find(self._foretold, items)
        foretold = np.flatnonzero(is_foretold)
        row = foretold // items.shape[1]
        values = places(self._features.offsets, items.ravel()[foretold], widths[2])
        tokens, sizes = (
            padded(torch.from_numpy(each), values).numpy()
            for each in (self._features.tokens, self._features.weights)
        )
        known = from_known[row][:, :, None] & (values >= 0)[:, None]
        of_values = self._values_at(from_at[row][:, :, None], tokens[:, None], known)
        of_values *= sizes[:, None]
        before, most_alike = events_before(part, at)
        return HistoryWeights(
            torch.from_numpy(weights),
            torch.from_numpy(before),
            most_alike,
            torch.from_numpy(foretold),
            torch.from_numpy(of_values),
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return items, int32, and their weights as rows of columns, int32, with offsets, int64.

        Those that lead to feature values are told likewise, and then what was solved for.
        """
        arrays: dict[str, NDArray[Any]] = {"items": self._known, "rare": self._rare}
        for names, of in ((_NAMES[1:], self._weights), (_VALUE_NAMES, self._of_values)):
            arrays |= zip(names, _rows_of(of), strict=True)
        return arrays if self.solved is None else arrays | self.solved.arrays()

    @classmethod
    def restore(cls, arrays: Mapping[str, NDArray[Any]], features: Features) -> "WideWeights":
        """Build what `arrays` has told, over the features of the items of a catalog."""
        items, offsets, columns, weights = (arrays[name] for name in _NAMES)
        value_offsets, value_columns, value_weights = (arrays[name] for name in _VALUE_NAMES)
        n_tokens = features.schema.n_tokens
        return cls(
            items,
            scipy.sparse.csr_matrix((weights, columns, offsets), (len(items), len(items))),
            scipy.sparse.csr_matrix(
                (value_weights, value_columns, value_offsets), (len(items), n_tokens)
            ),
            arrays["rare"],
            features,
            Solved.restore(arrays),
        )

    @cached_property
    def _rows(self) -> tuple[Int64Array, Int32Array, Float32Array]:
        return _rows_of(self._weights)

    @cached_property
    def _value_rows(self) -> tuple[Int64Array, Int32Array, Float32Array]:
        """The weights that lead to feature values, these counted among `_values` alone."""
        offsets, columns, weights = _rows_of(self._of_values)
        return offsets, np.searchsorted(self._values, columns).astype(np.int32), weights

    @cached_property
    def _values(self) -> Int32Array:
        """int32, rising: the feature values that weights lead to."""
        return np.unique(self._of_values.indices).astype(np.int32)

    @cached_property
    def _matrix_of_foretold(self) -> scipy.sparse.csr_matrix:
        """The feature values of the items without weights, float32 [n_foretold, n_values]."""
        return self._features.take(self._foretold.astype(np.int64)).matrix()[:, self._values]

    @cached_property
    def _weights_at(self) -> "Entries":
        return Entries.of(self._weights)

    @cached_property
    def _values_at(self) -> "Entries":
        return Entries.of(self._of_values)


def _find(among: Int32Array, items: NDArray[Any]) -> tuple[Int64Array, NDArray[np.bool_]]:
    """Return the places of items among others, which rise, and whether they are there."""
    at = np.searchsorted(among, items)
    if not len(among):
        return np.zeros_like(at), np.zeros(at.shape, bool)
    at = np.minimum(at, len(among) - 1)
    return at, among[at] == items


def _no_weights(n_rows: int, n_columns: int) -> scipy.sparse.csr_matrix:
    nothing = np.zeros(0, np.float32), np.zeros(0, np.int32), np.zeros(n_rows + 1, np.int64)
    return scipy.sparse.csr_matrix(nothing, (n_rows, n_columns))


def _rows_of(matrix: scipy.sparse.csr_matrix) -> tuple[Int64Array, Int32Array, Float32Array]:
    """Return offsets, columns and weights of the rows."""
    return matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data


def _strongest(dense: Float32Array, counts_for: Float32Array, most: int) -> scipy.sparse.csr_matrix:
    """Keep the weights that count for most."""
    if dense.size > most:
        left_out = np.partition(counts_for, dense.size - most - 1, axis=None)
        dense = np.where(counts_for <= left_out[dense.size - most - 1], np.float32(0), dense)
    return scipy.sparse.csr_matrix(dense)
