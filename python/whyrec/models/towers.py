"""The two towers as a network: items, histories and attributes become vectors."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from whyrec.data.dataset import Dataset
from whyrec.data.features import Features
from whyrec.data.interactions import Histories
from whyrec.models.features import split_by_field, sum_by_row, sum_features
from whyrec.types import Int64Array

_ROWS = 64
"""Rows of one call of the residual network: always as many, so that a row's bits never change."""


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
        values = dataset.interactions.values
        known = np.zeros(0) if values is None else values[np.isfinite(values)].astype(np.float64)
        mean, spread = (known.mean(), known.std()) if len(known) else (0.0, 1.0)
        self.register_buffer("value_mean", torch.tensor(mean, dtype=torch.float32))
        self.register_buffer("value_scale", torch.tensor(spread or 1.0, dtype=torch.float32))

    def context(self, histories: Histories) -> torch.Tensor:
        """Return float32 [n_events, 3 + n_kinds]: standardised value, if known, age, kind."""
        values = torch.from_numpy(histories.values).to(self.value_mean.device)
        known = torch.isfinite(values)
        standard = (values - self.value_mean) / self.value_scale
        ages = torch.log1p(torch.from_numpy(histories.ages).to(values.device))
        kinds = torch.from_numpy(histories.kinds).to(values.device, torch.int64)
        one_hot = nn.functional.one_hot(kinds, self.n_kinds)
        # Within a few standard deviations: a freak value must not open a gate by itself.
        parts = [torch.where(known, standard.clamp(-4, 4), 0), known.float(), ages / 4]
        return torch.cat([torch.stack(parts, 1), one_hot.float()], 1)

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

    def attribute_parts(self, features: Features) -> tuple[torch.Tensor, Int64Array]:
        """Return what each present field adds to an attribute vector, and the fields by row.

        Returns:
            float32 [n_present, dimension]: the field's values, less its "absent" vector.
            int64 [n_rows + 1]: the present fields of each row.
        """
        row_offsets, fields, value_offsets = split_by_field(features)
        by_field = Features(features.schema, value_offsets, features.tokens, features.weights)
        which = torch.from_numpy(fields).to(self.absent_fields.device)
        absent = nn.functional.embedding(which, self.absent_fields)
        return sum_features(self.attributes, by_field) - absent, row_offsets

    def attribute_vectors(
        self, features: Features, kept: Callable[[int], torch.Tensor] | None = None
    ) -> torch.Tensor:
        """Return float32 [n_rows, dimension].

        kept gives, for a number of present fields, which of them stay: bool of that length.
        """
        parts, row_offsets = self.attribute_parts(features)
        weights = None if kept is None else kept(len(parts)).float()
        order = torch.arange(len(parts), device=parts.device)
        return self.absent_fields.sum(0) + sum_by_row(parts, row_offsets, order, weights)

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
