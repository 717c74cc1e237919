"""The game that the papers play: events are the players, and all else that is known is context."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from whyrec.data.coalitions import Coalitions
from whyrec.data.dataset import Dataset
from whyrec.data.features import Features
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.errors import ArgumentError
from whyrec.models.game import check_coalitions, with_all_features
from whyrec.models.recommender import (
    DifferentiableRecommender,
    LinearRecommender,
    TwoStageRecommender,
)
from whyrec.types import Float32Array, Float64Array, Int64Array


@dataclass(frozen=True, slots=True)
class _WithContext:
    """What the recommender embedded, features and all, and how many places these have."""

    embedded: Any
    n_feature_places: int


def event_game(recommender: DifferentiableRecommender[Any]) -> "EventGame":
    """Return the game of a recommender's events, which can do whatever the recommender can."""
    if isinstance(recommender, LinearRecommender):
        return LinearEventGame(recommender)
    if isinstance(recommender, TwoStageRecommender):
        return TwoStageEventGame(recommender)
    return EventGame(recommender)


class EventGame:
    """A recommender with its item features always present, so that they are no players.

    Everything that explains a recommender explains this one too, by its events alone. Users have no
    attributes here.
    """

    def __init__(self, recommender: DifferentiableRecommender[Any]) -> None:
        self._recommender = recommender
        features = recommender.item_features
        self._n_features = np.diff(features.offsets)
        self.item_features = Features.none(len(features), features.schema)

    @staticmethod
    def dataset(dataset: Dataset) -> Dataset:
        """Return the data set as this recommender sees it.

        Raises:
            ArgumentError: something is known of a user beside the events.
        """
        if len(dataset.user_features.tokens):
            raise ArgumentError("users have attributes; they would be players beside the events")
        features = dataset.item_features
        return replace(dataset, item_features=Features.none(len(features), features.schema))

    @property
    def dimension(self) -> int:
        """How many values a player's vector has."""
        return self._recommender.dimension

    def query_vectors(self, histories: Histories) -> Float32Array:
        """Return float32 [n_rows, dimension]."""
        return self._recommender.query_vectors(histories)

    def item_vectors(self) -> Float32Array:
        """Return float32 [n_items, dimension]."""
        return self._recommender.item_vectors()

    def item_biases(self) -> Float32Array:
        """Return float32 [n_items], in logits."""
        return self._recommender.item_biases()

    def coalition_values(
        self, histories: Histories, pairs: Pairs, coalitions: Coalitions
    ) -> Float64Array:
        """Return v(S) of coalitions of events, with every feature present."""
        check_coalitions(coalitions, histories, self.item_features, pairs)
        features = self._recommender.item_features
        whole = with_all_features(coalitions, np.arange(len(pairs)), histories, features, pairs)
        return self._recommender.coalition_values(histories, pairs, whole)

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return every learned array, by name."""
        return self._recommender.arrays()

    def embed_pairs(
        self,
        histories: Histories,
        rows: Int64Array,
        items: Int64Array,
        widths: tuple[int, int, int],
    ) -> _WithContext:
        """Embed the events of some rows, and the features of as many items."""
        # As many places in every batch, so that what else is in it does not matter.
        most = int(self._n_features.max(initial=0))
        embedded = self._recommender.embed_pairs(histories, rows, items, (*widths[:2], most))
        return _WithContext(embedded, most)

    def pair_values(self, embedded: _WithContext, presence: torch.Tensor) -> torch.Tensor:
        """Return v, [n_rows, n_items, n_coalitions], with every feature present."""
        context = presence.new_ones((*presence.shape[:3], embedded.n_feature_places))
        return self._recommender.pair_values(embedded.embedded, torch.cat([presence, context], -1))

    def player_vectors(self, embedded: _WithContext) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the embedding of each event; there is no feature to embed."""
        events, features = self._recommender.player_vectors(embedded.embedded)
        return events, features[:, :, :0]


class LinearEventGame(EventGame):
    """The same of scores that are linear in the item, which can be held against others."""

    _recommender: LinearRecommender[Any]

    def held_against(
        self, embedded: _WithContext, vectors: torch.Tensor, biases: torch.Tensor
    ) -> _WithContext:
        """Return the pairs, held against something more; see the protocol."""
        held = self._recommender.held_against(embedded.embedded, vectors, biases)
        return replace(embedded, embedded=held)


class TwoStageEventGame(EventGame):
    """The same of a recommender that scores again what it retrieves."""

    _recommender: Any
    """Both a `DifferentiableRecommender` and a `TwoStageRecommender`."""

    @property
    def n_ranked(self) -> int:
        """How many of the best items by the vectors are scored again."""
        n_ranked: int = self._recommender.n_ranked
        return n_ranked

    def pair_scores(
        self, histories: Histories, pairs: Pairs, queries: Float32Array | None = None
    ) -> Float32Array:
        """Return float32 [n_pairs], in logits; see the protocol."""
        scores: Float32Array = self._recommender.pair_scores(histories, pairs, queries)
        return scores
