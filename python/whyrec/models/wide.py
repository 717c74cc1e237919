"""The wide part: the weights between items of a linear model, exact for each event."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, TypeAlias

import numpy as np
import scipy.linalg
import scipy.sparse
import torch
from numpy.typing import NDArray

from whyrec._native import sum_sparse_rows
from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories, Interactions
from whyrec.data.pairs import Pairs
from whyrec.data.rows import offsets_of
from whyrec.models.linear import incidence_matrix, interaction_matrix, stacked_matrix
from whyrec.models.padding import padded, places
from whyrec.models.validation import Validation
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
_SOLVED, _PENALTIES = "solved", "penalties"


Penalties: TypeAlias = Mapping[tuple[int, int], float]
"""By item of the history and scored item: a ridge penalty of one weight, in events."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WideModel:
    """What is solved for: EASE of whole histories and of windows of them; see `LinearModel`."""

    l2: float
    """Strength of the ridge penalty, in events."""

    windows: bool
    """Whether there are any."""

    @classmethod
    def chosen(cls, part: Dataset, validation: Validation) -> "WideModel":
        """Choose the model that ranks held-out events best, among the most popular items."""
        kept = _most_popular(part.interactions, part.n_items, _CHOSEN_ON)
        models, ndcgs = [], []
        for windows in (True, False):
            gram = _gram(part.interactions, part.n_items, kept, windows)
            for l2 in _L2:
                score = partial(_scores, kept, _solve(gram, l2, kept, {}), part.n_items)
                models.append(cls(l2=l2, windows=windows))
                ndcgs.append(validation.ndcg(validation.scores(score)))
        return models[int(np.argmax(ndcgs))]


