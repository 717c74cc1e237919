"""The network behind `EncoderNetwork`: what each event of a history says of any item."""

from itertools import pairwise
from typing import Self, cast

import numpy as np
import torch
from torch import nn

from whyrec.types import Int64Array

N_PLACES_KNOWN = 5
"""Numbers that say where an event stands in its history."""

_TOGETHER = 256
"""So many events go through the layers together, whatever their histories.

Products of matrices of one shape alone: what is computed of an event depends on no other then.
"""


def places_in_history(later: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """Return float32 [..., `N_PLACES_KNOWN`]: how many events are later, on few scales.

    Args:
        later: int64 [...], how many events of its history are later than each.
        counts: int64 [...], how many events its history has.
    """
    later, counts = torch.broadcast_tensors(later.clamp(min=0).float(), counts.clamp(min=1).float())
    known = [
        torch.log1p(later) / 4,
        1 / (1 + later),
        2 / ((1 + later) * (2 + later)),
        later / counts,
        torch.log1p(counts) / 4,
    ]
    return torch.stack(known, -1)


class EventNetwork(nn.Module):
    """A small transformer over the events of a history, each told by two vectors of its item.

    One is the encoder's item vector, the other is what it makes of the event alone. At its start
    the network says what the events say alone, each of as many as there are.

    It gives each event a vector of the encoder's dimension: the event contributes its product with
    the vector of an item to the score of that item. So one pass serves all items.
    """

    def __init__(self, dimension: int, width: int, heads: int, n_blocks: int, n_heard: int) -> None:
        super().__init__()
        self.width, self.n_heard = width, n_heard
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
        cls,
        vectors: torch.Tensor,
        alone: torch.Tensor,
        shape: tuple[int, int, int, int],
        seed: int,
    ) -> Self:
        """Return a network that has learned nothing yet, all weights drawn.

        Args:
            vectors: float32 [n_items, dimension].
            alone: float32 [n_items, dimension], the query of each item as the only event.
            shape: width, heads, number of blocks, and how many of the latest events are heard.
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
        each = counts[:, None]
        later = each - 1 - torch.arange(vectors.shape[1])
        there = later >= 0
        is_heard = there & (later < self.n_heard)
        hidden = self.of_items(vectors, alone) + self.of_place(places_in_history(later, each))
        for block in self.layers():
            asked = block.ask(hidden)
            hidden = block.take_in(hidden, block.hear(asked, asked, is_heard))
        turned = self.turned(vectors / self.scales[0])
        said = self.say(hidden, turned, alone / self.scales[1], each)
        return said * there[..., None]

    def layers(self) -> list["_Block"]:
        """Return the blocks, in the order that events go through them."""
        return cast("list[_Block]", list(self.blocks))

    def of_items(self, vectors: torch.Tensor, alone: torch.Tensor) -> torch.Tensor:
        """Return float32 [..., width]: what goes in of an event, but for its place."""
        told: torch.Tensor = self.of_item(
            torch.cat([vectors / self.scales[0], alone / self.scales[1]], -1)
        )
        return told

    def say(
        self, hidden: torch.Tensor, turned: torch.Tensor, alone: torch.Tensor, counts: torch.Tensor
    ) -> torch.Tensor:
        """Return float32 [..., dimension]: what each event adds to the query.

        Args:
            hidden: float32 [..., width], after the blocks.
            turned: float32 [..., dimension], of the vectors of the items.
            alone: float32 [..., dimension], of length about 1.
            counts: int64 [...]: how many events each history has.
        """
        hidden = self.normalise(hidden)
        own = self.own(hidden)
        said = own[..., :1] * turned + own[..., 1:] * alone + self.said(hidden)
        found: torch.Tensor = said * (self.scales[1] / counts.clamp(min=1))[..., None]
        return found


class _Block(nn.Module):
    """Attention of all events to the latest, and a feed-forward network."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.asked = nn.Linear(width, 3 * width)
        self.heard = nn.Linear(width, width)
        self.fed = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def ask(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return [..., 3 · width]: queries, keys and values of each event."""
        asked: torch.Tensor = self.asked(self.before(hidden))
        return asked

    def hear(
        self, asked: torch.Tensor, others: torch.Tensor, is_heard: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return [n_rows, n_places, width]: what each event hears of others.

        Args:
            asked: [n_rows, n_places, 3 · width], of those who hear.
            others: [n_rows, n_others, 3 · width].
            is_heard: bool [n_rows, n_others]; None hears all.
        """
        queries, _, _ = self._parts(asked)
        _, keys, values = self._parts(others)
        mask = None if is_heard is None else is_heard[:, None, None]
        heard = nn.functional.scaled_dot_product_attention(queries, keys, values, mask)
        return heard.transpose(1, 2).flatten(2)

    def take_in(self, hidden: torch.Tensor, heard: torch.Tensor) -> torch.Tensor:
        """Return [..., width]: what an event is with what it heard."""
        hidden = hidden + self.heard(heard)
        fed: torch.Tensor = hidden + self.fed(self.between(hidden))
        return fed

    def _parts(self, asked: torch.Tensor) -> list[torch.Tensor]:
        parts = asked.unflatten(-1, (3, self.heads, -1)).unbind(-3)
        return [each.transpose(1, 2) for each in parts]


class Said:
    """What a trained network says of the events of any history, from tables of the items.

    What a layer makes of an item, it makes once. Events of all histories go through the layers
    together, so many at once whoever asks; each history hears itself alone. So what is said of an
    event has the same bits in any company.
    """

    def __init__(self, network: EventNetwork, vectors: torch.Tensor, alone: torch.Tensor) -> None:
        self._network = network
        self._told = network.of_items(vectors, alone)
        self._turned = network.turned(vectors / network.scales[0])
        self._alone = alone / network.scales[1]

    def of(self, items: torch.Tensor, offsets: Int64Array) -> torch.Tensor:
        """Return float32 [n_events, dimension]: what each event adds to the query.

        Args:
            items: int64 [n_events], the items of one history after the other.
            offsets: int64 [n_rows + 1], where each history begins and ends.
        """
        network, n_events = self._network, len(items)
        n_parts = max(1, -(-n_events // _TOGETHER))
        counts, ends = (
            torch.from_numpy(np.repeat(each, np.diff(offsets)))
            for each in (np.diff(offsets), offsets[1:])
        )
        later = ends - 1 - torch.arange(n_events)
        # The last part is filled up, and what is computed of it is left away.
        items, counts, later = (
            nn.functional.pad(each, (0, n_parts * _TOGETHER - n_events)).view(-1, _TOGETHER)
            for each in (items, counts, later)
        )
        hidden = [
            self._told[of_part] + network.of_place(places_in_history(*at))
            for of_part, *at in zip(items, later, counts, strict=True)
        ]
        for block in network.layers():
            asked = torch.cat([block.ask(part) for part in hidden])
            heard = torch.zeros((len(asked), network.width))
            for start, end in pairwise(offsets.tolist()):
                if end > start:
                    own = asked[start:end].clone()[None]
                    heard[start:end] = block.hear(own, own[:, -network.n_heard :])[0]
            parts = heard.view(n_parts, _TOGETHER, -1)
            hidden = [block.take_in(*each) for each in zip(hidden, parts, strict=True)]
        said = [
            network.say(part, self._turned[of_part], self._alone[of_part], count)
            for part, of_part, count in zip(hidden, items, counts, strict=True)
        ]
        return torch.cat(said)[:n_events]
