"""Trains the explainer network in the same steps as the recommender, whose loss it adds to."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.explain.network_training import Source, explanation_loss, new_network
from whyrec.explain.player_network import PlayerNetwork
from whyrec.models.loop import Chance
from whyrec.models.recommender import DifferentiableRecommender

if TYPE_CHECKING:  # the config trains, so it imports this module
    from whyrec.explain.network import NetworkConfig


class JointTraining:
    """A companion of the recommender: a network, and how badly it foretells coalitions.

    The gradient of that error by v(S) reaches the weights of the recommender, so that these come
    to scores that are foretold better; the gradients by presence are data to the network.
    """

    network: PlayerNetwork
    """From `start` on."""

    def __init__(self, dataset: Dataset, config: "NetworkConfig") -> None:
        self._dataset, self.settings = dataset, config
        self.learning_rate = config.learning_rate
        self.chance = Chance.of(config.seed)

    def start(self, recommender: DifferentiableRecommender[Any]) -> PlayerNetwork:
        """Make the network."""
        self.network = new_network(recommender, self.settings)
        return self.network

    def loss(
        self, recommender: DifferentiableRecommender[Any], histories: Histories
    ) -> torch.Tensor:
        """Return the weighted error of the network for some of the histories."""
        config = self.settings
        source = Source(recommender, self._dataset, config, self.chance)
        some = histories.take(np.arange(min(len(histories), config.batch_size)))
        lesson = source.lesson(some, config.n_coalitions)
        return config.joint_weight * explanation_loss(self.network, lesson, config)
