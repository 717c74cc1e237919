"""The protocols that every recommender speaks, and that ranking and explaining rely on."""

from collections.abc import Mapping
from typing import Protocol, TypeVar, runtime_checkable

import torch

from whyrec.data.coalitions import Coalitions
from whyrec.data.dataset import Dataset
from whyrec.data.features import Features
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.models.loop import Run
from whyrec.types import Float32Array, Float64Array, Int64Array

P = TypeVar("P")


class Recommender(Protocol):
    """Scores any item for any history: a dot product of two vectors, plus a bias per item."""

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

    def arrays(self) -> dict[str, Float32Array]:
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

    def held_against(self, embedded: P, vectors: torch.Tensor, biases: torch.Tensor) -> P:
        """Return the pairs with values that are less by what something else scores meanwhile.

        Args:
            embedded: from `embed_pairs`.
            vectors: float32 [n_rows, n_items, dimension], a vector as items have for each item.
            biases: float32 [n_rows, n_items], in logits.
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


class RecommenderConfig(Protocol):
    """The settings of one kind of recommender, which also fit it."""

    def fit(self, dataset: Dataset, *, progress: bool = True) -> Recommender:
        """Train on all events of a data set."""
        ...

    def restore(self, dataset: Dataset, arrays: Mapping[str, Float32Array]) -> Recommender:
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
