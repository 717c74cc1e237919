"""The network of the deep ranker: two vectors, their product and the fields become a logit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from whyrec.data.dataset import Dataset
from whyrec.models.wide import HistoryWeights

Keep = Callable[[torch.Tensor], torch.Tensor]
"""From hidden units to the same with some of them left out."""


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


class RankerNetwork(nn.Module):
    """Adds to a score what a multilayer network makes of the pair.

    With query vector q, item vector v and score s = q · v + bias, the wide part included,

        h₁ = relu(Q q + V v + P (q ∘ v) + a s + Σ fields + b),   logit = s + w · h,

    where h comes from h₁ by further layers. The raw fields are many-hot inputs: each value of a
    user's field and of an item's feature has a row of the first layer. Vectors and scores are
    brought to a spread of about 1 first. All parameters are made as zeros; w stays there at the
    start, so that training begins at the order of the retrieval.
    """

    spreads: torch.Tensor
    mean_score: torch.Tensor

    def __init__(self, dimension: int, dataset: Dataset, layers: Sequence[int]) -> None:
        """Make room for parameters.

        Args:
            dimension: of query and item vectors.
            dataset: whose fields of users and items there are.
            layers: widths of the hidden layers.
        """
        super().__init__()
        user_schema, first = dataset.user_features.schema, layers[0]
        self.of_query = _zeros(dimension, first)
        self.of_item = _zeros(dimension, first)
        self.of_product = _zeros(dimension, first)
        self.of_score = _zeros(first)
        self.attributes = _zeros(user_schema.n_tokens, first)
        self.absent_fields = _zeros(len(user_schema.fields), first)
        self.features = _zeros(dataset.item_features.schema.n_tokens, first)
        self.first_bias = _zeros(first)
        self.weights = nn.ParameterList(map(_zeros, layers, layers[1:]))
        self.biases = nn.ParameterList(map(_zeros, layers[1:]))
        self.output = _zeros(layers[-1])
        self.register_buffer("spreads", torch.ones(4))
        self.register_buffer("mean_score", torch.zeros(()))

    def start(self, generator: torch.Generator) -> None:
        """Draw the weights, save those of fields and of the output."""
        inputs = self.of_query, self.of_item, self.of_product
        n_inputs = sum(len(each) for each in inputs)
        with torch.no_grad():
            for each in inputs:
                each.normal_(0, (2 / n_inputs) ** 0.5, generator=generator)
            for each in self.weights:
                each.normal_(0, (2 / len(each)) ** 0.5, generator=generator)

    def scale_to(self, queries: torch.Tensor, items: torch.Tensor, biases: torch.Tensor) -> None:
        """Take spreads and the mean score from such inputs as `forward` is given."""
        products = queries * items
        scores = (products.sum(-1) + biases).numpy().astype(np.float64)
        # By NumPy, since threads of torch would share out each sum, to bits that tell how many.
        sizes = [
            (each.numpy().astype(np.float64) ** 2).mean() for each in (queries, items, products)
        ]
        spreads = np.maximum(np.sqrt([*sizes, scores.var()]), 1e-6)
        self.mean_score.fill_(float(scores.mean()))
        self.spreads.copy_(torch.from_numpy(spreads))

    def forward(
        self,
        queries: torch.Tensor,
        items: torch.Tensor,
        biases: torch.Tensor,
        fields: torch.Tensor,
        keep: Keep | None = None,
    ) -> torch.Tensor:
        """Return logits, [...], for leading dimensions that may be broadcast.

        Args:
            queries: [..., dimension].
            items: [..., dimension].
            biases: [...], of the items, with what the wide part gives, in logits.
            fields: [..., width of the first layer], the sum of the rows of all fields.
            keep: what leaves hidden units out in training; None keeps all.
        """
        keep = keep or nn.Identity()
        products = queries * items
        scores: torch.Tensor = products.sum(-1) + biases
        if not (self.output.requires_grad or self.output.any()):
            return scores  # it has stayed at its start, and is not learning
        query_spread, item_spread, product_spread, score_spread = self.spreads
        hidden = products @ (self.of_product / product_spread)
        hidden = hidden + queries @ (self.of_query / query_spread)
        hidden = hidden + items @ (self.of_item / item_spread)
        standard = (scores - self.mean_score) / score_spread
        hidden = hidden + standard[..., None] * self.of_score + fields + self.first_bias
        hidden = keep(torch.relu(hidden))
        for weight, bias in zip(self.weights, self.biases, strict=True):
            hidden = keep(torch.relu(hidden @ weight + bias))
        logits: torch.Tensor = scores + (hidden * self.output).sum(-1)
        return logits


def _zeros(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.zeros(shape))
