"""A recommender for which some events and attributes count for less than whole."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from whyrec.data.coalitions import Coalitions
from whyrec.data.features import Features
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.models.coalition_blocks import evaluate_coalitions
from whyrec.models.features import split_by_field
from whyrec.models.game import check_coalitions
from whyrec.models.padding import padded, places
from whyrec.models.places import places_for
from whyrec.models.recommender import DotProductRecommender
from whyrec.types import Float32Array, Float64Array, Int64Array


@dataclass(frozen=True, slots=True)
class _WeightedPairs:
    """Rows with their items, and how much each of their players counts."""

    pairs: Any
    weights: torch.Tensor
    """float32 [n_rows, 1, 1, n_places]."""


class Weighted:
    """v(S) is that of the recommender at a presence of the weight of each player, in place of 1.

    Whatever explains the recommender explains this one.
    """

    def __init__(
        self,
        recommender: DotProductRecommender[Any],
        item_weights: Float32Array,
        field_weights: Float32Array,
    ) -> None:
        """Take the recommender, and weights from 0 to 1.

        Args:
            recommender: what scores.
            item_weights: float32 [n_items], of the events with each item.
            field_weights: float32 [n_fields], of each field of the user.
        """
        self.item_features: Features = recommender.item_features
        self._recommender = recommender
        self._item_weights = torch.from_numpy(item_weights)
        self._field_weights = torch.from_numpy(field_weights)

    @property
    def dimension(self) -> int:
        """How many values a player's vector has."""
        return self._recommender.dimension

    def with_item_features(self, features: Features) -> "Weighted":
        """Return the recommender with other features of its candidates; see the protocol."""
        recommender = self._recommender.with_item_features(features)
        weights = self._item_weights.numpy(), self._field_weights.numpy()
        return Weighted(recommender, *weights)

    @torch.no_grad()
    def query_vectors(self, histories: Histories) -> Float32Array:
        """Return float32 [n_rows, dimension]: one vector per history, whatever else is asked."""
        field_offsets, _, _ = split_by_field(histories.attributes)
        counts = np.stack([histories.counts(), np.diff(field_offsets)], axis=1)
        rows = [
            # One by one, so that a history's bits cannot depend on another's.
            self._query(histories, row, (int(n_events), int(n_attributes), 0))
            for row, (n_events, n_attributes) in enumerate(places_for(counts).tolist())
        ]
        return np.concatenate([*rows, np.zeros((0, self.dimension), np.float32)])

    def _query(self, histories: Histories, row: int, widths: tuple[int, int, int]) -> Float32Array:
        # The vector of a query is the same for any item.
        embedded = self.embed_pairs(histories, np.array([row]), np.zeros((1, 1), np.int64), widths)
        queries, _, _ = self.pair_vectors(embedded, torch.ones(1, 1, 1, sum(widths)))
        return np.asarray(queries[0, :, 0].cpu(), np.float32)

    def item_vectors(self, features: Features | None = None) -> Float32Array:
        """Return float32 [n_items, dimension]: one vector per item, with its features or others."""
        return self._recommender.item_vectors(features)

    def item_biases(self, features: Features | None = None) -> Float32Array:
        """Return float32 [n_items], in logits, with their features or others."""
        return self._recommender.item_biases(features)

    def coalition_values(
        self, histories: Histories, pairs: Pairs, coalitions: Coalitions
    ) -> Float64Array:
        """Return v(S), in logits, of pairs under many coalitions; see the protocol."""
        by_kind = check_coalitions(coalitions, histories, self.item_features, pairs)
        return evaluate_coalitions(self, histories, pairs, coalitions, by_kind)

    def embed_pairs(
        self,
        histories: Histories,
        rows: Int64Array,
        items: Int64Array,
        widths: tuple[int, int, int],
    ) -> _WeightedPairs:
        """Embed the players of some rows, each with as many items; see the protocol."""
        part, every_row = histories.take(rows), np.arange(len(rows))
        field_offsets, fields, _ = split_by_field(part.attributes)
        of_events = self._item_weights[torch.from_numpy(part.items).long()]
        of_attributes = self._field_weights[torch.from_numpy(fields)]
        weights = [
            padded(of_events, places(part.offsets, every_row, widths[0])),
            padded(of_attributes, places(field_offsets, every_row, widths[1])),
            torch.ones(len(rows), widths[2]),
        ]
        return _WeightedPairs(
            self._recommender.embed_pairs(histories, rows, items, widths),
            torch.cat(weights, 1)[:, None, None],
        )

    def pair_values(self, embedded: _WeightedPairs, presence: torch.Tensor) -> torch.Tensor:
        """Return v, [n_rows, n_items, n_coalitions]; see the protocol."""
        return self._recommender.pair_values(embedded.pairs, presence * embedded.weights)

    def pair_vectors(
        self, embedded: _WeightedPairs, presence: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return query vectors, item vectors and biases; see the protocol."""
        return self._recommender.pair_vectors(embedded.pairs, presence * embedded.weights)

    def held_against(
        self, embedded: _WeightedPairs, vectors: torch.Tensor, biases: torch.Tensor
    ) -> _WeightedPairs:
        """Return the pairs with values less by what something else scores; see the protocol."""
        return replace(
            embedded, pairs=self._recommender.held_against(embedded.pairs, vectors, biases)
        )

    def player_vectors(self, embedded: _WeightedPairs) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the shared embedding of each player; see the protocol."""
        return self._recommender.player_vectors(embedded.pairs)

    def arrays(self) -> Any:
        """Return everything that is learned."""
        return self._recommender.arrays()
