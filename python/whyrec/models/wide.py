"""The wide part: the weights between items of a linear model, exact for each event."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse
import torch
from numpy.typing import NDArray

from whyrec.data.dataset import Dataset
from whyrec.data.features import Features
from whyrec.data.interactions import Histories, Interactions
from whyrec.data.pairs import Pairs
from whyrec.data.rows import offsets_of
from whyrec.models.history_weights import Entries, HistoryWeights, events_before
from whyrec.models.linear import incidence_matrix, interaction_matrix, stacked_matrix
from whyrec.models.padding import padded, places
from whyrec.models.validation import Validation
from whyrec.models.wide_features import FeatureModel
from whyrec.types import Float32Array, Int32Array, Int64Array

_FEWEST_USERS = 2
"""Items of fewer users are related to nothing that another user could have."""

_MOST_ITEMS = 8_192
"""Items that have weights, the most popular ones: their matrix takes 256 MiB."""

_CHOSEN_ON = 2_000
"""Items of the small models that settings are chosen on."""

_CELLS = 4_000_000
"""Scores of rows over the items that are held at once."""

_L2 = (10.0, 25.0, 50.0, 100.0, 200.0, 400.0, 800.0)
_NAMES = "items", "offsets", "columns", "weights"
_VALUE_NAMES = "value_offsets", "value_columns", "value_weights"


@dataclass(frozen=True, kw_only=True, slots=True)
class WideModel:
    """What is solved for: EASE of whole histories and of windows of them; see `LinearModel`."""

    l2: float
    """Strength of the ridge penalty, in events."""

    windows: bool
    """Whether there are any."""

    features: FeatureModel | None = None
    """How items without weights are related to others; None relates them to nothing."""

    @classmethod
    def chosen(cls, part: Dataset, validation: Validation) -> "WideModel":
        """Choose the model that ranks held-out events best, among the most popular items."""
        kept = _most_popular(part.interactions, part.n_items, _CHOSEN_ON)
        models, ndcgs = [], []
        for windows in (True, False):
            gram = _gram(part.interactions, part.n_items, kept, windows)
            for l2 in _L2:
                score = partial(_scores, kept, _solve(gram, l2), part.n_items)
                models.append(cls(l2=l2, windows=windows))
                ndcgs.append(validation.ndcg(validation.scores(score)))
        best = models[int(np.argmax(ndcgs))]
        weights = _solve(_gram(part.interactions, part.n_items, kept, best.windows), best.l2)
        of_histories = _gram(part.interactions, part.n_items, kept, windows=False)
        features = part.item_features.matrix()[kept]
        return replace(best, features=FeatureModel.chosen(of_histories, weights, features))


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
    ) -> None:
        self._known, self._weights, self._of_values = known, weights, of_values
        self._rare, self._features = rare, features
        has_weight = np.zeros(features.schema.n_tokens, bool)
        has_weight[of_values.indices] = True
        is_foretold = np.diff(offsets_of(has_weight[features.tokens])[features.offsets]) > 0
        is_foretold[known] = is_foretold[rare] = False
        self._foretold = np.flatnonzero(is_foretold).astype(np.int32)
        self.items = np.union1d(known, self._foretold).astype(np.int32)
        """int32, rising: those that have weights, or features that foretell them."""

    @classmethod
    def of(cls, dataset: Dataset, model: WideModel, most: int) -> "WideWeights":
        """Solve for the weights, and keep the most of them that count for most.

        A weight from an item that n users chose is in n of their scores, so it counts by
        weight² · n: what leaving it out adds to the squared error of all scores together. One that
        leads to a feature value counts by the squares of all that items have of it, too. Of these
        at most as many are kept.
        """
        interactions, features = dataset.interactions, dataset.item_features
        items = _most_popular(interactions, dataset.n_items, _MOST_ITEMS)
        dense = _solve(_gram(interactions, dataset.n_items, items, model.windows), model.l2)
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
        return cls(items, kept, of_values, rare, features)

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
        return WideWeights(self._known, self._weights, self._of_values, self._rare, features)

    def times(self, strength: float) -> "WideWeights":
        """Return all weights times a number; times 0 there is nothing."""
        if not strength:
            return self.nothing(self._features)
        weights, of_values = (
            each * np.float32(strength) for each in (self._weights, self._of_values)
        )
        return WideWeights(self._known, weights, of_values, self._rare, self._features)

    def scores(self, histories: Histories) -> Float32Array:
        """Return float32 [n_rows, n_weighted]: the sums for all `items`, in logits."""
        had = incidence_matrix(histories.items, histories.offsets, self.n_items)[:, self._known]
        if not len(self._foretold):
            known: Float32Array = (had @ self._weights).toarray()
            return known
        sums = np.zeros((len(histories), len(self.items)), np.float32)
        sums[:, np.searchsorted(self.items, self._known)] = (had @ self._weights).toarray()
        foretold = had @ self._of_values @ self._matrix_of_foretold.T
        sums[:, np.searchsorted(self.items, self._foretold)] = foretold.toarray()
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

        Those that lead to feature values are told likewise.
        """
        arrays: dict[str, NDArray[Any]] = {"items": self._known, "rare": self._rare}
        for names, of in ((_NAMES[1:], self._weights), (_VALUE_NAMES, self._of_values)):
            parts = of.indptr.astype(np.int64), of.indices.astype(np.int32), of.data
            arrays |= zip(names, parts, strict=True)
        return arrays

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
        )

    @cached_property
    def _matrix_of_foretold(self) -> scipy.sparse.csr_matrix:
        """The features of the items without weights, float32 [n_foretold, n_tokens]."""
        return self._features.take(self._foretold.astype(np.int64)).matrix()

    @cached_property
    def _weights_at(self) -> Entries:
        return Entries.of(self._weights)

    @cached_property
    def _values_at(self) -> Entries:
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


