"""The two-tower recommender: a history and attributes on one side, an item on the other."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from whyrec.data.coalitions import Coalitions
from whyrec.data.dataset import Dataset
from whyrec.data.features import Features
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.errors import ArgumentError, StorageError
from whyrec.models.candidate_items import CandidateItems
from whyrec.models.coalition_blocks import evaluate_coalitions
from whyrec.models.game import check_coalitions
from whyrec.models.history_inputs import attribute_parts
from whyrec.models.loop import Run
from whyrec.models.padding import padded, places
from whyrec.models.penalty import penalty_of
from whyrec.models.recommender import Before, Companion, HeldOutFit
from whyrec.models.renewal import with_new_items
from whyrec.models.start import check_l2
from whyrec.models.targets import check_kind_weights
from whyrec.models.towers import ItemVectors, Towers
from whyrec.models.training import Beside, train
from whyrec.settings import check_numbers
from whyrec.types import Float32Array, Float64Array, Int64Array

_EVENTS_AT_ONCE = 2_048
"""Events whose vectors are summed together."""


@dataclass(frozen=True, kw_only=True)
class TwoTowerConfig:
    """Settings of `TwoTower` and of its training."""

    dimension: int = 256
    """Of query and item vectors; a multiple of heads."""

    heads: int = 4
    """Into how many parts a vector is divided, each with a gate of its own per event."""

    hidden: int = 64
    """Width of the residual network on the user's side."""

    l2: float | None = None
    """Strength of the ridge penalty, in events, of the item-to-item factors at the start; None
    chooses it on held-out events.
    """

    windows: bool | None = None
    """Whether events of a user that stand close together are more closely related at the start;
    None chooses it on held-out events.
    """

    dropout: float = 0.3
    """Chance of a hidden unit of the residual network to be left out in training."""

    absent_fields: float = 0.5
    """Chance of a field of the user to be left out in training."""

    absent_features: float = 0.1
    """Chance of a feature value of an item to be left out in training."""

    folds: int = 4
    """Parts of each user's events; each is foretold from item vectors that the others made."""

    batch_size: int = 128
    """Users in a step."""

    max_steps: int = 600
    """The most steps; the best number of them is found on held-out events."""

    evaluate_every: int = 10
    """Steps between two looks at the held-out events."""

    patience: int = 10
    """Looks without improvement after which training stops."""

    learning_rate: float = 1e-3
    """Of AdamW, for gates, scale and attributes."""

    residual_learning_rate: float = 1e-5
    """For the residual network, which starts at zero."""

    vector_learning_rate: float = 1e-5
    """For the vectors of items and features, which start as the factors of a linear model."""

    weight_decay: float = 0.01
    """Of the residual network."""

    validation_share: float = 0.1
    """Share of the events of each user held out to choose the number of steps."""

    full_softmax_items: int = 30_000
    """Up to so many items the softmax is over the whole catalog; beyond, over sampled ones."""

    n_negatives: int = 4_096
    """Items sampled uniformly in each step where the softmax is not over all."""

    kind_weights: Mapping[str, float] | None = None
    """How much an event of each kind weighs as a target, such as {"view": 0.1}; 1 if not named."""

    seed: int = 0
    """The same data, settings and seed give the same model."""

    def __post_init__(self) -> None:
        check_numbers(self, may_be_zero=("seed", "max_steps"))
        for name in ("dropout", "absent_fields", "absent_features", "validation_share"):
            if getattr(self, name) >= 1:
                raise ArgumentError(f"{name} must be less than 1, not {getattr(self, name)}")
        check_l2(self.l2)
        if self.dimension % self.heads:
            raise ArgumentError(
                f"dimension must be a multiple of heads; {self.dimension} is none of {self.heads}"
            )
        check_kind_weights(self.kind_weights)

    def fit(self, dataset: Dataset, *, progress: bool = True) -> "TwoTower":
        """Train on all events of a data set.

        Raises:
            ArgumentError: kind_weights names a kind of event that there is not.
            TrainingError: the loss is no longer finite.
        """
        return self.train(dataset, Run(progress=progress))

    def train(self, dataset: Dataset, run: Run) -> "TwoTower":
        """Do what `fit` does, where a run says and with what it tells and keeps on the way.

        Raises:
            ArgumentError: as of `fit`.
            TrainingError: as of `fit`.
            StorageError: a checkpoint that cannot be made or read.
        """
        learned = train(dataset, self, run)
        return TwoTower(learned.with_events(dataset), dataset.item_features)

    def train_held_out(
        self, dataset: Dataset, run: Run, before: Before | None = None
    ) -> HeldOutFit:
        """Do what `train` does, and give beside it the recommender without the held-out events.

        With what was learned before, do what `refit` does.

        Raises:
            ArgumentError: as of `fit`.
            TrainingError: as of `fit`.
            StorageError: a checkpoint that cannot be made or read.
        """
        run, beside = self._beside(dataset, run, before)
        learned = train(dataset, self, run, beside, before)
        whole, part = (
            TwoTower(learned.with_events(each), dataset.item_features)
            for each in (dataset, learned.part)
        )
        return HeldOutFit(whole, part, learned.part, learned.held_out)

    def train_beside(self, dataset: Dataset, companion: Companion, run: Run) -> "TwoTower":
        """Do what `train` does, on the CPU, with the companion's loss added in each step.

        Raises:
            ArgumentError: as of `fit`, or another device was asked for.
            TrainingError: as of `fit`.
            StorageError: a checkpoint that cannot be made or read.
        """
        beside = Beside(companion, TwoTower.learning)
        learned = train(dataset, self, run.on_cpu("a recommender with a companion"), beside)
        return TwoTower(learned.with_events(dataset), dataset.item_features)

    def update(self, dataset: Dataset, before: Before) -> "TwoTower":
        """Build the recommender over a larger data set; new items are scored by their features."""
        return self.restore(dataset, with_new_items(before.arrays, dataset.n_items))

    def refit(self, dataset: Dataset, before: Before, run: Run) -> "TwoTower":
        """Do what `train` does, from what was learned before on, in half as many steps at most.

        Raises:
            ArgumentError: as of `fit`.
            TrainingError: as of `fit`.
            StorageError: a checkpoint that cannot be made or read.
        """
        run, beside = self._beside(dataset, run, before)
        learned = train(dataset, self, run, beside, before)
        return TwoTower(learned.with_events(dataset), dataset.item_features)

    def _beside(
        self, dataset: Dataset, run: Run, before: Before | None
    ) -> tuple[Run, Beside | None]:
        """Return where to train, and the penalty for what was called wrong, if anything was."""
        penalty = penalty_of(dataset, before, self.seed)
        if penalty is None:
            return run, None
        return run.on_cpu("a recommender with a penalty"), Beside(penalty, TwoTower.learning)

    def restore(self, dataset: Dataset, arrays: Mapping[str, Float32Array]) -> "TwoTower":
        """Build the recommender from its stored arrays.

        Raises:
            StorageError: the arrays are not those of these settings and this data set.
        """
        towers = Towers(dataset, self.dimension, self.heads, self.hidden)
        try:
            towers.load_state_dict({name: torch.from_numpy(each) for name, each in arrays.items()})
        except RuntimeError as error:
            raise StorageError(f"the arrays of the recommender do not fit: {error}") from error
        return TwoTower(towers, dataset.item_features)


