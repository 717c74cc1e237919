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
        device = vectors.identity.device
        at = places(catalog.offsets, items.ravel(), width).reshape(*items.shape, width)
        weights = padded(torch.from_numpy(catalog.weights).to(device), at)
        tokens = padded(torch.from_numpy(catalog.tokens).to(device), at).long()
        if len(vectors.of_features):
            features, of_features = (
                weights[..., None] * nn.functional.embedding(tokens, each.of_features)
                for each in (vectors, biases)
            )
            feature_biases = of_features[..., 0]
        else:
            dimension = vectors.identity.shape[1]
            features, feature_biases = weights.new_zeros((*weights.shape, dimension)), weights
        chosen = torch.from_numpy(items).to(device)
        identities, own = (
            nn.functional.embedding(chosen, each.identity) for each in (vectors, biases)
        )
        return cls(features, feature_biases, identities, own[..., 0])

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
        items = self.identities[:, :, None] + presence @ self.features
        biases = presence @ self.feature_biases[..., None]
        values: torch.Tensor = (queries * items).sum(-1) + biases[..., 0]
        return values + self.biases[..., None]
