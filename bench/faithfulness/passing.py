"""A recommender that passes every call on to another: what stands between it and a method."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import torch
from numpy.typing import NDArray

from whyrec.data.coalitions import Coalitions
from whyrec.data.features import Features
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.models.recommender import (
    DifferentiableRecommender,
    LinearRecommender,
    TwoStageRecommender,
    WideRecommender,
)
from whyrec.types import Float32Array, Float64Array, Int32Array, Int64Array


@dataclass(frozen=True, slots=True)
class Passed:
    """What the recommender embedded, and a number that who stands between keeps beside it."""

    embedded: Any
    number: int


class Passing:
    """Answers as the recommender does; whoever stands between changes a call or two."""

    def __init__(self, recommender: DifferentiableRecommender[Any]) -> None:
        # Any, since it may be more than what every one of them is.
        self._recommender: Any = recommender

    @property
    def item_features(self) -> Features:
        """One row per item of the catalog."""
        features: Features = self._recommender.item_features
        return features

    @property
    def dimension(self) -> int:
        """How many values a player's vector has."""
        dimension: int = self._recommender.dimension
        return dimension

    def query_vectors(self, histories: Histories) -> Float32Array:
        """Return float32 [n_rows, dimension]."""
        queries: Float32Array = self._recommender.query_vectors(histories)
        return queries

    def item_vectors(self) -> Float32Array:
        """Return float32 [n_items, dimension]."""
        vectors: Float32Array = self._recommender.item_vectors()
        return vectors

    def item_biases(self) -> Float32Array:
        """Return float32 [n_items], in logits."""
        biases: Float32Array = self._recommender.item_biases()
        return biases

    def coalition_values(
        self, histories: Histories, pairs: Pairs, coalitions: Coalitions
    ) -> Float64Array:
        """Return v(S), float64 [n_coalitions of all pairs], in logits."""
        values: Float64Array = self._recommender.coalition_values(histories, pairs, coalitions)
        return values

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return every learned array, by name."""
        arrays: Mapping[str, NDArray[Any]] = self._recommender.arrays()
        return arrays

    def embed_pairs(
        self,
        histories: Histories,
        rows: Int64Array,
        items: Int64Array,
        widths: tuple[int, int, int],
    ) -> Passed:
        """Embed the players of some rows, each with as many items."""
        return Passed(self._recommender.embed_pairs(histories, rows, items, widths), 0)

    def pair_values(self, embedded: Passed, presence: torch.Tensor) -> torch.Tensor:
        """Return v, [n_rows, n_items, n_coalitions]."""
        values: torch.Tensor = self._recommender.pair_values(embedded.embedded, presence)
        return values

    def player_vectors(self, embedded: Passed) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the shared embedding of each player."""
        vectors: tuple[torch.Tensor, torch.Tensor] = self._recommender.player_vectors(
            embedded.embedded
        )
        return vectors

    def scored_again(self, pairs: Pairs) -> None:
        """Hear of pairs whose scores a second stage is asked for."""


class _Linear(Passing):
    def held_against(self, embedded: Passed, vectors: torch.Tensor, biases: torch.Tensor) -> Passed:
        """Return the pairs, held against something more; see the protocol."""
        held = self._recommender.held_against(embedded.embedded, vectors, biases)
        return replace(embedded, embedded=held)


class _TwoStage(Passing):
    @property
    def n_ranked(self) -> int:
        """How many items are scored again."""
        n_ranked: int = self._recommender.n_ranked
        return n_ranked

    def pair_scores(
        self, histories: Histories, pairs: Pairs, queries: Float32Array | None = None
    ) -> Float32Array:
        """Return float32 [n_pairs], in logits; see the protocol."""
        self.scored_again(pairs)
        scores: Float32Array = self._recommender.pair_scores(histories, pairs, queries)
        return scores


class _Wide(_TwoStage):
    @property
    def wide_items(self) -> Int32Array:
        """int32, rising: the items that the wide part knows."""
        items: Int32Array = self._recommender.wide_items
        return items

    def wide_scores(self, histories: Histories) -> Float32Array:
        """Return float32 [n_rows, n_wide_items], in logits; see the protocol."""
        scores: Float32Array = self._recommender.wide_scores(histories)
        return scores


P = TypeVar("P", bound=Passing)


def passing(kind: type[P], recommender: DifferentiableRecommender[Any]) -> P:
    """Return one of its kind that can do whatever the recommender can.

    A protocol asks what an object has: it must have no more than the recommender.
    """
    abilities: list[type] = []
    if isinstance(recommender, LinearRecommender):
        abilities.append(_Linear)
    if isinstance(recommender, WideRecommender):
        abilities.append(_Wide)
    elif isinstance(recommender, TwoStageRecommender):
        abilities.append(_TwoStage)
    able: type[P] = type(kind.__name__, (kind, *abilities), {})
    return able(recommender)
