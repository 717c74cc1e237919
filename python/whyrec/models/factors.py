"""Matrix factorisation from elsewhere: item factors, and users solved for from what they did."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import ArrayLike, NDArray

from whyrec.data.coalitions import Coalitions
from whyrec.data.dataset import Dataset
from whyrec.data.features import Features
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.data.rows import offsets_of
from whyrec.data.wording import count, some
from whyrec.errors import ArgumentError, StorageError
from whyrec.models.event_coalitions import present_events
from whyrec.models.game import check_coalitions
from whyrec.models.loop import Run
from whyrec.models.recommender import Before
from whyrec.types import Float32Array, Float64Array, Int32Array

_COMPARED = 256
"""Users whose factors are held against what their events give."""

_ALIKE = 0.9
"""The least cosine, in the median: a solver that ends early is off a little."""


@dataclass(frozen=True, kw_only=True)
class FactorsConfig:
    """Settings of `Factors`: those that the factors were learned with."""

    regularization: float = 0.01
    """λ, what the squared size of a user's vector counts."""

    alpha: float = 1.0
    """How much an event of value 1 counts; one without a value has that."""

    def __post_init__(self) -> None:
        for name in ("regularization", "alpha"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value > 0):
                raise ArgumentError(f"{name} must be a number above 0, not {value}")

    def update(self, dataset: Dataset, before: Before) -> "Factors":
        """Solve for more users by the same item factors.

        Raises:
            ArgumentError: an item is new, and has none.
        """
        new = dataset.items.ids[before.dataset.n_items :]
        if new:
            raise ArgumentError(
                f"there are no factors of {count(len(new), 'item')}: {some(new)}; give "
                "SDK.from_factors some that were learned with them"
            )
        return self.restore(dataset, before.arrays)

    def refit(self, dataset: Dataset, before: Before, run: Run) -> "Factors":  # noqa: ARG002
        """Do what `update` does: factors are learned elsewhere.

        Raises:
            ArgumentError: as of `update`.
        """
        return self.update(dataset, before)

    def restore(self, dataset: Dataset, arrays: Mapping[str, NDArray[Any]]) -> "Factors":
        """Build the recommender from its stored arrays.

        Raises:
            StorageError: the arrays are not those of this data set.
        """
        factors, gram = arrays["item_factors"], arrays["gram"]
        if len(factors) != dataset.n_items or gram.shape != (factors.shape[1],) * 2:
            raise StorageError("the arrays of the recommender do not fit the data set")
        return Factors(factors, gram, self, dataset.item_features)


