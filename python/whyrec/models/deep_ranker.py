"""The deep ranker: a network re-orders the best items of a retrieval; its logit is the score."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from whyrec.data.coalitions import Coalitions
from whyrec.data.features import Features
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.errors import ScoreError
from whyrec.models.candidate_items import feature_parts
from whyrec.models.coalition_blocks import evaluate_coalitions
from whyrec.models.features import sum_features
from whyrec.models.game import check_coalitions
from whyrec.models.history_inputs import attribute_parts, attribute_vectors
from whyrec.models.history_weights import HistoryWeights
from whyrec.models.padding import padded, places
from whyrec.models.ranker_network import RankerNetwork
from whyrec.models.recommender import (
    DotProductRecommender,
)
from whyrec.models.wide import WideWeights
from whyrec.types import Float32Array, Float64Array, Int32Array, Int64Array

RETRIEVAL, WIDE = "retrieval.", "wide."
"""What the names of the arrays of the retrieval, and of the wide part, begin with."""

_PAIRS = 256
"""Pairs of one call of the network: always as many, so that a pair's bits never change."""


@dataclass(frozen=True, slots=True)
class EmbeddedForRanker:
    """Rows with their items: what the retrieval makes of them, and their raw fields."""

    pairs: Any
    """What the retrieval embeds."""

    wide: HistoryWeights
    """What each event weighs for each item."""

    attributes: torch.Tensor
    """float32 [n_rows, n_attribute_places, width]: what each adds to the first layer."""

    features: torch.Tensor
    """float32 [n_rows, n_items, n_feature_places, width], the same."""


