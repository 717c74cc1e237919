"""The history encoder of the sequence model: a transformer that asks, events that answer."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from whyrec.data.dataset import Dataset
from whyrec.data.features import Features
from whyrec.data.interactions import Histories
from whyrec.models.history_inputs import (
    attribute_vectors,
    one_hot_kinds,
    standard_values,
    value_statistics,
)
from whyrec.models.sequence_inputs import N_RECENCIES, LaidHistories, Recency
from whyrec.models.towers import ItemTable

Keep = Callable[[torch.Tensor], torch.Tensor]
"""Leaves units out in training, and scales up the others."""

_EPSILON = 1e-6


@dataclass(frozen=True, slots=True)
class Memory:
    """The events of some histories, as everything that asks reads them; no presence is in it."""

    vectors: torch.Tensor
    """[n_rows, heads, n_places, width]: event vectors by head."""

    openings: torch.Tensor
    """[n_rows, heads, 1, n_places]: what an event weighs by itself, as a logarithm."""

    keys: list[torch.Tensor]
    """[n_rows, heads, n_places, width] of each block."""

    values: list[torch.Tensor]
    """The same."""


class SequenceEncoder(nn.Module):
    """Everything that is learned.

    An item is an event vector e (as part of a history), an item vector (as a candidate) and a bias.
    A history with attribute vector A has the query vector

        q = scale · (x + A + W r),   x = [Σ w_h e_h / √(1 + Σ w_h²)]_h.

    x is linear in the events but for their weights: log w_h is linear in event vector, value, kind
    and recency. r is the outcome of a transformer: a token that starts as learned vector plus A and
    goes through blocks of attention over the events and a feed-forward network. An event's logit is
    query times key plus a part that is linear in its recency; beside the events there is a key of
    zero, so that few events can count for less than many. W starts at zero, and with it the model
    as the linear one that its vectors come from.

    The token reads the events' own vectors in every block, not each other's summaries (as does
    the reader of Perceiver AR, C. Hawthorne et al., 2022). So the absence of one event changes
    nothing that is kept of another, and a coalition costs no more than its reading. Masking what
    comes later makes the reading causal: in training it is done at many places of a history.
    """

    started_from: torch.Tensor
    value_mean: torch.Tensor
    value_spread: torch.Tensor

    def __init__(
        self, dataset: Dataset, dimension: int, heads: int, hidden: int, n_blocks: int
    ) -> None:
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
        self.of_context = _zeros(2 + self.n_kinds, dimension)
        self.opening_of_vector = _zeros(dimension, heads)
        self.opening_of_context = _zeros(2 + self.n_kinds, heads)
        self.opening_of_recency = _zeros(N_RECENCIES, heads)
        self.token = _zeros(dimension)
        self.blocks = nn.ModuleList(_Block(dimension, heads, hidden) for _ in range(n_blocks))
        self.token_norm = _zeros(dimension)
        self.output = _zeros(dimension, dimension)
        self.log_scale = _zeros()
        mean, spread = value_statistics(dataset)
        self.register_buffer("started_from", torch.zeros(2))
        self.register_buffer("value_mean", mean)
        self.register_buffer("value_spread", spread)

    def start(self, generator: torch.Generator) -> None:
        """Draw what may not start at zero."""
        with torch.no_grad():
            self.token.normal_(0, 1, generator=generator)
            for block in self._blocks():
                for name, parameter in block.named_parameters():
                    if parameter.dim() == 2 and name != "recency":
                        parameter.normal_(0, len(parameter) ** -0.5, generator=generator)
                # Heads begin from one that sees all events alike to one that sees the latest.
                block.recency[0] = -torch.linspace(0, 1.5, self.heads)

    def _blocks(self) -> "list[_Block]":
        return [each for each in self.blocks if isinstance(each, _Block)]

    def context(self, histories: Histories) -> torch.Tensor:
        """Return float32 [n_events, 2 + n_kinds]: standardised value, if it is known, kind."""
        parts = standard_values(histories, self.value_mean, self.value_spread)
        kinds = one_hot_kinds(histories, self.n_kinds, self.value_mean.device)
        return torch.cat([torch.stack(parts, 1), kinds], 1)

    def attribute_vectors(
        self, features: Features, kept: Callable[[int], torch.Tensor] | None = None
    ) -> torch.Tensor:
        """Return float32 [n_rows, dimension]; see `history_inputs.attribute_vectors`."""
        return attribute_vectors(self.attributes, self.absent_fields, features, kept)

    def remember(self, catalog: torch.Tensor, laid: LaidHistories, keep: Keep | None) -> Memory:
        """Turn events into what can be read.

        Args:
            catalog: float32 [n_items, dimension], event vectors of all items.
            laid: the events.
            keep: what leaves units out in training.
        """
        vectors = nn.functional.embedding(laid.items, catalog)
        openings = vectors @ self.opening_of_vector + laid.context @ self.opening_of_context
        events = vectors * self.dimension**0.5 + laid.context @ self.of_context
        events = events if keep is None else keep(events)
        read = [block.remember(events) for block in self._blocks()]
        return Memory(
            by_head(vectors, self.heads),
            openings.transpose(1, 2)[:, :, None],
            [keys for keys, _ in read],
            [values for _, values in read],
        )

    def queries(
        self,
        memory: Memory,
        attributes: torch.Tensor,
        recency: Recency,
        presence: torch.Tensor,
        keep: Keep | None = None,
    ) -> torch.Tensor:
        """Return query vectors, [n_rows, n_asking, dimension].

        Args:
            memory: the events of each row.
            attributes: [n_rows, n_asking, dimension], attribute vectors.
            recency: of each event to each that asks.
            presence: [n_rows, n_asking, n_places], which events are there; 0, 1 or, to blend,
                between.
            keep: what leaves units out in training.
        """
        openings = memory.openings + recency.combined(self.opening_of_recency)
        weights = torch.exp(openings) * presence[:, None]
        # At half its presence an event adds half of its square, as it does on average by chance.
        squares = (weights * torch.exp(openings)).sum(-1, keepdim=True)
        summed = weights @ memory.vectors * torch.rsqrt(1 + squares)
        pooled = summed.transpose(1, 2).flatten(2) + attributes
        token = self.token + attributes
        for block, keys, values in zip(self._blocks(), memory.keys, memory.values, strict=True):
            token = block(token, keys, values, recency, presence, keep)
        # By column, since threads share out the gradient of one number, to bits that tell how many.
        scale = torch.exp(self.log_scale).expand(self.dimension)
        queries: torch.Tensor = scale * (pooled + _norm(token, self.token_norm) @ self.output)
        return queries

    def read(self, catalog: torch.Tensor, histories: Histories) -> torch.Tensor:
        """Return query vectors, float32 [n_rows, dimension], each from all of a history.

        Args:
            catalog: float32 [n_items, dimension], event vectors of all items.
            histories: what is read.
        """
        width = int(histories.counts().max(initial=0))
        laid = LaidHistories.of(histories, self.context(histories), width)
        presence = laid.is_event[:, None].float()
        queries = self.queries(
            self.remember(catalog, laid, None),
            self.attribute_vectors(histories.attributes)[:, None],
            Recency.of(laid.lateness(presence), laid.ages[:, None].clamp(min=0)),
            presence,
        )
        return queries[:, 0]


class _Block(nn.Module):
    """Attention over events, then a feed-forward network, each after a norm and beside a bypass."""

    def __init__(self, dimension: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.heads = heads
        self.token_norm, self.event_norm, self.hidden_norm = (_zeros(dimension) for _ in range(3))
        self.query, self.key, self.value, self.output = (
            _zeros(dimension, dimension) for _ in range(4)
        )
        self.recency = _zeros(N_RECENCIES, heads)
        self.hidden_weight = _zeros(dimension, hidden)
        self.hidden_bias = _zeros(hidden)
        self.hidden_output = _zeros(hidden, dimension)

    def remember(self, events: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return keys and values of events [n_rows, n_places, dimension]."""
        events = _norm(events, self.event_norm)
        return by_head(events @ self.key, self.heads), by_head(events @ self.value, self.heads)

    def forward(
        self,
        token: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        recency: Recency,
        presence: torch.Tensor,
        keep: Keep | None,
    ) -> torch.Tensor:
        """Return tokens, [n_rows, n_asking, dimension], that have read and thought."""
        asked = by_head(_norm(token, self.token_norm) @ self.query, self.heads)
        bias = recency.combined(self.recency)
        read = attend(asked, keys, values, bias, presence[:, None]).transpose(1, 2).flatten(2)
        read = read @ self.output
        token = token + (read if keep is None else keep(read))
        hidden = _norm(token, self.hidden_norm) @ self.hidden_weight + self.hidden_bias
        thought = nn.functional.gelu(hidden) @ self.hidden_output
        return token + (thought if keep is None else keep(thought))


