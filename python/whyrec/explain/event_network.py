"""The network behind `EncoderNetwork`: what each event of a history says of any item."""

from typing import Self

import torch
from torch import nn

N_PLACES_KNOWN = 5
"""Numbers that say where an event stands in its history."""


def places_in_history(counts: torch.Tensor, width: int) -> torch.Tensor:
    """Return float32 [n_rows, width, `N_PLACES_KNOWN`]: how many events are later, on few scales.

    Args:
        counts: int64 [n_rows], the events of each.
        width: places for events.
    """
    later = (counts[:, None] - 1 - torch.arange(width)).clamp(min=0).float()
    known = [
        torch.log1p(later) / 4,
        1 / (1 + later),
        2 / ((1 + later) * (2 + later)),
        later / counts[:, None].clamp(min=1),
        (torch.log1p(counts.float()) / 4)[:, None].expand_as(later),
    ]
    return torch.stack(known, -1)


class EventNetwork(nn.Module):
    """A small transformer over the events of a history, each told by two vectors of its item.

    One is the encoder's item vector, the other is what it makes of the event alone. At its start
    the network says what the events say alone, each of as many as there are.

    It gives each event a vector of the encoder's dimension: the event contributes its product with
    the vector of an item to the score of that item. So one pass serves all items.
    """

    def __init__(self, dimension: int, width: int, heads: int, n_blocks: int) -> None:
        super().__init__()
        self.scales = nn.Buffer(torch.ones(2))
        """How long the two vectors of an item are: what goes in and comes out is about 1."""
        self.of_item = nn.Linear(2 * dimension, width)
        self.of_place = nn.Linear(N_PLACES_KNOWN, width)
        self.blocks = nn.ModuleList(_Block(width, heads) for _ in range(n_blocks))
        self.normalise = nn.LayerNorm(width)
        self.own = nn.Linear(width, 2)
        self.turned = nn.Linear(dimension, dimension, bias=False)
        self.said = nn.Linear(width, dimension)

    @classmethod
    def start(
        cls, vectors: torch.Tensor, alone: torch.Tensor, shape: tuple[int, int, int], seed: int
    ) -> Self:
        """Return a network that has learned nothing yet, all weights drawn.

        Args:
            vectors: float32 [n_items, dimension].
            alone: float32 [n_items, dimension], the query of each item as the only event.
            shape: width, heads and number of blocks.
            seed: of the weights.
        """
        network, generator = cls(vectors.shape[1], *shape), torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                if name.endswith("bias"):
                    parameter.zero_()
                elif parameter.ndim == 1:  # of a normalisation
                    parameter.fill_(1)
                else:
                    parameter.normal_(0, parameter.shape[-1] ** -0.5, generator=generator)
            for name in ("own", "said"):
                getattr(network, name).weight.zero_()
            network.own.bias[1] = 1
            lengths = [torch.linalg.vector_norm(each, dim=1).median() for each in (vectors, alone)]
            network.scales.copy_(torch.stack(lengths).clamp(min=1e-6))
        return network

    def forward(
        self, vectors: torch.Tensor, alone: torch.Tensor, counts: torch.Tensor
    ) -> torch.Tensor:
        """Return float32 [n_rows, n_places, dimension].

        Args:
            vectors: float32 [n_rows, n_places, dimension], of the items of the events.
            alone: float32 [n_rows, n_places, dimension], the query of each as the only event.
            counts: int64 [n_rows]: so many places of each row are events, the first ones.
        """
        vectors, alone = vectors / self.scales[0], alone / self.scales[1]
        width = vectors.shape[1]
        there = torch.arange(width) < counts[:, None]
        hidden = self.of_item(torch.cat([vectors, alone], -1)) + self.of_place(
            places_in_history(counts, width)
        )
        for block in self.blocks:
            hidden = block(hidden, there)
        hidden = self.normalise(hidden)
        own = self.own(hidden)
        said = own[..., :1] * self.turned(vectors) + own[..., 1:] * alone + self.said(hidden)
        share = self.scales[1] / counts[:, None, None].clamp(min=1)
        found: torch.Tensor = said * there[..., None] * share
        return found


class _Block(nn.Module):
    """Attention of all events to all, and a feed-forward network."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.asked = nn.Linear(width, 3 * width)
        self.heard = nn.Linear(width, width)
        self.fed = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, hidden: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
        """Return [n_rows, n_places, width]; there, bool [n_rows, n_places], says what is heard."""
        parts = self.asked(self.before(hidden)).unflatten(-1, (3, self.heads, -1)).unbind(-3)
        queries, keys, values = (each.transpose(1, 2) for each in parts)
        heard = nn.functional.scaled_dot_product_attention(
            queries, keys, values, there[:, None, None]
        )
        hidden = hidden + self.heard(heard.transpose(1, 2).flatten(2))
        fed: torch.Tensor = hidden + self.fed(self.between(hidden))
        return fed