def _strongest(dense: Float32Array, counts_for: Float32Array, most: int) -> scipy.sparse.csr_matrix:
    """Keep the weights that count for most."""
    if dense.size > most:
        left_out = np.partition(counts_for, dense.size - most - 1, axis=None)
        dense = np.where(counts_for <= left_out[dense.size - most - 1], np.float32(0), dense)
    return scipy.sparse.csr_matrix(dense)


def _most_popular(interactions: Interactions, n_items: int, most: int) -> Int32Array:
    """Return the items of most users, at most so many, int32 in rising order."""
    n_users = np.asarray(interaction_matrix(interactions, n_items).sum(0)).ravel()
    enough = np.flatnonzero(n_users >= _FEWEST_USERS)
    order = np.argsort(-n_users[enough], kind="stable")[:most]
    return np.sort(enough[order]).astype(np.int32)


def _gram(
    interactions: Interactions, n_items: int, items: Int32Array, windows: bool
) -> Float32Array:
    """Return float32 [n, n]: how often items were chosen together, by a user and in a window."""
    matrix = stacked_matrix(interactions, n_items, windows)[:, items]
    gram: Float32Array = np.asarray((matrix.T @ matrix).toarray(), np.float32)
    return gram


def _solve(gram: Float32Array, l2: float) -> Float32Array:
    """Return −P_ji / P_ii with P = (gram + λ)⁻¹, and a diagonal of 0."""
    if not len(gram):
        return gram.copy()
    matrix = gram.copy(order="F")
    matrix[np.diag_indices(len(gram))] += np.float32(l2)
    factor, _ = scipy.linalg.lapack.spotrf(matrix, overwrite_a=True, clean=True)
    inverse, _ = scipy.linalg.lapack.spotri(factor, overwrite_c=True)
    inverse = np.triu(inverse) + np.triu(inverse, 1).T
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return np.ascontiguousarray(weights, np.float32)


def _scores(
    kept: Int32Array, weights: Float32Array, n_items: int, histories: Histories, _: Int64Array
) -> torch.Tensor:
    """Return float32 [n_rows, n_items], of items without weights −∞."""
    found = torch.full((len(histories), n_items), -torch.inf)
    rows = incidence_matrix(histories.items, histories.offsets, n_items)
    found[:, torch.from_numpy(kept).long()] = torch.from_numpy(rows[:, kept] @ weights)
    return found