def attend(
    asked: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    bias: torch.Tensor,
    presence: torch.Tensor,
) -> torch.Tensor:
    """Return the mean of the values, weighted by presence · exp(logit), beside a key of zero.

    Args:
        asked: [n_rows, heads, n_asking, width].
        keys: [n_rows, heads, n_places, width].
        values: [n_rows, heads, n_places, width].
        bias: [n_rows, heads, n_asking, n_places], added to the logits.
        presence: [n_rows, 1, n_asking, n_places], from 0 to 1.
    """
    keys, values = (nn.functional.pad(each, (0, 0, 0, 1)) for each in (keys, values))
    bias = nn.functional.pad(bias, (0, 1))
    # Not by scaled_dot_product_attention: on a CPU its bits tell the number of threads.
    logits = asked @ keys.transpose(-1, -2) * asked.shape[-1] ** -0.5 + bias
    shift = logits.detach().amax(-1, keepdim=True)
    weights = torch.exp(logits - shift) * nn.functional.pad(presence, (0, 1), value=1.0)
    read: torch.Tensor = weights @ values / weights.sum(-1, keepdim=True)
    return read


def by_head(vectors: torch.Tensor, heads: int) -> torch.Tensor:
    """Return [n_rows, heads, n_places, width] of vectors [n_rows, n_places, heads · width]."""
    parted: torch.Tensor = vectors.unflatten(-1, (heads, -1))
    return parted.transpose(1, 2)


def _norm(vectors: torch.Tensor, log_gain: torch.Tensor) -> torch.Tensor:
    """Return vectors of one root mean square, times a gain by column."""
    mean_square = (vectors**2).mean(-1, keepdim=True)
    return vectors * torch.rsqrt(mean_square + _EPSILON) * torch.exp(log_gain)


def _zeros(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.zeros(shape))