@dataclass(frozen=True, slots=True)
class Solved:
    """What weights came from, so that they can be solved for again with other events."""

    model: WideModel

    penalties: Penalties

    strength: float = 1.0
    """What they were multiplied by."""

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return model and strength, float64 [3], and the penalties, float64 [n, 3]."""
        penalties = [(*pair, each) for pair, each in self.penalties.items()]
        return {
            _SOLVED: np.array([self.model.l2, self.model.windows, self.strength]),
            _PENALTIES: np.array(penalties, np.float64).reshape(-1, 3),
        }

    @classmethod
    def restore(cls, arrays: Mapping[str, NDArray[Any]]) -> "Solved | None":
        """Build what `arrays` has told, if it has."""
        if _SOLVED not in arrays:
            return None
        l2, windows, strength = arrays[_SOLVED].tolist()
        penalties = {
            (int(source), int(target)): each for source, target, each in arrays[_PENALTIES].tolist()
        }
        return cls(WideModel(l2=l2, windows=bool(windows)), penalties, strength)


@dataclass(frozen=True, slots=True, eq=False)
class HistoryWeights:
    """What the events of some rows weigh for some items, padded with zeros."""

    weights: torch.Tensor
    """float32 [n_rows, n_items, n_event_places], in logits."""

    before: torch.Tensor
    """int64 [n_rows, n_event_places]: 1 + the place of the event before of the same item, or 0."""

    most_alike: int
    """The most events before of one item."""

    def values(self, presence: torch.Tensor) -> torch.Tensor:
        """Return [n_rows, n_items, n_coalitions]: the sum over the distinct items that are there.

        An event counts where none before it has the same item: with w its weight, p its presence,

            Σ w p Π over the events before of the same item of (1 − p).

        Args:
            presence: [n_rows, n_items, n_coalitions, n_event_places].
        """
        counting = presence
        if self.most_alike:
            before = self.before[:, None, None].expand(presence.shape)
            absent = 1 - presence
            nobody = torch.ones_like(presence)
            for _ in range(self.most_alike):
                after = torch.nn.functional.pad(nobody * absent, (1, 0), value=1.0)
                nobody = after.gather(-1, before)
            counting = presence * nobody
        values: torch.Tensor = (counting * self.weights[:, :, None]).sum(-1)
        return values


class WideWeights:
    """wide(u, i) = Σ over the distinct items j of the history of weights[j, i].

    The weights are those of EASE of histories and windows of them, as far as they are kept. So the
    contributions of events are known exactly, as with EASE itself.

    Source: H.-T. Cheng et al., Wide & Deep Learning for Recommender Systems (DLRS 2016); H. Steck,
    Embarrassingly Shallow Autoencoders for Sparse Data (WWW 2019).
    """

    def __init__(
        self,
        items: Int32Array,
        weights: scipy.sparse.csr_matrix,
        n_items: int,
        solved: Solved | None = None,
    ) -> None:
        self.n_items = n_items
        self.solved = solved
        """What the weights came from; None where there are none."""
        self.items = items
        """int32, rising: those that have weights."""
        self._weights = weights

    @classmethod
    def of(
        cls,
        interactions: Interactions,
        n_items: int,
        model: WideModel,
        most: int,
        penalties: Penalties | None = None,
    ) -> "WideWeights":
        """Solve for the weights, and keep the most of them that count for most.

        Some may have a ridge penalty of their own, beside that of all: {(from, to): in events}.

        A weight from an item that n users chose is in n of their scores, so it counts by
        weight² · n: what leaving it out adds to the squared error of all scores together.
        """
        items = _most_popular(interactions, n_items, _MOST_ITEMS)
        dense = _solve(
            _gram(interactions, n_items, items, model.windows), model.l2, items, penalties or {}
        )
        if dense.size > most:
            n_users = interaction_matrix(interactions, n_items)[:, items].sum(0)
            counts_for = np.abs(dense) * np.sqrt(np.asarray(n_users, np.float32)).T
            left_out = np.partition(counts_for, dense.size - most - 1, axis=None)
            dense[counts_for <= left_out[dense.size - most - 1]] = 0
        solved = Solved(model, penalties or {})
        return cls(items, scipy.sparse.csr_matrix(dense), n_items, solved)

    def solved_again(self, interactions: Interactions, n_items: int, most: int) -> "WideWeights":
        """Solve for the same with other events, perhaps of more items."""
        if self.solved is None:
            return self.nothing(n_items)
        model, penalties = self.solved.model, self.solved.penalties
        again = WideWeights.of(interactions, n_items, model, most, penalties)
        return again.times(self.solved.strength)

    @classmethod
    def nothing(cls, n_items: int) -> "WideWeights":
        """Return no weights, for a recommender that has no wide part."""
        return cls(
            np.zeros(0, np.int32), scipy.sparse.csr_matrix(np.zeros((0, 0), np.float32)), n_items
        )

    def times(self, strength: float) -> "WideWeights":
        """Return all weights times a number; times 0 there is nothing."""
        if not strength:
            return self.nothing(self.n_items)
        of = self.solved
        solved = None if of is None else replace(of, strength=of.strength * strength)
        weights = self._weights * np.float32(strength)
        return WideWeights(self.items, weights, self.n_items, solved)

    def scores(self, histories: Histories) -> Float32Array:
        """Return float32 [n_rows, n_weighted]: the sums for all `items`, in logits."""
        at, known = self._find(histories.items)
        rows = np.repeat(np.arange(len(histories)), histories.counts())[known]
        # Each item of a history once, in rising order.
        cells = np.unique(rows * len(self.items) + at[known])
        rows, chosen = np.divmod(cells, max(1, len(self.items)))
        return sum_sparse_rows(
            self._offsets,
            self._weights.indices,
            self._weights.data,
            len(self.items),
            offsets_of(np.bincount(rows, minlength=len(histories))),
            chosen.astype(np.int32),
        )

    def pair_values(self, histories: Histories, pairs: Pairs) -> Float32Array:
        """Return float32 [n_pairs], the same bits of a pair whatever else is asked."""
        values = np.zeros(len(pairs), np.float32)
        at, known = self._find(pairs.items)
        rows_at_once = max(1, _CELLS // max(1, len(self.items)))
        for start in range(0, len(histories), rows_at_once):
            rows = np.arange(start, min(start + rows_at_once, len(histories)))
            sums = self.scores(histories.take(rows))
            mine = np.flatnonzero(known & (pairs.rows >= rows[0]) & (pairs.rows <= rows[-1]))
            values[mine] = sums[pairs.rows[mine] - start, at[mine]]
        return values

    def of_pairs(
        self, histories: Histories, rows: Int64Array, items: Int64Array, width: int
    ) -> HistoryWeights:
        """Return what events weigh, before any is left out.

        Args:
            histories: what the rows are of.
            rows: int64 [n_rows].
            items: int64 [n_rows, n_items], item indices.
            width: places for events.
        """
        part = histories.take(rows)
        at = places(part.offsets, np.arange(len(rows)), width)
        events = padded(torch.from_numpy(part.items).long(), at).numpy()
        there = at >= 0
        (from_at, from_known), (to_at, to_known) = self._find(events), self._find(items)
        keys = from_at[:, None, :] * len(self.items) + to_at[:, :, None]
        place = np.minimum(np.searchsorted(self._keys, keys), max(0, len(self._keys) - 1))
        known = (there & from_known)[:, None, :] & to_known[:, :, None]
        if len(self._keys):
            known &= self._keys[place] == keys
            weights = np.where(known, self._weights.data[place], np.float32(0))
        else:
            weights = np.zeros(keys.shape, np.float32)
        before, most_alike = _events_before(part, at)
        return HistoryWeights(torch.from_numpy(weights), torch.from_numpy(before), most_alike)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return items, int32, their weights as rows of columns, int32, with offsets, int64, and
        what was solved for.
        """
        of = self._weights
        arrays = self.items, of.indptr.astype(np.int64), of.indices.astype(np.int32), of.data
        solved = {} if self.solved is None else self.solved.arrays()
        return dict(zip(_NAMES, arrays, strict=True)) | solved

    @classmethod
    def restore(cls, arrays: Mapping[str, NDArray[Any]], n_items: int) -> "WideWeights":
        """Build what `arrays` has told."""
        items, offsets, columns, weights = (arrays[name] for name in _NAMES)
        shape = (len(items), len(items))
        matrix = scipy.sparse.csr_matrix((weights, columns, offsets), shape)
        return cls(items, matrix, n_items, Solved.restore(arrays))

    @cached_property
    def _offsets(self) -> Int64Array:
        """int64 [n_weighted + 1]: where the weights of each item begin."""
        return self._weights.indptr.astype(np.int64)  # type: ignore[no-any-return]

    @cached_property
    def _keys(self) -> Int64Array:
        """Where weights are, row by row: int64 [n_weights], rising."""
        rows = np.repeat(np.arange(len(self.items)), np.diff(self._weights.indptr))
        keys: Int64Array = rows * len(self.items) + self._weights.indices
        return keys

    def _find(self, items: NDArray[Any]) -> tuple[Int64Array, NDArray[np.bool_]]:
        """Return the places of items among those with weights, and whether they are there."""
        at = np.searchsorted(self.items, items)
        if not len(self.items):
            return np.zeros_like(at), np.zeros(at.shape, bool)
        at = np.minimum(at, len(self.items) - 1)
        return at, self.items[at] == items


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


