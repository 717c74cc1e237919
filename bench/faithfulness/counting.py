"""A recommender that counts what is asked of it, so that methods can be compared by their cost."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
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
)
from whyrec.types import Float32Array, Float64Array, Int64Array


@dataclass(frozen=True, slots=True)
class _Counted:
    """What the recommender embedded, and how many different pairs that is."""

    embedded: Any
    n_pairs: int


def counting(recommender: DifferentiableRecommender[Any]) -> "CountingRecommender":
    """Return a recommender that counts, and can do whatever the one that it asks can."""
    if isinstance(recommender, LinearRecommender):
        return CountingLinear(recommender)
    if isinstance(recommender, TwoStageRecommender):
        return CountingTwoStage(recommender)
    return CountingRecommender(recommender)


class CountingRecommender:
    """Passes every call on, and counts coalitions evaluated and gradients taken.

    A batch may be filled up with pairs that are there already; each counts once. A gradient is one
    of a pair at one point, the score there included.
    """

    def __init__(self, recommender: DifferentiableRecommender[Any]) -> None:
        self._recommender = recommender
        self.n_coalitions = 0
        """Scores of a pair under a coalition, and query vectors: a score needs no more."""
        self.n_gradients = 0

    def reset(self) -> None:
        """Begin to count anew."""
        self.n_coalitions = self.n_gradients = 0

    @property
    def item_features(self) -> Features:
        """One row per item of the catalog."""
        return self._recommender.item_features

    @property
    def dimension(self) -> int:
        """How many values a player's vector has."""
        return self._recommender.dimension

    def query_vectors(self, histories: Histories) -> Float32Array:
        """Return float32 [n_rows, dimension]; each row counts as a coalition."""
        self.n_coalitions += len(histories)
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
        """Return v(S), float64 [n_coalitions of all pairs], in logits."""
        self.n_coalitions += int(coalitions.counts.sum())
        return self._recommender.coalition_values(histories, pairs, coalitions)

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return every learned array, by name."""
        return self._recommender.arrays()

    def embed_pairs(
        self,
        histories: Histories,
        rows: Int64Array,
        items: Int64Array,
        widths: tuple[int, int, int],
    ) -> _Counted:
        """Embed the players of some rows, each with as many items."""
        pairs = np.stack([np.broadcast_to(rows[:, None], items.shape), items])
        n_pairs = np.unique(pairs.reshape(2, -1), axis=1).shape[1]
        return _Counted(self._recommender.embed_pairs(histories, rows, items, widths), n_pairs)

    def pair_values(self, embedded: _Counted, presence: torch.Tensor) -> torch.Tensor:
        """Return v, [n_rows, n_items, n_coalitions]."""
        n_values = embedded.n_pairs * presence.shape[2]
        if torch.is_grad_enabled() and presence.requires_grad:
            self.n_gradients += n_values
        else:
            self.n_coalitions += n_values
        return self._recommender.pair_values(embedded.embedded, presence)

    def player_vectors(self, embedded: _Counted) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the shared embedding of each player."""
        return self._recommender.player_vectors(embedded.embedded)


class CountingLinear(CountingRecommender):
    """The same of scores that are linear in the item: held against others, they are one score."""

    _recommender: LinearRecommender[Any]

    def held_against(
        self, embedded: _Counted, vectors: torch.Tensor, biases: torch.Tensor
    ) -> _Counted:
        """Return the pairs, held against something more; see the protocol."""
        held = self._recommender.held_against(embedded.embedded, vectors, biases)
        return replace(embedded, embedded=held)


class CountingTwoStage(CountingRecommender):
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
        """Return float32 [n_pairs], in logits; each counts as a coalition."""
        self.n_coalitions += len(pairs)
        scores: Float32Array = self._recommender.pair_scores(histories, pairs, queries)
        return scores
