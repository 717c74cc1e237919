"""The game that the papers play: events are the players, and all else that is known is context."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from bench.faithfulness.passing import Passed, Passing, passing

from whyrec.data.coalitions import Coalitions
from whyrec.data.dataset import Dataset
from whyrec.data.features import Features
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.errors import ArgumentError
from whyrec.models.game import check_coalitions, with_all_features
from whyrec.models.recommender import DifferentiableRecommender
from whyrec.types import Float64Array, Int64Array


def event_game(recommender: DifferentiableRecommender[Any]) -> "EventGame":
    """Return the game of a recommender's events, which can do whatever the recommender can."""
    return passing(EventGame, recommender)


class EventGame(Passing):
    """A recommender with its item features always present, so that they are no players.

    Everything that explains a recommender explains this one too, by its events alone. Users have no
    attributes here.
    """

    def __init__(self, recommender: DifferentiableRecommender[Any]) -> None:
        super().__init__(recommender)
        features = recommender.item_features
        self._n_features = np.diff(features.offsets)
        self._no_features = Features.none(len(features), features.schema)

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
    def item_features(self) -> Features:
        """One row per item of the catalog: none is a player."""
        return self._no_features

    def coalition_values(
        self, histories: Histories, pairs: Pairs, coalitions: Coalitions
    ) -> Float64Array:
        """Return v(S) of coalitions of events, with every feature present."""
        check_coalitions(coalitions, histories, self.item_features, pairs)
        features = self._recommender.item_features
        whole = with_all_features(coalitions, np.arange(len(pairs)), histories, features, pairs)
        return super().coalition_values(histories, pairs, whole)

    def embed_pairs(
        self,
        histories: Histories,
        rows: Int64Array,
        items: Int64Array,
        widths: tuple[int, int, int],
    ) -> Passed:
        """Embed the events of some rows, and the features of as many items: so many places."""
        # As many places in every batch, so that what else is in it does not matter.
        most = int(self._n_features.max(initial=0))
        embedded = self._recommender.embed_pairs(histories, rows, items, (*widths[:2], most))
        return Passed(embedded, most)

    def pair_values(self, embedded: Passed, presence: torch.Tensor) -> torch.Tensor:
        """Return v, [n_rows, n_items, n_coalitions], with every feature present."""
        context = presence.new_ones((*presence.shape[:3], embedded.number))
        return super().pair_values(embedded, torch.cat([presence, context], -1))

    def player_vectors(self, embedded: Passed) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the embedding of each event; there is no feature to embed."""
        events, features = super().player_vectors(embedded)
        return events, features[:, :, :0]
