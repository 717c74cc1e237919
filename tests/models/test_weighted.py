"""Events and attributes that count for less than whole."""

import numpy as np
import pytest

from whyrec.data.coalitions import Coalitions
from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.explain.attribution import PlayerKind, Players
from whyrec.models import Sequence, TwoTower
from whyrec.models.weighted import Weighted
from whyrec.types import Float32Array, Float64Array


@pytest.fixture(params=["tower", "sequence"])
def model(request: pytest.FixtureRequest) -> TwoTower | Sequence:
    fitted: TwoTower | Sequence = request.getfixturevalue(request.param)
    return fitted


@pytest.fixture
def everybody(shop: Dataset) -> Histories:
    return shop.histories(np.arange(shop.n_users))


def scores(model: Weighted | TwoTower | Sequence, histories: Histories) -> Float64Array:
    """Return float64 [n_rows, n_items]: what ranks."""
    products = model.query_vectors(histories).astype(np.float64) @ model.item_vectors().T
    found: Float64Array = products + model.item_biases()
    return found


def weights(shop: Dataset, of_items: float, of_fields: float) -> tuple[Float32Array, Float32Array]:
    """Weigh every third item and the first field."""
    items = np.ones(shop.n_items, np.float32)
    items[::3] = of_items
    fields = np.ones(len(shop.user_features.schema.fields), np.float32)
    fields[0] = of_fields
    return items, fields


def test_a_weight_of_one_is_the_recommender_itself(
    model: TwoTower | Sequence, shop: Dataset, everybody: Histories
) -> None:
    whole = Weighted(model, *weights(shop, 1.0, 1.0))
    np.testing.assert_allclose(
        scores(whole, everybody), scores(model, everybody), rtol=1e-4, atol=1e-5
    )


def test_a_weight_of_nothing_is_the_coalition_without(
    model: TwoTower | Sequence, shop: Dataset, everybody: Histories
) -> None:
    nothing = Weighted(model, *weights(shop, 0.0, 0.0))
    pairs = Pairs(np.arange(len(everybody), dtype=np.int32), np.full(len(everybody), 4, np.int32))
    players = Players.of(everybody, shop.item_features, pairs)
    row = np.repeat(pairs.rows, players.counts())
    is_event = players.kinds == PlayerKind.EVENT
    items = everybody.items[(everybody.offsets[row] + players.sources)[is_event]]
    cells = (players.kinds != PlayerKind.ATTRIBUTE) | (players.sources != 0)
    cells[is_event] = items % 3 != 0
    once = np.ones(len(pairs), np.int64)
    expected = model.coalition_values(everybody, pairs, Coalitions(players.counts(), once, cells))
    np.testing.assert_allclose(scores(nothing, everybody)[:, 4], expected, rtol=1e-4, atol=1e-5)


def test_what_ranks_is_the_value_of_all_players_at_their_weights(
    model: TwoTower | Sequence, shop: Dataset, everybody: Histories
) -> None:
    half = Weighted(model, *weights(shop, 0.3, 0.6))
    pairs = Pairs(np.arange(len(everybody), dtype=np.int32), np.full(len(everybody), 4, np.int32))
    counts = Players.of(everybody, shop.item_features, pairs).counts()
    once = np.ones(len(pairs), np.int64)
    everyone = Coalitions(counts, once, np.ones(counts.sum(), bool))
    found = half.coalition_values(everybody, pairs, everyone)
    np.testing.assert_allclose(scores(half, everybody)[:, 4], found, rtol=1e-4, atol=1e-5)
    assert np.abs(found - scores(model, everybody)[:, 4]).max() > 0.01


def test_a_row_has_the_same_bits_in_any_batch(
    model: TwoTower | Sequence, shop: Dataset, everybody: Histories
) -> None:
    half = Weighted(model, *weights(shop, 0.3, 0.6))
    whole = half.query_vectors(everybody)
    rows = np.array([7, 3, 7, 0])
    np.testing.assert_array_equal(half.query_vectors(everybody.take(rows)), whole[rows])
    assert half.query_vectors(everybody.take(rows[:0])).shape == (0, model.dimension)
