"""Where training starts: the factors of a linear model, split into features and identity."""

from dataclasses import dataclass

import numpy as np
import torch

from whyrec.data.dataset import Dataset
from whyrec.models.features import predict_from_features
from whyrec.models.linear import ease_factors, interaction_matrix
from whyrec.models.towers import Towers
from whyrec.types import Float32Array

_FEATURE_L2 = 10.0
"""Strength of the ridge penalty, in items, on what features predict of an item."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """How confident the start is, in logits."""

    scale: float = 20.0
    """Of query vectors."""

    prior: float = 0.5
    """Of the logarithm of popularity."""


def log_popularity(dataset: Dataset) -> Float32Array:
    """Return float32 [n_items]: log(1 + number of events)."""
    counts = np.bincount(dataset.interactions.items, minlength=dataset.n_items)
    return np.log1p(counts).astype(np.float32)


def start_from_factors(
    towers: Towers, dataset: Dataset, calibration: Calibration, l2: float, seed: int
) -> None:
    """Set the towers to EASE in few dimensions, with the popularity prior as biases.

    What the features of items predict of their vectors and biases becomes that of the features;
    the rest stays with each item. An item without events has what its features predict alone.
    """
    features, d = dataset.item_features, towers.dimension
    counts = np.bincount(dataset.interactions.items, minlength=dataset.n_items)
    matrix = interaction_matrix(dataset.interactions, dataset.n_items)
    inward, outward = ease_factors(matrix, d, l2, seed)
    prior = np.float32(calibration.prior) * log_popularity(dataset)[:, None]
    targets = np.concatenate([inward, outward, prior - prior.mean()], 1)
    # Every item with events weighs the same: a new item is like most items, not like the popular.
    predicted = predict_from_features(features, targets, counts > 0, _FEATURE_L2)
    own = np.where(counts[:, None] > 0, targets - features.matrix() @ predicted, np.float32(0))
    with torch.no_grad():
        for of_items, of_features, columns in (
            (towers.event_identity, towers.event_features, slice(0, d)),
            (towers.item_identity, towers.item_features, slice(d, 2 * d)),
            (towers.item_bias, towers.feature_bias, 2 * d),
        ):
            of_items.copy_(torch.from_numpy(own[:, columns]))
            of_features.copy_(torch.from_numpy(predicted[:, columns]))
        towers.log_scale.fill_(np.log(calibration.scale))
