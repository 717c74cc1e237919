"""A model and what is asked about it, which the tests of the comparison share."""

import numpy as np
import pytest

from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.models import TwoTower
from whyrec.types import Float64Array

Asked = tuple[Histories, Pairs, Float64Array]


@pytest.fixture(scope="session")
def asked(shop: Dataset, tower: TwoTower) -> Asked:
    """Histories with and without events and attributes, items with and without features."""
    histories = shop.histories(np.arange(shop.n_users))
    rows, items = [3, 3, 1, 2, 0, 9, 12], [5, 0, 7, 9, 0, 21, 4]
    pairs = Pairs(np.array(rows, np.int32), np.array(items, np.int32))
    scores = tower.query_vectors(histories) @ tower.item_vectors().T + tower.item_biases()
    return histories, pairs, scores[pairs.rows, pairs.items].astype(np.float64)


@pytest.fixture(scope="session")
def asked_unseen(asked: Asked) -> Asked:
    """The same, without items that are in the history that they are scored for."""
    histories, pairs, scores = asked
    seen = [
        item in histories.items[histories.offsets[row] : histories.offsets[row + 1]]
        for row, item in zip(pairs.rows.tolist(), pairs.items.tolist(), strict=True)
    ]
    unseen = np.flatnonzero(~np.array(seen))
    assert 3 < len(unseen) < len(pairs)
    return histories, pairs.take(unseen), scores[unseen]
