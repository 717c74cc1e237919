"""The sequence recommender: a transformer reads the history in its order."""

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
from whyrec.models.recommender import Before, HeldOutFit
from whyrec.models.renewal import with_new_items
from whyrec.models.sequence_encoder import Memory, SequenceEncoder
from whyrec.models.sequence_inputs import LaidHistories, Recency
from whyrec.models.sequence_training import train
from whyrec.models.start import check_l2
from whyrec.models.targets import check_kind_weights
from whyrec.settings import check_numbers
from whyrec.types import Float32Array, Float64Array, Int64Array


@dataclass(frozen=True, kw_only=True)
class SequenceConfig:
    """Settings of `Sequence` and of its training.

    >>> import whyrec
    >>> world = whyrec.datasets.synthetic(seed=0, n_users=40, n_items=30)
    >>> config = whyrec.SequenceConfig(dimension=16, max_steps=20)
    >>> sdk = whyrec.SDK.fit(world.events, model=config, explainer=whyrec.GradientPathConfig(),
    ...     progress=False)
    >>> len(sdk.recommend("u7", k=3))
    3
    """

    dimension: int = 128
    """Of query and item vectors; a multiple of heads."""

    heads: int = 4
    """Parts of a vector, each with its own weights of the events."""

    n_blocks: int = 2
    """How often the history is read, each time with what was read before."""

    hidden: int = 512
    """Width of the feed-forward network of a block."""

    l2: float | None = None
    """Strength of the ridge penalty, in events, of the item-to-item factors at the start; None
    chooses it on held-out events.
    """

    windows: bool | None = None
    """Whether events of a user that stand close together are more closely related at the start;
    None chooses it on held-out events.
    """

    dropout: float = 0.2
    """Chance of a unit to be left out in training."""

    absent_events: float = 0.3
    """Chance of a history to be thinned in training, at a rate drawn anew from 0 to 1."""

    absent_fields: float = 0.5
    """Chance of a field of the user to be left out in training."""

    absent_features: float = 0.1
    """Chance of a feature value of an item to be left out in training."""

    max_events: int = 200
    """Longer histories are cut in training to as many events in a row, drawn anew; never later."""

    batch_size: int = 32
    """Users in a step."""

    n_targets: int = 8
    """Events of a user in a step that are foretold, each from those before it."""

    max_steps: int | None = None
    """The most steps; None takes as many as foretell every event twice, and 500 at least. The best
    number of them is found on held-out events.
    """

    n_looks: int = 20
    """How often the held-out events are looked at on the way."""

    patience: int = 5
    """Looks without improvement after which training stops."""

    learning_rate: float = 1e-3
    """Of AdamW at its highest, after a warm-up; it falls to zero along a cosine."""

    vector_learning_rate: float = 1e-4
    """For the vectors of items and features, which start as the factors of a linear model."""

    weight_decay: float = 0.01
    """Of the matrices of the transformer."""

    validation_share: float = 1.0
    """Share of the users whose last event is held out to choose the number of steps."""

    full_softmax_items: int = 30_000
    """Up to so many items the softmax is over the whole catalog; beyond, over sampled ones."""

    n_negatives: int = 4_096
    """Items sampled uniformly in each step where the softmax is not over all."""

    kind_weights: Mapping[str, float] | None = None
    """How much an event of each kind weighs as a target, such as {"view": 0.1}; 1 if not named."""

    seed: int = 0
    """The same data, settings and seed give the same model."""

    def __post_init__(self) -> None:
        check_numbers(self, may_be_zero=("seed",))
        for name in ("dropout", "absent_fields", "absent_features"):
            if getattr(self, name) >= 1:
                raise ArgumentError(f"{name} must be less than 1, not {getattr(self, name)}")
        for name in ("absent_events", "validation_share"):
            if getattr(self, name) > 1:
                raise ArgumentError(f"{name} must be at most 1, not {getattr(self, name)}")
        check_l2(self.l2)
        if self.max_steps is not None and self.max_steps < 0:
            raise ArgumentError(f"max_steps must be at least 0, not {self.max_steps}")
        if self.dimension % self.heads:
            raise ArgumentError(
                f"dimension must be a multiple of heads; {self.dimension} is none of {self.heads}"
            )
        check_kind_weights(self.kind_weights)

    def fit(self, dataset: Dataset, *, progress: bool = True) -> "Sequence":
        """Train on all events of a data set.

        Raises:
            ArgumentError: kind_weights names a kind of event that there is not.
            TrainingError: the loss is no longer finite.
        """
        return self.train(dataset, Run(progress=progress))

    def train(self, dataset: Dataset, run: Run) -> "Sequence":
        """Do what `fit` does, where a run says and with what it tells and keeps on the way.

        Raises:
            ArgumentError: as of `fit`.
            TrainingError: as of `fit`.
            StorageError: a checkpoint that cannot be made or read.
        """
        learned = train(dataset, self, run)
        return Sequence(learned.with_events(dataset), dataset.item_features)

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
        learned = train(dataset, self, run, before=before)
        whole, part = (
            Sequence(learned.with_events(each), dataset.item_features)
            for each in (dataset, learned.part)
        )
        return HeldOutFit(whole, part, learned.part, learned.held_out)

    def update(self, dataset: Dataset, before: Before) -> "Sequence":
        """Build the recommender over a larger data set; new items are scored by their features."""
        return self.restore(dataset, with_new_items(before.arrays, dataset.n_items))

    def refit(self, dataset: Dataset, before: Before, run: Run) -> "Sequence":
        """Do what `train` does, from what was learned before on, in half as many steps at most.

        Raises:
            ArgumentError: as of `fit`.
            TrainingError: as of `fit`.
            StorageError: a checkpoint that cannot be made or read.
        """
        learned = train(dataset, self, run, before=before)
        return Sequence(learned.with_events(dataset), dataset.item_features)

    def restore(self, dataset: Dataset, arrays: Mapping[str, Float32Array]) -> "Sequence":
        """Build the recommender from its stored arrays.

        Raises:
            StorageError: the arrays are not those of these settings and this data set.
        """
        encoder = SequenceEncoder(dataset, self.dimension, self.heads, self.hidden, self.n_blocks)
        try:
            encoder.load_state_dict({name: torch.from_numpy(each) for name, each in arrays.items()})
        except RuntimeError as error:
            raise StorageError(f"the arrays of the recommender do not fit: {error}") from error
        return Sequence(encoder, dataset.item_features)