class Factors:
    """score(u, i) = x_u · y_i, where x_u is solved for from the history: x = A⁻¹ Σ_j c_j y_j.

    A = YᵀY + λ + Σ_j (c_j − 1) y_j y_jᵀ over the distinct items j of the history, c_j = α Σ value
    of their events. The score is Σ_e α value_e y_iᵀ A⁻¹ y_e over the events e, the decomposition of
    Hu, Koren and Volinsky. With A as it is for the whole history this is a sum over events, which
    `ClosedForm` tells. The game is another: where an event is left out, A is another one too, and
    v(S) is solved for anew. `Shapley` tells that.

    Source: Y. Hu, Y. Koren and C. Volinsky, Collaborative Filtering for Implicit Feedback
    Datasets, 2008, section 5 for the decomposition.
    """

    def __init__(
        self,
        item_factors: Float32Array,
        gram: Float64Array,
        config: FactorsConfig,
        item_features: Features,
    ) -> None:
        self.item_features, self._config = item_features, config
        self._factors, self._gram = item_factors, gram.astype(np.float64)
        self._wide = item_factors.astype(np.float64)
        self._ridge = self._gram + config.regularization * np.eye(len(gram))

    def query_vectors(self, histories: Histories) -> Float32Array:
        """Return float32 [n_rows, dimension]: the vector of each user, solved for.

        Raises:
            ArgumentError: an event has a value that is not above 0.
        """
        weights, offsets = self._weights(histories), histories.offsets.tolist()
        queries = np.zeros((len(histories), len(self._gram)), np.float32)
        for row, (start, end) in enumerate(pairwise(offsets)):
            if end > start:
                queries[row] = self._solved(histories.items[start:end], weights[start:end])
        return queries

    def item_vectors(self) -> Float32Array:
        """Return float32 [n_items, dimension]: the item factors."""
        return self._factors

    def item_biases(self) -> Float32Array:
        """Return float32 [n_items] of zeros."""
        return np.zeros(len(self._factors), np.float32)

    def coalition_values(
        self, histories: Histories, pairs: Pairs, coalitions: Coalitions
    ) -> Float64Array:
        """Return v(S): the score of who is solved for from the events in S alone."""
        check_coalitions(coalitions, histories, self.item_features, pairs)
        asked, which = present_events(histories, pairs, coalitions)
        queries = np.zeros((asked.counts.sum(), len(self._gram)))
        weights, starts = self._weights(histories), asked.offsets()
        for row in np.flatnonzero(asked.counts).tolist():
            events = slice(histories.offsets[row], histories.offsets[row + 1])
            items, of_row = histories.items[events], weights[events]
            for place, present in enumerate(asked.of(row), starts[row]):
                if present.any():
                    queries[place] = self._solved(items[present], of_row[present])
        of_item = self._wide[np.repeat(pairs.items, coalitions.counts)]
        values: Float64Array = (queries[which] * of_item).sum(axis=1)
        return values

    def event_contributions(self, histories: Histories, pairs: Pairs) -> Float64Array:
        """Return float64 [n_events of all pairs]: α value_e y_iᵀ A⁻¹ y_e, pair by pair."""
        offsets = offsets_of(histories.counts()[pairs.rows])
        contributions, weights = np.zeros(offsets[-1]), self._weights(histories)
        order = np.argsort(pairs.rows, kind="stable")
        for of_row in np.split(order, np.flatnonzero(np.diff(pairs.rows[order])) + 1):
            if not len(of_row):
                continue
            row = pairs.rows[of_row[0]]
            events = slice(histories.offsets[row], histories.offsets[row + 1])
            items, own = histories.items[events], weights[events]
            if not len(items):
                continue
            vectors = self._wide[items]
            solved = self._solve(items, own, self._wide[pairs.items[of_row]].T)
            places = offsets[of_row][:, None] + np.arange(len(items))
            contributions[places] = (vectors @ solved).T * own
        return contributions

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the item factors, and YᵀY of all of them, items beyond the catalog among them."""
        return {"item_factors": self._factors, "gram": self._gram}

    def _weights(self, histories: Histories) -> Float64Array:
        """Return float64 [n_events]: how much each event counts."""
        values = np.where(np.isnan(histories.values), 1.0, histories.values.astype(np.float64))
        if len(values) and not values.min() > 0:
            raise ArgumentError(
                f"events: factors are of values above 0, not {values.min()}; leave such events out"
            )
        return self._config.alpha * values

    def _solved(self, items: Int32Array, weights: Float64Array) -> Float64Array:
        """Return float64 [dimension]: who is solved for from some events, one at least."""
        return self._solve(items, weights, weights @ self._wide[items])

    def _solve(self, items: Int32Array, weights: Float64Array, right: Float64Array) -> Float64Array:
        """Return A⁻¹ times something."""
        distinct, place = np.unique(items, return_inverse=True)
        vectors = self._wide[distinct]
        more = np.bincount(place, weights) - 1
        system = self._ridge + (vectors.T * more) @ vectors
        factor = scipy.linalg.cho_factor(system, lower=True, overwrite_a=True, check_finite=False)
        solved: Float64Array = scipy.linalg.cho_solve(factor, right, check_finite=False)
        return solved


def factors_of(
    dataset: Dataset,
    config: FactorsConfig,
    item_factors: ArrayLike,
    item_ids: Sequence[Hashable],
    user_factors: ArrayLike | None = None,
    user_ids: Sequence[Hashable] = (),
) -> Factors:
    """Return the recommender of some factors, after a look at whether they are what they should be.

    Args:
        dataset: of which the catalog is.
        config: what the factors were learned with.
        item_factors: floats [n_items, dimension].
        item_ids: the ids of their rows.
        user_factors: floats [n_users, dimension], to be held against what events give.
        user_ids: the ids of their rows.

    Raises:
        ArgumentError: factors are no such array or not finite, an item has none, or those of users
            are not what their events give.
    """
    factors = _as_factors("item_factors", item_factors, "item_ids", item_ids)
    places = {each: place for place, each in enumerate(item_ids)}
    unknown = [each for each in dataset.items if each not in places]
    if unknown:
        raise ArgumentError(
            f"item_ids has not {count(len(unknown), 'item')} of the catalog: {some(unknown)}; "
            'leave them out of items, and their events by unknown_items="drop"'
        )
    rows = np.array([places[each] for each in dataset.items], np.int64)
    # Of all items, those that are not in the catalog among them: they were there in training.
    gram = factors.T @ factors
    own = np.ascontiguousarray(factors[rows], np.float32)
    model = Factors(own, gram, config, dataset.item_features)
    if user_factors is not None:
        given = _as_factors("user_factors", user_factors, "user_ids", user_ids)
        _check_users(model, dataset, given, user_ids, config)
    return model


def _as_factors(
    name: str, factors: ArrayLike, of_ids: str, ids: Sequence[Hashable]
) -> Float64Array:
    array = np.asarray(factors)
    if array.ndim != 2 or array.dtype.kind != "f" or array.shape[0] != len(ids):
        raise ArgumentError(
            f"{name} must be floats [{len(ids):,}, dimension], a row for each of {of_ids}, not "
            f"{array.dtype} of shape {list(array.shape)}"
        )
    bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
    if len(bad):
        raise ArgumentError(f"{name}: the row of {ids[bad[0]]!r} is not finite")
    return array.astype(np.float64)


def _check_users(
    model: Factors,
    dataset: Dataset,
    given: Float64Array,
    user_ids: Sequence[Hashable],
    config: FactorsConfig,
) -> None:
    """Refuse factors of users that their events do not give."""
    active = np.diff(dataset.interactions.offsets) > 0
    known = [
        (row, dataset.users.index_of(each))
        for row, each in enumerate(user_ids)
        if each in dataset.users
    ]
    compared = np.array([each for each in known if active[each[1]]], np.int64).reshape(-1, 2)
    compared = compared[:: max(1, len(compared) // _COMPARED)]
    if not len(compared):
        raise ArgumentError("user_ids: none of them has an event")
    rows, users = compared.T
    solved = model.query_vectors(dataset.histories(users)).astype(np.float64)
    if solved.shape[1] != given.shape[1]:
        raise ArgumentError(
            f"user_factors are of {given.shape[1]} dimensions, item_factors of {solved.shape[1]}"
        )
    sizes = np.linalg.norm(solved, axis=1) * np.linalg.norm(given[rows], axis=1)
    cosines = (solved * given[rows]).sum(axis=1) / np.maximum(sizes, np.finfo(np.float64).tiny)
    if np.median(cosines) < _ALIKE:
        raise ArgumentError(
            f"user_factors are not what the events give with alpha={config.alpha} and "
            f"regularization={config.regularization}: their median cosine is "
            f"{np.median(cosines):.2f}; give what they were learned with, or wrap a model of "
            "another kind by SDK.wrap"
        )