def _solve(gram: Float32Array, l2: float, items: Int32Array, penalties: Penalties) -> Float32Array:
    """Return −P_ji / P_ii with P = (gram + λ)⁻¹, and a diagonal of 0.

    A column with penalties of its own has P = (gram + λ + D)⁻¹, by the formula of Woodbury.
    """
    if not len(gram):
        return gram.copy()
    matrix = gram.copy(order="F")
    matrix[np.diag_indices(len(gram))] += np.float32(l2)
    factor, _ = scipy.linalg.lapack.spotrf(matrix, overwrite_a=True, clean=True)
    inverse, _ = scipy.linalg.lapack.spotri(factor, overwrite_c=True)
    inverse = np.triu(inverse) + np.triu(inverse, 1).T
    weights = inverse / -np.diag(inverse)
    place_of = {item: place for place, item in enumerate(items.tolist())}
    of_column: dict[int, dict[int, float]] = {}
    for (source, target), penalty in penalties.items():
        if source in place_of and target in place_of and source != target:
            of_column.setdefault(place_of[target], {})[place_of[source]] = penalty
    for column, of_row in of_column.items():
        rows, own = list(of_row), np.diag(1 / np.array([*of_row.values()], np.float64))
        block = own + inverse[np.ix_(rows, rows)]
        less = inverse[:, rows] @ np.linalg.solve(block, inverse[rows, column])
        weights[:, column] = (inverse[:, column] - less) / -(inverse[column, column] - less[column])
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


def _events_before(histories: Histories, at: Int64Array) -> tuple[Int64Array, int]:
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
