"""What the contracts of recommenders and of explainers have in common."""

from collections.abc import Callable, Iterator

import pytest
import torch

from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.models import Recommender
from whyrec.testing.ranking.company import digest as digest_of
from whyrec.testing.subject import scores_of as scores_that_rank
from whyrec.types import Float64Array

Scores = Callable[[Recommender, Histories, Pairs], Float64Array]


@pytest.fixture(scope="session")
def scores_of() -> Scores:
    """Return the scores that rank pairs, float64 [n_pairs]."""

    return scores_that_rank


@pytest.fixture
def digest() -> Callable[[Dataset], str]:
    """Tell whether any array of a data set has changed by a single bit."""

    return digest_of


@pytest.fixture
def on_threads() -> Iterator[Callable[[int], None]]:
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)
