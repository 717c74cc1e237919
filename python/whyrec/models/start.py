"""Where training starts: the factors of a linear model, split into features and identity."""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import scipy.linalg
import torch

from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Interactions
from whyrec.models.features import predict_from_features
from whyrec.models.linear import ease_factors, interaction_matrix
from whyrec.models.popularity import log_popularity
from whyrec.models.towers import ItemTable
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

    def to(self, device: torch.device) -> "Factors":
        """Return the same with the tables on a device."""
        return replace(self, events=self.events.to(device), items=self.items.to(device))


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


def take_all_in(
    dataset: Dataset,
    settings: FactorSettings,
    like: Factors,
    prior_scale: float,
    tables: tuple[ItemTable, ItemTable, ItemTable],
) -> None:
    """Add to what was learned the factors and the popularity of all events.

    Args:
        dataset: with all events.
        settings: of the factorisation.
        like: the factors that training began with, whose axes are kept.
        prior_scale: what the logarithm of popularity is worth, in logits.
        tables: of events, items and biases, with what was learned.
    """
    factors = Factors.of(dataset, dataset.interactions, settings, like=like)
    popularity = log_popularity(dataset.interactions, dataset.n_items)
    prior = (popularity - popularity.mean()) * np.float32(prior_scale)
    biases = split_by_features(dataset, prior[:, None], popularity > 0)
    with torch.no_grad():
        for table, start in zip(tables, (factors.events, factors.items, biases), strict=True):
            table.identity.add_(start.identity)
            table.of_features.add_(start.of_features)
