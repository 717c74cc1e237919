"""Where training starts: the factors of a linear model, split into features and identity."""

import copy
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
import scipy.linalg
import torch

from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Interactions
from whyrec.models.features import predict_from_features
from whyrec.models.linear import ease_factors, interaction_matrix
from whyrec.models.popularity import log_popularity
from whyrec.models.towers import ItemTable
from whyrec.models.validation import Validation
from whyrec.types import BoolArray, Float32Array

_FEATURE_L2 = 10.0
"""Strength of the ridge penalty, in items, on what features predict of an item."""


class FactorSettings(Protocol):
    """What a factorisation depends on, besides the data."""

    @property
    def dimension(self) -> int:
        """Of the vectors."""
        ...

    @property
    def l2(self) -> float:
        """Strength of the ridge penalty, in events."""
        ...

    @property
    def seed(self) -> int:
        """The source of chance."""
        ...


@dataclass(frozen=True, slots=True)
class Factors:
    """EASE in few dimensions: vectors of items as events and as candidates."""

    inward: Float32Array
    """float32 [n_items, dimension]: the event vectors whole, which tell the axes."""

    events: ItemTable
    items: ItemTable

    @classmethod
    def of(
        cls,
        dataset: Dataset,
        interactions: Interactions,
        config: FactorSettings,
        like: "Factors | None" = None,
    ) -> "Factors":
        """Factorise the interactions, in the coordinates of other factors if there are any.

        A rotation changes no product of two vectors, so it can bring the axes of two factorisations
        together as far as they agree (orthogonal Procrustes).
        """
        matrix = interaction_matrix(interactions, dataset.n_items)
        inward, outward = ease_factors(matrix, config.dimension, config.l2, config.seed)
        if like is not None:
            rotation, _ = scipy.linalg.orthogonal_procrustes(inward, like.inward)
            inward, outward = inward @ rotation, outward @ rotation
        has_events = np.bincount(interactions.items, minlength=dataset.n_items) > 0
        return cls(
            inward,
            split_by_features(dataset, inward, has_events),
            split_by_features(dataset, outward, has_events),
        )


def split_by_features(dataset: Dataset, vectors: Float32Array, has_events: BoolArray) -> ItemTable:
    """Give to features what they predict of the vectors [n_items, dimension], to items the rest.

    The two add up to the vectors, which are 0 for an item without events: nobody having chosen it
    says more than its features. Every item with events weighs the same in the prediction.
    """
    features = dataset.item_features
    predicted = predict_from_features(features, vectors, has_events.astype(np.float32), _FEATURE_L2)
    own = vectors - features.matrix() @ predicted
    table = ItemTable(len(vectors), len(predicted), vectors.shape[1])
    with torch.no_grad():
        table.identity.copy_(torch.from_numpy(own))
        table.of_features.copy_(torch.from_numpy(predicted))
    return table.requires_grad_(False)


class ItemTables(Protocol):
    """A network with tables of items as events, as candidates, and of their biases."""

    events: ItemTable
    items: ItemTable
    biases: ItemTable


N = TypeVar("N", bound=ItemTables)


@dataclass(frozen=True, slots=True)
class Learned(Generic[N]):
    """What training has made of a part of the events, chosen by how it ranks the others."""

    network: N
    """Its tables hold what is added to factors and popularity."""

    part: Dataset

    validation: Validation | None
    """Of the other events; None if there are none."""

    factors: Factors
    """Those that training began with."""

    prior_scale: float
    """What the logarithm of popularity is worth, in logits."""

    @property
    def held_out(self) -> Interactions:
        """The events of the validation."""
        if self.validation is not None:
            return self.validation.held_out
        return self.part.interactions.only(np.zeros(len(self.part.interactions), bool))

    def with_events(self, dataset: Dataset, settings: FactorSettings) -> N:
        """Return the network with the factors and the popularity of these events, on the same axes.

        Args:
            dataset: all events, or the part again.
            settings: of the factorisation.
        """
        factors = Factors.of(dataset, dataset.interactions, settings, like=self.factors)
        popularity = log_popularity(dataset.interactions, dataset.n_items)
        prior = (popularity - popularity.mean()) * np.float32(self.prior_scale)
        biases = split_by_features(dataset, prior[:, None], popularity > 0)
        network = copy.deepcopy(self.network)
        tables = network.events, network.items, network.biases
        with torch.no_grad():
            for table, start in zip(tables, (factors.events, factors.items, biases), strict=True):
                table.identity.add_(start.identity)
                table.of_features.add_(start.of_features)
        return network