@dataclass(frozen=True, slots=True)
class EmbeddedPairs:
    """Rows with their items as vectors, padded with zeros: places that do nothing."""

    events: torch.Tensor
    """float32 [n_rows, n_event_places, dimension + heads]: the event terms."""

    attributes: torch.Tensor
    """float32 [n_rows, n_attribute_places, dimension]: what each adds to the attribute vector."""

    items: CandidateItems


class TwoTower:
    """score(u, i) = q(history, attributes) · v(item) + bias(item); see `Towers` for q and v."""

    def __init__(self, towers: Towers, item_features: Features) -> None:
        towers.eval().requires_grad_(False)
        self._be(towers, item_features, towers.events, towers.items)

    @classmethod
    def learning(
        cls, towers: Towers, item_features: Features, events: ItemVectors, items: ItemVectors
    ) -> "TwoTower":
        """Return the recommender in the midst of training: gradients reach the weights.

        Args:
            towers: with what is learned so far.
            item_features: one row per item.
            events: vectors of items as events, as they are now.
            items: vectors of items as candidates.
        """
        learning = cls.__new__(cls)
        learning._be(towers, item_features, events, items)
        return learning

    def _be(
        self, towers: Towers, item_features: Features, events: ItemVectors, items: ItemVectors
    ) -> None:
        self.item_features, self._towers, self._items = item_features, towers, items
        self._event_vectors = events(item_features)
        self._gates = self._event_vectors @ towers.gate_of_vector

    def with_item_features(self, features: Features) -> "TwoTower":
        """Return the recommender with other features of its candidates; see the protocol."""
        other = copy.copy(self)
        other.item_features = features
        return other

    @property
    def dimension(self) -> int:
        """How many values a player's vector has."""
        return self._towers.dimension

    @torch.no_grad()
    def query_vectors(self, histories: Histories) -> Float32Array:
        """Return float32 [n_rows, dimension]: one vector per history, whatever else is asked."""
        # A part of the rows at a time, so that what a part needs stays in the processor's cache.
        part_of_row = histories.offsets[:-1] // _EVENTS_AT_ONCE
        cuts = np.flatnonzero(np.diff(part_of_row)) + 1
        parts = [
            self._towers.sum_events(self._event_vectors, self._gates, histories.take(rows))
            for rows in np.split(np.arange(len(histories)), cuts)
        ]
        summed = torch.cat(parts)
        attributes = self._towers.attribute_vectors(histories.attributes)
        queries = self._towers.queries_by_chunk(summed, attributes)
        return np.asarray(queries.cpu(), np.float32)

    @torch.no_grad()
    def item_vectors(self, features: Features | None = None) -> Float32Array:
        """Return float32 [n_items, dimension]: one vector per item, with its features or others."""
        vectors = self._items(features or self.item_features)
        return np.asarray(vectors.cpu(), np.float32)

    @torch.no_grad()
    def item_biases(self, features: Features | None = None) -> Float32Array:
        """Return float32 [n_items], in logits, with their features or others."""
        biases = self._towers.biases(features or self.item_features)[:, 0]
        return np.ascontiguousarray(biases.cpu(), np.float32)

    def coalition_values(
        self, histories: Histories, pairs: Pairs, coalitions: Coalitions
    ) -> Float64Array:
        """Return v(S), in logits, of pairs under many coalitions; see the protocol."""
        by_kind = check_coalitions(coalitions, histories, self.item_features, pairs)
        return evaluate_coalitions(self, histories, pairs, coalitions, by_kind)

    def embed_pairs(
        self,
        histories: Histories,
        rows: Int64Array,
        items: Int64Array,
        widths: tuple[int, int, int],
    ) -> EmbeddedPairs:
        """Embed the players of some rows, each with as many items; see the protocol."""
        towers, device = self._towers, self._gates.device
        histories, every_row = histories.take(rows), np.arange(len(rows))
        at = places(histories.offsets, every_row, widths[0])
        history = padded(torch.from_numpy(histories.items).long().to(device), at)
        terms = towers.event_terms(
            nn.functional.embedding(history, self._event_vectors),
            nn.functional.embedding(history, self._gates),
            padded(towers.context(histories), at),
            torch.from_numpy(at >= 0).to(device),
        )
        parts, row_offsets = attribute_parts(
            towers.attributes, towers.absent_fields, histories.attributes
        )
        attributes = padded(parts, places(row_offsets, every_row, widths[1]))
        candidates = CandidateItems.of(
            self._items, towers.biases, self.item_features, items, widths[2]
        )
        return EmbeddedPairs(terms, attributes, candidates)

    def pair_values(self, embedded: EmbeddedPairs, presence: torch.Tensor) -> torch.Tensor:
        """Return v, [n_rows, n_items, n_coalitions]; see the protocol."""
        return embedded.items.scores(*self._queries(embedded, presence))

    def pair_vectors(
        self, embedded: EmbeddedPairs, presence: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return query vectors, item vectors and biases; see the protocol."""
        queries, features = self._queries(embedded, presence)
        return queries, *embedded.items.vectors(features)

    def _queries(
        self, embedded: EmbeddedPairs, presence: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return query vectors, [n_rows, n_items, n_coalitions, dimension], and whose features."""
        n_events, n_attributes = embedded.events.shape[1], embedded.attributes.shape[1]
        events, attributes, features = presence.tensor_split(
            [n_events, n_events + n_attributes], -1
        )
        queries = self._towers.queries(
            (events.flatten(1, 2) @ embedded.events).unflatten(1, presence.shape[1:3]),
            self._towers.absent_fields.sum(0)
            + (attributes.flatten(1, 2) @ embedded.attributes).unflatten(1, presence.shape[1:3]),
        )
        return queries, features

    def held_against(
        self, embedded: EmbeddedPairs, vectors: torch.Tensor, biases: torch.Tensor
    ) -> EmbeddedPairs:
        """Return the pairs with values less by what something else scores; see the protocol."""
        return replace(embedded, items=embedded.items.held_against(vectors, biases))

    def player_vectors(self, embedded: EmbeddedPairs) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what each player adds to a tower; see the protocol."""
        events = embedded.events[..., : self.dimension]
        return torch.cat([events, embedded.attributes], 1), embedded.items.features

    def arrays(self) -> dict[str, Float32Array]:
        """Return everything that is learned."""
        return {name: each.cpu().numpy() for name, each in self._towers.state_dict().items()}