class DeepRanker:
    """score(u, i) = q · v(item) + bias(item) + wide(u, i) + network(q, v, fields).

    See `WideWeights` and `RankerNetwork`.

    Two stages: the vectors of a retrieval and the wide part find the best items of the catalog, and
    the score ranks these. q and v are those of the retrieval under any coalition, so whatever
    explains the retrieval explains the score of the ranker.
    """

    def __init__(
        self,
        retrieval: DotProductRecommender[Any],
        network: RankerNetwork,
        wide: WideWeights,
        n_ranked: int,
    ) -> None:
        self.item_features = retrieval.item_features
        self.n_ranked = n_ranked
        self._retrieval = retrieval
        self._network = network.eval().requires_grad_(False)
        self._wide = wide
        self._items = torch.from_numpy(retrieval.item_vectors())
        self._biases = torch.from_numpy(retrieval.item_biases())
        self._of_items = sum_features(network.features, self.item_features)

    def with_item_features(self, features: Features) -> "DeepRanker":
        """Return the recommender with other features of its candidates; see the protocol."""
        retrieval = self._retrieval.with_item_features(features)
        wide = self._wide.with_item_features(features)
        return DeepRanker(retrieval, self._network, wide, self.n_ranked)

    @property
    def dimension(self) -> int:
        """How many values a player's vector has."""
        return self._retrieval.dimension

    @property
    def wide_items(self) -> Int32Array:
        """int32, rising: the items that the wide part knows."""
        return self._wide.items

    def wide_scores(self, histories: Histories) -> Float32Array:
        """Return float32 [n_rows, n_wide_items], in logits; see the protocol."""
        return self._wide.scores(histories)

    def query_vectors(self, histories: Histories) -> Float32Array:
        """Return float32 [n_rows, dimension]: the retrieval's vector of each history."""
        return self._retrieval.query_vectors(histories)

    def item_vectors(self) -> Float32Array:
        """Return float32 [n_items, dimension]: the retrieval's vector of each item."""
        return self._retrieval.item_vectors()

    def item_biases(self) -> Float32Array:
        """Return float32 [n_items]: the retrieval's, in logits."""
        return self._retrieval.item_biases()

    @torch.no_grad()
    def pair_scores(
        self, histories: Histories, pairs: Pairs, queries: Float32Array | None = None
    ) -> Float32Array:
        """Return float32 [n_pairs], in logits; see the protocol.

        Raises:
            ScoreError: a score is no finite number.
        """
        network = self._network
        of_users = torch.from_numpy(self.query_vectors(histories) if queries is None else queries)
        of_fields = attribute_vectors(
            network.attributes, network.absent_fields, histories.attributes
        )
        of_pairs = torch.from_numpy(self._wide.pair_values(histories, pairs))
        scores = np.zeros(len(pairs), np.float32)
        for start in range(0, len(pairs), _PAIRS):
            part = slice(start, start + _PAIRS)
            # What fills the last call up is the first row and item; those scores are not kept.
            rows, items = np.zeros((2, _PAIRS), np.int64)
            n_pairs = len(pairs.rows[part])
            rows[:n_pairs], items[:n_pairs] = pairs.rows[part], pairs.items[part]
            biases = self._biases[items]
            biases[:n_pairs] += of_pairs[part]
            found = network(
                of_users[rows],
                self._items[items],
                biases,
                of_fields[rows] + self._of_items[items],
            )
            scores[part] = found.numpy()[:n_pairs]
        wrong = np.flatnonzero(~np.isfinite(scores))
        if len(wrong):
            first = int(wrong[0])
            raise ScoreError(int(pairs.rows[first]), int(pairs.items[first]), str(scores[first]))
        return scores

    def coalition_values(
        self, histories: Histories, pairs: Pairs, coalitions: Coalitions
    ) -> Float64Array:
        """Return v(S), in logits, of pairs under many coalitions; see the protocol."""
        by_kind = check_coalitions(coalitions, histories, self.item_features, pairs)
        return evaluate_coalitions(self, histories, pairs, coalitions, by_kind)

    @torch.no_grad()
    def embed_pairs(
        self,
        histories: Histories,
        rows: Int64Array,
        items: Int64Array,
        widths: tuple[int, int, int],
    ) -> EmbeddedForRanker:
        """Embed the players of some rows, each with as many items; see the protocol."""
        network = self._network
        parts, row_offsets = attribute_parts(
            network.attributes, network.absent_fields, histories.attributes.take(rows)
        )
        return EmbeddedForRanker(
            self._retrieval.embed_pairs(histories, rows, items, widths),
            self._wide.of_pairs(histories, rows, items, widths),
            padded(parts, places(row_offsets, np.arange(len(rows)), widths[1])),
            feature_parts(network.features, self.item_features, items, widths[2]),
        )

    def pair_values(self, embedded: EmbeddedForRanker, presence: torch.Tensor) -> torch.Tensor:
        """Return v, [n_rows, n_items, n_coalitions]; see the protocol."""
        n_attributes, n_features = embedded.attributes.shape[1], embedded.features.shape[2]
        n_events = presence.shape[-1] - n_attributes - n_features
        events, attributes, features = presence.split([n_events, n_attributes, n_features], -1)
        of_user = (attributes.flatten(1, 2) @ embedded.attributes).unflatten(1, presence.shape[1:3])
        fields = self._network.absent_fields.sum(0) + of_user + features @ embedded.features
        queries, items, biases = self._retrieval.pair_vectors(embedded.pairs, presence)
        values: torch.Tensor = self._network(
            queries, items, biases + embedded.wide.values(events, features), fields
        )
        return values

    def player_vectors(self, embedded: EmbeddedForRanker) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the retrieval's embedding of each player; see the protocol."""
        return self._retrieval.player_vectors(embedded.pairs)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything that is learned; arrays of the other parts under names of their own."""
        arrays: dict[str, NDArray[Any]] = {
            name: each.cpu().numpy() for name, each in self._network.state_dict().items()
        }
        for prefix, part in ((RETRIEVAL, self._retrieval), (WIDE, self._wide)):
            arrays |= {prefix + name: each for name, each in part.arrays().items()}
        return arrays
