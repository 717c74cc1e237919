"""Where training starts: the factors of a linear model, split into features and identity."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import scipy.linalg
import torch
from numpy.typing import NDArray

from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories, Interactions
from whyrec.errors import ArgumentError
from whyrec.models.features import predict_from_features
from whyrec.models.linear import (
    LeadingDirections,
    incidence_matrix,
    stacked_matrix,
)
from whyrec.models.popularity import log_popularity
from whyrec.models.recommender import Before
from whyrec.models.renewal import load, with_new_items
from whyrec.models.towers import ItemTable
from whyrec.models.validation import Validation
from whyrec.types import BoolArray, Float32Array, Int64Array

_FEATURE_L2 = 10.0
"""Strength of the ridge penalty, in items, on what features predict of an item."""

_STARTED_FROM = "started_from"
"""The name of the array that tells the linear model which vectors of items started from."""

_CHOSEN_ANEW = ("biases.", "log_scale", "value_", _STARTED_FROM)
"""What the names of those arrays begin with that are no starting point of another training."""

_L2 = (25.0, 50.0, 100.0, 200.0, 400.0, 800.0, 1_600.0)
_USUAL_L2 = 200.0


class StartSettings(Protocol):
    """The settings of a recommender that say where its training starts."""

    @property
    def dimension(self) -> int:
        """Of the vectors."""
        ...

    @property
    def l2(self) -> float | None:
        """Strength of the ridge penalty, in events; None chooses it."""
        ...

    @property
    def windows(self) -> bool | None:
        """Whether windows of histories are factorised too; None chooses it."""
        ...

    @property
    def seed(self) -> int:
        """The source of chance."""
        ...


def check_l2(l2: float | None) -> None:
    """Refuse a penalty that is not above 0.

    Raises:
        ArgumentError: it is none.
    """
    if l2 is not None and not (np.isfinite(l2) and l2 > 0):
        raise ArgumentError(f"l2 must be a number above 0, not {l2}")


@dataclass(frozen=True, kw_only=True, slots=True)
class LinearModel:
    """What is factorised: EASE of whole histories, and of windows of them.

    Users are the rows that EASE learns from. Each window, some events of a user in a row, is a
    further row, so that what was chosen at about the same time counts as more closely related.
    """

    dimension: int
    l2: float
    """Strength of the ridge penalty, in events."""

    windows: bool
    """Whether there are any."""

    seed: int

    @classmethod
    def chosen(
        cls, part: Dataset, validation: Validation | None, settings: StartSettings
    ) -> "LinearModel":
        """Choose what the settings leave open: the model that ranks held-out events best."""
        choices = (True, False) if settings.windows is None else (settings.windows,)
        penalties = _L2 if settings.l2 is None else (settings.l2,)
        first = cls(
            dimension=settings.dimension,
            l2=_USUAL_L2 if settings.l2 is None else settings.l2,
            windows=choices[0],
            seed=settings.seed,
        )
        if validation is None or len(choices) == len(penalties) == 1:
            return first
        models, ndcgs = [], []
        for windows in choices:
            model = replace(first, windows=windows)
            directions = model.leading_directions(part.interactions, part.n_items)
            for l2 in penalties:
                score = partial(_scores, *directions.ease_factors(model.dimension, l2))
                models.append(replace(model, l2=l2))
                ndcgs.append(validation.ndcg(validation.scores(score)))
        return models[int(np.argmax(ndcgs))]

    def leading_directions(self, interactions: Interactions, n_items: int) -> LeadingDirections:
        """Decompose what is factorised."""
        matrix = stacked_matrix(interactions, n_items, self.windows)
        return LeadingDirections.of(matrix, self.dimension, self.seed)


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
        model: LinearModel,
        like: Float32Array | None = None,
    ) -> "Factors":
        """Factorise the interactions, on the axes of other event vectors if there are any.

        A rotation changes no product of two vectors, so it can bring the axes of two factorisations
        together as far as they agree (orthogonal Procrustes).

        Args:
            dataset: whose items and features they are.
            interactions: of its users.
            model: what is factorised.
            like: float32 [n, dimension], event vectors of the first n items.
        """
        directions = model.leading_directions(interactions, dataset.n_items)
        inward, outward = directions.ease_factors(model.dimension, model.l2)
        if like is not None:
            rotation, _ = scipy.linalg.orthogonal_procrustes(inward[: len(like)], like)
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


def _scores(
    inward: Float32Array, outward: Float32Array, histories: Histories, _: Int64Array
) -> torch.Tensor:
    """Return float32 [n_rows, n_items]."""
    matrix = incidence_matrix(histories.items, histories.offsets, len(inward))
    return torch.from_numpy((matrix @ inward) @ outward.T)


def split_by_features(dataset: Dataset, vectors: Float32Array, has_events: BoolArray) -> ItemTable:
    """Give to features what they predict of the vectors [n_items, dimension], to items the rest.

    The two add up to the vectors of items with events, each of which weighs the same in the
    prediction. An item without events is what its features predict, if it has any.
    """
    features = dataset.item_features
    predicted = predict_from_features(features, vectors, has_events.astype(np.float32), _FEATURE_L2)
    own = vectors - features.matrix() @ predicted
    own[~has_events & (np.diff(features.offsets) > 0)] = 0
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
    started_from: torch.Tensor
    """float32 [2]: penalty and windows of the linear model that the tables started from."""

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return all parameters and buffers, by name."""
        ...


