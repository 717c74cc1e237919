"""The protocols that every recommender speaks, and that ranking and explaining rely on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self, TypeVar, runtime_checkable

import torch
from numpy.typing import NDArray

from whyrec.data.coalitions import Coalitions
from whyrec.data.dataset import Dataset
from whyrec.data.features import Features
from whyrec.data.interactions import Histories, Interactions
from whyrec.data.pairs import Pairs
from whyrec.data.wrong_reasons import WrongReason
from whyrec.errors import ArgumentError
from whyrec.models.loop import Chance, Run
from whyrec.types import Float32Array, Float64Array, Int32Array, Int64Array

P = TypeVar("P")


class Recommender(Protocol):
    """Scores any item for any history: a dot product of two vectors, plus a bias per item.

    One of two stages scores otherwise, see `TwoStageRecommender`.
    """

    @property
    def item_features(self) -> Features:
        """One row per item of the catalog."""
        ...

    def query_vectors(self, histories: Histories) -> Float32Array:
        """Return float32 [n_rows, dimension]: one vector per history."""
        ...

    def item_vectors(self) -> Float32Array:
        """Return float32 [n_items, dimension]: one vector per item of the catalog."""
        ...

    def item_biases(self) -> Float32Array:
        """Return float32 [n_items], in logits."""
        ...

    def coalition_values(
        self, histories: Histories, pairs: Pairs, coalitions: Coalitions
    ) -> Float64Array:
        """Return v(S), in logits, of many pairs under many coalitions, in one call.

        Args:
            histories: what the pairs are about.
            pairs: rows of histories, each with an item.
            coalitions: those of each pair, its players in the order of `Players`.

        Returns:
            float64 [n_coalitions of all pairs], pair by pair. The value of a coalition depends on
            its pair alone, not on what else is asked for.

        Raises:
            ArgumentError: the coalitions are of another number of pairs or of players.
        """
        ...

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return every learned array, by name: all that has to be stored beside the config."""
        ...


@runtime_checkable
class DifferentiableRecommender(Recommender, Protocol[P]):
    """A recommender whose score can be followed through a presence between 0 and 1 per player.

    P is the model's own form of rows with their items, made once and evaluated many times.
    """

    def embed_pairs(
        self,
        histories: Histories,
        rows: Int64Array,
        items: Int64Array,
        widths: tuple[int, int, int],
    ) -> P:
        """Embed the players of some rows, each with as many items.

        Args:
            histories: what the rows are of.
            rows: int64 [n_rows].
            items: int64 [n_rows, n_items], item indices.
            widths: places for events, attributes and features; beyond a pair's players they are
                empty and do nothing.
        """
        ...

    def pair_values(self, embedded: P, presence: torch.Tensor) -> torch.Tensor:
        """Return v, [n_rows, n_items, n_coalitions].

        At 0 and 1 it is v of the coalition; between, the inputs are blended.

        Args:
            embedded: from `embed_pairs`.
            presence: [n_rows, n_items, n_coalitions, n_places].
        """
        ...

    def player_vectors(self, embedded: P) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the shared embedding of each player.

        Returns:
            [n_rows, n_event_places + n_attribute_places, dimension], the same for all items.
            [n_rows, n_items, n_feature_places, dimension].
        """
        ...

    @property
    def dimension(self) -> int:
        """How many values a player's vector has."""
        ...


@runtime_checkable
class ReweighableRecommender(Recommender, Protocol):
    """A recommender whose candidates can have fewer features, or the same with other weights."""

    def with_item_features(self, features: Features) -> Self:
        """Return the recommender with other features of its items as candidates.

        What an item says as an event of a history stays as it is, so that with some features left
        out the score is v of the coalition of all other players.

        Args:
            features: one row per item, of the same schema.
        """
        ...


@runtime_checkable
class LinearRecommender(DifferentiableRecommender[P], Protocol[P]):
    """A differentiable recommender whose score is linear in the vector and the bias of the item."""

    def held_against(self, embedded: P, vectors: torch.Tensor, biases: torch.Tensor) -> P:
        """Return the pairs with values that are less by what something else scores meanwhile.

        Args:
            embedded: from `embed_pairs`.
            vectors: float32 [n_rows, n_items, dimension], a vector as items have for each item.
            biases: float32 [n_rows, n_items], in logits.
        """
        ...


