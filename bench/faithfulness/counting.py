"""A recommender that counts what is asked of it, so that methods can be compared by their cost."""

from typing import Any

import numpy as np
import torch
from bench.faithfulness.passing import Passed, Passing, passing

from whyrec.data.coalitions import Coalitions
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.models.recommender import DifferentiableRecommender
from whyrec.types import Float32Array, Float64Array, Int64Array


def counting(recommender: DifferentiableRecommender[Any]) -> "CountingRecommender":
    """Return a recommender that counts, and can do whatever the one that it asks can."""
    return passing(CountingRecommender, recommender)


class CountingRecommender(Passing):
    """Passes every call on, and counts coalitions evaluated and gradients taken.

    A batch may be filled up with pairs that are there already; each counts once. A gradient is one
    of a pair at one point, the score there included.
    """

    def __init__(self, recommender: DifferentiableRecommender[Any]) -> None:
        super().__init__(recommender)
        self.n_coalitions = 0
        """Scores of a pair under a coalition, and query vectors: a score needs no more."""
        self.n_gradients = 0

    def reset(self) -> None:
        """Begin to count anew."""
        self.n_coalitions = self.n_gradients = 0

    def query_vectors(self, histories: Histories) -> Float32Array:
        """Return float32 [n_rows, dimension]; each row counts as a coalition."""
        self.n_coalitions += len(histories)
        return super().query_vectors(histories)

    def coalition_values(
        self, histories: Histories, pairs: Pairs, coalitions: Coalitions
    ) -> Float64Array:
        """Return v(S), float64 [n_coalitions of all pairs], in logits."""
        self.n_coalitions += int(coalitions.counts.sum())
        return super().coalition_values(histories, pairs, coalitions)

    def embed_pairs(
        self,
        histories: Histories,
        rows: Int64Array,
        items: Int64Array,
        widths: tuple[int, int, int],
    ) -> Passed:
        """Embed the players of some rows, and tell how many different pairs these are."""
        pairs = np.stack([np.broadcast_to(rows[:, None], items.shape), items])
        n_pairs = np.unique(pairs.reshape(2, -1), axis=1).shape[1]
        return Passed(self._recommender.embed_pairs(histories, rows, items, widths), n_pairs)

    def pair_values(self, embedded: Passed, presence: torch.Tensor) -> torch.Tensor:
        """Return v, [n_rows, n_items, n_coalitions]."""
        n_values = embedded.number * presence.shape[2]
        if torch.is_grad_enabled() and presence.requires_grad:
            self.n_gradients += n_values
        else:
            self.n_coalitions += n_values
        return super().pair_values(embedded, presence)

    def scored_again(self, pairs: Pairs) -> None:
        """Count each pair of a second stage as a coalition."""
        self.n_coalitions += len(pairs)