N = TypeVar("N", bound=ItemTables)


@dataclass(frozen=True, slots=True)
class Learned(Generic[N]):
    """What training has made of a part of the events, chosen by how it ranks the others."""

    network: N
    """Its tables hold what is added to factors and popularity."""

    part: Dataset

    validation: Validation | None
    """Of the other events; None if there are none."""

    model: LinearModel

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

    def with_events(self, dataset: Dataset) -> N:
        """Return the network with the factors and the popularity of these events, on the same axes.

        Args:
            dataset: all events, or the part again.
        """
        factors = Factors.of(dataset, dataset.interactions, self.model, like=self.factors.inward)
        popularity = log_popularity(dataset.interactions, dataset.n_items)
        prior = (popularity - popularity.mean()) * np.float32(self.prior_scale)
        biases = split_by_features(dataset, prior[:, None], popularity > 0)
        network = copy.deepcopy(self.network)
        tables = network.events, network.items, network.biases
        with torch.no_grad():
            for table, start in zip(tables, (factors.events, factors.items, biases), strict=True):
                table.identity.add_(start.identity)
                table.of_features.add_(start.of_features)
            network.started_from.copy_(torch.tensor([self.model.l2, self.model.windows]))
        return network


def take_up(network: ItemTables, dataset: Dataset, before: Before, seed: int) -> Float32Array:
    """Give a new network what an earlier one has learned, and return the axes that it has.

    The tables get what was added to the factors of the events of then, which are made again to tell
    it. A new item begins with nothing added. What training chooses by all events anew, biases and
    scale, stays as it is, and so do the statistics of the events.

    Args:
        network: as it is made, over all items.
        dataset: whose items these are.
        before: the earlier one, and what it was fitted on.
        seed: of the factors.

    Returns:
        float32 [n_items_then, dimension]: its event vectors, which the new factors are turned to.
    """
    old, arrays = before.dataset, before.arrays
    events, items = (_table(name, arrays) for name in ("events", "items"))
    with torch.no_grad():
        axes: Float32Array = events(old.item_features).numpy()
        l2, windows = arrays[_STARTED_FROM].tolist()
        model = LinearModel(dimension=axes.shape[1], l2=float(l2), windows=bool(windows), seed=seed)
        factors = Factors.of(old, old.interactions, model, like=axes)
        learned = dict(arrays)
        for name, table, start in (
            ("events", events, factors.events),
            ("items", items, factors.items),
        ):
            learned[f"{name}.identity"] = (table.identity - start.identity).numpy()
            learned[f"{name}.of_features"] = (table.of_features - start.of_features).numpy()
        learned = with_new_items(learned, dataset.n_items)
        for name, each in network.state_dict().items():
            if not name.startswith(_CHOSEN_ANEW):
                each.copy_(torch.tensor(learned[name]))
    return axes


def _table(name: str, arrays: Mapping[str, NDArray[Any]]) -> ItemTable:
    """Return a table of items as it was stored."""
    identity, of_features = arrays[f"{name}.identity"], arrays[f"{name}.of_features"]
    table = ItemTable(len(identity), len(of_features), identity.shape[1])
    load(table, {"identity": identity, "of_features": of_features})
    return table.requires_grad_(False)
