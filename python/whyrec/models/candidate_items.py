"""Items as candidates: their vectors and biases with any of their features left out."""

from dataclasses import dataclass, replace

import torch
from torch import nn

from whyrec.data.features import Features
from whyrec.models.padding import padded, places
from whyrec.models.towers import ItemVectors
from whyrec.types import Int64Array


@dataclass(frozen=True, slots=True)
class CandidateItems:
    """The items of some pairs as vectors, padded with zeros: places that do nothing."""

    features: torch.Tensor
    """float32 [n_rows, n_items, n_places, dimension]: what each feature adds to the vector."""

    feature_biases: torch.Tensor
    """float32 [n_rows, n_items, n_places]: what each feature adds to the item's bias."""

    identities: torch.Tensor
    """float32 [n_rows, n_items, dimension]: the item vector without features."""

    biases: torch.Tensor
    """float32 [n_rows, n_items]: the item's own bias."""

    @classmethod
    def of(
        cls,
        vectors: ItemVectors,
        biases: ItemVectors,
        catalog: Features,
        items: Int64Array,
        width: int,
    ) -> "CandidateItems":
        """Embed the features of some items.

        Args:
            vectors: of items as candidates.
            biases: the same, of one dimension.
            catalog: one row per item.
            items: int64 [n_rows, n_items], item indices.
            width: places for features.
        """
        chosen = torch.from_numpy(items).to(vectors.identity.device)
        identities, own = (
            nn.functional.embedding(chosen, each.identity) for each in (vectors, biases)
        )
        return cls(
            feature_parts(vectors.of_features, catalog, items, width),
            feature_parts(biases.of_features, catalog, items, width)[..., 0],
            identities,
            own[..., 0],
        )

    def held_against(self, vectors: torch.Tensor, biases: torch.Tensor) -> "CandidateItems":
        """Return items whose scores are less by what something else scores.

        Args:
            vectors: float32 [n_rows, n_items, dimension].
            biases: float32 [n_rows, n_items], in logits.
        """
        return replace(self, identities=self.identities - vectors, biases=self.biases - biases)

    def scores(self, queries: torch.Tensor, presence: torch.Tensor) -> torch.Tensor:
        """Return scores, [n_rows, n_items, n_coalitions].

        Args:
            queries: [n_rows, n_items, n_coalitions, dimension].
            presence: [n_rows, n_items, n_coalitions, n_places], of the features.
        """
        vectors, biases = self.vectors(presence)
        scores: torch.Tensor = (queries * vectors).sum(-1) + biases
        return scores

    def vectors(self, presence: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return item vectors, [n_rows, n_items, n_coalitions, dimension], and their biases.

        Args:
            presence: [n_rows, n_items, n_coalitions, n_places], of the features.
        """
        vectors = self.identities[:, :, None] + presence @ self.features
        biases = presence @ self.feature_biases[..., None]
        return vectors, biases[..., 0] + self.biases[..., None]


def feature_parts(
    of_features: torch.Tensor, catalog: Features, items: Int64Array, width: int
) -> torch.Tensor:
    """Return what each feature adds to the vector of its item, [n_rows, n_items, width, dimension].

    Args:
        of_features: float32 [n_tokens, dimension], a vector per feature value.
        catalog: one row per item.
        items: int64 [n_rows, n_items], item indices.
        width: places for features; those that an item does not fill are zeros.
    """
    at = places(catalog.offsets, items.ravel(), width).reshape(*items.shape, width)
    if not len(of_features):
        return of_features.new_zeros((*at.shape, of_features.shape[1]))
    weights = padded(torch.from_numpy(catalog.weights).to(of_features.device), at)
    tokens = padded(torch.from_numpy(catalog.tokens).to(of_features.device), at).long()
    parts: torch.Tensor = weights[..., None] * nn.functional.embedding(tokens, of_features)
    return parts
