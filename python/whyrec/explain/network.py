"""The explainer network: contributions of all players in one pass over the recommender's trunk."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.errors import ArgumentError, StorageError
from whyrec.explain.attribution import Attributions
from whyrec.explain.confidence import Confidence, fit_confidence
from whyrec.explain.interactions import Interactions, PlayerPairs
from whyrec.explain.joint_training import JointTraining
from whyrec.explain.network_training import train
from whyrec.explain.path import attribute_by_gradients, differentiable, quadrature
from whyrec.explain.path_interactions import interactions_by_gradients
from whyrec.explain.player_network import PlayerNetwork
from whyrec.models.loop import Run
from whyrec.models.recommender import (
    CompanionableConfig,
    DifferentiableRecommender,
    Recommender,
    RecommenderConfig,
)
from whyrec.models.renewal import load
from whyrec.settings import check_numbers
from whyrec.types import Float32Array, Float64Array

_CONFIDENCE = "confidence"
"""The name of the array that is not the network's."""

_INTERACTION_POINTS = 4
"""Points on the path for interactions, which have nothing learned to make up for fewer."""


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """Settings of `Network` and of its training."""

    n_points: int = 2
    """Points between no player and all of them at which the recommender's gradient is an input."""

    width: int = 16
    """Of what the network keeps of each player."""

    n_summaries: int = 8
    """Vectors through which players attend to one another, at a cost linear in the players."""

    batch_size: int = 32
    """(User, item) pairs in a step."""

    n_coalitions: int = 32
    """Coalitions of a pair in a step, each with its complement beside it."""

    distillation: float = 0.3
    """Weight of the contributions by the gradient path, beside that of the coalitions."""

    max_steps: int = 400
    """The most steps."""

    evaluate_every: int = 25
    """Steps between two looks at the held-out pairs."""

    patience: int = 4
    """Looks without improvement after which training stops."""

    learning_rate: float = 2e-3
    """Of AdamW."""

    max_events: int = 512
    """Longer histories are cut to about so many random events in training, never in explaining."""

    confidence_pairs: int = 96
    """(User, item) pairs whose Shapley values tell how sure a reason is; 0 leaves that out."""

    joint_weight: float = 0.0
    """Weight of the network's loss in the training of the recommender, which it moves then.

    0 trains the network afterwards, and leaves the recommender's weights as they are. Above 0 both
    losses are stepped together, by `SDK.fit` and for `TwoTowerConfig`; then the network alone goes
    on for the recommender as it has become. On MovieLens a weight of 1 changes NDCG@10 by 2.3, 0.0
    and −0.5 % on three splits, and the reasons are as near to Shapley values as without.
    """

    seed: int = 0
    """The same recommender, data, settings and seed give the same network."""

    def __post_init__(self) -> None:
        check_numbers(self, may_be_zero=("seed", "max_steps", "confidence_pairs"))

    def fit(
        self, recommender: Recommender, dataset: Dataset, *, progress: bool = True
    ) -> "Network":
        """Train on coalitions and gradients of the recommender, whose weights stay as they are.

        Raises:
            ArgumentError: the recommender cannot be differentiated, nobody has a history, or
                joint_weight is above 0.
            TrainingError: the loss is no longer finite.
        """
        return self.train(recommender, dataset, Run(progress=progress))

    def train(self, recommender: Recommender, dataset: Dataset, run: Run) -> "Network":
        """Do what `fit` does, with what a run tells and keeps on the way.

        Wherever the recommender was trained, it answers on the CPU, and the network learns there.

        Raises:
            ArgumentError: as of `fit`.
            TrainingError: as of `fit`.
            StorageError: a checkpoint that cannot be made or read.
        """
        if self.joint_weight:
            raise ArgumentError(
                "joint_weight: this recommender is trained already; SDK.fit or train_jointly "
                "trains both together"
            )
        return self._train(recommender, dataset, run)

    def train_jointly(
        self, model: RecommenderConfig, dataset: Dataset, run: Run
    ) -> tuple[Recommender, "Network"]:
        """Train a recommender and the network in the same steps, then the network alone.

        Raises:
            ArgumentError: the recommender cannot be trained like that, nobody has a history, or a
                device other than the CPU was asked for.
            TrainingError: the loss is no longer finite.
            StorageError: a checkpoint that cannot be made or read.
        """
        if not isinstance(model, CompanionableConfig):
            raise ArgumentError(
                f"joint_weight: {type(model).__name__} trains by itself; use TwoTowerConfig(), or "
                "a joint_weight of 0"
            )
        companion = JointTraining(dataset, self)
        recommender = model.train_beside(dataset, companion, run)
        return recommender, self._train(recommender, dataset, run, companion.network)

    def update(
        self,
        recommender: Recommender,
        dataset: Dataset,  # noqa: ARG002
        arrays: Mapping[str, Float32Array],
    ) -> "Network":
        """Do what `restore` does: the network knows no item by name."""
        return self.restore(recommender, arrays)

    def refit(
        self,
        recommender: Recommender,
        dataset: Dataset,
        arrays: Mapping[str, Float32Array],
        run: Run,
    ) -> "Network":
        """Do what `train` does, from what was learned before on, in half as many steps at most.

        Raises:
            ArgumentError: as of `fit`.
            TrainingError: as of `fit`.
            StorageError: a checkpoint that cannot be made or read.
        """
        shorter = replace(
            self, max_steps=(self.max_steps + 1) // 2, patience=(self.patience + 1) // 2
        )
        return shorter._train(recommender, dataset, run, self._network(recommender, arrays))

    def _train(
        self,
        recommender: Recommender,
        dataset: Dataset,
        run: Run,
        network: PlayerNetwork | None = None,
    ) -> "Network":
        """Train for the recommender as it is, from the network on if there is one."""
        source = differentiable(recommender)
        network = train(source, dataset, self, run, network)
        confidence = fit_confidence(
            Network(source, network, self),
            source,
            dataset,
            n_pairs=self.confidence_pairs,
            seed=self.seed,
            progress=run.progress,
        )
        return Network(source, network, self, confidence)

    def restore(self, recommender: Recommender, arrays: Mapping[str, Float32Array]) -> "Network":
        """Build the explainer from its stored arrays.

        Raises:
            StorageError: the arrays are not those of these settings and this recommender.
        """
        source, network = differentiable(recommender), self._network(recommender, arrays)
        known = arrays.get(_CONFIDENCE)
        return Network(source, network, self, known if known is None else Confidence.restore(known))

    def _network(
        self, recommender: Recommender, arrays: Mapping[str, Float32Array]
    ) -> PlayerNetwork:
        """Build the network from the arrays of the explainer."""
        dimension = differentiable(recommender).dimension
        network = PlayerNetwork(dimension, self.n_points, self.width, self.n_summaries)
        weights = {name: each for name, each in arrays.items() if name != _CONFIDENCE}
        try:
            load(network, weights)
        except RuntimeError as error:
            raise StorageError(f"the arrays of the explainer do not fit: {error}") from error
        return network


