"""Why this rather than those: how far an item scores above some others, as a game of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from whyrec.data.coalitions import Coalitions
from whyrec.data.features import Features
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.data.rows import counts_of, gather_rows, offsets_of
from whyrec.errors import ArgumentError
from whyrec.explain.closed_form import AdditiveRecommender
from whyrec.models.coalition_blocks import evaluate_coalitions
from whyrec.models.game import check_coalitions, with_all_features
from whyrec.models.places import places_for
from whyrec.models.recommender import (
    DifferentiableRecommender,
    LinearRecommender,
    Recommender,
)
from whyrec.types import Float32Array, Float64Array, Int32Array, Int64Array


@dataclass(frozen=True, slots=True, eq=False)
class Rivals:
    """The items that each of some items is held against, one at least."""

    offsets: Int64Array
    """int64 [n_pairs + 1]: the rivals of item p are those from offsets[p] to offsets[p + 1]."""

    items: Int32Array
    """int32 [n_rivals], item index."""

    def __post_init__(self) -> None:
        without = np.flatnonzero(np.diff(self.offsets) < 1)
        if len(without):
            raise ArgumentError(f"item {without[0]} has no rivals to be held against")

    def mean(self, values: Float32Array) -> Float32Array:
        """Return float32 [n_pairs, ...]: the mean over the rivals of values [n_items, ...]."""
        chosen = values[self.items].astype(np.float64)
        counts = np.diff(self.offsets).reshape(-1, *(1 for _ in values.shape[1:]))
        return (np.add.reduceat(chosen, self.offsets[:-1]) / counts).astype(np.float32)


def margin_over(recommender: Recommender, items: Int32Array, rivals: Rivals) -> "Margin":
    """Return the game of how far each item scores above the mean of its rivals.

    It is a recommender too, whose item p scores as items[p] does, less the mean of what the rivals
    of p score. Its players are the events, the attributes, and the features of items[p]; the
    features of the rivals stay as they are. Whatever explains the recommender explains this one.

    Raises:
        ArgumentError: the rivals are of another number of items.
    """
    if len(rivals.offsets) != len(items) + 1:
        raise ArgumentError(f"{len(items)} items are held against {len(rivals.offsets) - 1} rivals")
    if isinstance(recommender, LinearRecommender):
        return LinearMargin(recommender, items, rivals)
    if isinstance(recommender, DifferentiableRecommender):
        return DifferentiableMargin(recommender, items, rivals)
    if isinstance(recommender, AdditiveRecommender):
        return AdditiveMargin(recommender, items, rivals)
    return Margin(recommender, items, rivals)


def in_catalog(recommender: Recommender, pairs: Pairs) -> Pairs:
    """Return pairs by the items that they are of: those of a margin are numbered anew."""
    return recommender.in_catalog(pairs) if isinstance(recommender, Margin) else pairs


class Margin:
    """See `margin_over`: here each coalition of an item is evaluated for all of its rivals too."""

    def __init__(self, recommender: Recommender, items: Int32Array, rivals: Rivals) -> None:
        self.item_features: Features = recommender.item_features.take(items.astype(np.int64))
        self._recommender, self._items, self._rivals = recommender, items, rivals

    def in_catalog(self, pairs: Pairs) -> Pairs:
        """Return the pairs by the items of the catalog that are held against rivals."""
        return in_catalog(self._recommender, Pairs(pairs.rows, self._items[pairs.items]))

    def query_vectors(self, histories: Histories) -> Float32Array:
        """Return float32 [n_rows, dimension]: one vector per history."""
        return self._recommender.query_vectors(histories)

    def item_vectors(self) -> Float32Array:
        """Return float32 [n_items, dimension]: each item's vector less the mean of its rivals'."""
        vectors = self._recommender.item_vectors()
        return vectors[self._items] - self._rivals.mean(vectors)

    def item_biases(self) -> Float32Array:
        """Return float32 [n_items], in logits, the same."""
        biases = self._recommender.item_biases()
        return biases[self._items] - self._rivals.mean(biases)

    def coalition_values(
        self, histories: Histories, pairs: Pairs, coalitions: Coalitions
    ) -> Float64Array:
        """Return v(S) of each item less the mean of its rivals'; see the protocol."""
        check_coalitions(coalitions, histories, self.item_features, pairs)
        own = Pairs(pairs.rows, self._items[pairs.items])
        values = self._recommender.coalition_values(histories, own, coalitions)
        offsets, which = gather_rows(self._rivals.offsets, pairs.items)
        of_pair = np.repeat(np.arange(len(pairs)), np.diff(offsets))
        rivals = Pairs(pairs.rows[of_pair], self._rivals.items[which])
        theirs = with_all_features(
            coalitions, of_pair, histories, self._recommender.item_features, rivals
        )
        found = self._recommender.coalition_values(histories, rivals, theirs)
        # What the rivals of a pair have under each of its coalitions, one rival after the other.
        counts, starts = coalitions.counts[of_pair], coalitions.offsets()[of_pair]
        place = np.arange(len(found)) - np.repeat(offsets_of(counts)[:-1], counts)
        sums = np.bincount(np.repeat(starts, counts) + place, found, len(values))
        values -= sums / np.repeat(np.diff(offsets), coalitions.counts)
        return values

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return every learned array, by name."""
        return self._recommender.arrays()


class AdditiveMargin(Margin):
    """A margin of scores that are sums over events: it is such a sum too."""

    _recommender: AdditiveRecommender

    def event_contributions(self, histories: Histories, pairs: Pairs) -> Float64Array:
        """Return float64 [n_events of all pairs], in logits, pair by pair, oldest event first."""
        own = Pairs(pairs.rows, self._items[pairs.items])
        contributions = self._recommender.event_contributions(histories, own)
        offsets, which = gather_rows(self._rivals.offsets, pairs.items)
        of_pair = np.repeat(np.arange(len(pairs)), np.diff(offsets))
        rivals = Pairs(pairs.rows[of_pair], self._rivals.items[which])
        found = self._recommender.event_contributions(histories, rivals)
        counts = histories.counts()[pairs.rows]
        n_events, starts = counts[of_pair], offsets_of(counts)[of_pair]
        place = np.arange(len(found)) - np.repeat(offsets_of(n_events)[:-1], n_events)
        sums = np.bincount(np.repeat(starts, n_events) + place, found, len(contributions))
        contributions -= sums / np.repeat(np.diff(offsets), counts)
        return contributions


@dataclass(frozen=True, slots=True)
class _HeldPairs:
    """Rows with their items, each beside its rivals."""

    own: Any
    """What the recommender makes of the items."""

    rivals: Any
    """The same of as many rivals for each item, [n_rows, n_items * n_rivals]."""

    weights: torch.Tensor
    """float32 [n_rows, n_items, n_rivals]: what each counts in the mean, 0 where it fills up."""

    widths: tuple[int, int]
    """Places for the features of an item, and for those of a rival."""


class DifferentiableMargin(Margin):
    """A margin of scores that can be differentiated: those of all rivals are followed too."""

    _recommender: DifferentiableRecommender[Any]

    @property
    def dimension(self) -> int:
        """How many values a player's vector has."""
        return self._recommender.dimension

    def coalition_values(
        self, histories: Histories, pairs: Pairs, coalitions: Coalitions
    ) -> Float64Array:
        """Return v(S) of each item less the mean of its rivals'; see the protocol."""
        by_kind = check_coalitions(coalitions, histories, self.item_features, pairs)
        return evaluate_coalitions(self, histories, pairs, coalitions, by_kind)

    def embed_pairs(
        self,
        histories: Histories,
        rows: Int64Array,
        items: Int64Array,
        widths: tuple[int, int, int],
    ) -> Any:
        """Embed the players of some rows, each with as many items; see the protocol."""
        offsets, rivals = self._rivals.offsets, self._rivals.items
        # As many rivals and places in every batch, so that what else is in it does not matter.
        place = np.arange(np.diff(offsets).max())
        counts = counts_of(offsets, items)[..., None]
        of_items = rivals[offsets[items][..., None] + np.minimum(place, counts - 1)]
        most = np.diff(self._recommender.item_features.offsets)[rivals].max()
        width = int(places_for(most))
        weights = torch.from_numpy(((place < counts) / counts).astype(np.float32))
        own = self._recommender.embed_pairs(
            histories, rows, self._items[items].astype(np.int64), widths
        )
        theirs = self._recommender.embed_pairs(
            histories, rows, of_items.reshape(len(rows), -1).astype(np.int64), (*widths[:2], width)
        )
        return _HeldPairs(own, theirs, weights, (widths[2], width))

    def pair_values(self, embedded: Any, presence: torch.Tensor) -> torch.Tensor:
        """Return v, [n_rows, n_items, n_coalitions]; see the protocol."""
        n_rivals, (width, of_rivals) = embedded.weights.shape[2], embedded.widths
        shared = presence[..., : presence.shape[-1] - width].repeat_interleave(n_rivals, 1)
        features = shared.new_ones((*shared.shape[:3], of_rivals))
        theirs = self._recommender.pair_values(embedded.rivals, torch.cat([shared, features], -1))
        means = (theirs.unflatten(1, (-1, n_rivals)) * embedded.weights[..., None]).sum(2)
        margins: torch.Tensor = self._recommender.pair_values(embedded.own, presence) - means
        return margins

    def player_vectors(self, embedded: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the shared embedding of each player; see the protocol."""
        return self._recommender.player_vectors(embedded.own)


class LinearMargin(DifferentiableMargin):
    """A margin of scores that are linear in the item: its rivals are one vector, their mean."""

    _recommender: LinearRecommender[Any]

    def __init__(
        self, recommender: LinearRecommender[Any], items: Int32Array, rivals: Rivals
    ) -> None:
        super().__init__(recommender, items, rivals)
        self._mean_vectors = torch.from_numpy(rivals.mean(recommender.item_vectors()))
        self._mean_biases = torch.from_numpy(rivals.mean(recommender.item_biases()))

    def embed_pairs(
        self,
        histories: Histories,
        rows: Int64Array,
        items: Int64Array,
        widths: tuple[int, int, int],
    ) -> Any:
        """Embed the players of some rows, each with as many items; see the protocol."""
        embedded = self._recommender.embed_pairs(
            histories, rows, self._items[items].astype(np.int64), widths
        )
        return self.held_against(embedded, self._mean_vectors[items], self._mean_biases[items])

    def held_against(self, embedded: Any, vectors: torch.Tensor, biases: torch.Tensor) -> Any:
        """Return the pairs, held against something more; see the protocol."""
        return self._recommender.held_against(embedded, vectors, biases)

    def pair_values(self, embedded: Any, presence: torch.Tensor) -> torch.Tensor:
        """Return v, [n_rows, n_items, n_coalitions]; see the protocol."""
        return self._recommender.pair_values(embedded, presence)

    def player_vectors(self, embedded: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the shared embedding of each player; see the protocol."""
        return self._recommender.player_vectors(embedded)
