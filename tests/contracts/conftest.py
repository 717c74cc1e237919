"""What the contracts of recommenders and of explainers have in common."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass

import numpy as np
import pytest
import torch

from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.models import Recommender, TwoStageRecommender
from whyrec.types import Float64Array

Scores = Callable[[Recommender, Histories, Pairs], Float64Array]


@pytest.fixture(scope="session")
def scores_of() -> Scores:
    """Return the scores that rank pairs, float64 [n_pairs]."""

    def of(model: Recommender, histories: Histories, pairs: Pairs) -> Float64Array:
        if isinstance(model, TwoStageRecommender):
            return model.pair_scores(histories, pairs).astype(np.float64)
        queries = model.query_vectors(histories)[pairs.rows].astype(np.float64)
        products: Float64Array = (queries * model.item_vectors()[pairs.items]).sum(axis=1)
        return products + model.item_biases()[pairs.items]

    return of


@pytest.fixture
def digest() -> Callable[[Dataset], str]:
    """Tell whether any array of a data set has changed by a single bit."""

    def of(dataset: Dataset) -> str:
        found, waiting = hashlib.sha256(), [object(), dataset]
        n_arrays = 0
        while waiting:
            part = waiting.pop()
            if isinstance(part, np.ndarray):
                found.update(part.tobytes())
                n_arrays += 1
            elif is_dataclass(part):
                waiting += [getattr(part, each.name) for each in fields(part)]
        assert n_arrays >= 11  # the events and both kinds of features
        return found.hexdigest()

    return of


@pytest.fixture
def on_threads() -> Iterator[Callable[[int], None]]:
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)
