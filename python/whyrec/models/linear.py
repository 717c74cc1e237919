"""EASE, the linear item-to-item recommender, whole and in few dimensions."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.sparse
from sklearn.utils.extmath import randomized_svd

from whyrec.data.coalitions import Coalitions
from whyrec.data.dataset import Dataset
from whyrec.data.features import Features
from whyrec.data.interactions import Histories, Interactions
from whyrec.data.pairs import Pairs
from whyrec.data.rows import gather_rows, offsets_of
from whyrec.errors import ArgumentError
from whyrec.models.game import check_coalitions
from whyrec.models.loop import Run
from whyrec.models.recommender import Before
from whyrec.types import Float32Array, Float64Array, Int32Array, Int64Array

MOST_ITEMS = 30_000
"""Beyond it the weights, float32 [n_items, n_items], would pass 3.6 GB."""

_WINDOWS = (10, 30)
"""Lengths of windows, in events."""

_EVENTS_AT_ONCE = 1 << 20
"""Events of coalitions whose weights are summed together."""


@dataclass(frozen=True, kw_only=True)
class EASEConfig:
    """Settings of `EASE`."""

    l2: float = 200.0
    """Strength of the ridge penalty, in events."""

    def __post_init__(self) -> None:
        if not (np.isfinite(self.l2) and self.l2 > 0):
            raise ArgumentError(f"l2 must be a number above 0, not {self.l2}")

    def fit(self, dataset: Dataset, *, progress: bool = True) -> "EASE":  # noqa: ARG002
        """Solve for the weights in closed form, over users or over items: whichever are fewer.

        Raises:
            ArgumentError: the catalog is too large for a dense item-to-item matrix.
        """
        if dataset.n_items > MOST_ITEMS:
            raise ArgumentError(
                f"EASE keeps n_items² weights; {dataset.n_items} items are too many "
                f"(the most are {MOST_ITEMS}). Use TwoTowerConfig() instead"
            )
        matrix = interaction_matrix(dataset.interactions, dataset.n_items)
        return EASE(_ease_weights(matrix, self.l2), dataset.item_features)

    def update(self, dataset: Dataset, before: Before) -> "EASE":  # noqa: ARG002
        """Do what `fit` does: nothing is kept of before."""
        return self.fit(dataset)

    def refit(self, dataset: Dataset, before: Before, run: Run) -> "EASE":  # noqa: ARG002
        """Do what `fit` does: nothing is kept of before."""
        return self.fit(dataset)

    def restore(self, dataset: Dataset, arrays: Mapping[str, Float32Array]) -> "EASE":
        """Build the recommender from its stored arrays."""
        return EASE(arrays["weights"], dataset.item_features)


class EASE:
    """score(u, i) = Σ over the distinct items j of the history of weights[j, i].

    Source: Steck, Embarrassingly Shallow Autoencoders for Sparse Data (WWW 2019). The score is a
    sum over items of the history, so its contributions are known in closed form.
    """

    def __init__(self, weights: Float32Array, item_features: Features) -> None:
        self.weights = weights
        """float32 [n_items, n_items]: from item of the history to scored item; diagonal 0."""
        self.item_features = item_features

    def with_item_features(self, features: Features) -> "EASE":
        """Return the recommender with other features of its items, which say nothing here."""
        return EASE(self.weights, features)

    def query_vectors(self, histories: Histories) -> Float32Array:
        """Return float32 [n_rows, n_items]: 1 for each item of the history."""
        queries = np.zeros((len(histories), len(self.weights)), np.float32)
        queries[np.repeat(np.arange(len(histories)), histories.counts()), histories.items] = 1
        return queries

    def item_vectors(self) -> Float32Array:
        """Return float32 [n_items, n_items]: the weights that lead to each item."""
        return np.ascontiguousarray(self.weights.T)

    def item_biases(self) -> Float32Array:
        """Return float32 [n_items] of zeros."""
        return np.zeros(len(self.weights), np.float32)

    def coalition_values(
        self, histories: Histories, pairs: Pairs, coalitions: Coalitions
    ) -> Float64Array:
        """Return v(S): the sum over the distinct items whose events are in S."""
        check_coalitions(coalitions, histories, self.item_features, pairs)
        event_offsets, events = gather_rows(histories.offsets, pairs.rows)
        n_events = np.diff(event_offsets)
        pair = np.repeat(np.arange(len(pairs)), n_events)
        # Events of one item stand together, so that an item is there if any of its run is.
        order = np.lexsort((histories.items[events], pair))
        player, items = order - event_offsets[pair], histories.items[events[order]]
        is_new = np.append(True, (np.diff(items) != 0) | (np.diff(pair) != 0))[: len(items)]
        weights = self.weights[items, pairs.items[pair]].astype(np.float64)
        of_pair = np.repeat(np.arange(len(pairs)), coalitions.counts)
        begin = offsets_of(coalitions.n_players[of_pair])[:-1]
        values = np.zeros(len(of_pair))
        cuts = np.flatnonzero(np.diff(offsets_of(n_events[of_pair])[:-1] // _EVENTS_AT_ONCE)) + 1
        for rows in np.split(np.arange(len(of_pair)), cuts):
            offsets, positions = gather_rows(event_offsets, of_pair[rows])
            row = np.repeat(np.arange(len(rows)), np.diff(offsets))
            present = coalitions.cells[begin[rows][row] + player[positions]]
            runs = np.flatnonzero(is_new[positions])
            if len(runs):
                is_there = np.logical_or.reduceat(present, runs)
                added = np.where(is_there, weights[positions[runs]], 0)
                values[rows] = np.bincount(row[runs], added, len(rows))
        return values

    def event_contributions(self, histories: Histories, pairs: Pairs) -> Float64Array:
        """Return float64 [n_events of all pairs]: the weight of each event's item.

        Events of one item share its weight: each is worth the same, and all are worth one.
        """
        offsets, positions = gather_rows(histories.offsets, pairs.rows)
        rows = np.repeat(np.arange(len(pairs)), np.diff(offsets))
        items = histories.items[positions]
        _, which, times = np.unique(
            rows * len(self.weights) + items, return_inverse=True, return_counts=True
        )
        contributions: Float64Array = self.weights[items, pairs.items[rows]] / times[which]
        return contributions

    def arrays(self) -> dict[str, Float32Array]:
        """Return the weights."""
        return {"weights": self.weights}


def interaction_matrix(interactions: Interactions, n_items: int) -> scipy.sparse.csr_matrix:
    """Return float32 [n_users, n_items]: 1 where a user has events of an item."""
    return incidence_matrix(interactions.items, interactions.offsets, n_items)


def window_matrix(
    interactions: Interactions, n_items: int, n_events: int
) -> scipy.sparse.csr_matrix:
    """Return float32 [n_windows, n_items]: 1 where a window has events of an item.

    A window is n_events of a user in a row; the newest of a user may be shorter.
    """
    counts = np.diff(interactions.offsets)
    n_windows = -(-counts // n_events)
    place = np.arange(n_windows.sum()) - np.repeat(offsets_of(n_windows)[:-1], n_windows)
    begin = np.repeat(interactions.offsets[:-1], n_windows) + place * n_events
    return incidence_matrix(interactions.items, np.append(begin, len(interactions)), n_items)


def stacked_matrix(
    interactions: Interactions, n_items: int, windows: bool
) -> scipy.sparse.csr_matrix:
    """Return the interaction matrix, with windows as further rows if there are to be any.

    What was chosen within a window counts as more closely related.
    """
    matrix = interaction_matrix(interactions, n_items)
    if windows:
        further = (window_matrix(interactions, n_items, length) for length in _WINDOWS)
        matrix = scipy.sparse.csr_matrix(scipy.sparse.vstack([matrix, *further], "csr"))
    return matrix


def incidence_matrix(
    items: Int32Array, offsets: Int64Array, n_items: int
) -> scipy.sparse.csr_matrix:
    """Return float32 [n_rows, n_items]: 1 where a row, from offset to offset, has an item."""
    matrix = scipy.sparse.csr_matrix(
        (np.ones(len(items), np.float32), items, offsets),
        (len(offsets) - 1, n_items),
        copy=True,  # what follows sorts in place
    )
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix


@dataclass(frozen=True, slots=True)
class LeadingDirections:
    """The leading singular values and right singular vectors of an interaction matrix."""

    values: Float32Array
    """float32 [rank], the largest first."""

    vectors: Float32Array
    """float32 [n_items, rank]."""

    @classmethod
    def of(cls, matrix: scipy.sparse.csr_matrix, dimension: int, seed: int) -> "LeadingDirections":
        """Find as many as there are, at most dimension, by a randomised decomposition."""
        rank = min(dimension, *(side - 1 for side in matrix.shape))
        if rank < 1 or not matrix.nnz:
            return cls(np.zeros(0, np.float32), np.zeros((matrix.shape[1], 0), np.float32))
        _, values, rows = randomized_svd(matrix, rank, n_iter=4, random_state=seed)
        return cls(values, np.ascontiguousarray(rows.T))

    def ease_factors(self, dimension: int, l2: float) -> tuple[Float32Array, Float32Array]:
        """Return EASE in few dimensions: two float32 [n_items, dimension], L and R.

        With X ≈ U diag(s) Vᵀ, (XᵀX + λ)⁻¹ = (1 − V F Vᵀ) / λ on the leading directions, where
        F = s² / (s² + λ). EASE's weights −P_ji / P_ii then are (V F Vᵀ)_ji / (1 − (V F Vᵀ)_ii) off
        the diagonal, so L = V √F and R = V √F / (1 − h), h being the diagonal. Exact at full rank;
        it needs no n_items² matrix, so it reaches catalogs that EASE cannot.
        """
        inward = np.zeros((len(self.vectors), dimension), np.float32)
        kept = self.values**2 / (self.values**2 + l2)
        inward[:, : len(kept)] = self.vectors * np.sqrt(kept)
        return inward, inward / (1 - (inward**2).sum(1, keepdims=True))


def _ease_weights(matrix: scipy.sparse.csr_matrix, l2: float) -> Float32Array:
    """Solve for P = (XᵀX + λ)⁻¹ and return −P_ji / P_ii, with a diagonal of 0."""
    n_users, n_items = matrix.shape
    if n_items <= n_users:
        gram = (matrix.T @ matrix).toarray().astype(np.float64)
        gram[np.diag_indices(n_items)] += l2
        inverse = scipy.linalg.inv(gram, overwrite_a=True)
    else:
        # Woodbury: λP = 1 − Xᵀ (XXᵀ + λ)⁻¹ X, and XXᵀ is the smaller matrix here.
        gram = (matrix @ matrix.T).toarray().astype(np.float64)
        gram[np.diag_indices(n_users)] += l2
        inverse = -(matrix.T @ scipy.linalg.solve(gram, matrix.toarray(), assume_a="pos"))
        inverse[np.diag_indices(n_items)] += 1
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return np.ascontiguousarray(weights, np.float32)
