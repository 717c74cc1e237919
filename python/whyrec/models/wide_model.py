"""What the wide part is solved for, and how: ridge regression of each item on all others."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import scipy.linalg
import torch
from numpy.typing import NDArray

from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories, Interactions
from whyrec.models.linear import incidence_matrix, interaction_matrix, stacked_matrix
from whyrec.models.validation import Validation
from whyrec.models.wide_features import FeatureModel
from whyrec.types import Float32Array, Int32Array, Int64Array

_FEWEST_USERS = 2
"""Items of fewer users are related to nothing that another user could have."""

_CHOSEN_ON = 2_000
"""Items of the small models that settings are chosen on."""

_L2 = (10.0, 25.0, 50.0, 100.0, 200.0, 400.0, 800.0)
_SOLVED, _PENALTIES, _FEATURES = "solved", "penalties", "of_features"

Penalties: TypeAlias = Mapping[tuple[int, int], float]
"""By item of the history and scored item: a ridge penalty of one weight, in events."""


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
        kept = most_popular(part.interactions, part.n_items, _CHOSEN_ON)
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

    def solve(
        self, interactions: Interactions, n_items: int, items: Int32Array, penalties: Penalties
    ) -> Float32Array:
        """Return float32 [n, n]: the weights from item to item, for some of the catalog's."""
        gram = _gram(interactions, n_items, items, self.windows)
        place_of = {item: place for place, item in enumerate(items.tolist())}
        known = {
            (place_of[source], place_of[target]): penalty
            for (source, target), penalty in penalties.items()
            if source in place_of and target in place_of and source != target
        }
        return _solve(gram, self.l2, known)


@dataclass(frozen=True, slots=True)
class Solved:
    """What weights came from, so that they can be solved for again with other events."""

    model: WideModel

    penalties: Penalties

    strength: float = 1.0
    """What they were multiplied by."""

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return model and strength, float64 [3], and the penalties, float64 [n, 3].

        Of a model of features its three numbers, too, float64.
        """
        model = self.model
        penalties = [(*pair, each) for pair, each in self.penalties.items()]
        arrays = {
            _SOLVED: np.array([model.l2, model.windows, self.strength]),
            _PENALTIES: np.array(penalties, np.float64).reshape(-1, 3),
        }
        if model.features is not None:
            arrays[_FEATURES] = np.array([*asdict(model.features).values()])
        return arrays

    @classmethod
    def restore(cls, arrays: Mapping[str, NDArray[Any]]) -> "Solved | None":
        """Build what `arrays` has told, if it has."""
        if _SOLVED not in arrays:
            return None
        l2, windows, strength = arrays[_SOLVED].tolist()
        penalties = {
            (int(source), int(target)): each for source, target, each in arrays[_PENALTIES].tolist()
        }
        features = None
        if _FEATURES in arrays:
            l2_of_features, of_weights, of_likeness = arrays[_FEATURES].tolist()
            features = FeatureModel(
                l2=l2_of_features, of_weights=of_weights, of_likeness=of_likeness
            )
        model = WideModel(l2=l2, windows=bool(windows), features=features)
        return cls(model, penalties, strength)


def most_popular(interactions: Interactions, n_items: int, most: int) -> Int32Array:
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


def _solve(gram: Float32Array, l2: float, penalties: Penalties | None = None) -> Float32Array:
    """Return −P_ji / P_ii with P = (gram + λ)⁻¹, and a diagonal of 0.

    A column with penalties of its own, by row and column, has P = (gram + λ + D)⁻¹, by the formula
    of Woodbury.
    """
    if not len(gram):
        return gram.copy()
    matrix = gram.copy(order="F")
    matrix[np.diag_indices(len(gram))] += np.float32(l2)
    factor, _ = scipy.linalg.lapack.spotrf(matrix, overwrite_a=True, clean=True)
    inverse, _ = scipy.linalg.lapack.spotri(factor, overwrite_c=True)
    inverse = np.triu(inverse) + np.triu(inverse, 1).T
    weights = inverse / -np.diag(inverse)
    of_column: dict[int, dict[int, float]] = {}
    for (row, column), penalty in (penalties or {}).items():
        of_column.setdefault(column, {})[row] = penalty
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
