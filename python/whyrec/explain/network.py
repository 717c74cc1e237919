"""The explainer network: contributions of all players in one pass over the recommender's trunk."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch

from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.errors import ArgumentError, StorageError
from whyrec.explain.attribution import Attributions, Players, close_gaps
from whyrec.explain.batches import batches
from whyrec.explain.network_training import train
from whyrec.explain.path import differentiable, path_gradients, quadrature
from whyrec.explain.player_network import PlayerNetwork
from whyrec.models.recommender import DifferentiableRecommender, Recommender
from whyrec.types import Float32Array, Float64Array


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
    """Longer histories are cut to so many random events in training, never in explaining."""

    seed: int = 0
    """The same recommender, data, settings and seed give the same network."""

    def __post_init__(self) -> None:
        for setting in fields(self):
            value = getattr(self, setting.name)
            least = 0 if setting.name in ("seed", "max_steps") else 1
            if setting.type is int and value < least:
                raise ArgumentError(f"{setting.name} must be at least {least}, not {value}")
            if setting.type is float and not (np.isfinite(value) and value >= 0):
                raise ArgumentError(f"{setting.name} must be a number from 0, not {value}")

    def fit(
        self, recommender: Recommender, dataset: Dataset, *, progress: bool = True
    ) -> "Network":
        """Train on coalitions and gradients of the recommender, whose weights stay as they are.

        Raises:
            ArgumentError: the recommender cannot be differentiated, or nobody has a history.
            TrainingError: the loss is no longer finite.
        """
        source = differentiable(recommender)
        network = train(source, dataset, self, progress=progress)
        return Network(source, network, self)

    def restore(self, recommender: Recommender, arrays: Mapping[str, Float32Array]) -> "Network":
        """Build the explainer from its stored arrays.

        Raises:
            StorageError: the arrays are not those of these settings and this recommender.
        """
        source = differentiable(recommender)
        network = PlayerNetwork(source.dimension, self.n_points, self.width, self.n_summaries)
        try:
            network.load_state_dict({name: torch.from_numpy(each) for name, each in arrays.items()})
        except RuntimeError as error:
            raise StorageError(f"the arrays of the explainer do not fit: {error}") from error
        return Network(source, network, self)


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
    ) -> None:
        self._recommender = recommender
        self._network = network.eval().requires_grad_(False)
        self._points, _ = quadrature(config.n_points)

    def explain(
        self, histories: Histories, pairs: Pairs, full_values: Float64Array
    ) -> Attributions:
        """Attribute the scores of a batch of pairs to their players, in one pass."""
        players = Players.of(histories, self._recommender.item_features, pairs)
        contributions = np.zeros(len(players.kinds))
        base_values = np.zeros(len(pairs))
        for batch in batches(players, pairs):
            embedded = self._recommender.embed_pairs(
                histories, batch.rows, batch.items, batch.widths
            )
            present = torch.from_numpy(batch.places >= 0)
            gradients, bases = path_gradients(self._recommender, embedded, present, self._points)
            vectors = self._recommender.player_vectors(embedded)
            found = self._network(vectors, gradients, present, batch.widths)
            batch.put(found, contributions, bases, base_values)
        return close_gaps(
            Attributions(pairs, players, contributions, base_values, full_values, "network")
        )

    def arrays(self) -> dict[str, Float32Array]:
        """Return everything that is learned."""
        return {name: each.cpu().numpy() for name, each in self._network.state_dict().items()}
