"""Contributions without any estimate, for recommenders whose score is a sum over players."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.errors import ArgumentError
from whyrec.explain.attribution import Attributions, PlayerKind, Players, close_gaps
from whyrec.models.recommender import Recommender
from whyrec.types import Float32Array, Float64Array


@runtime_checkable
class AdditiveRecommender(Recommender, Protocol):
    """A recommender whose score is a bias and a sum over events, and nothing else."""

    def event_contributions(self, histories: Histories, pairs: Pairs) -> Float64Array:
        """Return float64 [n_events of all pairs], in logits, pair by pair, oldest event first."""
        ...


@dataclass(frozen=True, kw_only=True)
class ClosedFormConfig:
    """Settings of `ClosedForm`: there are none."""

    def fit(
        self,
        recommender: Recommender,
        dataset: Dataset,  # noqa: ARG002
        *,
        progress: bool = True,  # noqa: ARG002
    ) -> "ClosedForm":
        """Return the explainer; there is nothing to learn.

        Raises:
            ArgumentError: the score of the recommender is no sum over events.
        """
        if not isinstance(recommender, AdditiveRecommender):
            raise ArgumentError(
                f"{type(recommender).__name__} has no closed form: its score is no sum over "
                "events; explain it by NetworkConfig(), GradientPathConfig() or ShapleyConfig()"
            )
        return ClosedForm(recommender)

    def restore(
        self,
        recommender: Recommender,
        arrays: Mapping[str, Float32Array],  # noqa: ARG002
    ) -> "ClosedForm":
        """Return the explainer."""
        if not isinstance(recommender, AdditiveRecommender):
            raise ArgumentError(f"{type(recommender).__name__} has no closed form")
        return ClosedForm(recommender)


class ClosedForm:
    """The exact Shapley values of a score that is a sum: each player has its own term."""

    def __init__(self, recommender: AdditiveRecommender) -> None:
        self._recommender = recommender

    def explain(
        self, histories: Histories, pairs: Pairs, full_values: Float64Array
    ) -> Attributions:
        """Give every event its term; attributes and features contribute nothing."""
        players = Players.of(histories, self._recommender.item_features, pairs)
        contributions = np.zeros(len(players.kinds))
        is_event = players.kinds == PlayerKind.EVENT
        contributions[is_event] = self._recommender.event_contributions(histories, pairs)
        base_values = self._recommender.item_biases()[pairs.items].astype(np.float64)
        return close_gaps(
            Attributions(pairs, players, contributions, base_values, full_values, "closed form")
        )

    def arrays(self) -> dict[str, Float32Array]:
        """Return nothing: nothing is learned."""
        return {}
