"""Popularity: the baseline that knows nobody."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from whyrec.data.coalitions import Coalitions
from whyrec.data.dataset import Dataset
from whyrec.data.features import Features
from whyrec.data.interactions import Histories, Interactions
from whyrec.data.pairs import Pairs
from whyrec.models.game import check_coalitions
from whyrec.models.loop import Run
from whyrec.models.recommender import Before
from whyrec.types import Float32Array, Float64Array


@dataclass(frozen=True, kw_only=True)
class PopularityConfig:
    """Settings of `Popularity`: there are none."""

    def fit(self, dataset: Dataset, *, progress: bool = True) -> "Popularity":  # noqa: ARG002
        """Count the events of every item."""
        biases = log_popularity(dataset.interactions, dataset.n_items)
        return Popularity(biases, dataset.item_features)

    def update(self, dataset: Dataset, before: Before) -> "Popularity":  # noqa: ARG002
        """Do what `fit` does: nothing is kept of before."""
        return self.fit(dataset)

    def refit(self, dataset: Dataset, before: Before, run: Run) -> "Popularity":  # noqa: ARG002
        """Do what `fit` does: nothing is kept of before."""
        return self.fit(dataset)

    def restore(self, dataset: Dataset, arrays: Mapping[str, Float32Array]) -> "Popularity":
        """Build the recommender from its stored arrays."""
        return Popularity(arrays["biases"], dataset.item_features)


class Popularity:
    """Scores every item by log(1 + its number of events), the same for everybody.

    All of the score is base value: no player contributes anything.
    """

    def __init__(self, biases: Float32Array, item_features: Features) -> None:
        self._biases = biases
        self.item_features = item_features

    def with_item_features(self, features: Features) -> "Popularity":
        """Return the recommender with other features of its items, which say nothing here."""
        return Popularity(self._biases, features)

    def query_vectors(self, histories: Histories) -> Float32Array:
        """Return float32 [n_rows, 1] of zeros."""
        return np.zeros((len(histories), 1), np.float32)

    def item_vectors(self) -> Float32Array:
        """Return float32 [n_items, 1] of zeros."""
        return np.zeros((len(self._biases), 1), np.float32)

    def item_biases(self) -> Float32Array:
        """Return float32 [n_items]: log(1 + number of events)."""
        return self._biases

    def coalition_values(
        self, histories: Histories, pairs: Pairs, coalitions: Coalitions
    ) -> Float64Array:
        """Return the same value for every coalition of a pair."""
        check_coalitions(coalitions, histories, self.item_features, pairs)
        return np.repeat(self._biases[pairs.items].astype(np.float64), coalitions.counts)

    def event_contributions(self, histories: Histories, pairs: Pairs) -> Float64Array:
        """Return float64 [n_events of all pairs] of zeros."""
        return np.zeros(int(histories.counts()[pairs.rows].sum()))

    def arrays(self) -> dict[str, Float32Array]:
        """Return the biases."""
        return {"biases": self._biases}


def log_popularity(interactions: Interactions, n_items: int) -> Float32Array:
    """Return float32 [n_items]: log(1 + number of events)."""
    return np.log1p(np.bincount(interactions.items, minlength=n_items)).astype(np.float32)
