"""The two towers as a network: items, histories and attributes become vectors."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn

from whyrec.data.dataset import Dataset
from whyrec.data.features import Features
from whyrec.data.interactions import Histories
from whyrec.models.features import sum_by_row, sum_features
from whyrec.models.history_inputs import (
    attribute_vectors,
    one_hot_kinds,
    standard_values,
    value_statistics,
)

_ROWS = 64
"""Rows of one call of the residual network: always as many, so that a row's bits never change."""


class ItemVectors(Protocol):
    """A vector per item, in two parts."""

    @property
    def identity(self) -> torch.Tensor:
        """float32 [n_items, dimension]: what belongs to the item alone."""
        ...

    @property
    def of_features(self) -> torch.Tensor:
        """float32 [n_tokens, dimension]: what belongs to each feature value."""
        ...

    def __call__(self, features: Features, kept: torch.Tensor | None = None) -> torch.Tensor:
        """Return float32 [n_items, dimension]; kept says which feature values are there."""
        ...


@dataclass(frozen=True, slots=True)
class SummedVectors:
    """The vectors of two tables together, which go on learning each by itself."""

    tables: "tuple[ItemTable, ItemTable]"

    @property
    def identity(self) -> torch.Tensor:
        """float32 [n_items, dimension]: what belongs to the item alone."""
        return self.tables[0].identity + self.tables[1].identity

    @property
    def of_features(self) -> torch.Tensor:
        """float32 [n_tokens, dimension]: what belongs to each feature value."""
        return self.tables[0].of_features + self.tables[1].of_features

    def __call__(self, features: Features, kept: torch.Tensor | None = None) -> torch.Tensor:
        """Return float32 [n_items, dimension]; kept says which feature values are there."""
        one, other = self.tables
        vectors: torch.Tensor = one(features, kept) + other(features, kept)
        return vectors


class ItemTable(nn.Module):
    """A vector per item: its identity plus the weighted sum of its feature values."""

    def __init__(self, n_items: int, n_tokens: int, dimension: int) -> None:
        super().__init__()
        self.identity = _zeros(n_items, dimension)
        self.of_features = _zeros(n_tokens, dimension)

    def forward(self, features: Features, kept: torch.Tensor | None = None) -> torch.Tensor:
        """Return float32 [n_items, dimension]; kept says which feature values are there."""
        return self.identity + sum_features(self.of_features, features, kept)