@dataclass(frozen=True, slots=True)
class EmbeddedSequences:
    """Rows with their items: events as they are read, the rest as vectors, padded with zeros."""

    n_events: int
    """Places for events that were asked for; there may be more, which are empty."""

    laid: LaidHistories
    memory: Memory

    attributes: torch.Tensor
    """float32 [n_rows, n_attribute_places, dimension]: what each adds to the attribute vector."""

    items: CandidateItems


class Sequence:
    """score(u, i) = q(history, attributes) · v(item) + bias(item); see `SequenceEncoder` for q.

    Order is that of time, and what counts is how many present events are later than an event, and
    how long ago it was. Events of the same time have no order, and do not change by what order they
    come in: a history without timestamps, as a visitor's is, is read as a set.
    """

    def __init__(self, encoder: SequenceEncoder, item_features: Features) -> None:
        self.item_features = item_features
        self._encoder = encoder.eval().requires_grad_(False)
        self._event_vectors = encoder.events(item_features)

    def with_item_features(self, features: Features) -> "Sequence":
        """Return the recommender with other features of its candidates; see the protocol."""
        other = copy.copy(self)
        other.item_features = features
        return other

    @property
    def dimension(self) -> int:
        """How many values a player's vector has."""
        return self._encoder.dimension

    @torch.no_grad()
    def query_vectors(self, histories: Histories) -> Float32Array:
        """Return float32 [n_rows, dimension]: one vector per history, whatever else is asked."""
        # One by one, so that a history's bits cannot depend on another's.
        rows = [self._query(histories.take(np.array([row]))) for row in range(len(histories))]
        return np.concatenate([*rows, np.zeros((0, self.dimension), np.float32)])

    def _query(self, history: Histories) -> Float32Array:
        queries = self._encoder.read(self._event_vectors, history)
        return np.asarray(queries.cpu(), np.float32)

    @torch.no_grad()
    def item_vectors(self, features: Features | None = None) -> Float32Array:
        """Return float32 [n_items, dimension]: one vector per item, with its features or others."""
        vectors = self._encoder.items(features or self.item_features)
        return np.asarray(vectors.cpu(), np.float32)

    @torch.no_grad()
    def item_biases(self, features: Features | None = None) -> Float32Array:
        """Return float32 [n_items], in logits, with their features or others."""
        biases = self._encoder.biases(features or self.item_features)[:, 0]
        return np.ascontiguousarray(biases.cpu(), np.float32)

    def coalition_values(
        self, histories: Histories, pairs: Pairs, coalitions: Coalitions
    ) -> Float64Array:
        """Return v(S), in logits, of pairs under many coalitions; see the protocol."""
        by_kind = check_coalitions(coalitions, histories, self.item_features, pairs)
        return evaluate_coalitions(self, histories, pairs, coalitions, by_kind)

    @torch.no_grad()
    def embed_pairs(
        self,
        histories: Histories,
        rows: Int64Array,
        items: Int64Array,
        widths: tuple[int, int, int],
    ) -> EmbeddedSequences:
        """Embed the players of some rows, each with as many items; see the protocol."""
        encoder, histories = self._encoder, histories.take(rows)
        laid = LaidHistories.of(histories, encoder.context(histories), widths[0])
        parts, row_offsets = attribute_parts(
            encoder.attributes, encoder.absent_fields, histories.attributes
        )
        return EmbeddedSequences(
            widths[0],
            laid,
            encoder.remember(self._event_vectors, laid, None),
            padded(parts, places(row_offsets, np.arange(len(rows)), widths[1])),
            CandidateItems.of(encoder.items, encoder.biases, self.item_features, items, widths[2]),
        )

    def pair_values(self, embedded: EmbeddedSequences, presence: torch.Tensor) -> torch.Tensor:
        """Return v, [n_rows, n_items, n_coalitions]; see the protocol."""
        return embedded.items.scores(*self._queries(embedded, presence))

    def pair_vectors(
        self, embedded: EmbeddedSequences, presence: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return query vectors, item vectors and biases; see the protocol."""
        queries, features = self._queries(embedded, presence)
        return queries, *embedded.items.vectors(features)

    def _queries(
        self, embedded: EmbeddedSequences, presence: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return query vectors, [n_rows, n_items, n_coalitions, dimension], and whose features."""
        laid, encoder = embedded.laid, self._encoder
        n_events, n_attributes = embedded.n_events, embedded.attributes.shape[1]
        events, attributes, features = presence.tensor_split(
            [n_events, n_events + n_attributes], -1
        )
        asking = nn.functional.pad(events.flatten(1, 2), (0, laid.items.shape[1] - n_events))
        queries = encoder.queries(
            embedded.memory,
            encoder.absent_fields.sum(0) + attributes.flatten(1, 2) @ embedded.attributes,
            Recency.of(laid.lateness(asking), laid.ages[:, None].clamp(min=0)),
            asking,
        )
        return queries.unflatten(1, presence.shape[1:3]), features

    def held_against(
        self, embedded: EmbeddedSequences, vectors: torch.Tensor, biases: torch.Tensor
    ) -> EmbeddedSequences:
        """Return the pairs with values less by what something else scores; see the protocol."""
        return replace(embedded, items=embedded.items.held_against(vectors, biases))

    def player_vectors(self, embedded: EmbeddedSequences) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the vector of each event, attribute and feature; see the protocol."""
        memory = embedded.memory
        weighted = torch.exp(memory.openings).transpose(-1, -2) * memory.vectors
        events = weighted.transpose(1, 2).flatten(2) * embedded.laid.is_event[..., None]
        events = events[:, : embedded.n_events]
        return torch.cat([events, embedded.attributes], 1), embedded.items.features

    def arrays(self) -> dict[str, Float32Array]:
        """Return everything that is learned."""
        return {name: each.cpu().numpy() for name, each in self._encoder.state_dict().items()}
