"""What the deep ranker learns from: lists that a retrieval found, and which items were wanted."""

from dataclasses import dataclass
from typing import Any

import torch

from whyrec.data.features import Features
from whyrec.models.recommender import DotProductRecommender
from whyrec.types import Float64Array


@dataclass(frozen=True, slots=True)
class Catalog:
    """The items as a retrieval sees them with some of their features."""

    vectors: torch.Tensor
    """float32 [n_items, dimension]."""

    biases: torch.Tensor
    """float32 [n_items], in logits."""

    features: Features

    @classmethod
    def of(cls, retrieval: DotProductRecommender[Any], features: Features) -> "Catalog":
        """Ask the retrieval for items with these features."""
        return cls(
            torch.from_numpy(retrieval.item_vectors(features)),
            torch.from_numpy(retrieval.item_biases(features)),
            features,
        )


@dataclass(frozen=True, slots=True)
class Lists:
    """The best unseen items for some histories, and which of them were wanted."""

    queries: torch.Tensor
    """float32 [n_lists, dimension]."""

    attributes: Features
    """One row per list."""

    items: torch.Tensor
    """int64 [n_lists, n_ranked]."""

    is_there: torch.Tensor
    """bool [n_lists, n_ranked]: False where there was no other item."""

    wide: torch.Tensor
    """float32 [n_lists, n_ranked]: what the wide part gives each item, in logits."""

    wanted: torch.Tensor
    """float32 [n_lists, n_ranked]: what each item weighs as a target; 0 if it is none."""

    ideal: Float64Array
    """float64 [n_lists]: the discounted gain of all that was wanted, were it ranked first."""

    def take(self, rows: torch.Tensor) -> "Lists":
        """Return the lists asked for."""
        return Lists(
            self.queries[rows],
            self.attributes.take(rows.numpy()),
            self.items[rows],
            self.is_there[rows],
            self.wide[rows],
            self.wanted[rows],
            self.ideal[rows.numpy()],
        )

    def inputs(self, catalog: Catalog) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return query vectors, item vectors and biases for the network."""
        biases = catalog.biases[self.items] + self.wide
        return self.queries[:, None], catalog.vectors[self.items], biases