@runtime_checkable
class DotProductRecommender(LinearRecommender[P], ReweighableRecommender, Protocol[P]):
    """A linear recommender that shows what its scores are made of, so that a ranker can read it."""

    def item_vectors(self, features: Features | None = None) -> Float32Array:
        """Return float32 [n_items, dimension]: one vector per item of the catalog.

        features, one row per item, take the place of the items' own; None leaves these.
        """
        ...

    def item_biases(self, features: Features | None = None) -> Float32Array:
        """Return float32 [n_items], in logits; features as in `item_vectors`."""
        ...

    def pair_vectors(
        self, embedded: P, presence: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return what `pair_values` makes v of: q · v(item) + bias(item).

        Args:
            embedded: from `embed_pairs`.
            presence: [n_rows, n_items, n_coalitions, n_places].

        Returns:
            [n_rows, n_items, n_coalitions, dimension], query vectors.
            [n_rows, n_items, n_coalitions, dimension], item vectors.
            [n_rows, n_items, n_coalitions], biases, in logits.
        """
        ...


@runtime_checkable
class TwoStageRecommender(Recommender, Protocol):
    """A recommender that only retrieves items by its vectors; they are scored again to be ranked.

    v(S), and with it every score that is shown and explained, is that of the second stage.
    """

    @property
    def n_ranked(self) -> int:
        """How many items are scored again: the best by the vectors, and by a wide part if any."""
        ...

    def pair_scores(
        self, histories: Histories, pairs: Pairs, queries: Float32Array | None = None
    ) -> Float32Array:
        """Return float32 [n_pairs]: the score of each pair, whatever else is asked, in logits.

        Args:
            histories: what the pairs are about.
            pairs: rows of histories, each with an item.
            queries: float32 [n_rows, dimension], what `query_vectors` gives for the histories; None
                asks for it.
        """
        ...


@runtime_checkable
class EncodingRecommender(Recommender, Protocol):
    """A recommender whose score is a dot product with a query that events alone make.

    The score of every item is linear in the query, so what is known of it is known of all items.
    """

    def coalition_queries(self, histories: Histories, coalitions: Coalitions) -> Float32Array:
        """Return q(S), float32 [n_coalitions of all rows, dimension]; 0 where nobody is present.

        Args:
            histories: what is encoded.
            coalitions: of the events of each row, in their order.
        """
        ...


@runtime_checkable
class WideRecommender(TwoStageRecommender, Protocol):
    """A recommender of two stages that has a wide part, which finds items as well."""

    @property
    def wide_items(self) -> Int32Array:
        """int32, rising: the items that the wide part knows; none where there is no wide part."""
        ...

    def wide_scores(self, histories: Histories) -> Float32Array:
        """Return float32 [n_rows, n_wide_items]: what the wide part adds to each score, in logits.

        It speaks for an item where that is above 0, also for items that the vectors do not find.
        """
        ...


class Companion(Protocol):
    """What is trained in the same steps as a recommender, and has a say in them."""

    @property
    def settings(self) -> Any:
        """A dataclass: all that it depends on beside the data and the recommender."""
        ...

    @property
    def learning_rate(self) -> float:
        """Of its own weights."""
        ...

    @property
    def chance(self) -> Chance:
        """What its losses draw from."""
        ...

    def start(self, recommender: DifferentiableRecommender[Any]) -> torch.nn.Module:
        """Return what is learned beside the recommender, made for it."""
        ...

    def loss(
        self, recommender: DifferentiableRecommender[Any], histories: Histories
    ) -> torch.Tensor:
        """Return what is added to the loss of a step.

        Args:
            recommender: as it is in this step; gradients reach its weights.
            histories: of the users of the step.
        """
        ...


@runtime_checkable
class CompanionableConfig(Protocol):
    """The settings of a recommender that can be trained beside a companion."""

    def train_beside(self, dataset: Dataset, companion: Companion, run: Run) -> Recommender:
        """Do what `train` does, on the CPU, with the companion's loss added in each step."""
        ...


class RestorableConfig(Protocol):
    """The settings of one kind of recommender, by which it is built again."""

    def restore(self, dataset: Dataset, arrays: Mapping[str, NDArray[Any]]) -> Recommender:
        """Build the recommender from the arrays it gave, bit for bit."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Before:
    """What a training begins with: a recommender, as it was fitted on fewer events.

    And what users have said since of its reasons.
    """

    dataset: Dataset
    """What it was fitted on. Its users and items are the first ones of the larger data set."""

    arrays: Mapping[str, NDArray[Any]]
    """All that it has learned; none where training is to begin anew."""

    wrong_reasons: tuple[WrongReason, ...] = ()
    """What users have called wrong since, in the indices of the larger data set."""

    wrong_weight: float = 0.0
    """How strongly contributions of that are penalised in training."""


@runtime_checkable
class RenewableConfig(RestorableConfig, Protocol):
    """The settings of a recommender that can go on from what it has learned.

    In the larger data set the users and items of the smaller one come first, in their order, and
    fields and kinds of event are the same.
    """

    def update(self, dataset: Dataset, before: Before) -> Recommender:
        """Build the recommender over a larger data set; nothing is trained in steps.

        With the same data set it is the same, bit for bit.

        Raises:
            ArgumentError: it cannot be built over these items.
        """
        ...

    def refit(self, dataset: Dataset, before: Before, run: Run) -> Recommender:
        """Train on a larger data set, from what was learned before on.

        Raises:
            ArgumentError: as of `update`.
            TrainingError: training that cannot go on.
            StorageError: a checkpoint that cannot be made or read.
        """
        ...


class RecommenderConfig(RestorableConfig, Protocol):
    """The settings of one kind of recommender, which also fit it."""

    def fit(self, dataset: Dataset, *, progress: bool = True) -> Recommender:
        """Train on all events of a data set."""
        ...


def renewable(config: RestorableConfig) -> RenewableConfig:
    """Return settings as those of a recommender that can go on, or say that it cannot.

    Raises:
        ArgumentError: it cannot.
    """
    if not isinstance(config, RenewableConfig):
        raise ArgumentError(
            f"{type(config).__name__} has no update(dataset, before) and no refit(dataset, before, "
            "run), see whyrec.models.recommender.RenewableConfig; fit anew by SDK.fit"
        )
    return config


@dataclass(frozen=True, slots=True)
class HeldOutFit:
    """A recommender of all events, and the same before it took in those that training held out."""

    recommender: DotProductRecommender[Any]

    before: DotProductRecommender[Any]
    """On the axes of the other: a vector of either means the same."""

    part: Dataset
    """The events that `before` knows."""

    held_out: Interactions
    """The others, which it foretells as the recommender does what is to come."""


@runtime_checkable
class RetrievalConfig(RecommenderConfig, Protocol):
    """The settings of a recommender that a ranker can be put on."""

    @property
    def kind_weights(self) -> Mapping[str, float] | None:
        """How much an event of each kind weighs as a target; 1 if not named."""
        ...

    def train_held_out(
        self, dataset: Dataset, run: Run, before: Before | None = None
    ) -> HeldOutFit:
        """Do what `train` does, and give beside it the recommender without the held-out events.

        Args:
            dataset: all events.
            run: where, and what is told and kept on the way.
            before: what to go on from; None starts anew.
        """
        ...

    def update(self, dataset: Dataset, before: Before) -> DotProductRecommender[Any]:
        """Build the recommender over a larger data set, see `RenewableConfig`."""
        ...

    def restore(
        self, dataset: Dataset, arrays: Mapping[str, NDArray[Any]]
    ) -> DotProductRecommender[Any]:
        """Build what `fit` returned from the arrays it gave, bit for bit."""
        ...


@runtime_checkable
class TrainableConfig(RecommenderConfig, Protocol):
    """The settings of a recommender that is trained in steps."""

    def train(self, dataset: Dataset, run: Run) -> Recommender:
        """Do what `fit` does, where a run says and with what it tells and keeps on the way."""
        ...


def fit_recommender(config: RecommenderConfig, dataset: Dataset, run: Run) -> Recommender:
    """Fit what the settings say, as the run says where there is anything to train."""
    if isinstance(config, TrainableConfig):
        return config.train(dataset, run)
    return config.fit(dataset, progress=run.progress)
