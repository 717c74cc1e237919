import numpy as np
import pytest

from whyrec.data.dataset import Dataset
from whyrec.data.pairs import Pairs
from whyrec.errors import ArgumentError
from whyrec.explain import ClosedFormConfig, PlayerKind, ShapleyConfig
from whyrec.models import EASEConfig, Popularity, PopularityConfig, TwoTower


def test_of_ease_they_are_the_exact_shapley_values(shop: Dataset) -> None:
    ease = EASEConfig(l2=2.0).fit(shop)
    histories = shop.histories(np.array([1, 3, 4, 0]))
    pairs = Pairs(np.array([2, 1, 0, 3], np.int32), np.array([0, 0, 7, 7], np.int32))
    scores = ease.query_vectors(histories) @ ease.item_vectors().T
    full = scores[pairs.rows, pairs.items].astype(np.float64)
    found = ClosedFormConfig().fit(ease, shop).explain(histories, pairs, full)
    every = ShapleyConfig(exact_players=16).fit(ease, shop).explain(histories, pairs, full)
    np.testing.assert_allclose(found.contributions, every.contributions, atol=1e-6)
    np.testing.assert_array_equal(found.base_values, np.zeros(4))
    assert found.tier == "closed form"
    assert found.standard_errors is None


def test_of_popularity_all_of_the_score_is_base_value(shop: Dataset) -> None:
    popularity = PopularityConfig().fit(shop)
    pairs = Pairs(np.array([0, 0], np.int32), np.array([5, 6], np.int32))
    full = popularity.item_biases()[pairs.items].astype(np.float64)
    found = (
        ClosedFormConfig().fit(popularity, shop).explain(shop.histories(np.array([3])), pairs, full)
    )
    np.testing.assert_array_equal(found.base_values, full)
    assert not found.contributions.any()


def test_events_alone_contribute(shop: Dataset) -> None:
    ease = EASEConfig(l2=2.0).fit(shop)
    pairs = Pairs(np.array([0], np.int32), np.array([5], np.int32))
    found = (
        ClosedFormConfig()
        .fit(ease, shop)
        .explain(shop.histories(np.array([12])), pairs, np.ones(1))
    )
    is_event = found.players.kinds == PlayerKind.EVENT
    assert found.contributions[is_event].any()
    assert not found.contributions[~is_event].any()


def test_a_score_that_is_no_sum_over_events_is_refused(shop: Dataset, tower: TwoTower) -> None:
    with pytest.raises(ArgumentError, match=r"TwoTower has no closed form.*NetworkConfig\(\)"):
        ClosedFormConfig().fit(tower, shop)
    with pytest.raises(ArgumentError, match="TwoTower has no closed form"):
        ClosedFormConfig().restore(tower, {})
    assert isinstance(PopularityConfig().fit(shop), Popularity)
