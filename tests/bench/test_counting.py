import numpy as np
import pytest
from bench.faithfulness.counting import CountingRecommender, counting
from bench.faithfulness.methods.gradients import GradientTimesInputConfig
from bench.faithfulness.methods.leave_one_out import LeaveOneOutConfig, Output
from bench.faithfulness.methods.method import Method
from bench.faithfulness.methods.spinrec import SPINRecConfig

from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.explain import GradientPathConfig, NetworkConfig, ShapleyConfig
from whyrec.explain.margin import Rivals, margin_over
from whyrec.models import DifferentiableRecommender, TwoTower
from whyrec.types import Float64Array

Asked = tuple[Histories, Pairs, Float64Array]

N_PAIRS = 7
COSTS: dict[str, tuple[Method, float]] = {
    "gradient × input": (GradientTimesInputConfig(), 1),
    "gradient path": (GradientPathConfig(n_points=8), 9),  # the base value is one of them
    "network": (NetworkConfig(n_points=2, max_steps=0), 3),
    "SPINRec": (SPINRecConfig(n_draws=3, n_steps=4), 12),
}


@pytest.mark.parametrize("name", COSTS)
def test_gradients_are_counted_by_pair_however_they_are_batched(
    name: str, tower: TwoTower, shop: Dataset, asked: Asked
) -> None:
    method, gradients = COSTS[name]
    counted = counting(tower)
    explainer = method.fit(counted, shop, progress=False)
    counted.reset()
    explainer.explain(*asked)
    assert counted.n_gradients == gradients * N_PAIRS


def test_coalitions_are_counted_by_pair(
    tower: TwoTower, shop: Dataset, asked: Asked, asked_unseen: Asked
) -> None:
    counted = counting(tower)
    found = LeaveOneOutConfig().fit(counted, shop).explain(*asked)
    n_players = found.players.counts()
    assert (counted.n_coalitions, counted.n_gradients) == ((n_players + 2).sum(), 0)
    counted.reset()
    found = LeaveOneOutConfig(of=Output.PROBABILITY).fit(counted, shop).explain(*asked_unseen)
    n_events = found.players.counts_by_kind()[:, 0]
    assert (counted.n_coalitions, counted.n_gradients) == ((n_events + 1).sum(), 0)


def test_margins_are_counted_with_those_of_each_rival_unless_they_are_one_score(
    tower: TwoTower, shop: Dataset, asked: Asked
) -> None:
    histories, pairs, full_values = asked
    items = np.arange(shop.n_items, dtype=np.int32)
    rivals = Rivals(2 * np.arange(shop.n_items + 1), np.array([1, 7] * shop.n_items, np.int32))
    # Scores of the tower are linear in the item; what counts may show that or not.
    linear, other = counting(tower), CountingRecommender(tower)
    plain, *counted = (
        GradientPathConfig(n_points=8)
        .fit(margin_over(recommender, items, rivals), shop)
        .explain(histories, pairs, full_values)
        for recommender in (tower, linear, other)
    )
    n_gradients = COSTS["gradient path"][1] * N_PAIRS
    assert (linear.n_gradients, other.n_gradients) == (n_gradients, 3 * n_gradients)
    for each in counted:
        np.testing.assert_allclose(plain.contributions, each.contributions, atol=1e-5)


def test_counting_changes_no_bit(tower: TwoTower, shop: Dataset, asked: Asked) -> None:
    counted = counting(tower)
    assert isinstance(counted, DifferentiableRecommender)
    for method in (ShapleyConfig(max_permutations=8), NetworkConfig(max_steps=2)):
        plain = method.fit(tower, shop, progress=False).explain(*asked)
        found = method.fit(counted, shop, progress=False).explain(*asked)
        np.testing.assert_array_equal(plain.contributions, found.contributions)
    for name in ("item_vectors", "item_biases"):
        np.testing.assert_array_equal(getattr(counted, name)(), getattr(tower, name)())
    assert counted.item_features is tower.item_features
    assert counted.arrays().keys() == tower.arrays().keys()