class Towers(nn.Module):
    """Everything that is learned.

    An item is an event vector (as part of a history), an item vector (as a candidate) and a bias.
    Head h of an event has the gate

        g_h = 1 + 2 tanh(a_h / 2),   a_h linear in the event vector, value, age and kind,

    and the query vector of a history with attribute vector A is

        x = [Σ g_h e_h / √(1 + Σ g_h²)]_h + A,   q = scale · (x + residual(x)),

    residual being a network with one hidden layer. All parameters are made as zeros.
    """

    started_from: torch.Tensor
    value_mean: torch.Tensor
    value_scale: torch.Tensor

    def __init__(self, dataset: Dataset, dimension: int, heads: int, hidden: int) -> None:
        super().__init__()
        n_items, n_tokens = dataset.n_items, dataset.item_features.schema.n_tokens
        user_schema = dataset.user_features.schema
        self.dimension, self.heads = dimension, heads
        self.n_kinds = len(dataset.interactions.kind_names)
        self.events = ItemTable(n_items, n_tokens, dimension)
        self.items = ItemTable(n_items, n_tokens, dimension)
        self.biases = ItemTable(n_items, n_tokens, 1)
        self.attributes = _zeros(user_schema.n_tokens, dimension)
        self.absent_fields = _zeros(len(user_schema.fields), dimension)
        self.gate_of_vector = _zeros(dimension, heads)
        self.gate_of_context = _zeros(3 + self.n_kinds, heads)
        self.log_scale = _zeros()
        self.hidden_weight = _zeros(dimension, hidden)
        self.hidden_bias = _zeros(hidden)
        self.output_weight = _zeros(hidden, dimension)
        self.output_bias = _zeros(dimension)
        mean, spread = value_statistics(dataset)
        self.register_buffer("started_from", torch.zeros(2))
        self.register_buffer("value_mean", mean)
        self.register_buffer("value_scale", spread)

    def context(self, histories: Histories) -> torch.Tensor:
        """Return float32 [n_events, 3 + n_kinds]: standardised value, if known, age, kind."""
        parts = standard_values(histories, self.value_mean, self.value_scale)
        ages = torch.log1p(torch.from_numpy(histories.ages).to(self.value_mean.device))
        kinds = one_hot_kinds(histories, self.n_kinds, ages.device)
        return torch.cat([torch.stack([*parts, ages / 4], 1), kinds], 1)

    def event_terms(
        self,
        vectors: torch.Tensor,
        of_vector: torch.Tensor,
        context: torch.Tensor,
        present: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return [..., dimension + heads]: g·e and g², whose sums are all that a history gives.

        Args:
            vectors: [..., dimension], event vectors.
            of_vector: [..., heads], their part of the gate.
            context: [..., 3 + n_kinds].
            present: bool [...]; the terms of what is not present are 0. None says all are.
        """
        opening = of_vector
        for column in range(context.shape[-1]):  # elementwise, so that bits are the same anywhere
            opening = opening + context[..., column, None] * self.gate_of_context[column]
        gates = 1 + 2 * torch.tanh(opening / 2)
        if present is not None:
            gates = gates * present[..., None]
        by_head = vectors.unflatten(-1, (self.heads, -1)) * gates[..., None]
        return torch.cat([by_head.flatten(-2), gates**2], -1)

    def sum_events(
        self, catalog: torch.Tensor, gates: torch.Tensor, histories: Histories
    ) -> torch.Tensor:
        """Return float32 [n_rows, dimension + heads]: the sums of `event_terms` by history.

        Args:
            catalog: float32 [n_items, dimension], event vectors of all items.
            gates: float32 [n_items, heads], their part of the gates.
            histories: what to sum over.
        """
        items = torch.from_numpy(histories.items).to(catalog.device, torch.int64)
        # The gradient of catalog[items] would add up in an order that differs from run to run.
        vectors, of_vector = (nn.functional.embedding(items, each) for each in (catalog, gates))
        terms = self.event_terms(vectors, of_vector, self.context(histories))
        order = torch.arange(len(items), device=catalog.device)
        return sum_by_row(terms, histories.offsets, order)

    def attribute_vectors(
        self, features: Features, kept: Callable[[int], torch.Tensor] | None = None
    ) -> torch.Tensor:
        """Return float32 [n_rows, dimension]; see `history_inputs.attribute_vectors`."""
        return attribute_vectors(self.attributes, self.absent_fields, features, kept)

    def queries(
        self, summed: torch.Tensor, attributes: torch.Tensor, kept: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return [..., dimension] from summed event terms and attribute vectors.

        kept, [..., hidden], weighs the hidden units of the residual network; None keeps all.
        """
        sums, squares = summed.split([self.dimension, self.heads], -1)
        by_head = sums.unflatten(-1, (self.heads, -1)) * torch.rsqrt(1 + squares)[..., None]
        pooled = by_head.flatten(-2) + attributes
        hidden = pooled @ (self.hidden_weight * self.dimension**0.5) + self.hidden_bias
        hidden = nn.functional.gelu(hidden)
        if kept is not None:
            hidden = hidden * kept
        residual = hidden @ self.output_weight + self.output_bias
        # By column, since threads share out the gradient of one number, to bits that tell how many.
        scale = torch.exp(self.log_scale).expand(self.dimension)
        queries: torch.Tensor = scale * (pooled + residual)
        return queries

    def queries_by_chunk(self, summed: torch.Tensor, attributes: torch.Tensor) -> torch.Tensor:
        """Return what `queries` does, row by row to the same bits in any batch."""
        n_rows = len(summed)
        padding = (0, 0, 0, -n_rows % _ROWS)
        summed, attributes = (nn.functional.pad(each, padding) for each in (summed, attributes))
        chunks = zip(summed.split(_ROWS), attributes.split(_ROWS), strict=True)
        parts = [self.queries(*chunk) for chunk in chunks]
        return torch.cat([*parts, summed.new_zeros((0, self.dimension))])[:n_rows]


def _zeros(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.zeros(shape))
