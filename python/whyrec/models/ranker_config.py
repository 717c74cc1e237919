"""Settings of the deep ranker: how it is trained, stored and gone on from."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from numpy.typing import NDArray

from whyrec.data.dataset import Dataset
from whyrec.errors import ArgumentError, StorageError
from whyrec.models.deep_ranker import RETRIEVAL, WIDE, DeepRanker
from whyrec.models.loop import Run
from whyrec.models.ranker_network import RankerNetwork
from whyrec.models.ranker_training import train
from whyrec.models.recommender import (
    Before,
    DotProductRecommender,
    RecommenderConfig,
    RetrievalConfig,
)
from whyrec.models.renewal import load, named
from whyrec.models.two_tower import TwoTowerConfig
from whyrec.models.wide import WideWeights
from whyrec.settings import check_numbers


@dataclass(frozen=True, kw_only=True)
class DeepRankerConfig:
    """Settings of `DeepRanker` and of its training.

    >>> import whyrec
    >>> world = whyrec.datasets.synthetic(seed=0, n_users=40, n_items=30)
    >>> towers = whyrec.TwoTowerConfig(dimension=16, max_steps=20)
    >>> ranker = whyrec.DeepRankerConfig(n_ranked=20, layers=(16, 8), max_steps=20)
    >>> sdk = whyrec.SDK.fit(world.events, model=towers, ranker=ranker,
    ...     explainer=whyrec.GradientPathConfig(), progress=False)
    >>> len(sdk.recommend("u7", k=3))
    3
    """

    retrieval: RetrievalConfig = field(default_factory=TwoTowerConfig)
    """Of the recommender whose best items are re-ordered."""

    n_ranked: int = 200
    """So many items are re-ordered, or as many as are asked for, if they are more: the best of the
    retrieval, and with a wide part as many of each.
    """

    layers: tuple[int, ...] = (128, 64, 32)
    """Widths of the hidden layers; one more layer makes a logit of the last."""

    n_weights: int = 4_000_000
    """The most weights of the wide part, those that count for most; 0 has no wide part. As many at
    most lead to features of items without weights.
    """

    dropout: float = 0.5
    """Chance of a hidden unit to be left out in training."""

    absent_events: float = 0.5
    """Chance of a history to be thinned in training, at a rate drawn anew from 0 to 1."""

    absent_fields: float = 0.5
    """Chance of a field of the user to be left out in training."""

    absent_features: float = 0.1
    """Chance of a feature value of an item to be left out in training."""

    validation_share: float = 0.3
    """Share of the users whose held-out events choose the number of steps, and whether there are
    any; the network learns from those of the others. With 0 it takes all steps.
    """

    batch_size: int = 32
    """Lists in a step."""

    max_steps: int = 400
    """The most steps; the best number of them is found on the users that are held out."""

    evaluate_every: int = 20
    """Steps between two looks at the users that are held out."""

    patience: int = 5
    """Looks without improvement after which training stops."""

    learning_rate: float = 3e-4
    """Of AdamW."""

    weight_decay: float = 0.01
    """Of AdamW, for all weights of the network."""

    seed: int = 0
    """The same data, settings and seed give the same ranker."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))  # a list, where it was stored
        if not isinstance(self.retrieval, RetrievalConfig):
            raise ArgumentError(
                "a ranker is put on whyrec.TwoTowerConfig() or whyrec.SequenceConfig(); "
                f"{self.retrieval!r} has no vectors that a network could read"
            )
        check_numbers(self, may_be_zero=("seed", "max_steps", "n_weights"))
        if not self.layers or any(type(each) is not int or each < 1 for each in self.layers):
            raise ArgumentError(f"layers must be whole numbers from 1, not {self.layers}")
        for name in ("dropout", "absent_fields", "absent_features", "validation_share"):
            if getattr(self, name) >= 1:
                raise ArgumentError(f"{name} must be less than 1, not {getattr(self, name)}")
        if self.absent_events > 1:
            raise ArgumentError(f"absent_events must be at most 1, not {self.absent_events}")

    def fit(self, dataset: Dataset, *, progress: bool = True) -> "DeepRanker":
        """Train the retrieval on all events of a data set, and a ranker of what it finds.

        Raises:
            ArgumentError: a setting of the retrieval does not fit the data set.
            TrainingError: a loss is no longer finite.
        """
        return self.train(dataset, Run(progress=progress))

    def train(self, dataset: Dataset, run: Run) -> "DeepRanker":
        """Do what `fit` does, where a run says and with what it tells and keeps on the way.

        Wherever the retrieval was trained, it answers on the CPU, and the ranker learns there.

        Raises:
            ArgumentError: as of `fit`.
            TrainingError: as of `fit`.
            StorageError: a checkpoint that cannot be made or read.
        """
        fitted = self.retrieval.train_held_out(dataset, run)
        network, wide = train(fitted, dataset, self, run)
        return DeepRanker(fitted.recommender, network, wide, self.n_ranked)

    def update(self, dataset: Dataset, before: Before) -> "DeepRanker":
        """Build the recommender over a larger data set; the wide part is solved for again.

        Raises:
            ArgumentError: the retrieval cannot be built over these items.
        """
        own, of_retrieval, of_wide = self._parts(before.arrays)
        retrieval = self.retrieval.update(dataset, replace(before, arrays=of_retrieval))
        wide = WideWeights.restore(of_wide, dataset.item_features)
        if not dataset.interactions.has_same_items(before.dataset.interactions):
            wide = wide.solved_again(dataset, self.n_weights)
        return DeepRanker(retrieval, self._network(retrieval, dataset, own), wide, self.n_ranked)

    def refit(self, dataset: Dataset, before: Before, run: Run) -> "DeepRanker":
        """Do what `train` does, from what was learned before on, in half as many steps at most.

        Raises:
            ArgumentError: as of `fit`.
            TrainingError: as of `fit`.
            StorageError: a checkpoint that cannot be made or read.
        """
        own, of_retrieval, _ = self._parts(before.arrays)
        known = replace(before, arrays=of_retrieval)
        fitted = self.retrieval.train_held_out(dataset, run, known)
        network, wide = train(fitted, dataset, self, run, replace(before, arrays=own))
        return DeepRanker(fitted.recommender, network, wide, self.n_ranked)

    def restore(self, dataset: Dataset, arrays: Mapping[str, NDArray[Any]]) -> "DeepRanker":
        """Build the recommender from its stored arrays.

        Raises:
            StorageError: the arrays are not those of these settings and this data set.
        """
        own, of_retrieval, of_wide = self._parts(arrays)
        retrieval = self.retrieval.restore(dataset, of_retrieval)
        wide = WideWeights.restore(of_wide, dataset.item_features)
        return DeepRanker(retrieval, self._network(retrieval, dataset, own), wide, self.n_ranked)

    def _parts(self, arrays: Mapping[str, NDArray[Any]]) -> tuple[dict[str, NDArray[Any]], ...]:
        """Return the arrays of the network, of the retrieval and of the wide part."""
        parts = (RETRIEVAL, WIDE)
        own = {name: each for name, each in arrays.items() if not name.startswith(parts)}
        return own, named(RETRIEVAL, arrays), named(WIDE, arrays)

    def _network(
        self,
        retrieval: DotProductRecommender[Any],
        dataset: Dataset,
        arrays: Mapping[str, NDArray[Any]],
    ) -> RankerNetwork:
        """Build the network from its stored arrays."""
        network = RankerNetwork(retrieval.dimension, dataset, self.layers)
        try:
            load(network, arrays)
        except RuntimeError as error:
            raise StorageError(f"the arrays of the ranker do not fit: {error}") from error
        return network


def composed(model: RecommenderConfig | None, ranker: DeepRankerConfig | None) -> RecommenderConfig:
    """Put a ranker, if there is one, on a model, if there is one; with neither, take both.

    Raises:
        ArgumentError: the ranker is none, or cannot be put on the model.
    """
    if ranker is None:
        return model or DeepRankerConfig()
    if not isinstance(ranker, DeepRankerConfig):
        raise ArgumentError(f"ranker must be whyrec.DeepRankerConfig(…), not {ranker!r}")
    retrieval: Any = model or ranker.retrieval  # the ranker tells whether it can be put on it
    return replace(ranker, retrieval=retrieval)
