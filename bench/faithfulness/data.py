"""The users of a data set in two parts: to learn from and to test on."""

from dataclasses import dataclass

import numpy as np

from whyrec.data.dataset import Dataset
from whyrec.types import Int64Array

FEWEST, MOST = 10, 500
"""How many events a test user has: one for each of ten chunks, and few enough for a true value."""


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """One data set, its users in two parts."""

    whole: Dataset
    training: Dataset
    """The same users and items, with the events of the training users alone."""

    test_users: Int64Array
    """int64 [n_test_users], in random order."""


def split_users(dataset: Dataset, n_test_users: int, *, seed: int = 0) -> Parts:
    """Draw test users among those with 10 to 500 events, a third of them at most."""
    counts = np.diff(dataset.interactions.offsets)
    eligible = np.flatnonzero((counts >= FEWEST) & (counts <= MOST))
    drawn = np.random.default_rng(seed).permutation(eligible)
    test_users = drawn[: min(n_test_users, len(eligible) // 3)]
    of_training = ~np.isin(dataset.interactions.users(), test_users)
    training = dataset.with_interactions(dataset.interactions.only(of_training))
    return Parts(dataset, training, test_users)