class Network:
    """Weighs the gradients that each player has on the way from no player to all of them.

    The contribution of player j is Σ_k c_jk g_jk, where g_jk is the recommender's gradient by the
    presence of j with all players at rate t_k, and the weights c_jk come from a network over all
    players together, see `PlayerNetwork`. It starts as the gradient path of so few points and
    learns what that misses. A player without effect gets 0, two players alike get the same, and
    the order of players does not matter: by construction. What is left of the score is shared out
    by `close_gaps`.
    """

    def __init__(
        self,
        recommender: DifferentiableRecommender[Any],
        network: PlayerNetwork,
        config: NetworkConfig,
        confidence: Confidence | None = None,
    ) -> None:
        self._recommender = recommender
        self._network = network.eval().requires_grad_(False)
        self._points, _ = quadrature(config.n_points)
        self._confidence = confidence

    def explain(
        self, histories: Histories, pairs: Pairs, full_values: Float64Array
    ) -> Attributions:
        """Attribute the scores of a batch of pairs to their players, in one pass."""
        found = attribute_by_gradients(
            self._recommender,
            (histories, pairs, full_values),
            self._points,
            lambda embedded, *rest: self._network(
                self._recommender.player_vectors(embedded), *rest
            ),
            "network",
        )
        known = self._confidence
        return found if known is None else replace(found, confidences=known.of(found))

    def interactions(self, histories: Histories, pairs: Pairs, chosen: PlayerPairs) -> Interactions:
        """Return what chosen players are worth together; see `InteractionExplainer`.

        They are those of the gradient path at four points, and nothing is learned of them: of
        events with features it misses less than a thousandth of their squared size on MovieLens,
        held against `Shapley.interactions`; of two events of a synthetic world a two-hundredth.
        """
        return interactions_by_gradients(
            self._recommender,
            histories,
            pairs,
            chosen,
            quadrature(_INTERACTION_POINTS),
            "network",
        )

    def arrays(self) -> dict[str, Float32Array]:
        """Return everything that is learned."""
        arrays = {name: each.cpu().numpy() for name, each in self._network.state_dict().items()}
        known = self._confidence
        return arrays if known is None else arrays | {_CONFIDENCE: known.array()}
